package fleet

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleetcmd"
	"github.com/natskit/natskit/internal/render"
)

type lsOptions struct {
	service fleetcmd.Service
	asking  fleetcmd.Asking
	where   string
	names   bool

	sel fleet.Selector
}

// OutputFormat makes --names a format.
func (o *lsOptions) OutputFormat() string {
	if o.names {
		return "names"
	}
	return ""
}

func lsVerb() command.Node {
	return command.Verb[lsOptions]{
		Meta: command.Meta{
			Name: "ls", Aliases: []string{"list"}, Short: "List the devices",
			Long: "The list holds the devices that answer now, and those that have registered themselves before and are silent, with the time they were last seen. An expression is evaluated here, over what each device says or has said of itself.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: listing{},
		Examples: []command.Example{
			{Line: "nats fleet ls", Says: "nick-d1"},
			{Line: `nats fleet ls --where 'os.name == "Android" && memory > 4e9' --names`, Says: "d2", About: "The ids of some, for a script"},
		},
		Bind: func(c *fisk.CmdClause, o *lsOptions) {
			o.service.Bind(c)
			o.asking.Bind(c)
			c.Flag("where", "Only devices that the expression selects").PlaceHolder("EXPR").StringVar(&o.where)
			c.Flag("names", "Print ids only").Short('n').UnNegatableBoolVar(&o.names)
		},
		Check: func(o *lsOptions) error {
			var err error
			if o.sel, err = fleetcmd.Compile(o.where); err != nil {
				return err
			}
			return o.service.Check()
		},
		Run: runLs,
	}
}

// listing is the devices that are known.
type listing struct {
	service string
	all     []known
}

// JSON is the list.
func (l listing) JSON() any { return l.all }

// View is one row for each device.
func (l listing) View(p *render.Page) {
	if len(l.all) == 0 && fleetcmd.Wordy(p) {
		p.Line("No devices of %s are known", l.service)
		return
	}
	t := p.Table("Devices", render.Column{Name: "ID"}, render.Column{Name: "Nickname"}, render.Column{Name: "Model", Elide: render.End, Drop: 2},
		render.Column{Name: "OS", Drop: 1}, render.Column{Name: "Arch", Wide: true}, render.Column{Name: "CPUs", Wide: true}, render.Column{Name: "Memory", Wide: true},
		render.Column{Name: "Server"}, render.Column{Name: "Config", Align: render.Right}, render.Column{Name: "Started", Drop: 3}, render.Column{Name: "Last Seen"})
	for _, d := range l.all {
		t.Row(d.ID, d.Nickname, d.Model, system(d.OS), d.Arch, d.CPUs, render.Bytes(d.Memory), d.Server, d.revision(), d.age(), d.seen(!fleetcmd.Wordy(p)))
	}
}

func runLs(ctx context.Context, e *env.Env, o lsOptions) error {
	return o.service.On(ctx, e, func(ctx context.Context, f *control.Fleet) error {
		found, err := f.Devices(ctx, o.sel, o.asking.Patience(e))
		if err != nil {
			return err
		}
		out := listing{service: o.service.Name, all: []known{}}
		for _, d := range found {
			out.all = append(out.all, newKnown(d))
		}
		if len(found) == 0 {
			e.IO.Hint("%s", fleetcmd.NoDevices)
		}
		return e.Out.Print(out)
	})
}
