package consumers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// inOrder writes a document with its keys in the order of like's fields, others sorted at the end, and without HTML escapes.
func inOrder(doc map[string]json.RawMessage, like any) ([]byte, error) {
	order := keysOf(reflect.TypeOf(like))
	for _, k := range slices.Sorted(maps.Keys(doc)) {
		if !slices.Contains(order, k) {
			order = append(order, k)
		}
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for _, k := range order {
		v, ok := doc[k]
		if !ok {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", k, v)
	}
	b.WriteByte('}')
	return plainText(b.Bytes()), nil
}

// keysOf are the JSON keys of a struct type in the order of declaration.
func keysOf(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if t.Field(i).IsExported() && name != "" && name != "-" {
			out = append(out, name)
		}
	}
	return out
}

// plainText writes <, > and & where a JSON document has them as \u003c, \u003e and \u0026: subjects are full of them.
func plainText(doc []byte) []byte {
	if !bytes.Contains(doc, []byte(`\u00`)) {
		return doc
	}
	escapes := map[string]byte{`\u003c`: '<', `\u003e`: '>', `\u0026`: '&'}
	out := make([]byte, 0, len(doc))
	for i := 0; i < len(doc); i++ {
		if doc[i] != '\\' || i+1 >= len(doc) {
			out = append(out, doc[i])
			continue
		}
		if i+6 <= len(doc) {
			if plain, ok := escapes[string(doc[i:i+6])]; ok {
				out = append(out, plain)
				i += 5
				continue
			}
		}
		out = append(out, doc[i], doc[i+1])
		i++
	}
	return out
}
