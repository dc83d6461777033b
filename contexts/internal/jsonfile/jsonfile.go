// Package jsonfile changes JSON files member by member and keeps everything else as it was written.
package jsonfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Object is a JSON object that keeps the order of its members, and the members it knows nothing of, byte for byte.
type Object []Member

// Member is one name and value of an Object, the value as it was written.
type Member struct {
	Name  string
	Value json.RawMessage
}

// Parse reads data, which must be one JSON object. Syntax errors are those of encoding/json, with their offsets.
func Parse(data []byte) (Object, error) {
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil {
		return nil, err
	} else if t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	var d Object
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, err
		}
		d = append(d, Member{t.(string), v})
	}
	return d, nil
}

// index finds the last member of that name, whatever its case, as encoding/json does.
func (d Object) index(name string) int {
	for i := len(d) - 1; i >= 0; i-- {
		if strings.EqualFold(d[i].Name, name) {
			return i
		}
	}
	return -1
}

// Get is the value that encoding/json would have used for name, nil when there is none.
func (d Object) Get(name string) json.RawMessage {
	if i := d.index(name); i >= 0 {
		return d[i].Value
	}
	return nil
}

// Text is the member as a string, empty when it is missing or something else.
func (d Object) Text(name string) string {
	var s string
	if json.Unmarshal(d.Get(name), &s) != nil {
		return ""
	}
	return s
}

// Set replaces the member and any double of it under another spelling, or appends it. A value that means the same is kept as written.
func (d *Object) Set(name string, value json.RawMessage) {
	at := d.index(name)
	if at < 0 {
		*d = append(*d, Member{name, value})
		return
	}
	if same((*d)[at].Value, value) {
		value = (*d)[at].Value
	}
	kept := (*d)[:0:0]
	for i, m := range *d {
		switch {
		case i == at:
			kept = append(kept, Member{name, value})
		case !strings.EqualFold(m.Name, name):
			kept = append(kept, m)
		}
	}
	*d = kept
}

// Remove takes the member out under every spelling.
func (d *Object) Remove(name string) {
	kept := (*d)[:0:0]
	for _, m := range *d {
		if !strings.EqualFold(m.Name, name) {
			kept = append(kept, m)
		}
	}
	*d = kept
}

// MarshalJSON writes the members in order, their values as they were.
func (d Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(Encode(m.Name))
		b.WriteByte(':')
		b.Write(m.Value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Indented is the object as it stands in a file: indented by two spaces, as natscontext writes them.
func (d Object) Indented() ([]byte, error) {
	compact, err := d.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Encode encodes a value without HTML escapes, which would make URLs and passwords unreadable.
func Encode(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("jsonfile: encoding %T: %v", v, err)) // callers encode what they decoded or made of texts
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

func same(a, b json.RawMessage) bool {
	va, erra := Decode(a)
	vb, errb := Decode(b)
	return erra == nil && errb == nil && reflect.DeepEqual(va, vb)
}

// Decode is the value as Go values; numbers are json.Number, so that none loses digits.
func Decode(raw json.RawMessage) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}
