package meter

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// StampSize is how many bytes at the start of a payload a stamp takes: a mark of 2 bytes, the time of sending in 6, the id of
// the publisher in 3, its number in 5.
const StampSize = 16

const (
	// mark begins each stamp; text in UTF-8 never has its first byte, and payloads of zeroes have not either.
	mark = 0xc1b7
	// clock is how many bits of the time a stamp holds: nanoseconds that come round every 78 hours.
	clock = 48
	// numbers is how many bits of the message's number it holds. They come round too, which a Tracker follows.
	numbers = 40

	maxClock    = 1<<clock - 1
	maxSequence = 1<<numbers - 1
	maxID       = 1<<(64-numbers) - 1
)

// PublisherIDs is a random id from which the publishers of one process count theirs: a subscriber that hears several processes has
// to tell their publishers apart.
func PublisherIDs() uint32 { return PublisherID(rand.Uint32(), 0) }

// PublisherID is the id of publisher i, from 0, of those that count from first.
func PublisherID(first uint32, i int) uint32 { return (first + uint32(i)) & maxID }

// PutStamp writes to the first StampSize bytes of payload what lets a subscriber tell how long it took and whether one is missing:
// when it was meant to be sent, in nanoseconds since 1970, the publisher's id, and the number of the message, from 0.
func PutStamp(payload []byte, sent int64, publisher uint32, sequence uint64) {
	_ = payload[StampSize-1]
	binary.BigEndian.PutUint64(payload, mark<<clock|uint64(sent)&maxClock)
	binary.BigEndian.PutUint64(payload[8:], uint64(publisher)<<numbers|sequence&maxSequence)
}

// ReadStamp reads a stamp at now, nanoseconds since 1970; sequence lacks its bits above 40. ok is false for a payload that is too
// short or has no mark, and for a time further than an hour away: that is of someone else.
func ReadStamp(payload []byte, now int64) (sent int64, publisher uint32, sequence uint64, ok bool) {
	if len(payload) < StampSize {
		return 0, 0, 0, false
	}
	v := binary.BigEndian.Uint64(payload)
	away := int64((uint64(now)-v)<<(64-clock)) >> (64 - clock) // signed, the shorter way round
	if v>>clock != mark || away > int64(time.Hour) || away < -int64(time.Hour) {
		return 0, 0, 0, false
	}
	n := binary.BigEndian.Uint64(payload[8:])
	return now - away, uint32(n >> numbers), n & maxSequence, true
}
