package store

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
)

// record is one line of an export. A value is in one of two fields, or absent with a marker.
type record struct {
	Key      string      `json:"key"`
	Revision uint64      `json:"revision"`
	Op       Op          `json:"op"`
	Created  time.Time   `json:"created"`
	Value    *string     `json:"value"`
	Base64   *string     `json:"value_b64"`
	TTL      string      `json:"ttl"`
	Headers  nats.Header `json:"headers"`
	Bucket   string      `json:"bucket"`
	Delta    uint64      `json:"delta"`
}

// recordReader reads the lines of an export. What Export writes is taken apart by hand, which costs a fifth of what decoding
// by reflection does; anything that is spelt another way, or wrong, goes to encoding/json.
type recordReader struct {
	text []byte // of values, used again for each line
}

// read returns a record and its value, which is valid until the next call or until line changes.
func (r *recordReader) read(line []byte) (record, []byte, error) {
	rec, value, ok := r.plain(line)
	if !ok {
		var err error
		if rec, value, err = decodeRecord(line); err != nil {
			return rec, nil, err
		}
	}
	if err := CheckKey(rec.Key); err != nil {
		return rec, nil, err
	}
	rec.TTL = TTLText(rec.TTL)
	return rec, value, nil
}

// TTLText is the TTL of a message as a Go duration. Writers may give it as whole seconds, and servers do so where they
// raise it; what is neither, such as never, stays.
func TTLText(header string) string {
	seconds, err := strconv.ParseInt(header, 10, 64)
	if err != nil || seconds < 0 || seconds > math.MaxInt64/int64(time.Second) {
		return header
	}
	return (time.Duration(seconds) * time.Second).String()
}

