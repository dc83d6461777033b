package kv

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/store"
)

type createOptions struct{ valueOptions }

func createVerb() command.Node {
	return command.Verb[createOptions]{
		Meta: command.Meta{
			Name: "create", Short: "Store a value under a key that has none",
			Long: "It fails when the key has a value, so that of several writers one succeeds: a lock. A key that was removed may be created again. The value comes from where put takes it.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: receipt{},
		Names: command.Names{"bucket": command.Buckets},
		Examples: []command.Example{
			{Line: "nats kv create LOCKS job me", Says: "me", Needs: []string{"kv add LOCKS"}},
			{Line: "nats kv create LOCKS job me --ttl 30s --jq .revision", Says: "1", About: "A lock that goes away by itself", Needs: []string{"kv add LOCKS --marker-ttl 1m"}},
		},
		Bind: func(c *fisk.CmdClause, o *createOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("key", "The key").Required().StringVar(&o.key)
			c.Arg("value", "The value; - is standard input").IsSetByUser(&o.given).StringVar(&o.value)
			o.bind(c)
		},
		Check: func(o *createOptions) error { return o.check() },
		Run: func(ctx context.Context, e *env.Env, o createOptions) error {
			return o.store(ctx, e, func(ctx context.Context, b *store.Bucket, value []byte) (uint64, error) {
				return b.Create(ctx, o.key, value, o.ttl)
			})
		},
	}
}
