package device

import (
	"context"
	"fmt"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/fleet/device/sim"
	"github.com/natskit/natskit/internal/render"
)

type simulateOptions struct {
	service
	devices  int64
	seed     uint64
	duration time.Duration
}

func simulateVerb() command.Node {
	return command.Verb[simulateOptions]{
		Meta: command.Meta{
			Name: "simulate", Short: "Run many devices with made-up hardware in one process",
			Long: `Each device has a connection of its own, answers for itself, publishes metrics, watches its configuration and moves like a real one (nats fleet agent), with hardware, a nickname and a load that --hardware-seed makes up: the same each time. They take no commands. Metrics are spread over the interval.

With --json there is a line when all have joined, and one at the end.`,
		},
		Scope: command.User, Effect: command.Writes, Output: command.Feed, Result: status{},
		Examples: []command.Example{
			{Line: "nats fleet simulate --devices 5", Says: "5 devices joined", About: "A room full of devices"},
			{Line: "nats fleet simulate --devices 3 --duration 1s --json", Says: `"devices"`, About: "For a while, with figures"},
		},
		Bind: func(c *fisk.CmdClause, o *simulateOptions) {
			c.Flag("devices", "How many").Short('n').Default("30").PlaceHolder("N").Validator(flagval.Whole(1, 100_000)).Int64Var(&o.devices)
			c.Flag("hardware-seed", "Makes another fleet").Default("1").PlaceHolder("N").Validator(flagval.Whole(0, 1<<62)).Uint64Var(&o.seed)
			c.Flag("duration", "End after this time").PlaceHolder("TIME").SetValue(flagval.NewDuration(&o.duration).Positive())
			o.bind(c)
		},
		Check: func(o *simulateOptions) error { return o.check() },
		Run:   runSimulate,
	}
}

// status is how the fleet is.
type status struct {
	sim.Count
	Elapsed time.Duration `json:"elapsed_ns"` // since the first began to join
	Service string        `json:"service"`
}

// View is what a person wants to know at the end.
func (s status) View(p *render.Page) {
	p.Heading("Simulated devices of service %s", s.Service)
	p.Field("Devices", render.Count(s.Devices))
	p.Field("Connected", render.Count(s.Connected))
	p.Field("Configured", render.Count(s.Applied))
	p.Field("Messages sent", render.Count(s.Sent))
	p.Field("Messages received", render.Count(s.Received))
	p.Field("Metrics waiting", render.Count(s.Waiting))
	p.Field("Metrics given up", render.Count(s.Lost))
	p.Field("Time", render.Span(s.Elapsed))
}

func runSimulate(ctx context.Context, e *env.Env, o simulateOptions) error {
	return fail.Ended(ctx, o.run(ctx, e))
}

func (o *simulateOptions) run(ctx context.Context, e *env.Env) error {
	opts, err := o.options(ctx, e)
	if err != nil {
		return err
	}
	begun := e.Clock.Now()
	count := func(n int64) string { return render.HumaneCount(uint64(n)) }
	progress := e.IO.Progress(e.Clock, "Joining", o.devices, count)
	s, err := sim.Start(ctx, sim.Options{Devices: int(o.devices), Seed: o.seed, Device: opts, Joined: func(n int) { progress.Set(int64(n)) }})
	progress.Close()
	if err != nil {
		return e.Nats.Explain(err)
	}
	now := func() status { return status{s.Count(), e.Clock.Now().Sub(begun), o.name} }
	feed := e.Out.Feed()
	first := now()
	e.Say("%s devices joined service %s in %s", count(int64(first.Devices)), o.name, render.HumaneDuration(first.Elapsed))
	if e.Out.Machine() {
		if err = feed.Emit(first); err == nil {
			err = feed.Flush()
		}
	}
	if err == nil {
		err = o.watch(ctx, e, now)
	}
	last := now()
	stop, cancel := e.Nats.Deadline(context.WithoutCancel(ctx))
	defer cancel()
	if serr := s.Stop(stop); err == nil {
		err = serr
	}
	after := now()
	last.Sent, last.Received, last.Waiting = max(last.Sent, after.Sent), max(last.Received, after.Received), after.Waiting
	if last.Waiting > 0 {
		e.IO.Warn("%d metrics could not be sent before the end", last.Waiting)
	}
	if ferr := o.finish(e, feed, last); err == nil {
		err = ferr
	}
	return err
}

// finish shows the figures of the end: to people below the narration, to programs as the last line.
func (o *simulateOptions) finish(e *env.Env, feed *render.Feed, last status) error {
	if !e.Out.Machine() {
		return feed.Close(last)
	}
	if err := feed.Emit(last); err != nil {
		_ = feed.Close(nil)
		return err
	}
	return feed.Close(nil)
}

// watch keeps a line on the terminal until the time is over or an interrupt comes.
func (o *simulateOptions) watch(ctx context.Context, e *env.Env, now func() status) error {
	var over <-chan time.Time
	if o.duration > 0 {
		over = e.Clock.After(o.duration)
	}
	show := func(int64) string {
		s := now()
		return fmt.Sprintf("%s of %s devices connected, %s configured, %s messages sent, %s metrics waiting;", render.HumaneCount(uint64(s.Connected)),
			render.HumaneCount(uint64(s.Devices)), render.HumaneCount(uint64(s.Applied)), render.HumaneCount(s.Sent), render.HumaneCount(uint64(s.Waiting)))
	}
	line := e.IO.Progress(e.Clock, "Running", 0, show)
	defer line.Close()
	tick := e.Clock.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C():
			line.Add(1)
		case <-over:
			return nil
		case <-ctx.Done():
			return nil // the normal end
		}
	}
}
