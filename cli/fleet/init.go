package fleet

import (
	"context"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleetcmd"
	"github.com/natskit/natskit/internal/render"
)

type initOptions struct {
	service  fleetcmd.Service
	keep     time.Duration
	replicas int64
}

func initVerb() command.Node {
	return command.Verb[initOptions]{
		Meta: command.Meta{
			Name: "init", Short: "Make the buckets and streams that devices need",
			Long: "Devices register in a bucket and read their configuration from another; commands and their results lie in two streams. What is there already stays as it is. Commands that need one of them make it too; devices that run already may take half a minute to find a new one.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: places{},
		Examples: []command.Example{
			{Line: "nats fleet init", Says: "qcon_commands"},
			{Line: "nats fleet init --service lab --bucket lab_config --keep 30d", Says: "lab_results", About: "For devices of another name, commands kept for a month"},
		},
		Bind: func(c *fisk.CmdClause, o *initOptions) {
			o.service.BindBucket(c)
			c.Flag("keep", "How long commands and results are kept").Default("7d").SetValue(flagval.NewDuration(&o.keep).Positive())
			c.Flag("replicas", "On how many servers they are kept").Default("1").SetValue(flagval.NewInt64(&o.replicas).Min(1).Max(5))
		},
		Check: func(o *initOptions) error { return o.service.Check() },
		Run: func(ctx context.Context, e *env.Env, o initOptions) error {
			return o.service.On(ctx, e, func(ctx context.Context, f *control.Fleet) error {
				f.Replicas = int(o.replicas)
				out, err := f.Init(ctx, o.keep)
				if err != nil {
					return err
				}
				return e.Out.Print(places(out))
			})
		},
	}
}

// places are what devices need.
type places []control.Place

// View is one row for each.
func (l places) View(p *render.Page) {
	t := p.Table("", render.Column{Name: "Name"}, render.Column{Name: "Kind"}, render.Column{Name: "Holds"}, render.Column{Name: "State"})
	for _, one := range l {
		state := any(render.Muted("there"))
		if one.Created {
			state = render.Good("created")
		}
		t.Row(one.Name, one.Kind, one.Holds, state)
	}
}
