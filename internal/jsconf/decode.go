package jsconf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/fail"
)

// ReadStream reads a stream configuration that a person wrote: JSON or YAML, the configuration alone or a whole info document.
// Every key must be known to us or stand in current, the configuration that the server holds (nil when there is none); durations
// may be words like 1h30m. The error names file, line, key and what was probably meant. Reserved metadata is removed.
func ReadStream(file string, data []byte, current *Config) (*Config, error) {
	return read(file, data, reflect.TypeFor[api.StreamConfig](), current, "nats stream info NAME --json")
}

// ReadConsumer is ReadStream for a consumer configuration.
func ReadConsumer(file string, data []byte, current *Config) (*Config, error) {
	return read(file, data, reflect.TypeFor[api.ConsumerConfig](), current, "nats consumer info STREAM NAME --json")
}

func read(file string, data []byte, t reflect.Type, current *Config, pattern string) (*Config, error) {
	if file == "-" {
		file = "standard input"
	}
	root, err := parse(data)
	if err != nil {
		var at *syntaxError
		if errors.As(err, &at) {
			return nil, fail.Usagef("%s:%d: %s", file, at.line, at.text)
		}
		return nil, fail.Usagef("%s: %w", file, err)
	}
	if root == nil || root.kind != object {
		return nil, fail.Usagef("%s: this is no configuration", file).WithHint("%s prints one", pattern)
	}
	if inner := root.field("config"); inner != nil && inner.kind == object && root.field("name") == nil || root.field("config") != nil && root.field("stream_name") != nil {
		root = root.field("config")
	}
	d := decoder{file: file}
	var known any
	if current != nil {
		known = current.doc
	}
	doc, _ := d.value(root, t, "", known).(map[string]any)
	if len(d.problems) > 0 {
		return nil, fail.Usagef("%s", strings.Join(d.problems, "\n"))
	}
	return (&Config{doc: doc}).StripReserved(), nil
}

// decoder checks a parsed document against a Go type and makes the wire document of it.
type decoder struct {
	file     string
	problems []string
}

func (d *decoder) problem(line int, format string, args ...any) {
	d.problems = append(d.problems, fmt.Sprintf("%s:%d: ", d.file, line)+fmt.Sprintf(format, args...))
}

func at(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *decoder) value(n *node, t reflect.Type, path string, current any) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.kind == scalar && string(n.raw) == "null" {
		return nil
	}
	_, custom := reflect.New(t).Interface().(json.Unmarshaler)
	switch {
	case t.Kind() == reflect.Struct && !custom:
		return d.object(n, t, path, current)
	case t.Kind() == reflect.Map:
		return d.mapping(n, path)
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		if n.kind != array {
			d.problem(n.line, "%s must be a list", path)
			return nil
		}
		list := make([]any, 0, len(n.items))
		for i, item := range n.items {
			list = append(list, d.value(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i), nil))
		}
		return list
	}
	return d.scalar(n, t, path)
}

func (d *decoder) object(n *node, t reflect.Type, path string, current any) any {
	if n.kind != object {
		d.problem(n.line, "%s must be an object", path)
		return nil
	}
	known := fields(t)
	extra, _ := current.(map[string]any)
	out := map[string]any{}
	for _, k := range n.keys {
		ft, ok := known[k.name]
		switch {
		case ok:
			if v := d.value(k.value, ft, at(path, k.name), extra[k.name]); v != nil {
				out[k.name] = v
			}
		case extra[k.name] != nil:
			out[k.name] = k.value.plain()
		default:
			candidates := slices.Sorted(maps.Keys(known))
			d.problem(k.line, "unknown key %q%s", at(path, k.name), prefixed(", ", fail.DidYouMean("", k.name, candidates)))
		}
	}
	return out
}

func (d *decoder) mapping(n *node, path string) any {
	if n.kind != object {
		d.problem(n.line, "%s must be an object of strings", path)
		return nil
	}
	out := map[string]any{}
	for _, k := range n.keys {
		s, ok := k.value.plain().(string)
		if !ok {
			d.problem(k.line, "%s must be a string: put it in quotes", at(path, k.name))
			continue
		}
		out[k.name] = s
	}
	return out
}

func (d *decoder) scalar(n *node, t reflect.Type, path string) any {
	if n.kind != scalar {
		d.problem(n.line, "%s must be %s", path, wanted(t))
		return nil
	}
	plain := n.plain()
	if text, ok := plain.(string); ok && t == reflect.TypeFor[time.Duration]() {
		dur, err := ParseDuration(text)
		if err != nil {
			d.problem(n.line, "%s: %s", path, err)
			return nil
		}
		return json.Number(fmt.Sprint(int64(dur)))
	}
	if err := json.Unmarshal(n.raw, reflect.New(t).Interface()); err != nil {
		d.problem(n.line, "%s is %s, it must be %s", path, n.raw, wanted(t))
		return nil
	}
	return plain
}

// wanted says in words what a value of type t looks like.
func wanted(t reflect.Type) string {
	if values := Words(t); len(values) > 0 {
		return strings.Join(values[:len(values)-1], ", ") + " or " + values[len(values)-1]
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 1h30m, or nanoseconds"
	case t == reflect.TypeFor[time.Time]():
		return "a time such as 2026-01-02T15:04:05Z"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Int32:
		return "a whole number up to 2147483647"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Uint64:
		return "a whole number that is not negative"
	}
	return "a " + t.Kind().String()
}

// Words are the words that a configuration value of type t may be, nil for other types.
func Words(t reflect.Type) []string {
	switch t {
	case reflect.TypeFor[api.RetentionPolicy]():
		return []string{"limits", "interest", "workqueue"}
	case reflect.TypeFor[api.StorageType]():
		return []string{"file", "memory"}
	case reflect.TypeFor[api.DiscardPolicy]():
		return []string{"old", "new"}
	case reflect.TypeFor[api.Compression]():
		return []string{"none", "s2"}
	case reflect.TypeFor[api.PersistModeType]():
		return []string{"default", "async"}
	case reflect.TypeFor[api.AckPolicy]():
		return []string{"none", "all", "explicit", "flow_control"}
	case reflect.TypeFor[api.DeliverPolicy]():
		return []string{"all", "last", "new", "by_start_sequence", "by_start_time", "last_per_subject"}
	case reflect.TypeFor[api.ReplayPolicy]():
		return []string{"instant", "original"}
	case reflect.TypeFor[api.PriorityPolicy]():
		return []string{"none", "overflow", "pinned_client", "prioritized"}
	}
	return nil
}

// plain is the value of the node as encoding/json would decode it with UseNumber.
func (n *node) plain() any {
	switch n.kind {
	case object:
		out := map[string]any{}
		for _, k := range n.keys {
			out[k.name] = k.value.plain()
		}
		return out
	case array:
		out := make([]any, 0, len(n.items))
		for _, i := range n.items {
			out = append(out, i.plain())
		}
		return out
	}
	d := json.NewDecoder(bytes.NewReader(n.raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return v
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}
