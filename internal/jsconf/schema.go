package jsconf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/jsm.go/registry"
)

// CheckSchema validates a JSON document against one of jsm.go's schemas, such as io.nats.jetstream.api.v1.stream_configuration,
// without a server. The reasons are "path: what is wrong", none when the document is valid; err tells that the schema is unknown
// or the document is no JSON. The keywords are those that the schemas use; there are no references among them.
func CheckSchema(schemaType string, doc []byte) (reasons []string, err error) {
	raw, err := registry.Schema(schemaType)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", schemaType, err)
	}
	schema, err := decodeNumbers(raw)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", schemaType, err)
	}
	value, err := decodeNumbers(doc)
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	c := schemaCheck{}
	c.check(schema, value, "")
	return c.reasons, nil
}

func decodeNumbers(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

type schemaCheck struct{ reasons []string }

func (c *schemaCheck) fail(path, format string, args ...any) {
	if path == "" {
		path = "(root)"
	}
	c.reasons = append(c.reasons, path+": "+fmt.Sprintf(format, args...))
}

// passes tries a schema without keeping the reasons.
func passes(schema, v any, path string) (bool, []string) {
	c := schemaCheck{}
	c.check(schema, v, path)
	return len(c.reasons) == 0, c.reasons
}

func (c *schemaCheck) check(schema, v any, path string) {
	s, ok := schema.(map[string]any)
	if !ok {
		if schema == false {
			c.fail(path, "is not allowed")
		}
		return
	}
	if !typeMatches(s["type"], v) {
		c.fail(path, "must be %s, is %s", typeWords(s["type"]), typeOf(v))
		return
	}
	c.values(s, v, path)
	switch v := v.(type) {
	case map[string]any:
		c.object(s, v, path)
	case []any:
		c.array(s, v, path)
	case string:
		c.text(s, v, path)
	case json.Number:
		c.number(s, v, path)
	}
	c.combined(s, v, path)
}

func (c *schemaCheck) values(s map[string]any, v any, path string) {
	if enum, ok := s["enum"].([]any); ok && !slices.ContainsFunc(enum, func(e any) bool { return equalJSON(e, v) }) {
		words := make([]string, 0, len(enum))
		for _, e := range enum {
			words = append(words, fmt.Sprintf("%q", fmt.Sprint(e)))
		}
		c.fail(path, "must be one of %s", strings.Join(words, ", "))
	}
	if want, ok := s["const"]; ok && !equalJSON(want, v) {
		c.fail(path, "must be %v", want)
	}
}

func (c *schemaCheck) combined(s map[string]any, v any, path string) {
	if all, ok := s["allOf"].([]any); ok {
		for _, sub := range all {
			c.check(sub, v, path)
		}
	}
	if not, ok := s["not"]; ok {
		if yes, _ := passes(not, v, path); yes {
			c.fail(path, "is of a form that is not allowed")
		}
	}
	for _, word := range []string{"oneOf", "anyOf"} {
		options, ok := s[word].([]any)
		if !ok {
			continue
		}
		matched, nearest := 0, []string(nil)
		for _, sub := range options {
			yes, reasons := passes(sub, v, path)
			if yes {
				matched++
			} else if nearest == nil || len(reasons) < len(nearest) {
				nearest = reasons
			}
		}
		switch {
		case matched == 0:
			c.reasons = append(c.reasons, nearest...)
		case matched > 1 && word == "oneOf":
			c.fail(path, "fits %d alternatives that exclude each other", matched)
		}
	}
}

func (c *schemaCheck) object(s map[string]any, v map[string]any, path string) {
	if required, ok := s["required"].([]any); ok {
		for _, r := range required {
			if name, _ := r.(string); !hasKey(v, name) {
				c.fail(path, "%s is required", name)
			}
		}
	}
	props, _ := s["properties"].(map[string]any)
	patterns, _ := s["patternProperties"].(map[string]any)
	for _, k := range slices.Sorted(maps.Keys(v)) {
		known := false
		if sub, ok := props[k]; ok {
			known = true
			c.check(sub, v[k], at(path, k))
		}
		for _, p := range slices.Sorted(maps.Keys(patterns)) {
			if re, err := regexp.Compile(p); err == nil && re.MatchString(k) {
				known = true
				c.check(patterns[p], v[k], at(path, k))
			}
		}
		if extra, ok := s["additionalProperties"]; ok && !known {
			if extra == false {
				c.fail(path, "additional property %s is not allowed", k)
				continue
			}
			c.check(extra, v[k], at(path, k))
		}
	}
}

func hasKey(m map[string]any, k string) bool {
	_, ok := m[k]
	return ok
}

func (c *schemaCheck) array(s map[string]any, v []any, path string) {
	items, ok := s["items"]
	if !ok {
		return
	}
	for i, e := range v {
		c.check(items, e, fmt.Sprintf("%s[%d]", path, i))
	}
}

func (c *schemaCheck) text(s map[string]any, v string, path string) {
	n := big.NewFloat(float64(utf8.RuneCountInString(v)))
	if low := bound(s["minLength"]); low != nil && n.Cmp(low) < 0 {
		c.fail(path, "must have at least %v characters", s["minLength"])
	}
	if high := bound(s["maxLength"]); high != nil && n.Cmp(high) > 0 {
		c.fail(path, "must have at most %v characters", s["maxLength"])
	}
	if p, ok := s["pattern"].(string); ok {
		if re, err := regexp.Compile(p); err == nil && !re.MatchString(v) {
			c.fail(path, "%q does not match %s", v, p)
		}
	}
	if s["format"] == "date-time" {
		if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
			c.fail(path, "%q is no time such as 2026-01-02T15:04:05Z", v)
		}
	}
}

func (c *schemaCheck) number(s map[string]any, v json.Number, path string) {
	n := bound(v)
	if n == nil {
		return
	}
	if low := bound(s["minimum"]); low != nil && n.Cmp(low) < 0 {
		c.fail(path, "must be %v or more", s["minimum"])
	}
	if high := bound(s["maximum"]); high != nil && n.Cmp(high) > 0 {
		c.fail(path, "must be %v or less", s["maximum"])
	}
}

// bound reads a JSON number exactly: the limits of 64 bits do not fit into a float64.
func bound(v any) *big.Float {
	n, ok := v.(json.Number)
	if !ok {
		return nil
	}
	f, _, err := big.ParseFloat(n.String(), 10, 256, big.ToNearestEven)
	if err != nil {
		return nil
	}
	return f
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case json.Number:
		if f := bound(v); f != nil && f.IsInt() {
			return "integer"
		}
	}
	return "number"
}

func typeMatches(want, v any) bool {
	switch w := want.(type) {
	case string:
		have := typeOf(v)
		return w == have || w == "number" && have == "integer"
	case []any:
		return slices.ContainsFunc(w, func(e any) bool { return typeMatches(e, v) })
	}
	return true
}

func typeWords(want any) string {
	if list, ok := want.([]any); ok {
		words := make([]string, 0, len(list))
		for _, w := range list {
			words = append(words, fmt.Sprint(w))
		}
		return strings.Join(words, " or ")
	}
	return fmt.Sprint(want)
}

func equalJSON(a, b any) bool {
	x, y := bound(a), bound(b)
	if x != nil && y != nil {
		return x.Cmp(y) == 0
	}
	ja, err1 := json.Marshal(a)
	jb, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(ja, jb)
}
