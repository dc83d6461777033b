package render

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// feedState is what the items of a feed share.
type feedState struct {
	header []string // of csv, tsv and md, once written
}

// renderRows writes the first table of the page of v. A result that draws no table has its JSON tree as one: an object is
// a row, a list of objects a row each, their keys are the columns.
func (r *Renderer) renderRows(b *bytes.Buffer, v Viewer, feed *feedState) error {
	kind := r.o.Format.Kind
	if t := r.page(v, r.look()).firstTable(); t != nil {
		columns := t.visibleColumns(true)
		r.rowsHeader(b, t.header(columns), t.aligns(columns), feed)
		writeRecords(b, kind, t.records(columns, kind == Markdown))
		return nil
	}
	t, err := r.orderedTree(v)
	if err != nil {
		return err
	}
	items, ok := t.([]any)
	if !ok {
		items = []any{t}
	}
	if len(items) == 0 {
		return nil
	}
	keys := jsonKeys(reflect.TypeOf(r.shape(v)))
	if feed != nil && feed.header != nil && keys == nil {
		keys = feed.header
	}
	if keys == nil {
		keys = unionOfKeys(items)
	}
	if len(keys) == 0 {
		return nil
	}
	r.rowsHeader(b, keys, nil, feed)
	writeRecords(b, kind, itemRecords(items, keys))
	return nil
}

// rowsHeader writes the header, in a feed only when it is a new one.
func (r *Renderer) rowsHeader(b *bytes.Buffer, names []string, aligns []Align, feed *feedState) {
	if feed != nil {
		if slices.Equal(feed.header, names) {
			return
		}
		feed.header = names
	}
	writeHeader(b, r.o.Format.Kind, names, aligns)
}

func itemRecords(items []any, keys []string) [][]string {
	out := make([][]string, len(items))
	for i, item := range items {
		rec := make([]string, len(keys))
		o, ok := item.(*object)
		if !ok {
			rec[0] = scalar(item)
		}
		for k := range keys {
			if ok {
				value, _ := o.get(keys[k])
				rec[k] = scalar(value)
			}
		}
		out[i] = rec
	}
	return out
}

// scalar is a JSON value in one cell: strings bare, null empty, trees as compact JSON.
func scalar(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	}
	doc, err := marshal(v)
	if err != nil {
		return ""
	}
	return string(doc)
}

func unionOfKeys(items []any) []string {
	var keys []string
	seen := map[string]bool{}
	for _, item := range items {
		o, ok := item.(*object)
		if !ok {
			o = &object{members: []member{{key: "value"}}}
		}
		for _, m := range o.members {
			if !seen[m.key] {
				seen[m.key] = true
				keys = append(keys, m.key)
			}
		}
	}
	return keys
}

// jsonKeys are the keys that encoding/json can write for a struct, or for the elements of a list of structs, also those
// that a value leaves out because they are empty. It is nil for everything else.
func jsonKeys(t reflect.Type) []string {
	for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		if hasOwnJSON(t) {
			return nil
		}
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct || hasOwnJSON(t) {
		return nil
	}
	return structKeys(nil, t)
}

func structKeys(keys []string, t reflect.Type) []string {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		switch {
		case f.Tag.Get("json") == "-":
			continue
		case f.Anonymous && name == "" && ft.Kind() == reflect.Struct:
			keys = structKeys(keys, ft)
			continue
		case !f.IsExported():
			continue
		case name == "":
			name = f.Name
		}
		if !slices.Contains(keys, name) {
			keys = append(keys, name)
		}
	}
	return keys
}

// hasOwnJSON reports whether the tags of a type say nothing about its JSON.
func hasOwnJSON(t reflect.Type) bool {
	marshaler := reflect.TypeFor[json.Marshaler]()
	return t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler)
}

// renderNames writes the first column of the first table, one name a line; without a table the names in the JSON tree.
func (r *Renderer) renderNames(b *bytes.Buffer, v Viewer) error {
	if t := r.page(v, r.look()).firstTable(); t != nil {
		if columns := t.visibleColumns(true); len(columns) > 0 {
			for _, rec := range t.records(columns[:1], false) {
				b.WriteString(rec[0] + "\n")
			}
		}
		return nil
	}
	t, err := r.orderedTree(v)
	if err != nil {
		return err
	}
	items, ok := t.([]any)
	if !ok {
		items = []any{t}
	}
	for _, item := range items {
		name := item
		if o, ok := item.(*object); ok {
			name, _ = o.get("name")
		}
		text, ok := name.(string)
		if !ok {
			return r.noSuch("names")
		}
		b.WriteString(text + "\n")
	}
	return nil
}
