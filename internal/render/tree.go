package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

// shape is what is encoded for v: v itself or its wire shape, with secrets marked if they are to be shown.
func (r *Renderer) shape(v any) any {
	if j, ok := v.(JSONer); ok {
		v = j.JSON()
	}
	if r.o.ShowSecrets {
		v = reveal(v)
	}
	return v
}

// document is v as compact JSON.
func (r *Renderer) document(v Viewer) ([]byte, error) {
	if a, ok := v.(JSONAppender); ok {
		return a.AppendJSON(nil), nil
	}
	return marshal(r.shape(v))
}

// marshal is compact JSON without HTML escaping. A list or map that is nil is empty, not null.
func marshal(v any) ([]byte, error) {
	if rv := reflect.ValueOf(v); rv.IsValid() {
		_, own := v.(json.Marshaler)
		switch k := rv.Kind(); {
		case k == reflect.Slice && rv.IsNil() && !own:
			return []byte("[]"), nil
		case k == reflect.Map && rv.IsNil() && !own:
			return []byte("{}"), nil
		}
	}
	var b bytes.Buffer
	if err := encode(&b, v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func encode(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	return nil
}

func (r *Renderer) renderJSON(b *bytes.Buffer, v Viewer, compact bool) error {
	doc, err := r.document(v)
	if err != nil {
		return err
	}
	if compact {
		b.Write(doc)
	} else if err := json.Indent(b, doc, "", "  "); err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	b.WriteByte('\n')
	return nil
}

func (r *Renderer) renderNDJSON(b *bytes.Buffer, v Viewer) error {
	doc, err := r.document(v)
	if err != nil {
		return err
	}
	if len(doc) == 0 || doc[0] != '[' {
		b.Write(doc)
		b.WriteByte('\n')
		return nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(doc, &list); err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	for _, e := range list {
		b.Write(e)
		b.WriteByte('\n')
	}
	return nil
}

// tree is the JSON tree of v as maps, lists, strings, booleans and json.Number, so that no digit of a number is lost.
func (r *Renderer) tree(v Viewer) (any, error) {
	doc, err := r.document(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var t any
	if err := d.Decode(&t); err != nil {
		return nil, fmt.Errorf("encoding the result: %w", err)
	}
	return t, nil
}

// orderedTree is the JSON tree of v with *object in the place of maps.
func (r *Renderer) orderedTree(v Viewer) (any, error) {
	doc, err := r.document(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	t, err := decodeOrdered(d)
	if err != nil {
		return nil, fmt.Errorf("encoding the result: %w", err)
	}
	return t, nil
}

func decodeOrdered(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			e, err := decodeOrdered(d)
			if err != nil {
				return nil, err
			}
			list = append(list, e)
		}
		_, err = d.Token()
		return list, err
	case json.Delim('{'):
		o := &object{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			value, err := decodeOrdered(d)
			if err != nil {
				return nil, err
			}
			o.members = append(o.members, member{fmt.Sprint(key), value})
		}
		_, err = d.Token()
		return o, err
	}
	return token, nil
}
