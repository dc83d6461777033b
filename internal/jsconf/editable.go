package jsconf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/jsm.go/registry"
	"gopkg.in/yaml.v3"
)

// KeepUnknown copies from the keys that typed, a configuration struct, does not have and c does not say: settings of a newer
// server that a file written by an older program lacks.
func (c *Config) KeepUnknown(from *Config, typed any) {
	known := fields(reflect.TypeOf(typed))
	for k, v := range from.doc {
		if _, ours := known[k]; ours {
			continue
		}
		if _, said := c.doc[k]; !said {
			c.doc[k] = cloneValue(v)
		}
	}
}

// CommentedYAML is a stream configuration for an editor: every setting with its meaning, type and bounds above it, durations in
// words. ReadStream reads it back.
func CommentedYAML(c *Config) ([]byte, error) {
	props, err := schemaProperties(StreamSchema)
	if err != nil {
		return nil, err
	}
	t := reflect.TypeFor[api.StreamConfig]()
	full := c.Clone()
	// What a person may want to set stands there even when it is not set.
	for key, v := range map[string]any{"description": "", "subjects": []any{}, "metadata": map[string]any{}} {
		if _, there := full.doc[key]; !there && (key != "subjects" || full.doc["mirror"] == nil) {
			full.doc[key] = v
		}
	}
	root := &yaml.Node{Kind: yaml.MappingNode}
	known := fields(t)
	for _, k := range ordered(full.doc, t) {
		name := &yaml.Node{Kind: yaml.ScalarNode, Value: k, HeadComment: comment(props[k], known[k])}
		value, err := yamlValue(full.doc[k], known[k])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		root.Content = append(root.Content, name, value)
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(root); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("\n# "), []byte("\n\n# ")), e.Close()
}

func schemaProperties(name string) (map[string]map[string]any, error) {
	raw, err := registry.Schema(name)
	if err != nil {
		return nil, err
	}
	var s struct {
		Properties map[string]map[string]any `json:"properties"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return s.Properties, d.Decode(&s)
}

// comment is what the schema says of a setting, in one line.
func comment(p map[string]any, t reflect.Type) string {
	if p == nil {
		return "a setting that this program does not know; it is kept as it stands"
	}
	var parts []string
	if d, _ := p["description"].(string); d != "" {
		parts = append(parts, strings.TrimSpace(strings.ReplaceAll(d, "\n", " ")))
	}
	kind := typeWords(p["type"])
	if t == reflect.TypeFor[time.Duration]() {
		kind = "duration"
	}
	if enum, ok := p["enum"].([]any); ok {
		words := make([]string, 0, len(enum))
		for _, e := range enum {
			if w := fmt.Sprint(e); w != "" {
				words = append(words, w)
			}
		}
		kind = strings.Join(words, ", ")
	}
	bounds := []string{kind}
	if low, ok := p["minimum"]; ok && kind != "duration" {
		bounds = append(bounds, fmt.Sprintf("from %v", low))
	}
	if high, ok := p["maximum"]; ok && kind != "duration" {
		bounds = append(bounds, fmt.Sprintf("to %v", high))
	}
	return strings.Join(append(parts, "("+strings.Join(bounds, " ")+")"), " ")
}

// yamlValue is a value of the document as YAML, durations in words.
func yamlValue(v any, t reflect.Type) (*yaml.Node, error) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := v.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode}
		known := fields(t)
		for _, k := range ordered(v, t) {
			inner, err := yamlValue(v[k], known[k])
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, scalarNode(k), inner)
		}
		return n, nil
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		var et reflect.Type
		if t != nil && t.Kind() == reflect.Slice {
			et = t.Elem()
		}
		for _, e := range v {
			inner, err := yamlValue(e, et)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, inner)
		}
		return n, nil
	case json.Number:
		if ns, err := v.Int64(); err == nil && t == reflect.TypeFor[time.Duration]() {
			return scalarNode(time.Duration(ns).String()), nil
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: numberTag(v), Value: v.String()}, nil
	case string:
		return scalarNode(v), nil
	}
	n := &yaml.Node{}
	return n, n.Encode(v)
}

func numberTag(v json.Number) string {
	if strings.ContainsAny(v.String(), ".eE") {
		return "!!float"
	}
	return "!!int"
}

// scalarNode is a text, quoted where YAML would read it as something else.
func scalarNode(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}
