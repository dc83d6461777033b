package latency

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

// end is one side of a measurement: how to connect, and how to tell why that failed.
type end struct {
	nats.Options
	explain func(error) error
}

// ends are the two sides that the flags say.
func ends(ctx context.Context, e *env.Env, o latencyOptions) (a, b end, err error) {
	a.explain = e.Nats.Explain
	if a.Options, err = e.Nats.Options(ctx); err != nil {
		return a, b, err
	}
	b = a
	if o.contextB != "" {
		if b, err = other(ctx, e, o.contextB); err != nil {
			return a, b, err
		}
	}
	if o.serverB != "" {
		if b.Options, err = at(b.Options, o.serverB); err != nil {
			return a, b, err
		}
		b.explain = func(err error) error { return err } // what is known of settings is not about this server
	}
	for _, side := range []end{a, b} {
		if side.InProcessServer != nil {
			return a, b, fail.Usagef("an embedded server has no address to measure: pass --server with the URL of one that listens")
		}
	}
	return a, b, nil
}

// other is the side of a context, of which alone it takes its settings: flags and variables are about the first side.
func other(ctx context.Context, e *env.Env, name string) (end, error) {
	resolved, err := contexts.Resolve(ctx, e.Contexts, contexts.Request{
		Context: contexts.Given{Values: []string{name}, From: contexts.Origin{Kind: contexts.FromFlag, Name: "--context-b"}},
	})
	if err != nil {
		return end{}, fmt.Errorf("--context-b: %w", err)
	}
	resolved.Timeout = e.Nats.Effective().Timeout
	m := contexts.NewManager(resolved, contexts.Options{Log: e.Log, Name: "NATS CLI Version " + e.Build.Version})
	opts, err := m.Options(ctx)
	if err != nil {
		return end{}, fmt.Errorf("--context-b: %w", err)
	}
	return end{opts, m.Explain}, nil
}

// at is the same settings for other servers; a user in the URL goes before theirs.
func at(o nats.Options, servers string) (nats.Options, error) {
	o.Url, o.Servers = "", nil
	for _, s := range strings.Split(servers, ",") {
		s = strings.TrimSpace(s)
		if !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		if _, err := url.Parse(s); err != nil {
			return o, fail.Usagef("--server-b: the URL cannot be read")
		}
		o.Servers = append(o.Servers, s)
	}
	return o, nil
}

// apart is a side for each server of its list.
func (s end) apart() []end {
	servers := s.Servers
	if len(servers) == 0 {
		servers = strings.Split(s.Url, ",")
	}
	var out []end
	for _, u := range servers {
		one := s
		one.Url, one.Servers = "", []string{strings.TrimSpace(u)}
		out = append(out, one)
	}
	return out
}

// matrix is what was measured between many servers.
type matrix []*result

// View is a row for each pair.
func (m matrix) View(p *render.Page) { table(p, m) }

func table(p *render.Page, results []*result) {
	right := func(name string) render.Column { return render.Column{Name: name, Align: render.Right} }
	t := p.Table("Latencies", render.Column{Name: "Pub Server"}, render.Column{Name: "Sub Server"}, right("Min"), right("Median"), right("p90"), right("p99"), right("p99.9"), right("Max"),
		right("Mean"), right("Messages"), right("Lost"), render.Column{Name: "Error"})
	for _, r := range results {
		if r.Received == 0 {
			t.Row(r.PubServer, r.SubServer, "", "", "", "", "", "", "", render.Count(r.Messages), render.Count(r.Lost), render.Bad(r.Error))
			continue
		}
		t.Row(r.PubServer, r.SubServer, render.Span(r.Min), render.Span(r.Median), render.Span(r.at(90)), render.Span(r.at(99)), render.Span(r.at(99.9)), render.Span(r.Max), render.Span(r.Mean),
			render.Count(r.Messages), render.Count(r.Lost), "")
	}
}

// runEach measures all pairs one after the other, so that none disturbs another.
func runEach(ctx context.Context, e *env.Env, o latencyOptions, a, b end) error {
	var out matrix
	var last error
	failed, lost := 0, 0
	for _, from := range a.apart() {
		for _, to := range b.apart() {
			r, err := between(ctx, e, o, from, to)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				failed++
				last = err
				r = &result{PubServer: contexts.RedactURL(from.Servers[0]), SubServer: contexts.RedactURL(to.Servers[0]), Size: o.size, Duration: o.duration, Rate: o.rate, Error: err.Error(), Percentiles: []percentile{}}
				e.Say("%s to %s: %s", r.PubServer, r.SubServer, err)
			}
			lost += r.Lost
			out = append(out, r)
		}
	}
	if err := e.Out.Print(out); err != nil {
		return err
	}
	switch {
	case failed == len(out):
		return fmt.Errorf("no pair could be measured: %w", last)
	case failed > 0:
		return fail.Partialf("%d of %d pairs could not be measured: %w", failed, len(out), last)
	case lost > 0:
		return fail.Partialf("%d messages did not arrive within %s", lost, e.Nats.Effective().Timeout)
	}
	return nil
}
