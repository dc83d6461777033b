// Package rtt is the command that measures round trips to servers.
package rtt

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
)

// Command is `nats rtt`.
func Command() command.Node { return rttVerb() }

type rttOptions struct {
	iterations int64
}

func rttVerb() command.Node {
	return command.Verb[rttOptions]{
		Meta: command.Meta{
			Name: "rtt", Short: "Measure the round trip to each server",
			Long: "Every server of the effective URL list is tested on every address its name resolves to, each over a connection of its own. The time shown is the mean; --format wide adds the rest.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: report{},
		Examples: []command.Example{
			{Line: "nats rtt", Says: "nats://127.0.0.1", About: "Five round trips to each server of the context"},
			{Line: "nats rtt 20 --json", Says: `"rtt"`, About: "Twenty, for a script"},
		},
		Bind: func(c *fisk.CmdClause, o *rttOptions) {
			c.Arg("iterations", "How many round trips to measure").Default("5").SetValue(flagval.NewInt64(&o.iterations).Min(1).Max(1_000_000))
		},
		Run: runRTT,
	}
}

// report is the result: one entry for each server of the URL list.
type report []server

type server struct {
	URL     string   `json:"url"`
	Results []result `json:"results"`
}

// result is one address of a server. Times are nanoseconds; RTT is the mean and 0 when the address failed.
type result struct {
	Time    time.Time     `json:"time"`
	Address string        `json:"address"`
	RTT     time.Duration `json:"rtt"`
	URL     string        `json:"url"`
	Min     time.Duration `json:"min_ns"`
	Max     time.Duration `json:"max_ns"`
	StdDev  time.Duration `json:"stddev_ns"`
	Connect time.Duration `json:"connect_ns"`
	Sent    int           `json:"sent"`
	Lost    int           `json:"lost"`
	Error   string        `json:"error,omitempty"`
}

// View shows the mean of each address below its server; in formats of rows a row for each address.
func (r report) View(p *render.Page) {
	if k := p.Options().Kind; k != render.Text && k != render.Wide {
		r.rows(p)
		return
	}
	for _, s := range r {
		p.Line("%s:", s.URL)
		p.Gap()
		for _, a := range s.Results {
			switch {
			case a.RTT == 0:
				p.Line("   %s: %s", a.Address, render.Bad("failed"))
			case p.Options().Wide:
				p.Line("   %s: %s (min %s, max %s, deviation %s, connected in %s, %d of %d lost)", a.Address, render.Span(a.RTT), render.Span(a.Min),
					render.Span(a.Max), render.Span(a.StdDev), render.Span(a.Connect), a.Lost, a.Sent)
			default:
				p.Line("   %s: %s", a.Address, render.Span(a.RTT))
			}
		}
		p.Gap()
	}
}

func (r report) rows(p *render.Page) {
	t := p.Table("RTT", render.Column{Name: "Address"}, render.Column{Name: "URL"}, render.Column{Name: "RTT"}, render.Column{Name: "Min"}, render.Column{Name: "Max"},
		render.Column{Name: "Deviation"}, render.Column{Name: "Connect"}, render.Column{Name: "Sent"}, render.Column{Name: "Lost"}, render.Column{Name: "Error"})
	for _, s := range r {
		for _, a := range s.Results {
			row := []any{a.Address, s.URL}
			for _, d := range []time.Duration{a.RTT, a.Min, a.Max, a.StdDev} {
				row = append(row, measured(a.RTT, d))
			}
			t.Row(append(row, measured(a.Connect, a.Connect), a.Sent, a.Lost, a.Error)...)
		}
	}
}

// measured is d, or nothing where what it belongs to was not measured.
func measured(of, d time.Duration) any {
	if of == 0 {
		return ""
	}
	return render.Span(d)
}

func runRTT(ctx context.Context, e *env.Env, o rttOptions) error {
	var out report
	failed, tried := 0, 0
	var last error
	for _, u := range strings.Split(e.Nats.Effective().URL, ",") {
		targets, err := targets(ctx, strings.TrimSpace(u))
		if err != nil {
			return err
		}
		s := server{URL: contexts.RedactURL(strings.TrimSpace(u))}
		for _, t := range targets {
			r, err := measure(ctx, e, t, int(o.iterations))
			if ctx.Err() != nil {
				return ctx.Err()
			}
			tried++
			if err != nil {
				failed++
				last = err
				e.Say("Failed to compute rtt for %s: %s", t.shown, err)
			}
			r.URL = s.URL
			s.Results = append(s.Results, r)
		}
		out = append(out, s)
	}
	if err := e.Out.Print(out); err != nil {
		return err
	}
	switch {
	case failed == tried:
		return fmt.Errorf("no server answered: %w", last)
	case failed > 0:
		return fail.Partialf("%d of %d addresses failed: %w", failed, tried, last)
	}
	return nil
}

// target is one address of a server: where to dial, and the name that its certificate must carry.
type target struct {
	url, shown, host string
}

// targets resolves the host of a server URL into one target for each of its addresses.
func targets(ctx context.Context, raw string) ([]target, error) {
	if strings.HasPrefix(raw, "embedded:") {
		return nil, fail.Usagef("an embedded server has no address to measure: pass --server with the URL of one that listens")
	}
	full := raw
	if !strings.Contains(full, "://") {
		full = "nats://" + full
	}
	u, err := url.Parse(full)
	if err != nil {
		return nil, fail.Usagef("server URL %s cannot be read", contexts.RedactURL(raw))
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"ws": "80", "wss": "443"}[u.Scheme]
		if port == "" {
			port = "4222"
		}
	}
	addrs, err := new(net.Resolver).LookupHost(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", host, err)
	}
	var out []target
	for _, a := range addrs {
		at := *u
		at.Host = net.JoinHostPort(a, port)
		out = append(out, target{url: at.String(), shown: contexts.RedactURL(at.String()), host: host})
	}
	return out, nil
}

