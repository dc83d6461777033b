package plugins

import (
	"context"
	"strings"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

type lsOptions struct{}

func lsVerb() command.Node {
	return command.Verb[lsOptions]{
		Meta:   command.Meta{Name: "ls", Aliases: []string{"list"}, Short: "List the plugins", Long: "Those that cannot be used, because the file or the program is broken or gone, are listed with the reason, and the command ends with 7."},
		Output: command.Value, Result: listing{},
		Examples: []command.Example{{Line: "nats plugins ls", Says: "No plugins", About: "Which programs are commands"}},
		Run:      runLs,
	}
}

// listing is all plugins by name.
type listing []registration

// View is a row for each.
func (l listing) View(p *render.Page) {
	if len(l) == 0 {
		p.Line("No plugins; nats plugins register NAME PROGRAM adds one")
		return
	}
	t := p.Table("Plugins", render.Column{Name: "Name"}, render.Column{Name: "Program", Elide: render.Middle}, render.Column{Name: "Commands", Drop: 2}, render.Column{Name: "Help", Elide: render.End, Drop: 1}, render.Column{Name: "Problem"})
	for _, r := range l {
		var problem any = ""
		if r.Error != "" {
			problem = render.Bad(r.Error)
		}
		t.Row(r.Name, r.Command, strings.Join(r.Commands, ", "), r.Help, problem)
	}
}

func runLs(_ context.Context, e *env.Env, _ lsOptions) error {
	store, err := open(e)
	if err != nil {
		return err
	}
	names, err := store.Names()
	if err != nil {
		return err
	}
	out, broken := listing{}, 0
	for _, name := range names {
		p, err := store.Load(name)
		r := registration{Name: name, Commands: []string{}}
		if err == nil {
			r = describe(p)
			err = p.Runnable()
		}
		if err != nil {
			r.Error = err.Error()
			broken++
		}
		out = append(out, r)
	}
	if err := e.Out.Print(out); err != nil {
		return err
	}
	if broken > 0 {
		return fail.Partialf("%d of %d plugins cannot be used", broken, len(out))
	}
	return nil
}