// decodeRecord reads any spelling of a record and says what is wrong with a line that is none.
func decodeRecord(line []byte) (record, []byte, error) {
	var rec record
	line = bytes.TrimPrefix(line, []byte("\uFEFF")) // editors put it before the first line
	if !utf8.Valid(line) {                          // encoding/json would put other characters in the place of such bytes
		return rec, nil, errors.New("the line is not UTF-8 text: values that are none go into \"value_b64\"")
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&rec); err != nil {
		return rec, nil, recordError(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return rec, nil, errors.New("more text stands behind the entry")
	}
	switch rec.Op {
	case "":
		rec.Op = Put
	case Put, Delete, Purge:
	default:
		return rec, nil, fmt.Errorf("op %q is none of PUT, DELETE, PURGE", rec.Op)
	}
	switch {
	case rec.Op != Put:
		return rec, nil, nil
	case rec.Value != nil && rec.Base64 != nil:
		return rec, nil, errors.New(`both "value" and "value_b64" are given`)
	case rec.Base64 != nil:
		value, err := base64.StdEncoding.DecodeString(*rec.Base64)
		if err != nil {
			return rec, nil, fmt.Errorf("value_b64: %w", err)
		}
		return rec, value, nil
	case rec.Value != nil:
		return rec, []byte(*rec.Value), nil
	}
	return rec, nil, errors.New(`neither "value" nor "value_b64" is given`)
}

// recordError says what encoding/json found in words about the line instead of our types.
func recordError(err error) error {
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Field == "":
		return fmt.Errorf("an object with a key and a value is wanted, not JSON of the type %s", kind.Value)
	case errors.As(err, &kind) && kind.Type.Kind() == reflect.String:
		return fmt.Errorf("%q must be text in quotes, not of the type %s", kind.Field, kind.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("%q cannot be of the type %s", kind.Field, kind.Value)
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("there is no field %s in entries", field)
	}
	return fmt.Errorf("this is no JSON: %w", err)
}

// fields of a record that plain knows, as bits of those it has seen.
const (
	sawKey = 1 << iota
	sawRevision
	sawOp
	sawCreated
	sawText
	sawBase64
	sawTTL
	sawBucket
	sawDelta
)

// plain reads a record without headers, whose fields each stand at most once. ok is false for anything else.
func (r *recordReader) plain(line []byte) (rec record, value []byte, ok bool) {
	if !utf8.Valid(line) {
		return rec, nil, false
	}
	s := lineScanner{line: line}
	if !s.eat('{') {
		return rec, nil, false
	}
	seen := 0
	for first := true; !s.eat('}'); first = false {
		if !first && !s.eat(',') {
			return rec, nil, false
		}
		name, plain := s.word()
		if !plain || !s.eat(':') {
			return rec, nil, false
		}
		bit := 0
		if bit, value, ok = r.field(&s, string(name), &rec, value); !ok || seen&bit != 0 {
			return rec, nil, false
		}
		seen |= bit
	}
	if rec.Op == "" {
		rec.Op = Put
	}
	isPut, valued := rec.Op == Put, seen&(sawText|sawBase64)
	ok = s.done() && seen&sawKey != 0 && (isPut && (valued == sawText || valued == sawBase64) || !isPut && valued == 0)
	return rec, value, ok
}

// field reads one field into rec, or returns the value that it holds.
func (r *recordReader) field(s *lineScanner, name string, rec *record, value []byte) (bit int, _ []byte, ok bool) {
	switch name {
	case "value":
		r.text, ok = s.text(r.text[:0])
		return sawText, r.text, ok
	case "revision":
		rec.Revision, ok = s.number()
		return sawRevision, value, ok
	case "delta":
		rec.Delta, ok = s.number()
		return sawDelta, value, ok
	}
	word, ok := s.word()
	if !ok {
		return 0, value, false
	}
	switch name {
	case "key":
		rec.Key = string(word)
		return sawKey, value, true
	case "op":
		rec.Op = knownOp(word)
		return sawOp, value, rec.Op != ""
	case "created":
		return sawCreated, value, rec.Created.UnmarshalText(word) == nil
	case "value_b64":
		var err error
		r.text, err = base64.StdEncoding.AppendDecode(r.text[:0], word)
		return sawBase64, r.text, err == nil
	case "ttl":
		rec.TTL = string(word)
		return sawTTL, value, true
	case "bucket":
		rec.Bucket = string(word)
		return sawBucket, value, true
	}
	return 0, value, false
}

// knownOp is the operation of that name without a copy of it, empty when there is none.
func knownOp(name []byte) Op {
	for _, op := range [...]Op{Put, Delete, Purge} {
		if string(op) == string(name) {
			return op
		}
	}
	return ""
}

// lineScanner takes the tokens of a JSON document from a line, as far as records need them.
type lineScanner struct {
	line []byte
	at   int
}

func (s *lineScanner) space() {
	for s.at < len(s.line) && (s.line[s.at] == ' ' || s.line[s.at] == '\t' || s.line[s.at] == '\r' || s.line[s.at] == '\n') {
		s.at++
	}
}

// eat passes over a mark if it comes next.
func (s *lineScanner) eat(mark byte) bool {
	s.space()
	if s.at >= len(s.line) || s.line[s.at] != mark {
		return false
	}
	s.at++
	return true
}

// done tells whether nothing is left.
func (s *lineScanner) done() bool {
	s.space()
	return s.at == len(s.line)
}

// number reads digits that fit into 64 bits for certain.
func (s *lineScanner) number() (n uint64, ok bool) {
	s.space()
	begin := s.at
	for s.at < len(s.line) && s.line[s.at] >= '0' && s.line[s.at] <= '9' && s.at-begin < 19 {
		n = n*10 + uint64(s.line[s.at]-'0')
		s.at++
	}
	leading := s.at-begin > 1 && s.line[begin] == '0'
	return n, s.at > begin && !leading
}

// word is a string without escapes.
func (s *lineScanner) word() ([]byte, bool) {
	if !s.eat('"') {
		return nil, false
	}
	for begin := s.at; s.at < len(s.line); s.at++ {
		switch c := s.line[s.at]; {
		case c == '"':
			s.at++
			return s.line[begin : s.at-1], true
		case c == '\\' || c < 0x20:
			return nil, false
		}
	}
	return nil, false
}

// escapes are the characters that stand for another one behind a backslash.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// text appends a string to dst, the escapes of one character resolved; others are left to those who know them all.
func (s *lineScanner) text(dst []byte) ([]byte, bool) {
	if !s.eat('"') {
		return dst, false
	}
	for begin := s.at; s.at < len(s.line); s.at++ {
		switch c := s.line[s.at]; {
		case c == '"':
			dst = append(dst, s.line[begin:s.at]...)
			s.at++
			return dst, true
		case c < 0x20:
			return dst, false
		case c == '\\':
			dst = append(dst, s.line[begin:s.at]...)
			if s.at++; s.at == len(s.line) || escapes[s.line[s.at]] == 0 {
				return dst, false
			}
			dst = append(dst, escapes[s.line[s.at]])
			begin = s.at + 1
		}
	}
	return dst, false
}
