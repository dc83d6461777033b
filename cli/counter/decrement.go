package counter

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
)

func decrementVerb() command.Node {
	return command.Verb[addOptions]{
		Meta: command.Meta{
			Name: "decrement", Aliases: []string{"decr", "dec", "d"}, Short: "Take from a counter",
			Long: "The value is a whole number of any size. The new total is printed; it may be negative.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: receipt{},
		Names:    command.Names{"subject": command.Counters, "stream": command.Streams},
		Examples: []command.Example{{Line: "nats counter decr ctr.a 2", Says: "40", Needs: []string{"stream add CTR --subjects ctr.> --allow-counter --allow-direct --defaults", "counter incr ctr.a 42"}}},
		Bind:     func(c *fisk.CmdClause, o *addOptions) { o.bind(c, "How much to take") },
		Check: func(o *addOptions) error {
			if err := o.check(); err != nil {
				return err
			}
			o.by.Neg(o.by)
			return nil
		},
		Run: func(ctx context.Context, e *env.Env, o addOptions) error { return o.run(ctx, e) },
	}
}
