// Package snappy reads what servers and services compress when they are told that they may: with Accept-Encoding: snappy
// they answer with Content-Encoding: snappy, and neither says which of the two formats of that name it means.
package snappy

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go"
)

// Header and Name are the header and value by which a sender says that it reads this.
const (
	Header = "Accept-Encoding"
	Name   = "snappy"
)

// Largest is how long a plain body may be: a small message may claim to hold gigabytes.
const Largest = 64 << 20

// magic begins the stream format, in the spelling of snappy and of s2.
var magic = [][]byte{[]byte("\xff\x06\x00\x00sNaPpY"), []byte("\xff\x06\x00\x00S2sTwO")}

// Body is the plain body of a message, as it came when it is not compressed.
func Body(m *nats.Msg) ([]byte, error) {
	if m.Header.Get("Content-Encoding") != Name {
		return m.Data, nil
	}
	return Decode(m.Data)
}

// Decode reads either format.
func Decode(data []byte) ([]byte, error) {
	for _, m := range magic {
		if bytes.HasPrefix(data, m) {
			out, err := io.ReadAll(io.LimitReader(s2.NewReader(bytes.NewReader(data)), Largest+1))
			if err == nil && len(out) > Largest {
				err = errTooLong
			}
			return out, err
		}
	}
	n, err := s2.DecodedLen(data)
	switch {
	case err != nil:
		return nil, err
	case n > Largest:
		return nil, errTooLong
	}
	return s2.Decode(nil, data)
}

var errTooLong = fmt.Errorf("more than %d bytes", Largest)
