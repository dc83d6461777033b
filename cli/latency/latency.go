// Package latency is the command that measures how long messages take from one server to another.
package latency

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/wire"
)

// Command is `nats latency`.
func Command() command.Node { return latencyVerb() }

type latencyOptions struct {
	serverB   string
	setB      bool
	contextB  string
	each      bool
	size      int64
	rate      int64
	duration  time.Duration
	histogram string
}

// most is how many samples a run may have; each takes eight bytes.
const most = 50_000_000

func (o *latencyOptions) messages() int {
	return max(int(math.Round(float64(o.rate)*o.duration.Seconds())), 1)
}

func latencyVerb() command.Node {
	return command.Verb[latencyOptions]{
		Meta: command.Meta{
			Name: "latency", Aliases: []string{"lat"}, Short: "Measure the time of messages between two servers",
			Long: `Messages are published on the server of the context and received on --server-b, by this process with the same credentials, or on the server and with the credentials of --context-b. Each message carries the time at which it was meant to be sent, so that a server which holds the sender up is not hidden; this process's own part is in the figures. The first tenth of a second is for warming up and not counted.

A message that does not arrive within --timeout after the last one was sent is lost: the command tells how many and ends with 7.

With --each every server of the URL list is measured with every server of the other list, one pair after the other: the result is a list, for people a table. It goes on past a pair that cannot be measured and ends with 7.`,
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: result{},
		Names: command.Names{"context-b": command.Contexts},
		Examples: []command.Example{
			{Line: "nats latency --server-b '' --duration 200ms", Says: "Median Latency", About: "A fifth of a second, back to the same server"},
			{Line: "nats latency --context-b far --duration 200ms --json", Says: `"median_ns"`, About: "To the server of another context", Needs: []string{"context add far --from-env"}},
			{Line: "nats latency --each --server-b '' --duration 200ms --format csv", Says: "Pub Server,Sub Server", About: "Every server with every other one"},
		},
		Bind: func(c *fisk.CmdClause, o *latencyOptions) {
			c.Flag("server-b", "URL of the server to receive on; empty is the one of the context").PlaceHolder("URL").IsSetByUser(&o.setB).StringVar(&o.serverB)
			c.Flag("context-b", "Context whose server and credentials to receive with").PlaceHolder("NAME").StringVar(&o.contextB)
			c.Flag("each", "Measure every server of one list with every server of the other").UnNegatableBoolVar(&o.each)
			c.Flag("size", "Bytes of each message").Default("8").SetValue(flagval.NewInt64(&o.size).Min(8).Max(64 << 20))
			c.Flag("rate", "Messages a second").Default("1000").SetValue(flagval.NewInt64(&o.rate).Min(1).Max(10_000_000))
			c.Flag("duration", "How long to send").Default("5s").SetValue(flagval.NewDuration(&o.duration).Positive())
			c.Flag("histogram", "Write the samples to PREFIX.raw and their distribution to PREFIX.histogram").PlaceHolder("PREFIX").StringVar(&o.histogram)
		},
		Check: (*latencyOptions).check,
		Run:   runLatency,
	}
}

func (o *latencyOptions) check() error {
	switch {
	case !o.setB && o.contextB == "":
		return fail.Usagef("required flag --server-b not provided").WithHint("or --context-b, the context of the other server")
	case o.each && o.histogram != "":
		return fail.Usagef("--histogram is about one pair: it excludes --each")
	case float64(o.rate)*o.duration.Seconds() > most:
		return fail.Usagef("%d messages a second for %s are more than the %d that can be measured", o.rate, o.duration, most)
	}
	return nil
}

func runLatency(ctx context.Context, e *env.Env, o latencyOptions) error {
	a, b, err := ends(ctx, e, o)
	if err != nil {
		return err
	}
	if o.each {
		return runEach(ctx, e, o, a, b)
	}
	r, err := between(ctx, e, o, a, b)
	if err != nil {
		return err
	}
	if o.histogram != "" && len(r.samples) > 0 {
		if err := r.files(e, o.histogram); err != nil {
			return err
		}
	}
	if err := e.Out.Print(r); err != nil {
		return err
	}
	if r.Lost > 0 {
		return fail.Partialf("%d of %d messages did not arrive within %s", r.Lost, r.Messages, e.Nats.Effective().Timeout)
	}
	return nil
}

// between measures one pair.
func between(ctx context.Context, e *env.Env, o latencyOptions, a, b end) (*result, error) {
	p, err := openPair(ctx, e, o, a, b)
	if err != nil {
		return nil, err
	}
	defer p.close()
	r := &result{
		Size: o.size, Duration: o.duration, Rate: o.rate, Messages: o.messages(), PubServer: p.a.URL(), SubServer: p.b.URL(),
	}
	if r.PubRTT, err = p.rtt(ctx, p.a); err != nil {
		return nil, fmt.Errorf("first connection failed: %w", err)
	}
	if r.SubRTT, err = p.rtt(ctx, p.b); err != nil {
		return nil, fmt.Errorf("second connection failed: %w", err)
	}
	if err := p.route(ctx); err != nil {
		return nil, err
	}
	return r, p.measure(ctx, r)
}

// pair is the two connections.
type pair struct {
	e       *env.Env
	o       latencyOptions
	a, b    *wire.Conn
	subject string
}

func openPair(ctx context.Context, e *env.Env, o latencyOptions, a, b end) (*pair, error) {
	p := &pair{e: e, o: o}
	var err error
	if p.a, err = wire.Dial(ctx, a.Options); err != nil {
		return nil, fmt.Errorf("first connection failed: %w", a.explain(err))
	}
	if p.b, err = wire.Dial(ctx, b.Options); err != nil {
		p.close()
		return nil, fmt.Errorf("second connection failed: %w", b.explain(err))
	}
	prefix := b.InboxPrefix
	if prefix == "" {
		prefix = strings.TrimSuffix(nats.InboxPrefix, ".")
	}
	p.subject = prefix + "." + unique()
	_, err = p.b.Subscribe(p.subject, "")
	if err == nil {
		err = p.b.Ping(ctx)
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("second connection: subscribing to %s: %w", p.subject, err)
	}
	return p, nil
}

func (p *pair) close() {
	for _, c := range []*wire.Conn{p.a, p.b} {
		if c != nil {
			_ = c.Close()
		}
	}
}

// rtt is the best of five round trips.
func (p *pair) rtt(ctx context.Context, c *wire.Conn) (time.Duration, error) {
	ctx, cancel := p.e.Nats.Deadline(ctx)
	defer cancel()
	best := time.Duration(math.MaxInt64)
	for range 5 {
		begin := p.e.Clock.Now()
		if err := c.Ping(ctx); err != nil {
			return 0, err
		}
		best = min(best, p.e.Clock.Now().Sub(begin))
	}
	return best, nil
}

var errRouted = errors.New("a test message arrived")

// route waits until a message gets through: the interest has to reach the other server first.
func (p *pair) route(ctx context.Context) error {
	w := p.a.Writer()
	for begin := p.e.Clock.Now(); p.e.Clock.Now().Sub(begin) < 2*time.Second; {
		if err := w.Pub(p.subject, "", nil, make([]byte, p.o.size)); err != nil {
			return fmt.Errorf("first connection: %w", err)
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("first connection: %w", err)
		}
		if err := p.a.Ping(ctx); err != nil {
			return fmt.Errorf("first connection: %w", err) // a denied publish, say
		}
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		err := p.b.Read(short, wire.Handler{Msg: func(*wire.Msg) error { return errRouted }})
		cancel()
		switch {
		case errors.Is(err, errRouted):
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("second connection: %w", err)
		}
	}
	return fail.Newf(fail.NoAnswer, "couldn't receive end-to-end test message within 2s from %s on %s", p.a.URL(), p.b.URL()).
		WithHint("the two servers must be one system: check with nats server list")
}
