package schema

import (
	"context"
	"regexp"
	"strings"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/registry"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

type searchOptions struct {
	pattern string
	kind    string
}

func searchVerb() command.Node {
	return command.Verb[searchOptions]{
		Meta:  command.Meta{Name: "search", Aliases: []string{"find", "list", "ls"}, Short: "Find schemas by name"},
		Scope: command.Local, Output: command.Value, Result: []string{},
		Examples: []command.Example{
			{Line: "nats schema search stream_conf", Says: "io.nats.jetstream.api.v1.stream_configuration", About: "Those whose name matches a regular expression"},
			{Line: "nats schema ls --kind advisory --json", Says: "stream_action", About: "All advisories, for a script"},
		},
		Bind: func(c *fisk.CmdClause, o *searchOptions) {
			c.Arg("pattern", "Regular expression on the name").Default(".").StringVar(&o.pattern)
			c.Flag("kind", "Only schemas of this kind: api, advisory, metric, monitor or micro").PlaceHolder("KIND").EnumVar(&o.kind, "api", "advisory", "metric", "monitor", "micro")
		},
		Check: func(o *searchOptions) error {
			if _, err := regexp.Compile(o.pattern); err != nil {
				return fail.Usagef("pattern %q is no regular expression: %w", o.pattern, err)
			}
			return nil
		},
		Run: runSearch,
	}
}

// matched is the names of schemas, sorted.
type matched struct {
	pattern string
	names   []string
}

// JSON is the names.
func (m matched) JSON() any { return m.names }

// View is one name a line.
func (m matched) View(p *render.Page) {
	if !wordy(p) {
		t := p.Table("", render.Column{Name: "Schema"}, render.Column{Name: "Kind"})
		for _, n := range m.names {
			t.Row(n, kindOf(n))
		}
		return
	}
	if len(m.names) == 0 {
		p.Line("No schemas matched %q", m.pattern)
		return
	}
	p.Line("Matched Schemas:")
	p.Gap()
	for _, n := range m.names {
		p.Line("  %s", n)
	}
}

// kindOf is what a schema describes, by its name: io.nats.<area>.<kind>.v1.<name>, or io.nats.micro.v1.<name>.
func kindOf(name string) string {
	parts := strings.Split(name, ".")
	if len(parts) < 4 {
		return ""
	}
	if parts[2] == "micro" {
		return "micro"
	}
	return parts[3]
}

func runSearch(_ context.Context, e *env.Env, o searchOptions) error {
	names, err := registry.SchemaSearch(o.pattern)
	if err != nil {
		return err
	}
	m := matched{pattern: o.pattern, names: []string{}}
	for _, n := range names {
		if o.kind == "" || kindOf(n) == o.kind {
			m.names = append(m.names, n)
		}
	}
	return e.Out.Print(m)
}
