package object

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
)

type infoOptions struct{ bucket, file string }

func infoVerb() command.Node {
	return command.Verb[infoOptions]{
		Meta: command.Meta{
			Name: "info", Aliases: []string{"show", "i"}, Short: "Show a bucket, or an object",
			Long: "Without a bucket, on a terminal, there is a list to choose from. A link is shown as what it is and not as what it stands for.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: objectInfo{},
		Names: command.Names{"bucket": command.ObjectStores, "file": command.Objects},
		Examples: []command.Example{
			{Line: "nats object info FILES", Says: "Bucket Name: FILES", Needs: []string{"object add FILES"}},
			{Line: "nats object info FILES a.txt --jq .digest", About: "The digest, as sha256sum prints it",
				Needs: []string{"object add FILES", "printf 'hello\n' | nats object put FILES --name a.txt"}},
		},
		Bind: func(c *fisk.CmdClause, o *infoOptions) {
			c.Arg("bucket", "The bucket").StringVar(&o.bucket)
			c.Arg("file", "The object").StringVar(&o.file)
		},
		Check: func(o *infoOptions) error {
			if o.bucket == "" {
				return nil
			}
			return store.CheckBucket(o.bucket)
		},
		Run: func(ctx context.Context, e *env.Env, o infoOptions) error {
			return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
				bucket, err := storecmd.PickBucket(ctx, e, c, store.Object, o.bucket, "nats object add NAME")
				if err != nil {
					return err
				}
				if o.file == "" {
					return storecmd.PrintBucket(ctx, e, c, store.Object, bucket, newBucketInfo)
				}
				b, err := c.OpenObjects(ctx, bucket)
				if err != nil {
					return err
				}
				info, err := b.Stat(ctx, o.file, false)
				if err != nil {
					return err
				}
				return e.Out.Print(newObjectInfo(info))
			})
		},
	}
}
