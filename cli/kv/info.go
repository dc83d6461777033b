package kv

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/store"
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
			return onStores(ctx, e, func(ctx context.Context, c *store.Client) error {
				bucket, err := pickBucket(ctx, e, c, o.bucket)
				if err != nil {
					return err
				}
				return printBucket(ctx, e, c, bucket)
			})
		},
	}
}

// bucketArgument is the argument that names a bucket, as questions refer to it.
const bucketArgument = "<bucket>"

// pickBucket is the bucket that was named, or the one chosen from a list.
func pickBucket(ctx context.Context, e *env.Env, c *store.Client, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	names, err := c.Names(ctx, store.KV)
	switch {
	case err != nil:
		return "", err
	case len(names) == 0:
		return "", fail.NotFoundf("no KV buckets found").WithHint("nats kv add NAME makes one")
	}
	i, err := e.Prompt.Select(ctx, prompt.Question{Flag: bucketArgument, Message: "Select a Bucket"}, names)
	if err != nil {
		return "", err
	}
	return names[i], nil
}
