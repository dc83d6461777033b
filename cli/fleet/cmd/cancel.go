package cmd

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleetcmd"
	"github.com/natskit/natskit/internal/render"
)

type cancelOptions struct {
	service fleetcmd.Service
	id      string
}

func cancelVerb() command.Node {
	return command.Verb[cancelOptions]{
		Meta: command.Meta{
			Name: "cancel", Short: "Take a command back",
			Long: "Devices that have not fetched it will not run it, on those that run it the program is ended. It ends with 7 when it was too late for some devices, with 1 when it was for all.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: cancelled{},
		Examples: []command.Example{
			{Line: "nats fleet command cancel nap", Says: "cancelled", Needs: []string{"fleet command send --device d9 --unseen --id nap -- sleep 60"}},
		},
		Bind: func(c *fisk.CmdClause, o *cancelOptions) {
			c.Arg("id", "The command").Required().StringVar(&o.id)
			o.service.Bind(c)
		},
		Check: func(o *cancelOptions) error {
			if err := control.CheckCommand(o.id); err != nil {
				return err
			}
			return o.service.Check()
		},
		Run: runCancel,
	}
}

// cancelled is what became of a command that was taken back.
type cancelled struct {
	ID      string `json:"id"`
	Devices []back `json:"devices"`
}

// back is what became of it on one device.
type back struct {
	Device    string      `json:"device"`
	State     fleet.State `json:"state"`     // where it is after all
	Cancelled bool        `json:"cancelled"` // now or before
	Offline   bool        `json:"offline"`
	Reason    string      `json:"reason,omitempty"` // why it was not cancelled
}

// View is one row for each device.
func (c cancelled) View(p *render.Page) {
	t := p.Table("", render.Column{Name: "Device"}, render.Column{Name: "State"}, render.Column{Name: "Reason", Elide: render.End})
	for _, d := range c.Devices {
		state := any(render.Warn(d.State))
		if d.Cancelled {
			state = render.Good(d.State)
		}
		t.Row(d.Device, state, d.Reason)
	}
}

func runCancel(ctx context.Context, e *env.Env, o cancelOptions) error {
	return o.service.On(ctx, e, func(ctx context.Context, f *control.Fleet) error {
		all, err := f.Cancel(ctx, o.id, e.Nats.Effective().Timeout)
		if err != nil {
			return err
		}
		out, late := cancelled{ID: o.id, Devices: []back{}}, []string{}
		for _, c := range all {
			out.Devices = append(out.Devices, back{c.Device, c.State, c.Done, c.Offline, c.Reason})
			if !c.Done {
				late = append(late, c.Device)
			}
		}
		if err := e.Out.Print(out); err != nil {
			return err
		}
		switch len(late) {
		case 0:
			return nil
		case len(all):
			return fail.Newf(fail.Failure, "command %s is not cancelled on %s", o.id, fleetcmd.List(late))
		}
		return fail.Partialf("command %s is not cancelled on %s", o.id, fleetcmd.List(late))
	})
}