func measure(ctx context.Context, e *env.Env, t target, n int) (result, error) {
	r := result{Time: e.Clock.Now(), Address: t.shown}
	begin := e.Clock.Now()
	nc, err := e.Nats.Dial(ctx, func(o *nats.Options) error {
		o.Url, o.Servers, o.AllowReconnect = t.url, []string{t.url}, false
		if o.TLSConfig != nil && o.TLSConfig.ServerName == "" {
			o.TLSConfig.ServerName = t.host
		}
		return nil
	})
	if err != nil {
		r.Error = err.Error()
		return r, err
	}
	defer nc.Close()
	r.Connect = e.Clock.Now().Sub(begin)

	e.Log.Debug(fmt.Sprintf("RTT iterations for server: %s", t.shown))
	var times []time.Duration
	for i := range n {
		took, rerr := roundTrip(ctx, e, nc)
		r.Sent++
		if rerr != nil {
			r.Lost++
			err = rerr
			if ctx.Err() != nil || nc.IsClosed() {
				break
			}
			continue
		}
		times = append(times, took)
		e.Log.Debug(fmt.Sprintf("#%d:\trtt=%s", i+1, took))
	}
	if len(times) == 0 {
		r.Error = err.Error()
		return r, err
	}
	r.RTT, r.Min, r.Max, r.StdDev = summary(times)
	return r, nil
}

func roundTrip(ctx context.Context, e *env.Env, nc *nats.Conn) (time.Duration, error) {
	ctx, cancel := e.Nats.Deadline(ctx)
	defer cancel()
	begin := e.Clock.Now()
	err := nc.FlushWithContext(ctx)
	return e.Clock.Now().Sub(begin), err
}

// summary is the mean, the extremes and the deviation of the population; one sample deviates by nothing.
func summary(times []time.Duration) (mean, low, high, stddev time.Duration) {
	low, high = times[0], times[0]
	var sum float64
	for _, t := range times {
		low, high = min(low, t), max(high, t)
		sum += float64(t)
	}
	m := sum / float64(len(times))
	var sq float64
	for _, t := range times {
		sq += (float64(t) - m) * (float64(t) - m)
	}
	return time.Duration(m), low, high, time.Duration(math.Sqrt(sq / float64(len(times))))
}
