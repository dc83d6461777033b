package meter

import (
	"encoding/binary"
	"time"
)

// StampSize is how many bytes at the start of a payload a stamp takes.
const StampSize = 16

// maxSequence is the largest number a stamp holds: 48 bits.
const maxSequence = 1<<48 - 1

// Stamp is what a publisher writes into a payload so that a subscriber can tell how long it took and whether one is missing.
type Stamp struct {
	Sent      time.Time // when it was meant to be sent
	Publisher uint16
	Sequence  uint64 // from 0, 48 bits
}

// Put writes s to the first StampSize bytes of payload.
func (s Stamp) Put(payload []byte) { PutStamp(payload, s.Sent.UnixNano(), s.Publisher, s.Sequence) }

// PutStamp writes a stamp whose time is given in nanoseconds since 1970: the form for loops that send millions.
func PutStamp(payload []byte, sent int64, publisher uint16, sequence uint64) {
	_ = payload[StampSize-1]
	binary.BigEndian.PutUint64(payload, uint64(sent))
	binary.BigEndian.PutUint64(payload[8:], uint64(publisher)<<48|sequence&maxSequence)
}

// ReadStamp reads a stamp. ok is false when the payload is too short or its time is further than an hour from now, which
// tells a payload of someone else from ours.
func ReadStamp(payload []byte, now int64) (sent int64, publisher uint16, sequence uint64, ok bool) {
	if len(payload) < StampSize {
		return 0, 0, 0, false
	}
	sent = int64(binary.BigEndian.Uint64(payload))
	v := binary.BigEndian.Uint64(payload[8:])
	if away := now - sent; away > int64(time.Hour) || away < -int64(time.Hour) {
		return 0, 0, 0, false
	}
	return sent, uint16(v >> 48), v & maxSequence, true
}
