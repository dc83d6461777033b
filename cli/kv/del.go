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
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
)

// removal is what del and purge have in common.
type removal struct {
	bucket   string
	keys     []string
	force    bool
	dry      bool
	existing bool
	revision uint64
	hasRev   bool

	op  store.Op
	ttl time.Duration
}

func (o *removal) bind(c *fisk.CmdClause) {
	c.Flag("force", "Act without asking").Short('f').UnNegatableBoolVar(&o.force)
	c.Flag("dry-run", "Show what would be removed, and remove nothing").UnNegatableBoolVar(&o.dry)
	c.Flag("existing", "Fail when the key has no value").UnNegatableBoolVar(&o.existing)
	c.Flag("revision", "Only when this is the latest revision of the key").IsSetByUser(&o.hasRev).SetValue(flagval.NewUint64(&o.revision))
}

func (o *removal) check() error {
	if err := store.CheckBucket(o.bucket); err != nil {
		return err
	}
	for _, k := range o.keys {
		if err := store.CheckPattern(k); err != nil {
			return err
		}
	}
	if (o.hasRev || o.existing) && !o.single() {
		return fail.Usagef("--revision and --existing are about one key: name one")
	}
	return nil
}

// single tells whether one key is named, and no pattern.
func (o *removal) single() bool { return len(o.keys) == 1 && !store.IsPattern(o.keys[0]) }

func (o *removal) verb() string {
	if o.op == store.Purge {
		return "purge"
	}
	return "delete"
}

// removed is what was removed, or would be.
type removed struct {
	Bucket   string         `json:"bucket"`
	Op       string         `json:"op"` // DELETE, PURGE, or BUCKET for a whole bucket
	DryRun   bool           `json:"dry_run"`
	Keys     uint64         `json:"keys"`
	Bytes    uint64         `json:"bytes"`
	Revision uint64         `json:"revision,omitempty"` // of the marker, when one key was named
	Failed   uint64         `json:"failed"`
	Failures []store.Failed `json:"failures,omitempty"`

	quiet bool
}

// View says nothing of one key or a bucket, as in the reference, and counts the rest.
func (r removed) View(p *render.Page) {
	switch {
	case r.DryRun:
		what := map[string]string{"DELETE": "Would delete", "PURGE": "Would purge", "BUCKET": "Would delete bucket " + r.Bucket + " with"}[r.Op]
		p.Line("%s %s, %s", what, plural(r.Keys, "key", "keys"), render.Bytes(r.Bytes))
	case r.quiet:
		return
	default:
		p.Line("%s %s from %s, %s", map[string]string{"DELETE": "Deleted", "PURGE": "Purged"}[r.Op], plural(r.Keys, "key", "keys"), r.Bucket, render.Bytes(r.Bytes))
	}
	for _, f := range r.Failures {
		p.Line("%s: %s", render.Bad(f.Key), f.Error)
	}
}

func (o *removal) run(ctx context.Context, e *env.Env) error {
	return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Bucket) error {
		if o.single() {
			return o.runOne(ctx, e, b)
		}
		return o.runMany(ctx, e, b)
	})
}

func (o *removal) runOne(ctx context.Context, e *env.Env, b *store.Bucket) error {
	key := o.keys[0]
	out := removed{Bucket: o.bucket, Op: string(o.op), DryRun: o.dry, quiet: true}
	write := store.WriteOptions{TTL: o.ttl}
	if o.hasRev {
		write.Expect = &o.revision
	}
	if o.existing || o.dry {
		one, err := b.Get(ctx, key, 0)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound) && !o.existing:
		case err != nil:
			return err
		default:
			out.Keys, out.Bytes = 1, uint64(one.Size)
		}
		if o.dry {
			return e.Out.Print(out)
		}
		if !o.hasRev {
			write.Expect = &one.Revision
		}
	}
	if err := jscmd.Sure(ctx, e, o.force, fmt.Sprintf("%s key %s > %s", o.verb(), o.bucket, key), key); err != nil {
		return err
	}
	rev, err := b.Remove(ctx, key, o.op, write)
	if err != nil {
		return hintTTL(o.bucket, err)
	}
	lives(e, b, o.ttl)
	out.Keys, out.Revision = 1, rev
	return e.Out.Print(out)
}

