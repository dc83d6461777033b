package cmd

import (
	"context"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nuid"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleetcmd"
	"github.com/natskit/natskit/internal/render"
)

type sendOptions struct {
	service  fleetcmd.Service
	targets  fleetcmd.Targets
	asking   fleetcmd.Asking
	within   fleetcmd.Within
	args     []string
	id       string
	wait     bool
	output   bool
	unseen   bool
	force    bool
	expires  time.Duration
	limit    time.Duration
	keep     time.Duration
	replicas int64
}

func sendVerb() command.Node {
	return command.Verb[sendOptions]{
		Meta: command.Meta{
			Name: "send", Aliases: []string{"run"}, Short: "Have devices run a program",
			Long: "What stands after -- is the program and its arguments, as they are. Devices that are away run it when they come back, unless --expires. With --wait the results are shown as they come; it ends with 7 when it failed on some devices or some have not answered, with 1 when it failed on all. The streams are made when they are not there.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: sent{},
		Examples: []command.Example{
			{Line: "nats fleet command send --device d1 -- uptime", Says: "queued for 1 device"},
			{Line: "nats fleet command send --where 'os.name == \"Linux\"' --wait --output --force -- echo hello", Says: "hello", About: "Run it on some, and see what they say"},
			{Line: "nats fleet command send --all --force --expires 1h --jq .id -- uptime", About: "For all that come within the hour; the id, for a script"},
		},
		Names: command.Names{"device": command.Devices},
		Bind: func(c *fisk.CmdClause, o *sendOptions) {
			c.Arg("argv", "The program and its arguments, after --").Required().StringsVar(&o.args)
			o.targets.Bind(c)
			c.Flag("unseen", "Accept devices that were never seen: it waits until they come").UnNegatableBoolVar(&o.unseen)
			c.Flag("wait", "Wait for the results").UnNegatableBoolVar(&o.wait)
			o.within.Bind(c, time.Minute)
			c.Flag("output", "Show what the program wrote; with --wait").UnNegatableBoolVar(&o.output)
			c.Flag("expires", "Do not begin it after this long").PlaceHolder("DURATION").SetValue(flagval.NewDuration(&o.expires).Positive())
			c.Flag("run-timeout", "End the program after this long; devices have a limit of their own").PlaceHolder("DURATION").SetValue(flagval.NewDuration(&o.limit).Positive())
			c.Flag("id", "The id of the command; sent again with the same one it runs no second time").PlaceHolder("ID").StringVar(&o.id)
			c.Flag("force", "Do not ask when several devices are meant").Short('f').UnNegatableBoolVar(&o.force)
			c.Flag("keep", "How long commands and results are kept, if the streams are not there yet").Default("7d").SetValue(flagval.NewDuration(&o.keep).Positive())
			c.Flag("replicas", "On how many servers they are kept, if the streams are not there yet").Default("1").SetValue(flagval.NewInt64(&o.replicas).Min(1).Max(5))
			o.service.Bind(c)
			o.asking.Bind(c)
		},
		Check: func(o *sendOptions) error {
			if err := o.targets.Check(); err != nil {
				return err
			}
			if o.id != "" {
				if err := control.CheckCommand(o.id); err != nil {
					return err
				}
			}
			if (o.output || o.within.Set()) && !o.wait {
				return fail.Usagef("--output and --within need --wait")
			}
			if o.args[0] == "" {
				return fail.Usagef("the program has no name")
			}
			return o.service.Check()
		},
		Run: runSend,
	}
}

// sent is a command that was queued.
type sent struct{ whole }

// View says for how many it was queued, and who is away.
func (s sent) View(p *render.Page) {
	if !fleetcmd.Wordy(p) {
		s.Devices.View(p)
		return
	}
	queued, again, away := 0, 0, []string{}
	for _, d := range s.Devices {
		switch {
		case d.Duplicate:
			again++
		case d.State == fleet.Queued:
			queued++
		}
		if d.Live != nil && !*d.Live {
			away = append(away, d.Device)
		}
	}
	p.Line("Command %s is queued for %s", render.Key(s.ID), fleetcmd.Plural(queued, "device", "devices"))
	if again > 0 {
		p.Line("%s had it already", fleetcmd.Plural(again, "device", "devices"))
	}
	if len(away) > 0 {
		p.Line("Offline, so that it runs when they are back: %s", fleetcmd.List(away))
	}
	for _, d := range s.Devices {
		if d.Error != "" {
			p.Line("%s: %s", d.Device, render.Bad("not queued: "+d.Error))
		}
	}
}

func runSend(ctx context.Context, e *env.Env, o sendOptions) error {
	return o.service.On(ctx, e, func(ctx context.Context, f *control.Fleet) error {
		f.Replicas = int(o.replicas)
		found, err := o.targets.Resolve(ctx, f, o.asking.Patience(e), o.unseen)
		if err != nil {
			return err
		}
		if len(found) > 1 {
			what := "run " + strings.Join(o.args, " ") + " on " + fleetcmd.Plural(len(found), "device", "devices")
			if err := o.service.Sure(ctx, e, o.force, what); err != nil {
				return err
			}
		}
		if err := f.OpenCommands(ctx, o.keep); err != nil {
			return err
		}
		now := e.Clock.Now().UTC()
		c := fleet.Command{ID: o.id, Args: o.args, Timeout: o.limit, Issued: now}
		if c.ID == "" {
			c.ID = nuid.Next()
		}
		if o.expires > 0 {
			c.Expires = now.Add(o.expires)
		}
		out, ids, live := whole{ID: c.ID, Args: c.Args, Issued: now, Expires: moment(c.Expires), Devices: devices{}, outputs: o.output}, []string{}, map[string]bool{}
		for _, d := range found {
			ids = append(ids, d.Info.ID)
			live[d.Info.ID] = d.Live
		}
		refused := []string{}
		err = f.Send(ctx, c, ids, func(s control.Sent) error {
			is := live[s.Device]
			d := onDevice{Device: s.Device, State: fleet.Queued, Live: &is, Duplicate: s.Duplicate, Error: s.Error}
			if s.Error != "" {
				d.State = ""
				refused = append(refused, s.Device)
			}
			out.Devices = append(out.Devices, d)
			return nil
		})
		if err != nil {
			return err
		}
		if len(refused) > 0 || !o.wait {
			if err := e.Out.Print(sent{out}); err != nil {
				return err
			}
			if len(refused) > 0 {
				return fail.Partialf("command %s is not queued for %s", c.ID, fleetcmd.List(refused))
			}
			return nil
		}
		if !e.Out.Machine() {
			e.Say("Command %s is queued for %s", c.ID, fleetcmd.Plural(len(ids), "device", "devices"))
		}
		return out.finish(ctx, e, f, true, o.within.Duration(e))
	})
}
