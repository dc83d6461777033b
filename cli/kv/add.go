package kv

import (
	"context"
	"math"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
)

// settings are the flags by which a bucket is made and edited; a flag that is not given changes nothing.
type settings struct {
	bucket string
	store.KVSettings

	description                             string
	history, replicas, maxValue, maxBytes   int64
	maxConsumers                            int64
	ttl, markerTTL                          time.Duration
	compress                                bool
	hasDescription, hasHistory, hasReplicas bool
	hasMaxValue, hasMaxBytes, hasTTL        bool
	hasMarkerTTL, hasCompress               bool
	hasMaxConsumers                         bool
}

// bind declares the flags that add and edit share.
func (s *settings) bind(c *fisk.CmdClause) {
	c.Arg("bucket", "The bucket").Required().StringVar(&s.bucket)
	c.Flag("description", "What the bucket is for").IsSetByUser(&s.hasDescription).StringVar(&s.description)
	c.Flag("history", "How many values to keep of each key, 1 to 64").Default("1").IsSetByUser(&s.hasHistory).SetValue(flagval.NewInt64(&s.history).Min(1).Max(64))
	c.Flag("ttl", "How long values live; 0 is for ever").PlaceHolder("DURATION").IsSetByUser(&s.hasTTL).SetValue(flagval.NewDuration(&s.ttl).Min(0).Unlimited(0))
	c.Flag("marker-ttl", "Let values have a TTL of their own, and keep a marker of those that went for this long").PlaceHolder("DURATION").
		IsSetByUser(&s.hasMarkerTTL).SetValue(flagval.NewDuration(&s.markerTTL).Min(0))
	c.Flag("replicas", "On how many servers the bucket is stored").Default("1").IsSetByUser(&s.hasReplicas).SetValue(flagval.NewInt64(&s.replicas).Min(1).Max(5))
	c.Flag("max-value-size", "Largest value; -1 is unlimited").PlaceHolder("BYTES").IsSetByUser(&s.hasMaxValue).SetValue(flagval.NewBytes(&s.maxValue).Unlimited())
	c.Flag("max-bucket-size", "Largest size of the bucket; -1 is unlimited").PlaceHolder("BYTES").IsSetByUser(&s.hasMaxBytes).SetValue(flagval.NewBytes(&s.maxBytes).Unlimited())
	c.Flag("max-consumers", "How many watchers and other readers there may be at a time; -1 leaves it to the server, which allows 1,000 unless told otherwise").
		PlaceHolder("COUNT").IsSetByUser(&s.hasMaxConsumers).SetValue(flagval.NewInt64(&s.maxConsumers).Min(-1).Max(math.MaxInt32))
	c.Flag("tags", "Place the bucket on servers with this tag").StringsVar(&s.Tags)
	c.Flag("cluster", "Place the bucket in this cluster").StringVar(&s.Cluster)
	c.Flag("compress", "Compress what is stored").IsSetByUser(&s.hasCompress).BoolVar(&s.compress)
	flagval.MapVar(c.Flag("metadata", "Metadata to keep with the bucket").PlaceHolder("META"), &s.Metadata)
	c.Flag("republish-source", "Republish what is stored on subjects that match this").PlaceHolder("SRC").StringVar(&s.RepublishSource)
	c.Flag("republish-destination", "Republish to this subject").PlaceHolder("DEST").StringVar(&s.RepublishDestination)
	c.Flag("republish-headers", "Republish headers and no values").UnNegatableBoolVar(&s.RepublishHeaders)
	c.Flag("source", "Fill the bucket from this one too").PlaceHolder("BUCKET").StringsVar(&s.Sources)
}

// given turns what was set into settings and checks them.
func (s *settings) given() error {
	if err := store.CheckBucket(s.bucket); err != nil {
		return err
	}
	storecmd.Given(&s.Description, s.hasDescription, &s.description)
	storecmd.Given(&s.History, s.hasHistory, &s.history)
	storecmd.Given(&s.Replicas, s.hasReplicas, &s.replicas)
	storecmd.Given(&s.MaxValueSize, s.hasMaxValue, &s.maxValue)
	storecmd.Given(&s.MaxBytes, s.hasMaxBytes, &s.maxBytes)
	if s.hasMaxConsumers && s.maxConsumers == 0 {
		return fail.Usagef("--max-consumers: 0 would let nobody read; -1 leaves it to the server")
	}
	storecmd.Given(&s.MaxConsumers, s.hasMaxConsumers, &s.maxConsumers)
	storecmd.Given(&s.TTL, s.hasTTL, &s.ttl)
	storecmd.Given(&s.MarkerTTL, s.hasMarkerTTL, &s.markerTTL)
	storecmd.Given(&s.Compress, s.hasCompress, &s.compress)
	return s.Check()
}

type addOptions struct{ settings }

func addVerb() command.Node {
	return command.Verb[addOptions]{
		Meta: command.Meta{
			Name: "add", Aliases: []string{"new"}, Short: "Make a bucket",
			Long: "A bucket that exists with the same settings is fine; one with other settings is an error and stays as it is.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: bucketInfo{},
		Names: command.Names{"mirror": command.Buckets, "source": command.Buckets},
		Examples: []command.Example{
			{Line: "nats kv add CFG", Says: "Information for Key-Value Store Bucket CFG"},
			{Line: "nats kv add LEASES --history 5 --ttl 1h --marker-ttl 1m --max-value-size 1MB", Says: "Limit Marker TTL: 1m0s", About: "Values that go away after an hour, or after a time of their own"},
			{Line: "nats kv add COPY --mirror CFG", Says: "Origin Bucket: CFG", About: "A bucket that follows another one", Needs: []string{"kv add CFG"}},
		},
		Bind: func(c *fisk.CmdClause, o *addOptions) {
			o.bind(c)
			c.Flag("storage", "Where the bucket is kept: file or memory").EnumVar(&o.Storage, "file", "f", "memory", "m")
			c.Flag("mirror", "Make the bucket a mirror of this one").StringVar(&o.Mirror)
			c.Flag("mirror-domain", "JetStream domain of the bucket to mirror").StringVar(&o.MirrorDomain)
		},
		Check: func(o *addOptions) error { return o.given() },
		Run: func(ctx context.Context, e *env.Env, o addOptions) error {
			return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
				if err := c.CreateKV(ctx, o.bucket, o.KVSettings); err != nil {
					return err
				}
				return storecmd.PrintBucket(ctx, e, c, store.KV, o.bucket, newBucketInfo)
			})
		},
	}
}
