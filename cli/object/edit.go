package object

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
			Long: "Only what is given changes, and what this program does not know stays as it is. Cluster and tags change one by one; metadata is replaced as a whole. What changes is told on standard error; nothing is sent when nothing does.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: storecmd.Edited[bucketInfo]{},
		Names: command.Names{"bucket": command.ObjectStores},
		Examples: []command.Example{
			{Line: "nats object edit FILES --max-bucket-size 1GB", Says: "Maximum Bucket Size: 1.0 GiB", Needs: []string{"object add FILES"}},
			{Line: "nats object edit FILES --ttl 1d --description daily", Says: "TTL: 1d0h0m0s", Needs: []string{"object add FILES"}},
		},
		Bind: func(c *fisk.CmdClause, o *editOptions) {
			o.bind(c)
			c.Flag("dry-run", "Show what would change and change nothing; ends with 1 when something would").UnNegatableBoolVar(&o.dry)
		},
		Check: func(o *editOptions) error { return o.given() },
		Run: func(ctx context.Context, e *env.Env, o editOptions) error {
			return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
				d, err := c.EditObjects(ctx, o.bucket, o.ObjectSettings)
				if err != nil {
					return err
				}
				return storecmd.Apply(ctx, e, c, store.Object, o.bucket, d, o.dry, newBucketInfo)
			})
		},
	}
}
