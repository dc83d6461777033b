package object

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/store"
)

type linkOptions struct{ bucket, name, target, in string }

func linkVerb() command.Node {
	return command.Verb[linkOptions]{
		Meta: command.Meta{
			Name: "link", Short: "Make a name that stands for another object",
			Long: "Reading the link reads the object. With --in the object is one of another bucket; without a target the link stands for that bucket as a whole. A link of that name is replaced, an object is not.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: objectInfo{},
		Names: command.Names{"bucket": command.ObjectStores, "target": command.Objects, "in": command.ObjectStores},
		Examples: []command.Example{
			{Line: "nats object link FILES latest v1.txt", Says: "Link: FILES > v1.txt", Needs: []string{"object add FILES", "printf 'hello' | nats object put FILES --name v1.txt"}},
			{Line: "nats object link FILES archive --in OLD", Says: "Link: bucket OLD", About: "A link to a bucket", Needs: []string{"object add FILES", "object add OLD"}},
		},
		Bind: func(c *fisk.CmdClause, o *linkOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("name", "Name of the link").Required().StringVar(&o.name)
			c.Arg("target", "The object that it stands for").StringVar(&o.target)
			c.Flag("in", "Bucket of the target").PlaceHolder("BUCKET").StringVar(&o.in)
		},
		Check: func(o *linkOptions) error {
			if o.in == "" {
				o.in = o.bucket
			}
			if o.target == "" && o.in == o.bucket {
				return fail.Usagef("pass <target>, the object that the link stands for, or --in, a bucket")
			}
			if err := store.CheckBucket(o.in); err != nil {
				return err
			}
			return store.CheckBucket(o.bucket)
		},
		Run: func(ctx context.Context, e *env.Env, o linkOptions) error {
			return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Objects) error {
				if err := b.Link(ctx, o.name, o.in, o.target); err != nil {
					return err
				}
				return printObject(ctx, e, b, o.name)
			})
		},
	}
}

func printObject(ctx context.Context, e *env.Env, b *store.Objects, name string) error {
	info, err := b.Fresh(ctx, name)
	if err != nil {
		return err
	}
	return e.Out.Print(newObjectInfo(info))
}
