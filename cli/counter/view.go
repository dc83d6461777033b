package counter

import (
	"context"
	"maps"
	"slices"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

type viewOptions struct{ subject, stream string }

func viewVerb() command.Node {
	return command.Verb[viewOptions]{
		Meta:  command.Meta{Name: "view", Aliases: []string{"v"}, Short: "Show a counter and what it is gathered from", Long: "A stream that sources others adds their counters up; what each of them gave is listed."},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: screen{},
		Names: command.Names{"subject": command.Counters, "stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats counter view ctr.a", Says: "Value: 1,234", Needs: []string{"stream add CTR --subjects ctr.> --allow-counter --allow-direct --defaults", "counter incr ctr.a 1234"}},
			{Line: "nats counter view ctr.a --stream CTR --jq .increment", Says: "1234", About: "What was added last", Needs: []string{"stream add CTR --subjects ctr.> --allow-counter --allow-direct --defaults", "counter incr ctr.a 1234"}},
		},
		Bind: func(c *fisk.CmdClause, o *viewOptions) {
			c.Arg("subject", "Subject of the counter").Required().StringVar(&o.subject)
			streamFlag(c, &o.stream)
		},
		Check: func(o *viewOptions) error { return store.CheckCounter(o.subject) },
		Run: func(ctx context.Context, e *env.Env, o viewOptions) error {
			return onCounters(ctx, e, o.stream, o.subject, func(ctx context.Context, c *store.Counters) error {
				one, err := c.Get(ctx, o.subject)
				if err != nil {
					return err
				}
				return e.Out.Print(screen{newCount(one)})
			})
		},
	}
}

// screen is one counter in full.
type screen struct{ count }

// View is the info screen.
func (s screen) View(p *render.Page) {
	p.Heading("Counter %s", s.Subject)
	p.Field("Value", grouped(s.Value))
	p.Field("Increment", grouped(s.Increment))
	p.Field("Subject", s.Subject)
	if p.Options().Wide {
		p.Field("Stream", s.Stream)
		p.Field("Sequence", render.Count(s.Sequence))
		p.Field("Changed", render.At(s.Time))
	}
	if len(s.Sources) == 0 {
		p.Gap()
		p.Line(" No source information found")
		return
	}
	p.Section("Sources")
	for _, stream := range slices.Sorted(maps.Keys(s.Sources)) {
		label := stream
		for _, subject := range slices.Sorted(maps.Keys(s.Sources[stream])) {
			p.Field(label, subject+": "+s.Sources[stream][subject].String())
			label = ""
		}
	}
}
