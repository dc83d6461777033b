package bench

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/meter/streams"
	"github.com/natskit/natskit/internal/prompt"
)

// kvCommon are the options of the benchmarks on a bucket.
type kvCommon struct {
	common
	bucket string
}

func kvGroup() command.Node {
	o := &kvCommon{}
	return command.Group{
		Meta: command.Meta{Name: "kv", Short: "Measure key-value buckets"},
		Bind: func(c *fisk.CmdClause) {
			c.Tag("scope:user", "impact:rw")
			o.bind(c)
			o.bindSleep(c)
			c.Flag("bucket", "The bucket to use").Default(streams.DefaultBucket).StringVar(&o.bucket)
		},
		Nodes: func() []command.Node { return []command.Node{kvPutVerb(o), kvGetVerb(o)} },
	}
}

type kvOptions struct {
	pacing
	creation  creation
	history   int64
	randomize int64
	force     bool
}

func kvPutVerb(shared *kvCommon) command.Node {
	return command.Verb[kvOptions]{
		Meta: command.Meta{Name: "put", Short: "Put values into a bucket",
			Long: "The keys are the numbers of the messages, or with --randomize N random numbers below N. The default bucket is created; one of another name has to exist, and --purge of it asks first. A purge empties the bucket and keeps its settings."},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: result{},
		Examples: []command.Example{{Line: "nats bench kv put --msgs 500 --cleanup", Says: "KV putter stats", About: "500 keys, in a bucket that is removed afterwards"}},
		Bind: func(c *fisk.CmdClause, o *kvOptions) {
			c.Flag("storage", "Where a created bucket stores: file or memory").Default("file").EnumVar(&o.creation.storage, "memory", "file")
			c.Flag("replicas", "How many servers store it").Default("1").SetValue(flagval.NewInt64(&o.creation.replicas).Min(1).Max(5))
			flagval.BytesVar(c.Flag("maxbytes", "How many bytes it holds").Default("1GB"), &o.creation.maxBytes)
			c.Flag("history", "How many values it keeps of each key").Default("1").SetValue(flagval.NewInt64(&o.history).Min(1).Max(64))
			c.Flag("purge", "Empty the bucket before the run").UnNegatableBoolVar(&o.creation.purge)
			c.Flag("force", "Empty a bucket other than the default one without asking").UnNegatableBoolVar(&o.force)
			c.Flag("cleanup", "Delete the bucket afterwards if this run created it").UnNegatableBoolVar(&o.creation.cleanup)
			c.Flag("randomize", "Put random keys below this number; 0 counts up").Default("0").SetValue(flagval.NewInt64(&o.randomize).Min(0))
			o.pacing.bind(c)
		},
		Check: func(o *kvOptions) error {
			if err := shared.check(); err != nil {
				return err
			}
			if o.creation.cleanup || o.creation.purge {
				if err := shared.alone("--cleanup and --purge"); err != nil {
					return err
				}
			}
			return o.pacing.check()
		},
		Run: func(ctx context.Context, e *env.Env, o kvOptions) error { return runKVPut(ctx, e, *shared, o) },
	}
}

func runKVPut(ctx context.Context, e *env.Env, shared kvCommon, o kvOptions) error {
	if o.creation.purge && shared.bucket != streams.DefaultBucket {
		if err := prompt.Sure(ctx, e.Prompt, o.force, "Empty the bucket "+shared.bucket); err != nil {
			return err
		}
	}
	shared.engine = crew.NatsGo
	s := shared.spec("kv put")
	s.Bucket = crew.Bucket{Name: shared.bucket, Storage: o.creation.storage, Replicas: int(o.creation.replicas), MaxBytes: o.creation.maxBytes,
		History: uint8(o.history), Purge: o.creation.purge, Randomize: o.randomize, Cleanup: o.creation.cleanup}
	o.apply(&s)
	args := base(s).withPacing(o.pacing)
	args["sleep"], args["bucket"], args["purge"] = shared.sleep, shared.bucket, o.creation.purge
	if o.randomize > 0 {
		args["randomize"] = count(o.randomize)
	}
	return execute(ctx, e, shared.common, s, args)
}

func kvGetVerb(shared *kvCommon) command.Node {
	return command.Verb[kvOptions]{
		Meta: command.Meta{Name: "get", Short: "Get values from a bucket",
			Long: "The keys are those that bench kv put writes. A key that is not there ends the run."},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: result{},
		Examples: []command.Example{{Line: "nats bench kv get --msgs 500", Says: "KV getter stats", About: "Read the 500 keys", Needs: []string{"bench kv put --msgs 500"}}},
		Bind: func(c *fisk.CmdClause, o *kvOptions) {
			c.Flag("randomize", "Get random keys below this number; 0 counts up").Default("0").SetValue(flagval.NewInt64(&o.randomize).Min(0))
		},
		Check: func(o *kvOptions) error { return shared.check() },
		Run: func(ctx context.Context, e *env.Env, o kvOptions) error {
			shared := *shared
			shared.engine = crew.NatsGo
			s := shared.spec("kv get")
			s.Bucket = crew.Bucket{Name: shared.bucket, Randomize: o.randomize}
			args := base(s)
			args["sleep"], args["bucket"], args["randomize"] = shared.sleep, shared.bucket, count(o.randomize)
			return execute(ctx, e, shared.common, s, args)
		},
	}
}
