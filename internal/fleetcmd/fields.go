package fleetcmd

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
)

// Fields are the fields that a device is described by, in their order, objects by their members: id, os.name, labels.
func Fields() []string { return fieldsOf(reflect.TypeFor[fleet.Info](), "") }

func fieldsOf(t reflect.Type, prefix string) []string {
	var out []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if ft := t.Field(i).Type; ft.Kind() == reflect.Struct && hasTags(ft) {
			out = append(out, fieldsOf(ft, prefix+name+".")...)
			continue
		}
		out = append(out, prefix+name)
	}
	return out
}

// hasTags tells an object from a value such as a time.
func hasTags(t reflect.Type) bool { return t.NumField() > 0 && t.Field(0).Tag.Get("json") != "" }

// CheckFields refuses what no device is described by. One label is labels.NAME, an object such as os may be named whole.
func CheckFields(fields []string) error {
	known := Fields()
	for _, f := range fields {
		ok := strings.HasPrefix(f, "labels.") && len(f) > len("labels.")
		for _, k := range known {
			ok = ok || k == f || strings.HasPrefix(k, f+".")
		}
		if ok {
			continue
		}
		err := fail.Usagef("--select: devices have no field %q", f)
		if hint := fail.DidYouMean("", f, known); hint != "" {
			return err.WithHint("%s", hint)
		}
		return err.WithHint("fields are %s and labels.NAME", strings.Join(known, ", "))
	}
	return nil
}

// Pick is what stands at each of the fields in the description of a device, nil where there is nothing.
func Pick(d fleet.Info, fields []string) []any {
	text, err := json.Marshal(d)
	doc := map[string]any{}
	if err != nil || json.Unmarshal(text, &doc) != nil {
		return make([]any, len(fields))
	}
	out := make([]any, len(fields))
	for i, f := range fields {
		out[i] = at(doc, f)
	}
	return out
}

func at(doc map[string]any, path string) any {
	if v, ok := doc[path]; ok { // a label may have dots in its name
		return v
	}
	head, rest, ok := strings.Cut(path, ".")
	below, isMap := doc[head].(map[string]any)
	if !ok || !isMap {
		return nil
	}
	return at(below, rest)
}
