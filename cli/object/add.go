package object

import (
	"context"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
)

// settings are the flags by which a bucket is made and edited; a flag that is not given changes nothing.
type settings struct {
	bucket string
	store.ObjectSettings

	description                                                   string
	replicas, maxBytes                                            int64
	ttl                                                           time.Duration
	compress                                                      bool
	hasDescription, hasReplicas, hasMaxBytes, hasTTL, hasCompress bool
}

func (s *settings) bind(c *fisk.CmdClause) {
	c.Arg("bucket", "The bucket").Required().StringVar(&s.bucket)
	c.Flag("ttl", "How long objects live; 0 is for ever").PlaceHolder("DURATION").IsSetByUser(&s.hasTTL).SetValue(flagval.NewDuration(&s.ttl).Min(0).Unlimited(0))
	c.Flag("replicas", "On how many servers the bucket is stored").Default("1").IsSetByUser(&s.hasReplicas).SetValue(flagval.NewInt64(&s.replicas).Min(1).Max(5))
	c.Flag("max-bucket-size", "Largest size of the bucket; -1 is unlimited").PlaceHolder("BYTES").IsSetByUser(&s.hasMaxBytes).SetValue(flagval.NewBytes(&s.maxBytes).Unlimited())
	c.Flag("description", "What the bucket is for").IsSetByUser(&s.hasDescription).StringVar(&s.description)
	c.Flag("tags", "Place the bucket on servers with this tag").StringsVar(&s.Tags)
	c.Flag("cluster", "Place the bucket in this cluster").StringVar(&s.Cluster)
	flagval.MapVar(c.Flag("metadata", "Metadata to keep with the bucket").PlaceHolder("META"), &s.Metadata)
	c.Flag("compress", "Compress what is stored").IsSetByUser(&s.hasCompress).BoolVar(&s.compress)
}

// given turns what was set into settings and checks them.
func (s *settings) given() error {
	storecmd.Given(&s.Description, s.hasDescription, &s.description)
	storecmd.Given(&s.Replicas, s.hasReplicas, &s.replicas)
	storecmd.Given(&s.MaxBytes, s.hasMaxBytes, &s.maxBytes)
	storecmd.Given(&s.TTL, s.hasTTL, &s.ttl)
	storecmd.Given(&s.Compress, s.hasCompress, &s.compress)
	return store.CheckBucket(s.bucket)
}

type addOptions struct{ settings }

func addVerb() command.Node {
	return command.Verb[addOptions]{
		Meta: command.Meta{
			Name: "add", Short: "Make a bucket for objects",
			Long: "A bucket that exists with the same settings is fine; one with other settings is an error and stays as it is.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: bucketInfo{},
		Examples: []command.Example{
			{Line: "nats object add FILES", Says: "Information for Object Store Bucket FILES"},
			{Line: "nats object add FILES --ttl 30d --max-bucket-size 1GB --compress", Says: "Maximum Bucket Size: 1.0 GiB", About: "Objects that go away after a month"},
		},
		Bind: func(c *fisk.CmdClause, o *addOptions) {
			o.bind(c)
			c.Flag("storage", "Where the bucket is kept: file or memory").EnumVar(&o.Storage, "file", "f", "memory", "m")
		},
		Check: func(o *addOptions) error { return o.given() },
		Run: func(ctx context.Context, e *env.Env, o addOptions) error {
			return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
				if err := c.CreateObjects(ctx, o.bucket, o.ObjectSettings); err != nil {
					return err
				}
				return storecmd.PrintBucket(ctx, e, c, store.Object, o.bucket, newBucketInfo)
			})
		},
	}
}
