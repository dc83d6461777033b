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
)

// Run carries spec out. The report holds what was measured up to the end, also when the run ended early: then the error says
// why, and the exit code of the command is its code. Without a report nothing was begun.
func Run(ctx context.Context, w World, spec Spec) (*meter.Report, error) {
	g := newGroup(w, &spec)
	prepare, err := g.plan()
	if err != nil {
		return nil, err
	}
	r := &meter.Report{
		Schema: meter.Schema, Bench: spec.Kind, RunID: nuid.Next(), Started: time.Now(), Config: spec.Config(),
		Host:  meter.Host{Tool: w.Tool, OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU()},
		Sides: []meter.Side{}, Errors: []string{}, Notes: []string{},
	}
	if len(g.sides) == 0 || len(g.sides[0].workers) == 0 {
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
	err = g.begin(ctx)
	r.Outcome, err = g.outcome(ctx, err)
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

// prepared readies what a run needs on the server, before its clients connect; the function it returns undoes what it made.
type prepared func(context.Context, *meter.Report) (cleanup func(), err error)

// plan makes the sides of the run and says what has to be ready before.
func (g *group) plan() (prepared, error) {
	s := g.spec
	k, ok := KindOf(s.Kind)
	if !ok && s.Kind != "pubsub" {
		return nil, fmt.Errorf("there is no benchmark %q", s.Kind)
	}
	if _, err := s.schedule(); err != nil {
		return nil, err
	}
	clients := s.Clients
	if k.Divide && k.Clamp && s.bounded() {
		clients = int(min(int64(clients), s.Messages))
	}
	switch s.Kind {
	case "pub":
		if len(s.Segments) > 0 {
			k.Covers = coversPaced
		}
		g.add(k, s.Engine, clients, s.Messages, publish)
	case "service request":
		g.add(k, s.Engine, clients, s.Messages, request)
	case "service serve":
		g.add(k, s.Engine, clients, 0, serve)
	case "pubsub":
		g.pubsub()
	case "sub":
		if s.Stamp {
			k.Covers = coversStamp
		}
		g.add(k, s.Engine, clients, s.Messages, subscribe)
	case modeSync, modeAsync, modeAtomic, modeFast:
		g.add(k, s.Engine, clients, s.Messages, func(ctx context.Context, w *worker) error { return publishTo(ctx, w, dialStore) })
		return g.prepareStream, nil
	case "js consume":
		return g.consumers(k, clients, (*reader).consumeWork, g.prepareConsumer), nil
	case "js fetch":
		return g.consumers(k, clients, (*reader).fetchWork, g.prepareConsumer), nil
	case "oldjs ordered", "oldjs push", "oldjs pull":
		return g.consumers(k, clients, (*reader).oldWork, g.prepareOld), nil
	case "js ordered":
		return g.consumers(k, clients, (*reader).orderedWork, g.prepareReading), nil
	case "js get sync":
		return g.consumers(k, clients, (*reader).getWork, g.prepareReading), nil
	case "js get batch":
		return g.consumers(k, clients, (*reader).getBatchWork, g.prepareReading), nil
	case "kv get":
		return g.consumers(k, clients, (*reader).kvGetWork, g.prepareBucket), nil
	case "kv put":
		g.add(k, NatsGo, clients, s.Messages, func(ctx context.Context, w *worker) error { return publishTo(ctx, w, dialPutter) })
		return g.prepareBucket, nil
	default:
		return nil, fmt.Errorf("there is no benchmark %q", s.Kind)
	}
	return nil, nil
}

// fill puts what the clients measured into the report.
func (g *group) fill(r *meter.Report) {
	for _, s := range g.sides {
		out := meter.Side{Label: s.kind.Label, Role: s.kind.Role, Engine: s.engine, Clients: []meter.Client{}}
		for _, w := range s.workers {
			c := w.Client(s.kind.Covers)
			c.Number += g.spec.FirstClient
			c.Agent = g.spec.Agent
			c.Start -= s.opened // machines have no other moment in common
			c.WireBytes, c.Delivery = w.extra.WireBytes, w.extra.Delivery
			c.Denied, c.Unconfirmed = w.extra.Denied, w.extra.Unconfirmed
			if w.err != nil {
				c.Error = w.err.Error()
			}
			out.Clients = append(out.Clients, c)
		}
		out.Sum()
		if s.account != nil {
			out.Total.Delivery = s.account
		}
		if sched, err := g.spec.schedule(); err == nil && sched != nil && s.kind.Role == meter.Publisher {
			out.SumSteps(sched, s.kind.Covers)
		}
		if out.Total.Messages > 0 && out.Total.Rate == 0 {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: %s messages came at once: too few to measure a rate", s.kind.Label, meter.Commas(out.Total.Messages)))
		} else if d := out.Total.Duration; out.Total.Rate > 0 && d < 10*time.Millisecond {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: the measurement lasted only %s; more messages give steadier figures", s.kind.Label, d))
		}
		if r.Timeline == nil {
			r.Timeline = s.run.Timeline()
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

// Config is the settings of the run as the report keeps them, under the names of the flags.
func (s *Spec) Config() map[string]any {
	c := map[string]any{"clients": s.all(), "msgs": s.Messages, "size": s.Size}
	set := func(name string, v any, when bool) {
		if when {
			c[name] = v
		}
	}
	set("subject", s.Subject, s.Subject != "")
	set("subscribers", s.Subscribers, s.Subscribers > 0)
	set("duration_ns", s.Duration.Nanoseconds(), s.Duration > 0)
	set("warmup_ns", s.Warmup.Nanoseconds(), s.Warmup > 0)
	set("sleep_ns", s.Sleep.Nanoseconds(), s.Sleep > 0)
	set("size_max", s.SizeMax, s.SizeMax > s.Size)
	set("payload_bytes", len(s.Payload), len(s.Payload) > 0)
	set("random", true, s.Random)
	set("headers", len(s.Header), len(s.Header) > 0)
	set("latency", true, s.Stamp)
	set("queue", s.Queue, s.Queue != "")
	set("multisubject", true, s.Multi.On)
	set("multisubjectmax", s.Multi.Max, s.Multi.On)
	set("multisubjectrandomize", true, s.Multi.Random)
	if len(s.Segments) > 0 {
		c["schedule"] = s.Segments
	}
	if s.Stream.Name != "" {
		c["stream"] = s.Stream
	}
	if s.Bucket.Name != "" {
		c["bucket"] = s.Bucket
	}
	return c
}
