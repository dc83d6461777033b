package counter

import (
	"context"
	"errors"
	"math/big"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/store"
)

func setVerb() command.Node {
	return command.Verb[addOptions]{
		Meta: command.Meta{
			Name: "set", Short: "Bring a counter to a value",
			Long: "Counters can only be added to: the present total is read and the difference added. What others add in between is kept, so that the new total, which is printed, may then be another one; the command warns of it. On a stream that sources others the whole total is brought to the value, from this stream's part.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: receipt{},
		Names: command.Names{"subject": command.Counters, "stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats counter set ctr.a 0", Says: "0", About: "Start again", Needs: []string{"stream add CTR --subjects ctr.> --allow-counter --allow-direct --defaults", "counter incr ctr.a 42"}},
		},
		Bind:  func(c *fisk.CmdClause, o *addOptions) { o.bind(c, "The total to reach") },
		Check: func(o *addOptions) error { return o.check() },
		Run: func(ctx context.Context, e *env.Env, o addOptions) error {
			return onCounters(ctx, e, o.stream, o.subject, func(ctx context.Context, c *store.Counters) error {
				present := new(big.Int)
				one, err := c.Get(ctx, o.subject)
				var own *fail.Error
				switch {
				case err == nil:
					present = one.Value
				case !errors.As(err, &own) || own.Code != fail.NotFound:
					return err
				}
				by := new(big.Int).Sub(o.by, present)
				total, err := c.Add(ctx, o.subject, by)
				if err != nil {
					return err
				}
				if total.Cmp(o.by) != 0 {
					e.IO.Warn("counter %s is at %s: others added to it meanwhile", o.subject, total)
				}
				return e.Out.Print(receipt{Subject: o.subject, Stream: c.Stream, Increment: by, Value: total})
			})
		},
	}
}
