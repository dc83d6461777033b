package counter

import (
	"context"
	"math/big"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

type addOptions struct {
	subject string
	value   string
	stream  string

	by *big.Int
}

func (o *addOptions) bind(c *fisk.CmdClause, value string) {
	c.Arg("subject", "Subject of the counter").Required().StringVar(&o.subject)
	c.Arg("value", value).Required().StringVar(&o.value)
	streamFlag(c, &o.stream)
}

func (o *addOptions) check() error {
	var err error
	if o.by, err = store.ParseIncrement(o.value); err != nil {
		return err
	}
	return store.CheckCounter(o.subject)
}

func (o *addOptions) run(ctx context.Context, e *env.Env) error {
	return onCounters(ctx, e, o.stream, o.subject, func(ctx context.Context, c *store.Counters) error {
		total, err := c.Add(ctx, o.subject, o.by)
		if err != nil {
			return err
		}
		return e.Out.Print(receipt{Subject: o.subject, Stream: c.Stream, Increment: o.by, Value: total})
	})
}

// receipt tells the total after what was added.
type receipt struct {
	Subject   string   `json:"subject"`
	Stream    string   `json:"stream"`
	Increment *big.Int `json:"increment"`
	Value     *big.Int `json:"value"`
}

// View is the total, plain.
func (r receipt) View(p *render.Page) { p.Line("%s", r.Value.String()) }

func incrementVerb() command.Node {
	return command.Verb[addOptions]{
		Meta: command.Meta{
			Name: "increment", Aliases: []string{"incr", "inc", "i"}, Short: "Add to a counter",
			Long: "The value is a whole number of any size and may be negative. The new total is printed. A counter that was never written begins at 0.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: receipt{},
		Names: command.Names{"subject": command.Counters, "stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats counter incr ctr.a 42", Says: "42", Needs: []string{"stream add CTR --subjects ctr.> --allow-counter --allow-direct --defaults"}},
			{Line: "nats counter incr ctr.a -5", Says: "-5", About: "A negative number", Needs: []string{"stream add CTR --subjects ctr.> --allow-counter --allow-direct --defaults"}},
		},
		Bind:  func(c *fisk.CmdClause, o *addOptions) { o.bind(c, "How much to add") },
		Check: func(o *addOptions) error { return o.check() },
		Run:   func(ctx context.Context, e *env.Env, o addOptions) error { return o.run(ctx, e) },
	}
}
