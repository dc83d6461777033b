package kv

import (
	"context"
	"io"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

type exportOptions struct {
	bucket   string
	patterns []string
	output   string
	history  bool
	deletes  bool
}

func exportVerb() command.Node {
	return command.Verb[exportOptions]{
		Meta: command.Meta{
			Name: "export", Short: "Write keys and values as lines of JSON",
			Long: "Each line is one entry: key, revision, op, created, the value as \"value\" when it is UTF-8 text and as \"value_b64\" when it is not, ttl and headers where there are any. nats kv import reads it. A file appears under its name when it is whole, with mode 0600.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Bytes,
		Names: command.Names{"bucket": command.Buckets},
		Examples: []command.Example{
			{Line: "nats kv export CFG", Says: `{"key":"port","revision":1,"op":"PUT"`, Needs: []string{"kv add CFG", "kv put CFG port 4222"}},
			{Line: "nats kv export CFG 'db.>' --history --output cfg.ndjson", Says: "Exported 2 entries", About: "Every revision of some keys, into a file",
				Needs: []string{"kv add CFG --history 5", "kv put CFG db.host a", "kv put CFG db.host b"}},
		},
		Bind: func(c *fisk.CmdClause, o *exportOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("pattern", "Only keys that match").StringsVar(&o.patterns)
			c.Flag("output", "Write to FILE instead of standard output").Short('O').PlaceHolder("FILE").StringVar(&o.output)
			c.Flag("history", "Every revision that is kept, removals too").UnNegatableBoolVar(&o.history)
			c.Flag("deletes", "The markers of removed keys too").UnNegatableBoolVar(&o.deletes)
		},
		Check: func(o *exportOptions) error {
			for _, p := range o.patterns {
				if err := store.CheckPattern(p); err != nil {
					return err
				}
			}
			return store.CheckBucket(o.bucket)
		},
		Run: func(ctx context.Context, e *env.Env, o exportOptions) error {
			return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Bucket) error { return export(ctx, e, b, o) })
		},
	}
}

func export(ctx context.Context, e *env.Env, b *store.Bucket, o exportOptions) error {
	what := store.Export{Patterns: o.patterns, History: o.history, Deletes: o.deletes}
	if o.output == "" || o.output == "-" {
		n, err := b.Export(ctx, what, e.Out.Bytes())
		if flushErr := e.Out.Flush(); err == nil {
			err = flushErr
		}
		if err == nil && e.IO.ErrTTY && !e.IO.OutTTY {
			exported(e, n)
		}
		return err
	}
	file, err := e.Files.Create(o.output)
	if err != nil {
		return err
	}
	defer file.Discard()
	bar := e.IO.Progress(e.Clock, "Exporting "+o.bucket, int64(b.Info().State.Bytes), func(n int64) string { return render.HumaneBytes(uint64(n)) })
	n, err := b.Export(ctx, what, &counted{file, bar.Add})
	bar.Close()
	if err != nil {
		return err
	}
	if err := file.Commit(); err != nil {
		return err
	}
	exported(e, n)
	return nil
}

func exported(e *env.Env, n store.Tally) {
	e.Say("Exported %s, %s", plural(n.Keys, "entry", "entries"), render.HumaneBytes(n.Bytes))
}

// counted tells of the bytes that pass through a writer.
type counted struct {
	io.Writer
	add func(int64)
}

// Write writes and counts.
func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.add(int64(n))
	return n, err
}
