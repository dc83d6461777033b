package config

import (
	"context"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleetcmd"
	"github.com/natskit/natskit/internal/render"
)

type stateOptions struct {
	service fleetcmd.Service
	device  string
	where   string

	sel fleet.Selector
}

func stateVerb() command.Node {
	return command.Verb[stateOptions]{
		Meta: command.Meta{
			Name: "state", Aliases: []string{"status"}, Short: "Show which device has applied which revision",
			Long: "Each device that has registered is compared with the configuration that is there for it: it is current, behind, has failed to apply it, or has never been heard of it.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: states{},
		Examples: []command.Example{
			{Line: "nats fleet config state", Says: "nick-d1", Needs: []string{"fleet config set interval=5 --wait"}},
			{Line: `nats fleet config state --jq '.[] | select(.state != "current") | .id'`, About: "The devices that are not up to date, for a script", Needs: []string{"fleet config set interval=5 --wait"}},
		},
		Names: command.Names{"device": command.Devices},
		Bind: func(c *fisk.CmdClause, o *stateOptions) {
			c.Flag("device", "This device alone, by its id or nickname").PlaceHolder("ID").StringVar(&o.device)
			c.Flag("where", "Only devices that the expression selects").PlaceHolder("EXPR").StringVar(&o.where)
			o.service.BindBucket(c)
		},
		Check: func(o *stateOptions) error {
			if o.device != "" && o.where != "" {
				return fail.Usagef("--device and --where exclude each other")
			}
			var err error
			if o.sel, err = fleetcmd.Compile(o.where); err != nil {
				return err
			}
			return o.service.Check()
		},
		Run: runState,
	}
}

// state is how a device stands to the configuration.
type state struct {
	ID       string            `json:"id"`
	Nickname string            `json:"nickname"`
	State    control.Standing  `json:"state"`
	Wanted   uint64            `json:"wanted"`   // the highest revision that is there for it
	Revision uint64            `json:"revision"` // the highest that it has applied
	Keys     map[string]uint64 `json:"keys"`     // that are for it, and their revisions
	Has      map[string]uint64 `json:"has"`      // that it has applied
	Time     *time.Time        `json:"time"`     // when it applied them, or failed to
	Error    string            `json:"error,omitempty"`
}

// states are all of them.
type states []state

// View is one row for each device, and how many there are of each kind.
func (s states) View(p *render.Page) {
	if len(s) == 0 && fleetcmd.Wordy(p) {
		p.Line("No device has registered")
		return
	}
	t := p.Table("", render.Column{Name: "ID"}, render.Column{Name: "Nickname"}, render.Column{Name: "State"}, render.Column{Name: "Wanted", Align: render.Right},
		render.Column{Name: "Revision", Align: render.Right}, render.Column{Name: "Applied"}, render.Column{Name: "Error", Elide: render.End})
	counts := map[control.Standing]int{}
	for _, d := range s {
		at := any("")
		if d.Time != nil {
			at = render.Since(*d.Time)
		}
		t.Row(d.ID, d.Nickname, fleetcmd.Standing(d.State), render.Count(d.Wanted), render.Count(d.Revision), at, d.Error)
		counts[d.State]++
	}
	if fleetcmd.Wordy(p) {
		p.Note("%d current, %d behind, %d failed, %d unheard", counts[control.Current], counts[control.Behind], counts[control.Failed], counts[control.Unheard])
	}
}

func runState(ctx context.Context, e *env.Env, o stateOptions) error {
	return o.service.On(ctx, e, func(ctx context.Context, f *control.Fleet) error {
		registry, err := f.Registry(ctx)
		if err != nil {
			return err
		}
		all := []control.Device{}
		for _, id := range control.IDs(registry) {
			d := registry[id]
			if ok, err := o.sel.Match(d.Info); ok && err == nil {
				all = append(all, d)
			}
		}
		if o.device != "" {
			d, err := fleetcmd.Named(o.device, all)
			if err != nil {
				return err
			}
			all = []control.Device{d}
		}
		standings, err := f.Standings(ctx, all)
		if err != nil {
			return err
		}
		out := make(states, 0, len(standings))
		for _, a := range standings {
			s := state{ID: a.Device.Info.ID, Nickname: a.Device.Info.Nickname, State: a.Status, Wanted: a.Wanted(), Keys: a.Wants, Has: map[string]uint64{}}
			if c := a.Device.Conf; c != nil {
				at := c.Time.UTC()
				s.Revision, s.Has, s.Time, s.Error = c.Revision, c.Keys, &at, c.Error
			}
			out = append(out, s)
		}
		if len(out) == 0 {
			e.IO.Hint("%s", fleetcmd.NoDevices)
		}
		return e.Out.Print(out)
	})
}
