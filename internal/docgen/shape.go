package docgen

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Shape describes the JSON that a value of type t becomes, one field a line: name, type, nested fields indented.
func Shape(t reflect.Type) string {
	var b strings.Builder
	describe(&b, t, 0, map[reflect.Type]bool{})
	return b.String()
}

var (
	marshaler = reflect.TypeFor[json.Marshaler]()
	timeType  = reflect.TypeFor[time.Time]()
	spanType  = reflect.TypeFor[time.Duration]()
	rawType   = reflect.TypeFor[json.RawMessage]()
)

func describe(b *strings.Builder, t reflect.Type, depth int, seen map[reflect.Type]bool) {
	t = deref(t)
	if depth == 0 && t.Kind() != reflect.Struct {
		fmt.Fprintf(b, "%s\n", word(t))
		if el := element(t); el != nil {
			describe(b, el, 1, seen)
		}
		return
	}
	if t.Kind() != reflect.Struct || leaf(t) || seen[t] || depth > 4 {
		return
	}
	seen[t] = true
	defer delete(seen, t)
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if f.Anonymous && name == "" && deref(f.Type).Kind() == reflect.Struct {
			describe(b, f.Type, depth, seen)
			continue
		}
		if name == "" {
			name = f.Name
		}
		optional := ""
		if strings.Contains(opts, "omitempty") || strings.Contains(opts, "omitzero") {
			optional = ", may be absent"
		}
		fmt.Fprintf(b, "%s%s: %s%s\n", strings.Repeat("  ", depth), name, word(f.Type), optional)
		inner := f.Type
		if el := element(deref(f.Type)); el != nil {
			inner = el
		}
		describe(b, inner, depth+1, seen)
	}
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func element(t reflect.Type) reflect.Type {
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return t.Elem()
	}
	return nil
}

func leaf(t reflect.Type) bool {
	return t == timeType || t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler)
}

func word(t reflect.Type) string {
	t = deref(t)
	switch {
	case t == timeType:
		return "time (RFC 3339)"
	case t == spanType:
		return "nanoseconds"
	case t == rawType:
		return "any JSON"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if leaf(t) {
			return "string"
		}
		return "integer"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "base64"
		}
		return "list of " + word(t.Elem())
	case reflect.Map:
		return "object of " + word(t.Elem())
	case reflect.Struct:
		if leaf(t) {
			return "value"
		}
		return "object"
	}
	return "any"
}
