package contexts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/natskit/natskit/contexts/internal/jsonfile"
	"github.com/natskit/natskit/contexts/internal/near"
	"github.com/natskit/natskit/internal/fail"
)

// EditText is the context as commented YAML for an editor: every setting, also the empty ones, with secrets in clear and
// variables unexpanded. It must only be written to files that nobody else can read and that are removed afterwards.
func (st *Stored) EditText() ([]byte, error) {
	known, err := st.fields()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The context %q. A setting that is empty or taken out is not set.\n", st.Name)
	for _, row := range st.editRows() {
		raw := known.Get(row.stored())
		if row.guard != "" {
			raw = st.extraMembers().Get(row.guard)
		}
		var v any = ""
		if raw != nil {
			if v, err = jsonfile.Decode(raw); err != nil {
				return nil, err
			}
		}
		if v == nil || row.key == KeyWSHeader && raw == nil {
			v = []string{}
		}
		if err := editLine(&b, row.doc, row.stored(), v); err != nil {
			return nil, err
		}
	}
	for _, name := range st.Unknown() {
		v, err := plainYAML(st.doc.Get(name))
		if err != nil {
			return nil, err
		}
		if err := editLine(&b, "not a setting of contexts; kept as it is", name, v); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func (st *Stored) editRows() []setting {
	rows := []setting{{json: "description", doc: "what this context is for"}}
	if st.doc.Text("nsc") != "" {
		rows = append(rows, setting{json: "nsc", doc: "where nsc keeps the user; saving moves it to creds"})
	}
	for _, row := range settings() {
		if row.stored() != "" {
			rows = append(rows, row)
		}
	}
	return rows
}

func editLine(b *bytes.Buffer, doc, name string, v any) error {
	line, err := yaml.Marshal(map[string]any{name: v})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Fprintf(b, "\n# %s\n%s", doc, line)
	return nil
}

// plainYAML reads JSON the way YAML would, so that values compare with what comes back from the editor.
func plainYAML(raw []byte) (v any, err error) {
	err = yaml.Unmarshal(raw, &v)
	return v, err
}

// Edited is the context that an edited text describes; it is not saved yet. A key that is neither a setting nor was there
// before is refused with its line, so that a misspelt one is not lost. Errors are of code fail.Usage and quote no values.
func (st *Stored) Edited(text []byte) (*Stored, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, fail.Usagef("context %q: %s", st.Name, scrub(err.Error(), st.secrets()))
	}
	out := *st
	out.doc, out.extras = slices.Clone(st.doc), extras{Protected: st.extras.Protected}
	if len(root.Content) == 0 {
		return nil, fail.Usagef("context %q: the text is empty", st.Name)
	}
	top := root.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, fail.Usagef("context %q: line %d: must be a list of \"key: value\"", st.Name, top.Line)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		key := top.Content[i]
		if seen[key.Value] {
			return nil, fail.Usagef("context %q: line %d: %s stands twice", st.Name, key.Line, key.Value)
		}
		seen[key.Value] = true
		if err := out.edit(key, top.Content[i+1]); err != nil {
			return nil, fail.Hint(fail.Usagef("context %q: line %d: %w", st.Name, key.Line, err), "%s", fail.HintOf(err))
		}
	}
	for _, row := range st.editRows() {
		if row.json == "" || seen[row.json] || out.doc.Get(row.json) == nil {
			continue
		}
		if row.key == "" {
			out.doc.Set(row.json, jsonfile.Encode(""))
		} else if err := out.unset(row.json); err != nil {
			return nil, err
		}
	}
	for _, name := range st.Unknown() {
		if !seen[name] {
			out.doc.Remove(name)
		}
	}
	return &out, nil
}

func (st *Stored) edit(key, value *yaml.Node) error {
	for _, row := range st.editRows() {
		if row.stored() != key.Value {
			continue
		}
		lines, err := textLines(value)
		if err != nil {
			return fmt.Errorf("%s: %w", key.Value, err)
		}
		g := Given{Values: lines, From: Origin{FromFlag, key.Value + " in the text"}}
		switch {
		case row.key == "":
			st.doc.Set(row.json, jsonfile.Encode(strings.Join(lines, "\n")))
			return nil
		case len(lines) == 0:
			return st.unset(row.stored())
		case len(lines) > 1 && row.key != KeyCertStoreCAMatch && row.key != KeyWSHeader:
			return fmt.Errorf("%s: takes one value", key.Value)
		}
		return st.put(row, g)
	}
	if !slices.Contains(st.Unknown(), key.Value) {
		err := fail.Usagef("%s is not a setting of contexts", key.Value)
		if close := near.Names(key.Value, knownKeys()); len(close) > 0 {
			return err.WithHint("did you mean %s?", strings.Join(close, " or "))
		}
		return err
	}
	var v any
	if err := value.Decode(&v); err != nil {
		return err
	}
	// What was not touched stays byte for byte: YAML knows fewer numbers than JSON.
	if old, err := plainYAML(st.doc.Get(key.Value)); err == nil && reflect.DeepEqual(old, v) {
		return nil
	}
	raw, err := yamlToJSON(v)
	if err != nil {
		return fmt.Errorf("%s: %w", key.Value, err)
	}
	st.doc.Set(key.Value, raw)
	return nil
}

// textLines is a scalar or a list of scalars as texts, without empty ones.
func textLines(n *yaml.Node) ([]string, error) {
	var out []string
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Tag != "!!null" && n.Value != "" {
			out = append(out, n.Value)
		}
	case yaml.SequenceNode:
		for _, e := range n.Content {
			if e.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("takes text")
			}
			if e.Value != "" {
				out = append(out, e.Value)
			}
		}
	default:
		return nil, fmt.Errorf("takes text")
	}
	return out, nil
}

// yamlToJSON encodes what a YAML decoder made; only maps with text keys can be JSON.
func yamlToJSON(v any) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	plain, err := jsonfile.Decode(raw)
	if err != nil {
		return nil, err
	}
	return jsonfile.Encode(plain), nil
}
