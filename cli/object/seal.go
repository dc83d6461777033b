package object

import (
	"context"
	"fmt"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
)

type sealOptions struct {
	bucket string
	force  bool
}

func sealVerb() command.Node {
	return command.Verb[sealOptions]{
		Meta: command.Meta{
			Name: "seal", Short: "Make a bucket read-only for ever",
			Long: "Nothing can be stored, changed or deleted in it any more, and its TTL no longer applies; the bucket as a whole can still be deleted. It cannot be undone.",
		},
		Scope: command.User, Effect: command.Destroys, Output: command.Value, Result: sealed{},
		Names:    command.Names{"bucket": command.ObjectStores},
		Examples: []command.Example{{Line: "nats object seal FILES -f", Says: "FILES has been sealed", Needs: []string{"object add FILES"}}},
		Bind: func(c *fisk.CmdClause, o *sealOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Flag("force", "Act without asking").Short('f').UnNegatableBoolVar(&o.force)
		},
		Check: func(o *sealOptions) error { return store.CheckBucket(o.bucket) },
		Run: func(ctx context.Context, e *env.Env, o sealOptions) error {
			return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
				b, err := c.OpenObjects(ctx, o.bucket)
				if err != nil {
					return err
				}
				if err := jscmd.Sure(ctx, e, o.force, fmt.Sprintf("seal bucket %s for ever", o.bucket), o.bucket); err != nil {
					return err
				}
				if err := b.Seal(ctx); err != nil {
					return err
				}
				i, err := c.Info(ctx, store.Object, o.bucket)
				if err != nil {
					return err
				}
				return e.Out.Print(sealed{newBucketInfo(i)})
			})
		},
	}
}

// sealed is the bucket as it is from now on.
type sealed struct{ bucketInfo }

// View says so and shows the bucket.
func (s sealed) View(p *render.Page) {
	p.Line("%s has been sealed", s.Bucket)
	s.bucketInfo.View(p)
}
