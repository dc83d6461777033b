package kv

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
)

type infoOptions struct{ bucket string }

func infoVerb() command.Node {
	return command.Verb[infoOptions]{
		Meta: command.Meta{
			Name: "info", Aliases: []string{"view", "status"}, Short: "Show settings and state of a bucket",
			Long: "Values stored counts revisions and markers; --format wide adds how many keys there are, replicas and placement. Without a bucket, on a terminal, there is a list to choose from.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: bucketInfo{},
		Names: command.Names{"bucket": command.Buckets},
		Examples: []command.Example{
			{Line: "nats kv info CFG", Says: "Values Stored: 0", Needs: []string{"kv add CFG"}},
			{Line: "nats kv info CFG --jq .keys", Says: "1", About: "How many keys there are", Needs: []string{"kv add CFG", "kv put CFG a 1"}},
		},
		Bind: func(c *fisk.CmdClause, o *infoOptions) { c.Arg("bucket", "The bucket").StringVar(&o.bucket) },
		Check: func(o *infoOptions) error {
			if o.bucket == "" {
				return nil
			}
			return store.CheckBucket(o.bucket)
		},
		Run: func(ctx context.Context, e *env.Env, o infoOptions) error {
			return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
				bucket, err := storecmd.PickBucket(ctx, e, c, store.KV, o.bucket, "nats kv add NAME")
				if err != nil {
					return err
				}
				return storecmd.PrintBucket(ctx, e, c, store.KV, bucket, newBucketInfo)
			})
		},
	}
}
