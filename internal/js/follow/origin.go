package follow

import (
	"bytes"
	"fmt"
	"time"
)

// Origin is what the server says in the reply subject of a message that a consumer delivers. The names share its memory.
type Origin struct {
	Stream, Consumer []byte
	Sequence         uint64 // in the stream
	Delivered        uint64 // the consumer's own count
	Pending          uint64 // messages behind it
	Time             time.Time
}

// OriginOf reads $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>[.<random>].
// ok is false for another kind of subject. It allocates nothing.
func OriginOf(reply []byte) (o Origin, ok bool, err error) {
	rest, ok := bytes.CutPrefix(reply, []byte("$JS.ACK."))
	if !ok {
		return o, false, nil
	}
	var tokens [11][]byte
	n := 0
	for more := true; more && n < len(tokens); n++ {
		if i := bytes.IndexByte(rest, '.'); i >= 0 {
			tokens[n], rest = rest[:i], rest[i+1:]
		} else {
			tokens[n], more = rest, false
		}
	}
	t := tokens[:n]
	switch {
	case n == 7:
	case n >= 9:
		t = t[2:]
	default:
		return o, false, nil
	}
	nanos := digits(t[5], &err)
	o = Origin{Stream: t[0], Consumer: t[1], Sequence: digits(t[3], &err), Delivered: digits(t[4], &err), Pending: digits(t[6], &err)}
	o.Time = time.Unix(0, int64(nanos))
	if err != nil {
		err = fmt.Errorf("reply subject %q: %w", reply, err)
	}
	return o, true, err
}

// digits reads a decimal number; err is set, if it was nil, for what is none.
func digits(b []byte, err *error) uint64 {
	var n uint64
	for _, c := range b {
		if c -= '0'; c > 9 || n > 1<<60 {
			n = 0
			b = nil
			break
		}
		n = n*10 + uint64(c)
	}
	if len(b) == 0 && *err == nil {
		*err = fmt.Errorf("not a number where one belongs")
	}
	return n
}
