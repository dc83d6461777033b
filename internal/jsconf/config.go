// Package jsconf is JetStream configurations as documents: read from files strictly, changed by settings, compared, validated
// against the schemas without a server, and kept whole, with the keys that this program does not know.
package jsconf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"
)

// Config is a configuration as the document it is on the wire: keys that this program does not know survive every change.
type Config struct {
	doc map[string]any // numbers are json.Number
}

// ParseWire reads a configuration that a server sent; unknown keys are kept.
func ParseWire(raw []byte) (*Config, error) {
	c := &Config{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&c.doc); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if c.doc == nil {
		c.doc = map[string]any{}
	}
	return c, nil
}

// FromTyped makes a document of a typed configuration.
func FromTyped(cfg any) (*Config, error) {
	raw, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	return ParseWire(raw)
}

// DefaultStream is a stream configuration with what a stream gets when nobody says otherwise: a file stream without limits that
// tracks duplicates for two minutes.
func DefaultStream(name string) *Config {
	c, err := FromTyped(api.StreamConfig{
		Name: name, Retention: api.LimitsPolicy, Storage: api.FileStorage, Discard: api.DiscardOld, Replicas: 1,
		MaxConsumers: -1, MaxMsgs: -1, MaxMsgsPer: -1, MaxBytes: -1, MaxMsgSize: -1, AllowDirect: true,
		Duplicates: DefaultDuplicateWindow,
	})
	if err != nil {
		return &Config{doc: map[string]any{"name": name}}
	}
	return c
}

// DefaultDuplicateWindow is how long message ids are remembered when nothing is said; a shorter maximum age shortens it.
const DefaultDuplicateWindow = 2 * time.Minute

// Clone is an independent copy.
func (c *Config) Clone() *Config { return &Config{doc: cloneValue(c.doc).(map[string]any)} }

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = cloneValue(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = cloneValue(e)
		}
		return out
	}
	return v
}

// Decode fills the typed configuration v points to; unknown keys are left out.
func (c *Config) Decode(v any) error {
	raw, err := json.Marshal(c.doc)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}

// Stream is the typed stream configuration.
func (c *Config) Stream() (api.StreamConfig, error) {
	var s api.StreamConfig
	err := c.Decode(&s)
	return s, err
}

// Text is the string at path, or empty.
func (c *Config) Text(path ...string) string {
	s, _ := c.value(path).(string)
	return s
}

// Has reports whether there is something at path.
func (c *Config) Has(path ...string) bool { return c.value(path) != nil }

func (c *Config) value(path []string) any {
	var v any = c.doc
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

// Set puts v, as its JSON, at path and makes the objects on the way.
func (c *Config) Set(v any, path ...string) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(path, "."), err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var plain any
	if err := d.Decode(&plain); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(path, "."), err)
	}
	m := c.doc
	for _, p := range path[:len(path)-1] {
		next, ok := m[p].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[p] = next
		}
		m = next
	}
	m[path[len(path)-1]] = plain
	return nil
}

// Unset removes what is at path, and objects that are empty by that.
func (c *Config) Unset(path ...string) {
	parent, ok := c.value(path[:len(path)-1]).(map[string]any)
	if !ok {
		return
	}
	delete(parent, path[len(path)-1])
	if len(path) > 1 && len(parent) == 0 {
		c.Unset(path[:len(path)-1]...)
	}
}

// StripReserved removes the metadata that belongs to the server (keys that begin with "_nats."); it returns c.
func (c *Config) StripReserved() *Config {
	meta, ok := c.doc["metadata"].(map[string]any)
	if !ok {
		return c
	}
	for k := range meta {
		if strings.HasPrefix(k, reservedPrefix) {
			delete(meta, k)
		}
	}
	if len(meta) == 0 {
		delete(c.doc, "metadata")
	}
	return c
}

const reservedPrefix = "_nats."

// Keys are the top-level keys, sorted.
func (c *Config) Keys() []string { return slices.Sorted(maps.Keys(c.doc)) }

// MarshalJSON writes the keys in the order of the stream configuration, unknown ones at the end.
func (c *Config) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	err := writeOrdered(&b, c.doc, reflect.TypeFor[api.StreamConfig]())
	return b.Bytes(), err
}

// Indented is the document as people read it, without HTML escapes, ending in a newline.
func (c *Config) Indented() ([]byte, error) {
	raw, err := c.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, raw, "", "  ")
	b.WriteByte('\n')
	return b.Bytes(), err
}

func writeOrdered(b *bytes.Buffer, v any, t reflect.Type) error {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := v.(type) {
	case map[string]any:
		b.WriteByte('{')
		for i, k := range ordered(v, t) {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writePlain(b, k); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := writeOrdered(b, v[k], fields(t)[k]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
		return nil
	case []any:
		if t != nil && t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeOrdered(b, e, t); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	}
	return writePlain(b, v)
}

func writePlain(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the newline that Encode adds
	return nil
}

func ordered(v map[string]any, t reflect.Type) []string {
	var out []string
	for _, k := range fieldOrder(t) {
		if _, ok := v[k]; ok {
			out = append(out, k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(v)) {
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

// fieldOrder are the JSON keys of a struct type in the order of declaration, embedded structs in place.
func fieldOrder(t reflect.Type) []string {
	var out []string
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			out = append(out, fieldOrder(f.Type)...)
		case f.IsExported() && name != "" && name != "-":
			out = append(out, name)
		}
	}
	return out
}

// fields are the JSON keys of a struct type with the types of their values.
func fields(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	if t == nil || t.Kind() != reflect.Struct {
		return out
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			maps.Copy(out, fields(f.Type))
		case f.IsExported() && name != "" && name != "-":
			out[name] = f.Type
		}
	}
	return out
}
