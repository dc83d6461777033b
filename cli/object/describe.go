package object

import (
	"context"
	"maps"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/store"
)

type describeOptions struct {
	bucket, file   string
	name           string
	description    string
	hasDescription bool
	headers        nats.Header
	metadata       map[string]string
}

func describeVerb() command.Node {
	return command.Verb[describeOptions]{
		Meta: command.Meta{
			Name: "describe", Short: "Rename an object, or change what is said of it",
			Long: "The content stays as it is. Headers and metadata are replaced as a whole when some are given.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: objectInfo{},
		Names: command.Names{"bucket": command.ObjectStores, "file": command.Objects},
		Examples: []command.Example{
			{Line: "nats object describe FILES a.txt --name b.txt --description 'the letter b'", Says: "Object information for FILES > b.txt",
				Needs: []string{"object add FILES", "printf 'hello' | nats object put FILES --name a.txt"}},
		},
		Bind: func(c *fisk.CmdClause, o *describeOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("file", "The object").Required().StringVar(&o.file)
			c.Flag("name", "Its new name").StringVar(&o.name)
			c.Flag("description", "What the object is").IsSetByUser(&o.hasDescription).StringVar(&o.description)
			flagval.HeaderVar(c.Flag("header", "Header to keep with the object").Short('H').PlaceHolder("K:V"), &o.headers)
			flagval.MapVar(c.Flag("metadata", "Metadata to keep with the object").PlaceHolder("META"), &o.metadata)
		},
		Check: func(o *describeOptions) error {
			if o.name == "" && !o.hasDescription && o.headers == nil && o.metadata == nil {
				return fail.Usagef("nothing to change: pass --name, --description, --header or --metadata")
			}
			return store.CheckBucket(o.bucket)
		},
		Run: func(ctx context.Context, e *env.Env, o describeOptions) error {
			return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Objects) error {
				old, err := b.Stat(ctx, o.file, false)
				if err != nil {
					return err
				}
				meta := jetstream.ObjectMeta{Name: o.file, Description: old.Description, Headers: old.Headers, Metadata: maps.Clone(old.Metadata)}
				if o.name != "" {
					meta.Name = o.name
				}
				if o.hasDescription {
					meta.Description = o.description
				}
				if o.headers != nil {
					meta.Headers = o.headers
				}
				if o.metadata != nil {
					meta.Metadata = o.metadata
				}
				if err := b.Describe(ctx, o.file, meta); err != nil {
					return err
				}
				return printObject(ctx, e, b, meta.Name)
			})
		},
	}
}
