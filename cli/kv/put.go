package kv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

// valueOptions are where put, create and update have their value from.
type valueOptions struct {
	bucket, key string
	value       string
	given       bool
	file        string
	ttl         time.Duration
	quiet       bool
}

func (o *valueOptions) bind(c *fisk.CmdClause) {
	c.Flag("file", "Read the value from FILE").PlaceHolder("FILE").StringVar(&o.file)
	c.Flag("ttl", "How long the value lives; needs a bucket with --marker-ttl").PlaceHolder("DURATION").SetValue(flagval.NewDuration(&o.ttl).Min(time.Second))
	c.Flag("quiet", "Print nothing").Short('q').UnNegatableBoolVar(&o.quiet)
}

func (o *valueOptions) check() error {
	if err := store.CheckBucket(o.bucket); err != nil {
		return err
	}
	if o.file != "" && o.given {
		return fail.Usagef("a value and --file were given: which one")
	}
	return store.CheckKey(o.key)
}

// read is the value: the argument, also an empty one, else the file, else standard input unless it is a terminal.
func (o valueOptions) read(ctx context.Context, e *env.Env) ([]byte, error) {
	if o.file != "" {
		data, err := e.Files.ReadFile(o.file)
		if err != nil {
			return nil, fmt.Errorf("reading the value: %w", err)
		}
		return data, nil
	}
	in := payload.Input{Stdin: e.IO.In, StdinTTY: e.IO.InTTY}
	if o.given {
		in.Arg = &o.value
	}
	if nc, err := e.Nats.Conn(ctx); err != nil {
		return nil, err
	} else if in.FromStdin() {
		in.Limit = nc.MaxPayload()
	}
	bodies := in.Open(ctx)
	defer bodies.Close()
	body, err := bodies.Next()
	return body.Data, err
}

// shown is what put prints: the argument, or nothing of a value that came by another way.
func (o valueOptions) shown() string {
	if !o.given || o.value == "-" {
		return ""
	}
	return o.value
}

// receipt tells where a value was stored.
type receipt struct {
	Bucket   string        `json:"bucket"`
	Key      string        `json:"key"`
	Revision uint64        `json:"revision"`
	Size     int           `json:"size"`
	TTL      time.Duration `json:"ttl_ns,omitempty"`

	shown string
}

// View is the value that was given, as scripts of the reference read it; wide adds the revision.
func (r receipt) View(p *render.Page) {
	if !p.Options().Wide {
		p.Text(r.shown + "\n")
		return
	}
	p.Line("%s > %s revision: %d", r.Bucket, r.Key, r.Revision)
}

// store writes by write and prints the receipt.
func (o valueOptions) store(ctx context.Context, e *env.Env, write func(context.Context, *store.Bucket, []byte) (uint64, error)) error {
	return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Bucket) error {
		value, err := o.read(ctx, e)
		if err != nil {
			return err
		}
		rev, err := write(ctx, b, value)
		if err != nil || o.quiet {
			return hintTTL(o.bucket, err)
		}
		o.ttl = lives(e, b, o.ttl)
		if !e.Out.Machine() {
			e.Say("Stored revision %d of %s > %s", rev, o.bucket, o.key)
		}
		return e.Out.Print(receipt{Bucket: o.bucket, Key: o.key, Revision: rev, Size: len(value), TTL: o.ttl, shown: o.shown()})
	})
}

// ttlDisabled is the server's word that values of a stream have no TTL of their own.
const ttlDisabled jetstream.ErrorCode = 10166

// hintTTL tells how a bucket comes to take TTLs, if that is what err is about.
func hintTTL(bucket string, err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == ttlDisabled {
		return fail.Hint(err, "nats kv edit %s --marker-ttl 1m lets values and markers of the bucket have one", bucket)
	}
	return err
}

// lives is how long the server keeps what was stored with a TTL; a warning tells that it is longer than was asked for.
func lives(e *env.Env, b *store.Bucket, ttl time.Duration) time.Duration {
	least := b.Info().Config.SubjectDeleteMarkerTTL
	if ttl == 0 || ttl >= least || b.History() == 1 {
		return ttl
	}
	e.IO.Warn("it lives %s, not %s: a bucket that keeps a history keeps everything as long as its markers", least, ttl)
	return least
}

type putOptions struct{ valueOptions }

func putVerb() command.Node {
	return command.Verb[putOptions]{
		Meta: command.Meta{
			Name: "put", Short: "Store a value under a key",
			Long: "The value is the argument, also an empty one, else --file, else standard input up to its end, byte for byte. The argument - is standard input too. The value is printed; the revision goes to standard error, and with --json to the result.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: receipt{},
		Names: command.Names{"bucket": command.Buckets, "key": command.Keys},
		Examples: []command.Example{
			{Line: "nats kv put CFG port 4222", Says: "4222", Needs: []string{"kv add CFG"}},
			{Line: "echo secret | nats kv put CFG password --json", Says: `"revision": 1`, About: "A value from a pipe; the revision comes back", Needs: []string{"kv add CFG"}},
			{Line: "nats kv put CFG lease me --ttl 30s", Says: "me", About: "A value that goes away by itself", Needs: []string{"kv add CFG --marker-ttl 1m"}},
		},
		Bind: func(c *fisk.CmdClause, o *putOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("key", "The key").Required().StringVar(&o.key)
			c.Arg("value", "The value; - is standard input").IsSetByUser(&o.given).StringVar(&o.value)
			o.bind(c)
		},
		Check: func(o *putOptions) error { return o.check() },
		Run: func(ctx context.Context, e *env.Env, o putOptions) error {
			return o.store(ctx, e, func(ctx context.Context, b *store.Bucket, value []byte) (uint64, error) {
				return b.Put(ctx, o.key, value, store.WriteOptions{TTL: o.ttl})
			})
		},
	}
}
