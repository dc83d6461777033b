package kv

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/store"
)

type updateOptions struct {
	valueOptions
	revision uint64
}

func updateVerb() command.Node {
	return command.Verb[updateOptions]{
		Meta: command.Meta{
			Name: "update", Short: "Replace a value if nobody else has",
			Long: "It fails unless the given revision is the latest one of the key, so that no change of another writer is lost. Revision 0 wants a key that was never written.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: receipt{},
		Names: command.Names{"bucket": command.Buckets, "key": command.Keys},
		Examples: []command.Example{
			{Line: "nats kv update CFG port 4223 1", Says: "4223", Needs: []string{"kv add CFG", "kv put CFG port 4222"}},
			{Line: "echo 4223 | nats kv update CFG port - 1 --jq .revision", Says: "2", About: "The value from a pipe", Needs: []string{"kv add CFG", "kv put CFG port 4222"}},
		},
		Bind: func(c *fisk.CmdClause, o *updateOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("key", "The key").Required().StringVar(&o.key)
			c.Arg("value", "The value; - is standard input").Required().StringVar(&o.value)
			c.Arg("revision", "The revision that must be the latest").Required().SetValue(flagval.NewUint64(&o.revision))
			flagval.DurationVar(c.Flag("ttl", "How long the value lives; needs a bucket with --marker-ttl").PlaceHolder("DURATION"), &o.ttl)
			c.Flag("quiet", "Print nothing").Short('q').UnNegatableBoolVar(&o.quiet)
		},
		Check: func(o *updateOptions) error {
			o.given = true
			return o.check()
		},
		Run: func(ctx context.Context, e *env.Env, o updateOptions) error {
			return o.store(ctx, e, func(ctx context.Context, b *store.Bucket, value []byte) (uint64, error) {
				return b.Update(ctx, o.key, value, o.revision, o.ttl)
			})
		},
	}
}
