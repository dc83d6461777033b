package render

import (
	"bytes"
	"encoding/json"
	"strings"
)

// member is one key of an ordered JSON object.
type member struct {
	key   string
	value any
}

// object is a JSON object that keeps the order of its keys.
type object struct{ members []member }

// put sets a key; a key that is there already becomes a list of its values.
func (o *object) put(key string, value any) {
	for i, m := range o.members {
		if m.key != key {
			continue
		}
		if list, ok := m.value.([]any); ok {
			o.members[i].value = append(list, value)
		} else {
			o.members[i].value = []any{m.value, value}
		}
		return
	}
	o.members = append(o.members, member{key, value})
}

// last is the value put last, to be continued.
func (o *object) extend(text string) {
	if n := len(o.members); n > 0 {
		m := &o.members[n-1]
		switch v := m.value.(type) {
		case string:
			m.value = v + "\n" + text
			return
		case []any:
			if s, ok := v[len(v)-1].(string); ok {
				v[len(v)-1] = s + "\n" + text
				return
			}
		}
	}
	o.put("", text)
}

// get is the value of a key.
func (o *object) get(key string) (any, bool) {
	for _, m := range o.members {
		if m.key == key {
			return m.value, true
		}
	}
	return nil, false
}

// MarshalJSON writes the members in their order.
func (o *object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o.members {
		if i > 0 {
			b = append(b, ',')
		}
		v, err := marshal(m.value)
		if err != nil {
			return nil, err
		}
		b = append(append(AppendJSONString(b, m.key), ':'), v...)
	}
	return append(b, '}'), nil
}

// fieldsJSON writes an info screen as a JSON object: "Header", then each section with its labels and their texts. What
// stands there twice becomes a list; lines and text are under "Lines", tables under their titles.
func (p *Page) fieldsJSON(b *bytes.Buffer) {
	root := &object{}
	type level struct {
		depth int
		o     *object
	}
	stack := []level{{-1, root}}
	for _, k := range p.blocks {
		here := stack[len(stack)-1].o
		switch k.kind {
		case headingBlock:
			root.put("Header", k.label)
		case sectionBlock:
			for len(stack) > 1 && stack[len(stack)-1].depth >= k.depth {
				stack = stack[:len(stack)-1]
			}
			o := &object{}
			stack[len(stack)-1].o.put(k.label, o)
			stack = append(stack, level{k.depth, o})
		case fieldBlock:
			if k.label == "" {
				here.extend(k.value.text)
			} else {
				here.put(k.label, k.value.text)
			}
		case lineBlock, textBlock:
			here.lines(strings.Split(strings.TrimSuffix(k.text, "\n"), "\n"))
		case drawnBlock:
			here.lines(k.lines)
		case treeBlock:
			here.lines(p.treeLines(k.tree, true))
		case tableBlock:
			title := k.table.title
			if title == "" {
				title = "Table"
			}
			root.put(title, k.table.objects(p.options.Wide))
		}
	}
	var text bytes.Buffer
	raw, err := marshal(root)
	if err == nil && json.Indent(&text, raw, "", "  ") == nil { // strings and lists of them always encode
		b.Write(appendSafeJSON(nil, text.Bytes()))
		b.WriteByte('\n')
	}
}

func (o *object) lines(lines []string) {
	for _, l := range lines {
		if l != "" {
			o.addLine(l)
		}
	}
}

func (o *object) addLine(l string) {
	for i, m := range o.members {
		if list, ok := m.value.([]any); ok && m.key == "Lines" {
			o.members[i].value = append(list, l)
			return
		}
	}
	o.members = append(o.members, member{"Lines", []any{l}})
}

// objects are the rows as JSON objects from column name to text.
func (t *Table) objects(wide bool) []*object {
	columns := t.visibleColumns(wide)
	out := []*object{}
	for _, rec := range t.records(columns, true) {
		o := &object{}
		for i, c := range columns {
			o.put(t.columns[c].Name, rec[i])
		}
		out = append(out, o)
	}
	return out
}
