package sub

import (
	"bytes"
	"fmt"
	"time"
)

// origin is what the server says of a message of a stream in its reply subject.
type origin struct {
	stream, consumer   []byte
	sequence, consumed uint64 // in the stream, and as counted by the consumer
	pending            uint64
	at                 time.Time
}

// originOf reads $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>[.<random>].
// ok is false for another kind of subject.
func originOf(reply []byte) (o origin, ok bool, err error) {
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
	if n >= 9 {
		t = t[2:]
	}
	if len(t) < 7 {
		return o, false, nil
	}
	nanos := digits(t[5], &err)
	o = origin{stream: t[0], consumer: t[1], sequence: digits(t[3], &err), consumed: digits(t[4], &err), pending: digits(t[6], &err)}
	o.at = time.Unix(0, int64(nanos))
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
