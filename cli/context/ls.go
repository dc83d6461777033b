package context

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

type lsOptions struct {
	names      bool
	completion bool
}

// OutputFormat makes --names the same as --format names.
func (o lsOptions) OutputFormat() string {
	if o.names {
		return "names"
	}
	return ""
}

func lsVerb() command.Node {
	return command.Verb[lsOptions]{
		Meta: command.Meta{
			Name: "ls", Aliases: []string{"list", "l"}, Short: "List the contexts",
			Long: "The selected context is marked with a star. A context whose file cannot be read is listed with the reason. --format wide adds where each connects and how it authenticates.",
		},
		Output: command.Value, Result: []rowShape{},
		Examples: []command.Example{
			{Line: "nats context ls", Says: "Known Contexts", About: "All contexts", Needs: []string{"context add dev"}},
			{Line: "nats context ls --jq '.[] | select(.selected) | .name'", About: "The name of the selected context"},
		},
		Bind: func(c *fisk.CmdClause, o *lsOptions) {
			c.Flag("names", "Print the names alone").UnNegatableBoolVar(&o.names)
			c.Flag("completion", "Print names and descriptions for a shell's completion").Hidden().UnNegatableBoolVar(&o.completion)
		},
		Check: func(o *lsOptions) error {
			if o.names && o.completion {
				return fail.Usagef("--names and --completion exclude each other")
			}
			return nil
		},
		Run: runLs,
	}
}

// rowShape is the JSON of one entry of a listing. Of a context that cannot be read there are only its name, selected and error.
type rowShape struct {
	document
	Error string `json:"error,omitempty"`
}

// listing is the result: every context by name.
type listing []entry

type entry struct {
	name, description, url, auth string
	selected                     bool
	json                         json.RawMessage
	broken                       string // why it cannot be read
}

// JSON is a list of the contexts as info shows them.
func (l listing) JSON() any {
	out := []json.RawMessage{}
	for _, x := range l {
		out = append(out, x.json)
	}
	return out
}

// View is the table; for people the selected name carries a star.
func (l listing) View(p *render.Page) {
	kind := p.Options().Kind
	people := kind == render.Text || kind == render.Wide
	if len(l) == 0 && people {
		p.Line("No known contexts, nats context add NAME makes one")
		return
	}
	t := p.Table("Known Contexts", render.Column{Name: "Name"}, render.Column{Name: "Description", Elide: render.End},
		render.Column{Name: "URL", Wide: true}, render.Column{Name: "Authentication", Wide: true})
	for _, x := range l {
		name := x.name
		if x.selected && people {
			name += "*"
		}
		if x.broken != "" {
			t.Row(name, render.Bad("cannot be read"))
			continue
		}
		t.Row(name, x.description, x.url, x.auth)
	}
}

// completions are the lines that a shell's completion reads.
type completions struct{ listing }

// View is "name:description" a line.
func (c completions) View(p *render.Page) {
	for _, x := range c.listing {
		name := strings.ReplaceAll(x.name, ":", `\:`)
		if x.selected {
			name += "*"
		}
		p.Line("%s:%s", name, x.description)
	}
}

func runLs(ctx context.Context, e *env.Env, o lsOptions) error {
	s := store(e)
	all, err := s.Entries(ctx)
	if err != nil {
		return err
	}
	selected, err := s.Selected(ctx)
	if err != nil {
		return err
	}
	out := listing{}
	for _, x := range all {
		row, err := entryOf(e, x, selected)
		if err != nil {
			return err
		}
		out = append(out, row)
	}
	if o.completion {
		return e.Out.Print(completions{out})
	}
	return e.Out.Print(out)
}

func entryOf(e *env.Env, x contexts.Entry, selected string) (entry, error) {
	if x.Err != nil {
		unloadable(e, x.Name, x.Err)
		why := cause(x.Name, x.Err)
		raw, err := json.Marshal(struct {
			Name     string `json:"name"`
			Selected bool   `json:"selected"`
			Error    string `json:"error"`
		}{x.Name, x.Name == selected, why})
		return entry{name: x.Name, selected: x.Name == selected, broken: why, json: raw}, err
	}
	st := x.Stored
	raw, err := st.JSON(e.ShowSecrets)
	return entry{
		name: st.Name, description: st.Text("description"), url: st.Shown("url", e.ShowSecrets), auth: st.AuthKind(),
		selected: st.Selected, json: raw,
	}, err
}