func (o *removal) runMany(ctx context.Context, e *env.Env, b *store.Bucket) error {
	out := removed{Bucket: o.bucket, Op: string(o.op), DryRun: o.dry}
	if o.dry || !o.force {
		found, err := b.Count(ctx, o.keys)
		if err != nil {
			return err
		}
		out.Keys, out.Bytes = found.Keys, found.Bytes
	}
	if o.dry {
		return e.Out.Print(out)
	}
	what := fmt.Sprintf("%s %s, %s, from bucket %s", o.verb(), plural(out.Keys, "key", "keys"), render.HumaneBytes(out.Bytes), o.bucket)
	if err := jscmd.Sure(ctx, e, o.force, what, o.bucket); err != nil {
		return err
	}
	done, failed, err := b.RemoveAll(ctx, o.keys, o.op, o.ttl)
	out.Keys, out.Bytes, out.Failed, out.Failures = done.Keys, done.Bytes, failed.Count, failed.Listed
	if printErr := e.Out.Print(out); err == nil {
		err = printErr
	}
	if err == nil && failed.Count > 0 {
		err = fail.Partialf("bucket %s: %s not removed", o.bucket, plural(failed.Count, "key was", "keys were"))
	}
	return err
}

type delOptions struct {
	removal
	key  string
	more []string
}

func delVerb() command.Node {
	return command.Verb[delOptions]{
		Meta: command.Meta{
			Name: "del", Aliases: []string{"rm"}, Short: "Delete keys, or a bucket",
			Long: "A deleted key leaves a marker; the values before it stay in the history as far as the bucket keeps one. Several keys and patterns are counted before the question. Without a key the whole bucket goes, with all its history.",
		},
		Scope: command.User, Effect: command.Destroys, Output: command.Value, Result: removed{},
		Names: command.Names{"bucket": command.Buckets, "key": command.Keys, "more": command.Keys},
		Examples: []command.Example{
			{Line: "nats kv del CFG port -f", Needs: []string{"kv add CFG", "kv put CFG port 4222"}},
			{Line: "nats kv del CFG 'tmp.>' --dry-run", Says: "Would delete 1 key", About: "What a pattern would remove", Needs: []string{"kv add CFG", "kv put CFG tmp.a 1"}},
			{Line: "nats kv del CFG -f", About: "The bucket and everything in it", Needs: []string{"kv add CFG"}},
		},
		Bind: func(c *fisk.CmdClause, o *delOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("key", "The key, or a pattern").StringVar(&o.key)
			c.Arg("more", "Further keys and patterns").StringsVar(&o.more)
			o.bind(c)
		},
		Check: func(o *delOptions) error {
			o.op = store.Delete
			if o.key == "" {
				if o.hasRev || o.existing {
					return fail.Usagef("--revision and --existing are about one key: name one")
				}
				return store.CheckBucket(o.bucket)
			}
			o.keys = append([]string{o.key}, o.more...)
			return o.check()
		},
		Run: func(ctx context.Context, e *env.Env, o delOptions) error {
			if len(o.keys) == 0 {
				return o.deleteBucket(ctx, e)
			}
			return o.run(ctx, e)
		},
	}
}

func (o *removal) deleteBucket(ctx context.Context, e *env.Env) error {
	return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
		i, err := c.Info(ctx, store.KV, o.bucket)
		if err != nil {
			return err
		}
		out := removed{Bucket: o.bucket, Op: "BUCKET", DryRun: o.dry, Keys: i.State.NumSubjects, Bytes: i.State.Bytes, quiet: true}
		if o.dry {
			return e.Out.Print(out)
		}
		what := fmt.Sprintf("delete bucket %s with %s, %s", o.bucket, plural(out.Keys, "key", "keys"), render.HumaneBytes(out.Bytes))
		if err := jscmd.Sure(ctx, e, o.force, what, o.bucket); err != nil {
			return err
		}
		if err := c.Remove(ctx, store.KV, o.bucket); err != nil {
			return err
		}
		return e.Out.Print(out)
	})
}
