package micro

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/micro"
	"github.com/natskit/natskit/internal/render"
)

type listOptions struct {
	name string
}

func listVerb() command.Node {
	return command.Verb[listOptions]{
		Meta:  command.Meta{Name: "list", Aliases: []string{"ls", "l"}, Short: "List the instances of services"},
		Scope: command.User, Output: command.Value, Result: listing{},
		Names: command.Names{"service": command.Services},
		Examples: []command.Example{
			{Line: "nats micro list", Says: "calc", About: "All services", Needs: []string{"& micro serve calc"}},
			{Line: "nats micro list calc --json", Says: `"name": "calc"`, About: "The instances of one, for a script", Needs: []string{"& micro serve calc"}},
		},
		Bind: func(c *fisk.CmdClause, o *listOptions) {
			c.Arg("service", "Only instances of this service").StringVar(&o.name)
		},
		Run: runList,
	}
}

// listing is every instance, sorted by name and id.
type listing struct {
	name string
	all  []micro.Info
}

// JSON is the list of what the instances say of themselves.
func (l listing) JSON() any { return l.all }

// View draws one row for each instance; what repeats within a service is left blank.
func (l listing) View(p *render.Page) {
	title := "All Services"
	if l.name != "" {
		title = l.name + " Service Instances"
	}
	t := p.Table(title, render.Column{Name: "Name"}, render.Column{Name: "Version"}, render.Column{Name: "ID"},
		render.Column{Name: "Description", Elide: render.End, Drop: 1}, render.Column{Name: "Endpoints", Wide: true})
	var last micro.Info
	people := p.Options().Kind == render.Text
	for _, i := range l.all {
		name, version, about := i.Name, i.Version, i.Description
		if people && i.Name == last.Name {
			name = ""
			if version == last.Version {
				version = ""
			}
			if about == last.Description {
				about = ""
			}
		}
		t.Row(name, version, i.ID, about, len(i.Endpoints))
		last = i
	}
}

func runList(ctx context.Context, e *env.Env, o listOptions) error {
	client, ctx, done, err := asker(ctx, e)
	if err != nil {
		return err
	}
	defer done()
	all, err := client.Infos(ctx, o.name, "", micro.Adaptive)
	if len(all) == 0 {
		return none(ctx, err, o.name)
	}
	return e.Out.Print(listing{o.name, all})
}
