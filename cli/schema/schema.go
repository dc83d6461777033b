// Package schema is the command group for the JSON schemas of NATS.
package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nats-io/jsm.go/registry"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/render"
)

// Command is `nats schema`.
func Command() command.Node {
	return command.Group{
		Meta: command.Meta{
			Name: "schema", Short: "Find and use the JSON schemas of NATS messages",
			Long: "The schemas of API requests and responses, advisories, metrics and monitoring documents are part of this program.",
		},
		Nodes: func() []command.Node {
			return []command.Node{searchVerb(), infoVerb(), validateVerb(), requestVerb()}
		},
	}
}

// load returns the text of a schema.
func load(id string) ([]byte, error) {
	if text, err := registry.Schema(id); err == nil {
		return text, nil
	}
	err := fail.NotFoundf("there is no schema %q", id)
	ids, _ := registry.SchemaSearch(".")
	for _, known := range ids {
		if id != "" && strings.HasSuffix(known, "."+id) {
			return nil, err.WithHint("nats schema info %s", known)
		}
	}
	if hint := fail.DidYouMean("", id, ids); hint != "" {
		return nil, err.WithHint("%s", hint)
	}
	return nil, err.WithHint("nats schema search lists all of them")
}

// check validates a document; the reasons are "/path: what is wrong", none when it is valid.
func check(id string, doc []byte) ([]string, error) {
	var any json.RawMessage
	if err := json.Unmarshal(doc, &any); err != nil {
		return []string{fmt.Sprintf("/: this is no JSON: %s", err)}, nil
	}
	found, err := jsconf.CheckSchema(id, doc)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(found))
	for _, reason := range found {
		path, why, _ := strings.Cut(reason, ": ")
		out = append(out, pointer(path)+": "+why)
	}
	return out, nil
}

// pointer writes a.b[1] as /a/b/1.
func pointer(path string) string {
	if path == "(root)" {
		return "/"
	}
	return "/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(path)
}

// pretty indents JSON; anything else stays as it is.
func pretty(doc []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(doc), "", "  "); err != nil {
		return string(doc)
	}
	return b.String()
}

// wordy reports whether sentences have a place on the page.
func wordy(p *render.Page) bool {
	k := p.Options().Kind
	return k == render.Text || k == render.Wide
}
