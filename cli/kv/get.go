package kv

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

type getOptions struct {
	bucket   string
	key      string
	more     []string
	revision uint64
	raw      bool
}

func getVerb() command.Node {
	return command.Verb[getOptions]{
		Meta: command.Meta{
			Name: "get", Short: "Read the value of a key",
			Long: "Text is shown as it is, other values escaped; --raw writes the exact bytes and nothing else. Several keys and patterns are read in a few requests; with more than one the JSON is a list.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: entry{},
		Names: command.Names{"bucket": command.Buckets, "key": command.Keys, "more": command.Keys},
		Examples: []command.Example{
			{Line: "nats kv get CFG port", Says: "CFG > port revision: 1", Needs: []string{"kv add CFG", "kv put CFG port 4222"}},
			{Line: "nats kv get CFG port --raw", Says: "4222", About: "The bytes of the value alone", Needs: []string{"kv add CFG", "kv put CFG port 4222"}},
			{Line: "nats kv get CFG 'db.*' --jq '.[] | .key + \"=\" + .value'", Says: "db.host=localhost", About: "All keys of a pattern, for a script",
				Needs: []string{"kv add CFG", "kv put CFG db.host localhost", "kv put CFG db.port 5432"}},
		},
		Bind: func(c *fisk.CmdClause, o *getOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("key", "The key, or a pattern").Required().StringVar(&o.key)
			c.Arg("more", "Further keys and patterns").StringsVar(&o.more)
			flagval.Uint64Var(c.Flag("revision", "Read this revision of the key instead of the latest"), &o.revision)
			c.Flag("raw", "Write the exact bytes of the value").UnNegatableBoolVar(&o.raw)
		},
		Check: checkGet, Run: runGet,
	}
}

// single tells whether one key is named, and no pattern.
func (o getOptions) single() bool { return len(o.more) == 0 && !store.IsPattern(o.key) }

func checkGet(o *getOptions) error {
	if err := store.CheckBucket(o.bucket); err != nil {
		return err
	}
	if o.single() {
		return store.CheckKey(o.key)
	}
	for _, k := range append([]string{o.key}, o.more...) {
		if err := store.CheckPattern(k); err != nil {
			return err
		}
	}
	switch {
	case o.raw:
		return fail.Usagef("--raw writes one value: name one key")
	case o.revision != 0:
		return fail.Usagef("--revision is of one key: name one")
	}
	return nil
}

// entries are several values, one screen below the other.
type entries []entry

// View shows each as if it were alone.
func (l entries) View(p *render.Page) {
	for _, e := range l {
		e.View(p)
	}
}

func runGet(ctx context.Context, e *env.Env, o getOptions) error {
	return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Bucket) error {
		if !o.single() {
			return getMany(ctx, e, b, append([]string{o.key}, o.more...))
		}
		one, err := b.Get(ctx, o.key, o.revision)
		switch {
		case err != nil:
			return err
		case o.raw:
			if _, err := e.Out.Bytes().Write(one.Value); err != nil {
				return err
			}
			return e.Out.Flush()
		}
		return e.Out.Print(newEntry(one))
	})
}

func getMany(ctx context.Context, e *env.Env, b *store.Bucket, keys []string) error {
	out := entries{}
	missing, err := b.Latest(ctx, keys, func(one store.Entry) error {
		out = append(out, newEntry(one))
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(out, func(a, b entry) int { return strings.Compare(a.Key, b.Key) })
	if len(out) == 0 {
		return fail.Newf(fail.NotFound, "bucket %s: nothing matches %s: %w", b.Name, strings.Join(keys, " "), jetstream.ErrKeyNotFound)
	}
	if err := e.Out.Print(out); err != nil {
		return err
	}
	if len(missing) > 0 {
		return fail.Partialf("bucket %s: %s: %w", b.Name, countOf(len(missing), "key", strings.Join(missing, ", ")), jetstream.ErrKeyNotFound)
	}
	return nil
}

// countOf is "key a" for one and "2 keys: a, b" for several.
func countOf(n int, noun, names string) string {
	if n == 1 {
		return noun + " " + names
	}
	return fmt.Sprintf("%d %ss: %s", n, noun, names)
}
