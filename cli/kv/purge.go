package kv

import (
	"context"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/store"
)

type purgeOptions struct {
	removal
	key  string
	more []string
}

func purgeVerb() command.Node {
	return command.Verb[purgeOptions]{
		Meta: command.Meta{
			Name: "purge", Short: "Remove keys with all their history",
			Long: "What is left is one marker for each key, so that watchers hear of it. Several keys and patterns are counted before the question; only keys that have a value are purged by a pattern.",
		},
		Scope: command.User, Effect: command.Destroys, Output: command.Value, Result: removed{},
		Names: command.Names{"bucket": command.Buckets, "key": command.Keys, "more": command.Keys},
		Examples: []command.Example{
			{Line: "nats kv purge CFG port -f", Needs: []string{"kv add CFG", "kv put CFG port 4222"}},
			{Line: "nats kv purge CFG 'tmp.>' 'old-*' -f", Says: "Purged 2 keys from CFG", About: "All keys of two patterns", Needs: []string{"kv add CFG", "kv put CFG tmp.a 1", "kv put CFG old-b 1"}},
		},
		Bind: func(c *fisk.CmdClause, o *purgeOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("key", "The key, or a pattern").Required().StringVar(&o.key)
			c.Arg("more", "Further keys and patterns").StringsVar(&o.more)
			o.bind(c)
			c.Flag("ttl", "How long the marker stays; needs a bucket with --marker-ttl").PlaceHolder("DURATION").SetValue(flagval.NewDuration(&o.ttl).Min(time.Second))
		},
		Check: func(o *purgeOptions) error {
			o.op, o.keys = store.Purge, append([]string{o.key}, o.more...)
			return o.check()
		},
		Run: func(ctx context.Context, e *env.Env, o purgeOptions) error { return o.run(ctx, e) },
	}
}
