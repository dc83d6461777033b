// Package delivery reads what a server says of a message that a consumer delivers: its reply subject.
package delivery

import (
	"strconv"
	"strings"
	"time"
)

// Meta is what stands in the reply subject of a delivered message.
type Meta struct {
	Stream, Consumer string
	Sequence         uint64 // in the stream
	Delivered        uint64 // the consumer's own count
	Pending          uint64 // messages behind it
	Time             time.Time
}

// Parse reads a reply subject in the short form and in the one with domain and account. ok is false for any other subject. It
// allocates nothing: the names share the memory of reply.
func Parse(reply string) (m Meta, ok bool) {
	rest, ok := strings.CutPrefix(reply, "$JS.ACK.")
	if !ok {
		return m, false
	}
	var tokens [11]string
	n := 0
	for n < len(tokens) {
		tokens[n], rest, ok = strings.Cut(rest, ".")
		n++
		if !ok {
			break
		}
	}
	at := 0
	switch {
	case n == 7:
	case n >= 9:
		at = 2
	default:
		return m, false
	}
	m.Stream, m.Consumer = tokens[at], tokens[at+1]
	var numbers [4]uint64
	for i := range numbers {
		var err error
		if numbers[i], err = strconv.ParseUint(tokens[at+3+i], 10, 63); err != nil {
			return m, false
		}
	}
	m.Sequence, m.Delivered, m.Pending = numbers[0], numbers[1], numbers[3]
	m.Time = time.Unix(0, int64(numbers[2]))
	return m, true
}
