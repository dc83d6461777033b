package render

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"sync"

	"github.com/natskit/natskit/internal/term"
)

// Secret is a string that nobody sees by accident: whatever prints, logs or encodes it writes ******** instead; an empty
// one is empty. string(s) is the value. A Renderer with ShowSecrets shows it in every format.
//
// How that works: the type redacts itself in MarshalJSON, so an encoder that knows nothing of it is safe. To show secrets
// the renderer encodes a copy of the result in which every Secret carries a mark that is random for each process;
// MarshalJSON takes the mark off and writes the rest. A Secret in an unexported field of a type with a MarshalJSON of its
// own is out of reach and stays redacted. fmt does not call the methods of unexported fields either: a struct that holds
// a Secret in one must not be printed whole.
type Secret string

const redacted = "********"

var revealMark = sync.OnceValue(func() string { return "\x00" + rand.Text() + "\x00" })

// Format writes ******** for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// String is ********, or empty for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// LogValue is ********.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON is the string ********, unless a Renderer was told to show secrets.
func (s Secret) MarshalJSON() ([]byte, error) {
	if plain, ok := strings.CutPrefix(string(s), revealMark()); ok {
		return AppendJSONString(nil, plain), nil
	}
	return json.Marshal(s.String())
}

func (s Secret) show(l *look) (string, term.Style) {
	if l.secrets {
		return string(s), term.Plain
	}
	return s.String(), term.Plain
}

// reveal is a copy of v whose secrets are marked to be shown.
func reveal(v any) any {
	if v == nil || !mayHoldSecret(reflect.TypeOf(v)) {
		return v
	}
	c := reflect.New(reflect.TypeOf(v)).Elem()
	c.Set(reflect.ValueOf(v))
	mark(c, 0)
	return c.Interface()
}

var secretType = reflect.TypeFor[Secret]()

// mark replaces what v refers to by marked copies. v is addressable; parts that reflection may not set stay as they are.
func mark(v reflect.Value, depth int) {
	if depth > 1000 || !mayHoldSecret(v.Type()) {
		return
	}
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			mark(v.Field(i), depth+1)
		}
		return
	}
	if !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		if v.Type() == secretType && v.Len() > 0 {
			v.SetString(revealMark() + v.String())
		}
	case reflect.Pointer:
		if !v.IsNil() {
			c := reflect.New(v.Type().Elem())
			c.Elem().Set(v.Elem())
			mark(c.Elem(), depth+1)
			v.Set(c)
		}
	case reflect.Interface:
		if !v.IsNil() {
			c := reflect.New(v.Elem().Type()).Elem()
			c.Set(v.Elem())
			mark(c, depth+1)
			v.Set(c)
		}
	case reflect.Slice:
		if !v.IsNil() {
			c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(c, v)
			v.Set(c)
		}
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			mark(v.Index(i), depth+1)
		}
	case reflect.Map:
		markMap(v, depth)
	}
}

func markMap(v reflect.Value, depth int) {
	if v.IsNil() {
		return
	}
	c := reflect.MakeMapWithSize(v.Type(), v.Len())
	for it := v.MapRange(); it.Next(); {
		e := reflect.New(v.Type().Elem()).Elem()
		e.Set(it.Value())
		mark(e, depth+1)
		c.SetMapIndex(it.Key(), e)
	}
	v.Set(c)
}

var secretHolders sync.Map // reflect.Type → bool

// mayHoldSecret reports whether values of the type can lead to a Secret. Interfaces can.
func mayHoldSecret(t reflect.Type) bool {
	if known, ok := secretHolders.Load(t); ok {
		return known.(bool)
	}
	found := leadsToSecret(t, map[reflect.Type]bool{})
	secretHolders.Store(t, found)
	return found
}

func leadsToSecret(t reflect.Type, seen map[reflect.Type]bool) bool {
	if t == secretType || t.Kind() == reflect.Interface {
		return true
	}
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return leadsToSecret(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if leadsToSecret(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}
