// Package kv is the group of commands about key-value buckets.
package kv

import (
	"context"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
)

// Command is `nats kv`.
func Command() command.Node {
	return command.Group{
		Meta: command.Meta{
			Name: "kv", Short: "Keep values under keys, in buckets",
			Long: "A bucket is a stream that keeps the latest values of each key. Keys are made of letters, digits and -/_=. and may be watched and listed by pattern: * is one part between dots, > the rest, and * within a part any text of it.",
		},
		Nodes: func() []command.Node {
			return []command.Node{
				addVerb(), editVerb(), putVerb(), getVerb(), createVerb(), updateVerb(), delVerb(), purgeVerb(), historyVerb(), revertVerb(),
				infoVerb(), watchVerb(), lsVerb(), compactVerb(), exportVerb(), importVerb(), diffVerb(),
			}
		},
	}
}

// onBucket opens a bucket and lets do work on it.
func onBucket(ctx context.Context, e *env.Env, name string, do func(context.Context, *store.Bucket) error) error {
	return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
		b, err := c.OpenKV(ctx, name)
		if err != nil {
			return err
		}
		return do(ctx, b)
	})
}

// plural counts things: "1 key", "12,345 keys".
func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return render.HumaneCount(n) + " " + many
}
