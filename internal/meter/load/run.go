// Package load generates the load of benchmarks and measures it: one crew.Spec describes a run, Run carries it out with as many
// connections as it has clients and returns a meter.Report. Its own kinds are those of core NATS; package streams has the others.
package load

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/meter/streams"
)

// group adds to a crew what runs on core NATS need.
type group struct{ *crew.Group }

// Run carries spec out. The report holds what was measured up to the end, also when the run ended early: then the error says
// why, and the exit code of the command is its code. Without a report nothing was begun.
func Run(ctx context.Context, w crew.World, spec crew.Spec) (*meter.Report, error) {
	spec.FirstPublisher = meter.PublisherIDs()
	g := &group{crew.NewGroup(w, &spec)}
	prepare, err := g.plan()
	if err != nil {
		return nil, err
	}
	r := &meter.Report{
		Schema: meter.Schema, Bench: spec.Kind, RunID: nuid.Next(), Started: time.Now(), Config: spec.Config(),
		Host:  meter.Host{Tool: w.Tool, OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU()},
		Sides: []meter.Side{}, Errors: []string{}, Notes: []string{},
	}
	if len(g.Sides) == 0 || len(g.Sides[0].Workers) == 0 {
		r.Outcome = meter.Complete
		return r, nil
	}
	if prepare != nil {
		cleanup, err := prepare(ctx, r)
		if cleanup != nil {
			defer cleanup()
		}
		if err != nil {
			return nil, err
		}
	}
	r.Started = time.Now()
	err = g.Group.Run(ctx)
	r.Outcome, err = g.Outcome(ctx, err)
	if spec.Kind == "service serve" && r.Outcome == meter.Interrupted {
		r.Outcome, err = meter.Complete, nil // that is how a server ends
	}
	g.fill(r)
	if err == nil {
		if err = Judge(r); err != nil {
			r.Outcome = meter.Lossy
		}
	}
	if err != nil {
		r.Errors = append(r.Errors, err.Error())
	}
	return r, err
}

// plan makes the sides of the run and says what has to be ready before.
func (g *group) plan() (streams.Prepared, error) {
	s := g.Spec
	k, ok := crew.KindOf(s.Kind)
	if !ok && s.Kind != "pubsub" {
		return nil, fmt.Errorf("there is no benchmark %q", s.Kind)
	}
	if _, err := s.Schedule(); err != nil {
		return nil, err
	}
	clients := s.Clients
	if k.Divide && k.Clamp && s.Bounded() {
		clients = int(min(int64(clients), s.Messages))
	}
	switch s.Kind {
	case "pub":
		if len(s.Segments) > 0 {
			k.Covers = crew.CoversPaced
		}
		g.Add(k, s.Engine, clients, s.Messages, publish)
	case "service request":
		g.Add(k, s.Engine, clients, s.Messages, request)
	case "service serve":
		g.Add(k, s.Engine, clients, 0, serve)
	case "pubsub":
		g.pubsub()
	case "sub":
		g.subscribers(k, clients)
	default:
		return streams.Plan(g.Group, k, clients)
	}
	return nil, nil
}

// fill puts what the clients measured into the report.
func (g *group) fill(r *meter.Report) {
	for _, s := range g.Sides {
		out := meter.Side{Label: s.Kind.Label, Role: s.Kind.Role, Engine: s.Engine, Clients: []meter.Client{}}
		for _, w := range s.Workers {
			c := w.Client(s.Kind.Covers)
			c.Number += g.Spec.FirstClient
			c.Agent = g.Spec.Agent
			if c.Duration > 0 {
				c.Start -= s.Opened // machines have no other moment in common
			}
			c.WireBytes, c.Delivery = w.Extra.WireBytes, w.Extra.Delivery
			c.Denied, c.Unconfirmed = w.Extra.Denied, w.Extra.Unconfirmed
			if c.Messages == 0 { // what was denied or refused has no latency
				c.Latency, c.Lag = nil, nil
			}
			if w.Err != nil {
				c.Error = w.Err.Error()
			}
			out.Clients = append(out.Clients, c)
		}
		out.Sum()
		if s.Account != nil {
			out.Total.Delivery = s.Account
		}
		if sched, err := g.Spec.Schedule(); err == nil && sched != nil && s.Kind.Role == meter.Publisher {
			out.SumSteps(sched, s.Kind.Covers)
		}
		if out.Total.Messages > 0 && out.Total.Rate == 0 {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: %s messages came at once: too few to measure a rate", s.Kind.Label, meter.Commas(out.Total.Messages)))
		} else if d := out.Total.Duration; out.Total.Rate > 0 && d < 10*time.Millisecond {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: the measurement lasted only %s; more messages give steadier figures", s.Kind.Label, meter.Brief(d)))
		}
		if r.Timeline == nil {
			r.Timeline = s.Run.Timeline()
		}
		r.Sides = append(r.Sides, out)
	}
}

// Judge is the error of a run all of whose clients ended well and that lost something all the same.
func Judge(r *meter.Report) error {
	for _, s := range r.Sides {
		t := s.Total
		if d := t.Delivery; d != nil && !d.Clean() {
			return fail.Partialf("%d of %d messages were lost, %d came more than once", d.Lost, d.Expected, d.Duplicates+d.Late)
		}
		if t.Denied > 0 {
			return fail.Newf(fail.Unreachable, "%d messages were denied by the server: %w", t.Denied, nats.ErrPermissionViolation)
		}
		if t.Unconfirmed > 0 {
			return fail.Partialf("%d messages were not confirmed by the server", t.Unconfirmed)
		}
	}
	return nil
}
