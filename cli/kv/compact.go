package kv

import (
	"context"
	"fmt"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

type compactOptions struct {
	bucket   string
	patterns []string
	force    bool
	dry      bool
	age      time.Duration
}

func compactVerb() command.Node {
	return command.Verb[compactOptions]{
		Meta: command.Meta{
			Name: "compact", Short: "Clear away what removed keys have left",
			Long: "The history of keys that were deleted or purged is removed. Their markers stay while they are younger than --older-than, so that those who watch, or follow as a mirror, still learn of the removal; older ones go too.",
		},
		Scope: command.User, Effect: command.Destroys, Output: command.Value, Result: compacted{},
		Names: command.Names{"bucket": command.Buckets},
		Examples: []command.Example{
			{Line: "nats kv compact CFG -f", Says: "1 younger marker stays", Needs: []string{"kv add CFG --history 5", "kv put CFG a 1", "kv del CFG a -f"}},
			{Line: "nats kv compact CFG --older-than 0 --dry-run", Says: "Would remove 1 key", About: "What would go if all markers went", Needs: []string{"kv add CFG --history 5", "kv put CFG a 1", "kv del CFG a -f"}},
		},
		Bind: func(c *fisk.CmdClause, o *compactOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("pattern", "Only keys that match").StringsVar(&o.patterns)
			c.Flag("force", "Act without asking").Short('f').UnNegatableBoolVar(&o.force)
			c.Flag("older-than", "Remove markers of this age too").PlaceHolder("DURATION").Default("30m").SetValue(flagval.NewDuration(&o.age).Min(0))
			c.Flag("dry-run", "Count, and remove nothing").UnNegatableBoolVar(&o.dry)
		},
		Check: func(o *compactOptions) error {
			for _, p := range o.patterns {
				if err := store.CheckPattern(p); err != nil {
					return err
				}
			}
			return store.CheckBucket(o.bucket)
		},
		Run: func(ctx context.Context, e *env.Env, o compactOptions) error {
			return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Bucket) error {
				if !o.dry {
					what := fmt.Sprintf("purge the audit trail of deleted keys from bucket %s", o.bucket)
					if err := jscmd.Sure(ctx, e, o.force, what, o.bucket); err != nil {
						return err
					}
				}
				c, err := b.Compact(ctx, o.patterns, o.age, e.Clock.Now(), o.dry)
				if err != nil {
					return err
				}
				return e.Out.Print(compacted{Bucket: o.bucket, DryRun: o.dry, Compaction: c, age: o.age})
			})
		},
	}
}

// compacted tells what was cleared away, or would be.
type compacted struct {
	Bucket string `json:"bucket"`
	DryRun bool   `json:"dry_run"`
	store.Compaction

	age time.Duration
}

// View counts.
func (c compacted) View(p *render.Page) {
	if c.DryRun {
		p.Line("Would remove %s of %s", plural(c.Removed, "key", "keys"), c.Bucket)
	} else {
		p.Line("Removed %s of %s: %s", plural(c.Removed, "key", "keys"), c.Bucket, plural(c.Messages, "message", "messages"))
	}
	switch {
	case c.Kept == 1:
		p.Line("1 younger marker stays: --older-than is %s", c.age)
	case c.Kept > 1:
		p.Line("%s younger markers stay: --older-than is %s", render.Count(c.Kept), c.age)
	}
}
