package cmd

import (
	"context"
	"strings"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleetcmd"
	"github.com/natskit/natskit/internal/render"
)

type statusOptions struct {
	service fleetcmd.Service
	within  fleetcmd.Within
	id      string
	output  bool
	wait    bool
}

func statusVerb() command.Node {
	return command.Verb[statusOptions]{
		Meta: command.Meta{
			Name: "status", Aliases: []string{"info"}, Short: "Show where a command has got to",
			Long: "A device that has not fetched it is queued. With --wait it ends when all devices have come to an end, with the exit codes of send --wait.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: whole{},
		Examples: []command.Example{
			{Line: "nats fleet command status hello --output --wait", Says: "d1 stdout:", Needs: []string{"fleet command send --device d1 --id hello --wait -- echo hi"}},
			{Line: "nats fleet command status hello --jq '.devices[] | .device + \" \" + .state'", Says: "d1 ", About: "The states, for a script", Needs: []string{"fleet command send --device d1 --id hello -- echo hi"}},
		},
		Bind: func(c *fisk.CmdClause, o *statusOptions) {
			c.Arg("id", "The command").Required().StringVar(&o.id)
			c.Flag("output", "Show what the program wrote").UnNegatableBoolVar(&o.output)
			c.Flag("wait", "Wait until it has ended everywhere").UnNegatableBoolVar(&o.wait)
			o.within.Bind(c, time.Minute)
			o.service.Bind(c)
		},
		Check: func(o *statusOptions) error {
			if o.within.Set() && !o.wait {
				return fail.Usagef("--within needs --wait")
			}
			if err := control.CheckCommand(o.id); err != nil {
				return err
			}
			return o.service.Check()
		},
		Run: func(ctx context.Context, e *env.Env, o statusOptions) error {
			return o.service.On(ctx, e, func(ctx context.Context, f *control.Fleet) error {
				s, err := f.Command(ctx, o.id)
				if err != nil {
					return err
				}
				out := newWhole(s)
				out.outputs = o.output
				if !o.wait {
					return e.Out.Print(out)
				}
				return out.finish(ctx, e, f, true, o.within.Duration(e))
			})
		},
	}
}

type lsOptions struct {
	service fleetcmd.Service
	limit   int64
}

func lsVerb() command.Node {
	return command.Verb[lsOptions]{
		Meta:  command.Meta{Name: "ls", Aliases: []string{"list"}, Short: "List the latest commands", Long: "Newest first, with the number of devices in each state."},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: list{},
		Examples: []command.Example{
			{Line: "nats fleet command ls", Says: "echo hi", Needs: []string{"fleet command send --device d1 -- echo hi"}},
			{Line: "nats fleet command ls --limit 1 --format names", Says: "hello", About: "The latest, for a script", Needs: []string{"fleet command send --device d1 --id hello -- echo hi"}},
		},
		Bind: func(c *fisk.CmdClause, o *lsOptions) {
			c.Flag("limit", "How many").Default("20").SetValue(flagval.NewInt64(&o.limit).Min(1))
			o.service.Bind(c)
		},
		Check: func(o *lsOptions) error { return o.service.Check() },
		Run: func(ctx context.Context, e *env.Env, o lsOptions) error {
			return o.service.On(ctx, e, func(ctx context.Context, f *control.Fleet) error {
				all, err := f.Commands(ctx)
				if err != nil {
					return err
				}
				out := list{}
				for _, s := range all[:min(len(all), int(o.limit))] {
					out = append(out, newListed(s))
				}
				return e.Out.Print(out)
			})
		},
	}
}

// listed is one command and how many devices are in which state.
type listed struct {
	ID      string              `json:"id"`
	Args    []string            `json:"args"`
	Issued  time.Time           `json:"issued"`
	Expires *time.Time          `json:"expires,omitempty"`
	Devices int                 `json:"devices"`
	States  map[fleet.State]int `json:"states"`
	Failed  int                 `json:"failed"` // that came to an end which is not a good one: another state than done, or an exit code other than 0
}

func newListed(s control.Status) listed {
	out := listed{ID: s.ID, Args: s.Args, Issued: s.Issued.UTC(), Expires: moment(s.Expires), Devices: len(s.Devices), States: s.Counts()}
	for _, p := range s.Devices {
		if newOnDevice(p.Result).failed() {
			out.Failed++
		}
	}
	return out
}

// list is the latest commands.
type list []listed

// View is one row for each.
func (l list) View(p *render.Page) {
	if len(l) == 0 && fleetcmd.Wordy(p) {
		p.Line("There are no commands; nats fleet command send sends one")
		return
	}
	t := p.Table("", render.Column{Name: "ID"}, render.Column{Name: "Issued"}, render.Column{Name: "Command", Elide: render.End}, render.Column{Name: "Devices"},
		render.Column{Name: "Queued"}, render.Column{Name: "Running"}, render.Column{Name: "Done"}, render.Column{Name: "Failed"}, render.Column{Name: "Cancelled"})
	for _, c := range l {
		cancelled := c.States[fleet.Cancelled]
		good := c.Devices - c.Failed - c.States[fleet.Queued] - c.States[fleet.Running]
		bad := c.Failed - cancelled
		failed := any(bad)
		if bad > 0 {
			failed = render.Sprintf("%s", render.Bad(render.HumaneCount(uint64(bad))))
		}
		t.Row(c.ID, render.Since(c.Issued), strings.Join(c.Args, " "), c.Devices, c.States[fleet.Queued], c.States[fleet.Running], good, failed, cancelled)
	}
}
