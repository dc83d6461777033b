package jsconf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"gopkg.in/yaml.v3"
)

type kind int

const (
	scalar kind = iota
	object
	array
)

// node is a value of a JSON or YAML document with the line it stands on.
type node struct {
	kind  kind
	line  int
	raw   []byte // a scalar, as JSON
	keys  []field
	items []*node
}

type field struct {
	name  string
	line  int
	value *node
}

func (n *node) field(name string) *node {
	for _, k := range n.keys {
		if k.name == name {
			return k.value
		}
	}
	return nil
}

type syntaxError struct {
	line int
	text string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.text) }

// parse reads one document: JSON when it begins with a brace, else YAML. A key that stands twice is an error.
func parse(data []byte) (*node, error) {
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(trimmed) == 0 {
		return nil, errors.New("the file is empty")
	}
	if trimmed[0] == '{' {
		return parseJSON(data[len(data)-len(trimmed):], 1+bytes.Count(data[:len(data)-len(trimmed)], []byte("\n")))
	}
	return parseYAML(data)
}

type jsonReader struct {
	data []byte
	dec  *json.Decoder
	base int // line of the first byte
	pos  int // offset up to which lines were counted
	line int
}

func parseJSON(data []byte, base int) (*node, error) {
	r := &jsonReader{data: data, dec: json.NewDecoder(bytes.NewReader(data)), base: base, line: base}
	r.dec.UseNumber()
	n, err := r.next()
	if err != nil {
		return nil, r.fault(err)
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &syntaxError{r.at(), "there is something after the configuration"}
	}
	return n, nil
}

// at is the line of the token just read.
func (r *jsonReader) at() int {
	end := int(r.dec.InputOffset())
	r.line += bytes.Count(r.data[r.pos:end], []byte("\n"))
	r.pos = end
	return r.line
}

func (r *jsonReader) fault(err error) error {
	var own *syntaxError
	var syn *json.SyntaxError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &syn):
		upto := min(int(syn.Offset), len(r.data))
		return &syntaxError{r.base + bytes.Count(r.data[:upto], []byte("\n")), syn.Error()}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &syntaxError{r.base + bytes.Count(r.data, []byte("\n")), "the document ends too early"}
	}
	return err
}

func (r *jsonReader) next() (*node, error) {
	tok, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	n := &node{line: r.at()}
	switch tok {
	case json.Delim('{'):
		n.kind = object
		for r.dec.More() {
			name, err := r.dec.Token()
			if err != nil {
				return nil, err
			}
			f := field{name: fmt.Sprint(name), line: r.at()}
			if n.field(f.name) != nil {
				return nil, &syntaxError{f.line, fmt.Sprintf("key %q stands twice", f.name)}
			}
			if f.value, err = r.next(); err != nil {
				return nil, err
			}
			n.keys = append(n.keys, f)
		}
		_, err = r.dec.Token()
		return n, err
	case json.Delim('['):
		n.kind = array
		for r.dec.More() {
			item, err := r.next()
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
		_, err = r.dec.Token()
		return n, err
	}
	n.raw, err = json.Marshal(tok)
	return n, err
}

func parseYAML(data []byte) (*node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		return nil, yamlFault(err)
	}
	var more yaml.Node
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &syntaxError{max(more.Line, 1), "there is more than one document"}
	}
	if len(doc.Content) == 0 {
		return nil, errors.New("the file is empty")
	}
	budget := 100_000 // aliases may multiply
	return fromYAML(doc.Content[0], &budget)
}

func yamlFault(err error) error {
	m := regexp.MustCompile(`^yaml: line (\d+): (.*)$`).FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	line, _ := strconv.Atoi(m[1])
	return &syntaxError{line, m[2]}
}

func fromYAML(y *yaml.Node, budget *int) (*node, error) {
	if *budget--; *budget < 0 {
		return nil, &syntaxError{y.Line, "the document is too large"}
	}
	n := &node{line: y.Line}
	switch y.Kind {
	case yaml.AliasNode:
		return fromYAML(y.Alias, budget)
	case yaml.MappingNode:
		n.kind = object
		for i := 0; i+1 < len(y.Content); i += 2 {
			f := field{name: y.Content[i].Value, line: y.Content[i].Line}
			if y.Content[i].Kind != yaml.ScalarNode || y.Content[i].Tag == "!!merge" {
				return nil, &syntaxError{f.line, "keys must be plain words"}
			}
			if n.field(f.name) != nil {
				return nil, &syntaxError{f.line, fmt.Sprintf("key %q stands twice", f.name)}
			}
			var err error
			if f.value, err = fromYAML(y.Content[i+1], budget); err != nil {
				return nil, err
			}
			n.keys = append(n.keys, f)
		}
		return n, nil
	case yaml.SequenceNode:
		n.kind = array
		for _, c := range y.Content {
			item, err := fromYAML(c, budget)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
		return n, nil
	}
	var v any
	if y.Tag == "!!timestamp" {
		v = y.Value
	} else if err := y.Decode(&v); err != nil {
		return nil, &syntaxError{y.Line, err.Error()}
	}
	var err error
	if n.raw, err = json.Marshal(v); err != nil {
		return nil, &syntaxError{y.Line, err.Error()}
	}
	return n, nil
}
