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

type delOptions struct {
	bucket, file string
	force        bool
	dry          bool
}

func delVerb() command.Node {
	return command.Verb[delOptions]{
		Meta: command.Meta{
			Name: "del", Aliases: []string{"rm"}, Short: "Delete an object, or a bucket",
			Long: "Without an object the whole bucket goes, a sealed one too.",
		},
		Scope: command.User, Effect: command.Destroys, Output: command.Value, Result: removed{},
		Names: command.Names{"bucket": command.ObjectStores, "file": command.Objects},
		Examples: []command.Example{
			{Line: "nats object del FILES a.txt -f", Says: "Removed FILES > a.txt", Needs: []string{"object add FILES", "printf 'hello' | nats object put FILES --name a.txt"}},
			{Line: "nats object del FILES -f", About: "The bucket and everything in it", Needs: []string{"object add FILES"}},
		},
		Bind: func(c *fisk.CmdClause, o *delOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("file", "The object").StringVar(&o.file)
			c.Flag("force", "Act without asking").Short('f').UnNegatableBoolVar(&o.force)
			c.Flag("dry-run", "Show what would be removed, and remove nothing").UnNegatableBoolVar(&o.dry)
		},
		Check: func(o *delOptions) error { return store.CheckBucket(o.bucket) },
		Run: func(ctx context.Context, e *env.Env, o delOptions) error {
			if o.file == "" {
				return delBucket(ctx, e, o)
			}
			return delObject(ctx, e, o)
		},
	}
}

// removed is what was removed, or would be: an object, or a bucket with its bytes.
type removed struct {
	Bucket string      `json:"bucket"`
	Name   string      `json:"name,omitempty"`
	DryRun bool        `json:"dry_run"`
	Bytes  uint64      `json:"bytes"`
	Info   *bucketInfo `json:"info,omitempty"` // the bucket after an object went
}

// View is silent about a bucket, as in the reference.
func (r removed) View(p *render.Page) {
	switch {
	case r.DryRun && r.Name == "":
		p.Line("Would delete bucket %s, %s", r.Bucket, render.Bytes(r.Bytes))
	case r.DryRun:
		p.Line("Would delete %s > %s, %s", r.Bucket, r.Name, render.Bytes(r.Bytes))
	case r.Name != "":
		p.Line("Removed %s > %s", r.Bucket, r.Name)
		r.Info.View(p)
	}
}

func delBucket(ctx context.Context, e *env.Env, o delOptions) error {
	return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
		i, err := c.Info(ctx, store.Object, o.bucket)
		if err != nil {
			return err
		}
		out := removed{Bucket: o.bucket, DryRun: o.dry, Bytes: i.State.Bytes}
		if o.dry {
			return e.Out.Print(out)
		}
		if err := jscmd.Sure(ctx, e, o.force, fmt.Sprintf("delete bucket %s and all its files, %s", o.bucket, size(out.Bytes)), o.bucket); err != nil {
			return err
		}
		if err := c.Remove(ctx, store.Object, o.bucket); err != nil {
			return err
		}
		return e.Out.Print(out)
	})
}

func delObject(ctx context.Context, e *env.Env, o delOptions) error {
	return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
		b, err := c.OpenObjects(ctx, o.bucket)
		if err != nil {
			return err
		}
		info, err := b.Stat(ctx, o.file, false)
		if err != nil {
			return err
		}
		out := removed{Bucket: o.bucket, Name: o.file, DryRun: o.dry, Bytes: info.Size}
		if o.dry {
			return e.Out.Print(out)
		}
		if err := jscmd.Sure(ctx, e, o.force, fmt.Sprintf("delete %s file %s > %s", size(info.Size), o.bucket, o.file), o.file); err != nil {
			return err
		}
		if err := b.Remove(ctx, o.file); err != nil {
			return err
		}
		i, err := c.Info(ctx, store.Object, o.bucket)
		if err != nil {
			return err
		}
		after := newBucketInfo(i)
		out.Info = &after
		return e.Out.Print(out)
	})
}
