package kv

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
)

type editOptions struct {
	settings
	dry bool
}

func editVerb() command.Node {
	return command.Verb[editOptions]{
		Meta: command.Meta{
			Name: "edit", Short: "Change settings of a bucket",
			Long: "Only what is given changes, and what this program does not know stays as it is. Sources are added; metadata is replaced as a whole, and so is placement when tags or a cluster are given. What changes is told on standard error; nothing is sent when nothing does.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: storecmd.Edited[bucketInfo]{},
		Names: command.Names{"bucket": command.Buckets, "source": command.Buckets},
		Examples: []command.Example{
			{Line: "nats kv edit CFG --history 3 --ttl 1h", Says: "History Kept: 3", Needs: []string{"kv add CFG"}},
			{Line: "nats kv edit CFG --description ports", Says: "Description: ports", Needs: []string{"kv add CFG"}},
			{Line: "nats kv edit ALL --remove-source CFG", Says: "ALL", About: "Gather from one bucket less", Needs: []string{"kv add CFG", "kv add ALL --source CFG"}},
		},
		Bind: func(c *fisk.CmdClause, o *editOptions) {
			o.bind(c)
			c.Flag("no-mirror", "Make a mirror a bucket of its own").BoolVar(&o.NoMirror)
			c.Flag("remove-source", "Gather from this bucket no more").PlaceHolder("BUCKET").StringsVar(&o.RemoveSources)
			c.Flag("remove-republish", "Republish no more").UnNegatableBoolVar(&o.NoRepublish)
			c.Flag("dry-run", "Show what would change and change nothing; ends with 1 when something would").UnNegatableBoolVar(&o.dry)
		},
		Check: func(o *editOptions) error { return o.given() },
		Run: func(ctx context.Context, e *env.Env, o editOptions) error {
			return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
				d, err := c.EditKV(ctx, o.bucket, o.KVSettings)
				if err != nil {
					return err
				}
				return storecmd.Apply(ctx, e, c, store.KV, o.bucket, d, o.dry, newBucketInfo)
			})
		},
	}
}
