// Package publish stores messages in JetStream from the client's side: acknowledgements as the server sends them, and a
// window of messages under way whose acknowledgements are reported in the order of sending.
package publish

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
)

// Ack is the server's word that a message is stored, in the spelling of the wire.
type Ack struct {
	Stream    string `json:"stream"`
	Sequence  uint64 `json:"seq"`
	Domain    string `json:"domain,omitempty"`
	Duplicate bool   `json:"duplicate,omitempty"`
	Value     string `json:"val,omitempty"`   // the total of a counter
	Batch     string `json:"batch,omitempty"` // id of an atomic batch
	Count     int    `json:"count,omitempty"` // messages of that batch
}

// ParseAck reads the answer to a published message. A refusal is an error "description (code)" that wraps a
// *jetstream.APIError; an answer that is no acknowledgement at all says so.
func ParseAck(m *nats.Msg) (Ack, error) {
	return new(acks).read(m.Data, len(m.Data) == 0 && m.Header.Get("Status") == "503")
}

// acks reads acknowledgements. The usual one is read without making objects; the names in it, which come again and again, are
// made when they change.
type acks struct{ stream, domain string }

func (r *acks) read(data []byte, nobody bool) (Ack, error) {
	if nobody {
		return Ack{}, nats.ErrNoResponders
	}
	if a, ok := r.plain(data); ok {
		return a, nil
	}
	return decodeAck(data)
}

// decodeAck reads an answer in any spelling.
func decodeAck(data []byte) (Ack, error) {
	var r struct {
		Ack
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return Ack{}, fmt.Errorf("the answer is no acknowledgement of a stream: %w", err)
	}
	switch {
	case r.Error != nil:
		return Ack{}, refused(r.Error)
	case r.Stream == "":
		return Ack{}, fmt.Errorf("the answer is no acknowledgement of a stream: it names none")
	}
	return r.Ack, nil
}

// refusal is an error of the JetStream API as it stands in a response, in a shape for people.
type refusal struct{ *jetstream.APIError }

// Error is the description and the number.
func (r refusal) Error() string { return fmt.Sprintf("%s (%d)", r.Description, r.ErrorCode) }

// Unwrap is the library's error.
func (r refusal) Unwrap() error { return r.APIError }

func refused(e *jetstream.APIError) error {
	code := fail.Failure
	switch {
	case e.ErrorCode == 10039 || e.ErrorCode == 10076:
		code = fail.Unreachable
	case e.Code == 404:
		code = fail.NotFound
	}
	return fail.Newf(code, "%w", refusal{e})
}

// plain reads an acknowledgement as servers write it, {"stream":"S","seq":7}. ok is false for anything else.
func (r *acks) plain(b []byte) (a Ack, ok bool) {
	if len(b) == 0 || b[0] != '{' {
		return a, false
	}
	b = b[1:]
	for {
		var key []byte
		if key, b, ok = word(b); !ok {
			return a, false
		}
		if b = blank(b); len(b) == 0 || b[0] != ':' {
			return a, false
		}
		if b, ok = r.field(&a, string(key), blank(b[1:])); !ok {
			return a, false
		}
		b = blank(b)
		switch {
		case len(b) == 0:
			return a, false
		case b[0] == '}':
			return a, len(b) == 1 && a.Stream != ""
		case b[0] != ',':
			return a, false
		}
		b = blank(b[1:])
	}
}

// field reads the value at the start of b.
func (r *acks) field(a *Ack, key string, b []byte) (rest []byte, ok bool) {
	var text []byte
	var n uint64
	switch key {
	case "stream":
		text, b, ok = word(b)
		a.Stream = again(&r.stream, text)
	case "domain":
		text, b, ok = word(b)
		a.Domain = again(&r.domain, text)
	case "val":
		text, b, ok = word(b)
		a.Value = string(text)
	case "batch":
		text, b, ok = word(b)
		a.Batch = string(text)
	case "seq":
		a.Sequence, b, ok = digits(b)
	case "count":
		n, b, ok = digits(b)
		a.Count, ok = int(n), ok && n <= math.MaxInt32
	case "duplicate":
		a.Duplicate = true
		b, ok = bytes.CutPrefix(b, []byte("true"))
	}
	return b, ok
}

// again is text as a string, the one before if it is the same.
func again(before *string, text []byte) string {
	if *before != string(text) {
		*before = string(text)
	}
	return *before
}

// word reads a string of printable ASCII without escapes.
func word(b []byte) (text, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, b, false
	}
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return b[1:i], b[i+1:], true
		case c < ' ' || c >= 0x7f || c == '\\':
			return nil, b, false
		}
	}
	return nil, b, false
}

// digits reads a number without sign, fraction and exponent.
func digits(b []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		d := uint64(b[i] - '0')
		if n > (math.MaxUint64-d)/10 {
			return 0, b, false
		}
		n = n*10 + d
	}
	if i == 0 || i > 1 && b[0] == '0' {
		return 0, b, false
	}
	return n, b[i:], true
}

func blank(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	return b
}
