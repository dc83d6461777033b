package counter

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
)

type watchOptions struct {
	subject string
	stream  string
	limits  storecmd.Limits
}

func watchVerb() command.Node {
	return command.Verb[watchOptions]{
		Meta:  command.Meta{Name: "watch", Aliases: []string{"w"}, Short: "Show counters as they change", Long: "First come the present totals, then every change until Ctrl-C."},
		Scope: command.User, Effect: command.Reads, Output: command.Feed, Result: change{},
		Names: command.Names{"subject": command.Counters, "stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats counter watch 'ctr.>'", Says: "ctr.a: 42 (+42)", Needs: []string{"stream add CTR --subjects ctr.> --allow-counter --allow-direct --defaults", "counter incr ctr.a 42"}},
		},
		Bind: func(c *fisk.CmdClause, o *watchOptions) {
			c.Arg("subject", "Subject of the counter, or a pattern").Required().StringVar(&o.subject)
			streamFlag(c, &o.stream)
			c.Flag("count", "End after this many").SetValue(flagval.NewUint64(&o.limits.Count))
			c.Flag("wait", "End after this long").PlaceHolder("DURATION").SetValue(flagval.NewDuration(&o.limits.Wait).Positive())
		},
		Check: func(o *watchOptions) error {
			if err := flagval.CheckSubject(o.subject, true); err != nil {
				return fail.Usagef("subject %q: %w", o.subject, err)
			}
			return nil
		},
		Run: runWatch,
	}
}

// change is a counter after a change.
type change struct{ count }

// View is one line.
func (c change) View(p *render.Page) {
	if c.Increment == nil {
		p.Line("[%s] %s: %s", render.At(c.Time), render.Subject(c.Subject), c.Value.String())
		return
	}
	p.Line("[%s] %s: %s (%+d)", render.At(c.Time), render.Subject(c.Subject), c.Value.String(), c.Increment)
}

func runWatch(ctx context.Context, e *env.Env, o watchOptions) error {
	return storecmd.Watch(ctx, e, o.limits, func(ctx context.Context, w *storecmd.Watching) error {
		return onCounters(ctx, e, o.stream, o.subject, func(ctx context.Context, c *store.Counters) error {
			start := func() error {
				e.Say("Watching %s in stream %s", o.subject, c.Stream)
				return nil
			}
			return c.Watch(ctx, o.subject, start, w.Feed.Flush, func(one store.Counter) error { return w.Emit(change{newCount(one)}) })
		})
	})
}
