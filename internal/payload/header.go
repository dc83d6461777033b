// Package payload is what publishing, requesting, replying and reading share: where bodies come from, templates, headers,
// commands that messages are piped through, dumps, and how a body may be shown.
package payload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
)

// ParseHeader reads "K: V": parted at the first colon, both sides trimmed, the case of the key kept.
func ParseHeader(s string) (key, value string, err error) {
	key, value, ok := strings.Cut(s, ":")
	if !ok {
		return "", "", fmt.Errorf("invalid header %q: give Name:Value", s)
	}
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if err := checkHeader(key, value); err != nil {
		return "", "", fmt.Errorf("invalid header %q: %w", s, err)
	}
	return key, value, nil
}

// checkHeader refuses what the client library would drop, or what would end the header early on the wire.
func checkHeader(key, value string) error {
	if key == "" {
		return fmt.Errorf("the name is empty")
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return fmt.Errorf("the name may hold letters, digits and !#$%%&'*+-.^_`|~")
		}
	}
	if strings.ContainsAny(value, "\r\n\x00") {
		return fmt.Errorf("the value of %s may not hold line breaks", key)
	}
	return nil
}

// ParseHeaderFile reads headers from a file: one "K: V" a line, with blank lines and lines from # on skipped, or a JSON object
// of strings or lists of strings. name is the file's name for errors.
func ParseHeaderFile(name string, content []byte) (nats.Header, error) {
	if text := bytes.TrimSpace(content); len(text) > 0 && text[0] == '{' {
		return parseHeaderJSON(name, text)
	}
	h := nats.Header{}
	for i, line := range strings.Split(string(content), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, err := ParseHeader(line)
		if err != nil {
			return nil, fail.Usagef("header file %s: line %d: %w", name, i+1, err)
		}
		h[key] = append(h[key], value)
	}
	return h, nil
}

func parseHeaderJSON(name string, text []byte) (nats.Header, error) {
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fail.Usagef("header file %s: %w", name, err)
	}
	h := nats.Header{}
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		var list []string
		var one string
		if json.Unmarshal(raw[key], &one) == nil {
			list = []string{one}
		} else if json.Unmarshal(raw[key], &list) != nil {
			return nil, fail.Usagef("header file %s: %s must be a string or a list of strings", name, key)
		}
		for _, value := range list {
			if err := checkHeader(key, value); err != nil {
				return nil, fail.Usagef("header file %s: invalid header %q: %w", name, key, err)
			}
		}
		h[key] = list
	}
	return h, nil
}

// MergeHeaders adds the values of every further header to h and returns it; h may be nil.
func MergeHeaders(h nats.Header, more ...nats.Header) nats.Header {
	for _, m := range more {
		for key, values := range m {
			if h == nil {
				h = nats.Header{}
			}
			h[key] = append(h[key], values...)
		}
	}
	return h
}

// HeaderLines are the headers as "K: V", sorted by key, the values of a key in their order. They hold what strangers sent.
func HeaderLines(h nats.Header) []string {
	lines := make([]string, 0, len(h))
	for _, key := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[key] {
			lines = append(lines, key+": "+value)
		}
	}
	return lines
}

// AppendHeader appends the wire form of h, sorted by key, with the blank line that ends it; an empty header adds nothing.
// Values are trimmed, as the client library does; what would end a header early is an error.
func AppendHeader(dst []byte, h nats.Header) ([]byte, error) {
	if len(h) == 0 {
		return dst, nil
	}
	dst = append(dst, "NATS/1.0\r\n"...)
	for _, key := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[key] {
			if err := checkHeader(key, value); err != nil {
				return nil, fmt.Errorf("header %q: %w", key, err)
			}
			dst = append(dst, key...)
			dst = append(dst, ": "...)
			dst = append(dst, strings.Trim(value, " \t")...)
			dst = append(dst, "\r\n"...)
		}
	}
	return append(dst, "\r\n"...), nil
}

// HeaderTemplate is a header whose values are templates.
type HeaderTemplate struct {
	keys   []string
	values [][]*Text
	plain  bool
}

// CompileHeader compiles every value of h. Errors name the header.
func CompileHeader(h nats.Header, scope Scope) (*HeaderTemplate, error) {
	t := &HeaderTemplate{plain: true, keys: slices.Sorted(maps.Keys(h))}
	for _, key := range t.keys {
		list := make([]*Text, 0, len(h[key]))
		for _, value := range h[key] {
			text, err := Compile("header "+key, value, scope)
			if err != nil {
				return nil, err
			}
			t.plain = t.plain && text.Literal()
			list = append(list, text)
		}
		t.values = append(t.values, list)
	}
	return t, nil
}

// Literal reports whether no value has anything to expand, so that one expansion serves every message.
func (t *HeaderTemplate) Literal() bool { return t.plain }

// Expand returns the header for one message. It never shares memory with another expansion, since the JetStream client adds
// to the header of what it publishes. An empty header is nil.
func (t *HeaderTemplate) Expand(v *Values) (nats.Header, error) {
	if len(t.keys) == 0 {
		return nil, nil
	}
	h := make(nats.Header, len(t.keys))
	for i, key := range t.keys {
		list := make([]string, 0, len(t.values[i]))
		for _, text := range t.values[i] {
			value, err := text.ExpandString(v)
			if err == nil {
				err = checkHeader(key, value)
			}
			if err != nil {
				return nil, fail.Newf(fail.Failure, "header %s: %w", key, err)
			}
			list = append(list, value)
		}
		h[key] = list
	}
	return h, nil
}
