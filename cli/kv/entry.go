package kv

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

// entry is one revision of a key as scripts read it. A value is "value" when it is UTF-8 text, else "value_b64"; markers of
// removed keys have neither.
type entry struct {
	Bucket   string      `json:"bucket"`
	Key      string      `json:"key"`
	Revision uint64      `json:"revision"`
	Op       store.Op    `json:"op"`
	Created  time.Time   `json:"created"`
	Delta    uint64      `json:"delta"`
	Size     int         `json:"size"`
	Value    *string     `json:"value,omitempty"`
	Base64   *[]byte     `json:"value_b64,omitempty"`
	TTL      string      `json:"ttl,omitempty"`
	Headers  nats.Header `json:"headers,omitempty"`

	raw []byte
}

// newEntry takes the value along unless only what stands around it was read.
func newEntry(e store.Entry) entry {
	out := entry{
		Bucket: e.Bucket, Key: e.Key, Revision: e.Revision, Op: e.Op, Created: e.Created, Delta: e.Delta, Size: e.Size, TTL: store.TTLText(e.TTL),
		Headers: store.OwnHeaders(e.Header), raw: e.Value,
	}
	switch {
	case e.Op != store.Put || e.Value == nil && e.Size > 0:
	case store.IsText(e.Value):
		text := string(e.Value)
		out.Value = &text
	default:
		out.Base64 = &e.Value
	}
	return out
}

// preview is how much of a value is shown where there is no room for all of it, bytes.
const preview = 120

// View is the screen of one entry.
func (e entry) View(p *render.Page) {
	p.Line("%s > %s revision: %d created @ %s", e.Bucket, e.Key, e.Revision, render.At(e.Created))
	p.Gap()
	text, note := shownValue(e.raw, p.Options().Wide)
	if note != "" {
		p.Line("%s", note)
		p.Gap()
	}
	p.Text(text)
	p.Gap()
}

// shownValue is a value as people read it: text as it is, also over several lines; anything else quoted. note says what was
// left out and how to get it.
func shownValue(value []byte, whole bool) (text, note string) {
	if !readable(value) {
		if whole || len(value) <= preview {
			return quoted(value), fmt.Sprintf("The value is not text: %d bytes, use --raw for the exact bytes", len(value))
		}
		return quoted(value[:preview]), fmt.Sprintf("The value is not text: showing first %d bytes of %d, use --raw for full data", preview, len(value))
	}
	if whole || len(value) <= preview {
		return string(value), ""
	}
	cut := preview
	for cut > 0 && !utf8.RuneStart(value[cut]) {
		cut--
	}
	return string(value[:cut]), fmt.Sprintf("Showing first %d bytes of %d, use --raw for full data", cut, len(value))
}

// readable tells whether a value is text that can be shown as it is: UTF-8 without control characters but line breaks, tabs.
func readable(value []byte) bool {
	if !utf8.Valid(value) {
		return false
	}
	for _, b := range value {
		if b < 0x20 && b != '\n' && b != '\t' && b != '\r' || b == 0x7f {
			return false
		}
	}
	return true
}

// quoted shows bytes by the escapes of a Go string, without quotes around them.
func quoted(value []byte) string {
	q := strconv.Quote(string(value))
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// cellValue is a value on one line of a table: long ones keep their first and last 15 characters unless whole is wanted.
func cellValue(value []byte, whole bool) string {
	text := string(value)
	if !readable(value) {
		text = quoted(value)
	}
	if r := []rune(text); len(r) > 40 && !whole {
		return string(r[:15]) + "..." + string(r[len(r)-15:])
	}
	return text
}
