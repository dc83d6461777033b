package kv

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

type historyOptions struct{ bucket, key string }

func historyVerb() command.Node {
	return command.Verb[historyOptions]{
		Meta: command.Meta{
			Name: "history", Short: "List the revisions of a key",
			Long: "Every revision that the bucket keeps, oldest first, the markers of removals too. A bucket keeps as many as its --history says. A pattern lists those of all keys that match.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: history{},
		Names: command.Names{"bucket": command.Buckets, "key": command.Keys},
		Examples: []command.Example{
			{Line: "nats kv history CFG port", Says: "History for CFG > port", Needs: []string{"kv add CFG --history 5", "kv put CFG port 4222", "kv put CFG port 4223"}},
			{Line: "nats kv history CFG 'db.*' --jq '.[] | select(.op == \"DELETE\") | .key'", Says: "db.old", About: "The keys of a pattern that were deleted",
				Needs: []string{"kv add CFG --history 5", "kv put CFG db.old x", "kv del CFG db.old -f"}},
		},
		Bind: func(c *fisk.CmdClause, o *historyOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("key", "The key, or a pattern").Required().StringVar(&o.key)
		},
		Check: func(o *historyOptions) error {
			if err := store.CheckBucket(o.bucket); err != nil {
				return err
			}
			return store.CheckPattern(o.key)
		},
		Run: func(ctx context.Context, e *env.Env, o historyOptions) error {
			return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Bucket) error {
				h, err := historyOf(ctx, b, o.key)
				if err != nil {
					return err
				}
				return e.Out.Print(h)
			})
		},
	}
}

// history is every revision of the keys that match, oldest first.
type history []entry

func historyOf(ctx context.Context, b *store.Bucket, key string) (history, error) {
	found, err := b.HistoryOf(ctx, key)
	if err != nil {
		return nil, err
	}
	out := make(history, len(found))
	for i, one := range found {
		out[i] = newEntry(one)
	}
	return out, nil
}

// View is a table; the title names the key when there is only one.
func (h history) View(p *render.Page) {
	title := ""
	for i, e := range h {
		if i == 0 {
			title = "History for " + e.Bucket + " > " + e.Key
		} else if e.Key != h[0].Key {
			title = "History for " + e.Bucket
			break
		}
	}
	t := p.Table(title, render.Column{Name: "Key"}, render.Column{Name: "Revision", Align: render.Right}, render.Column{Name: "Op"},
		render.Column{Name: "Created"}, render.Column{Name: "Length"}, render.Column{Name: "Value", Elide: render.End})
	for _, e := range h {
		value := cellValue(e.raw, false)
		if p.Options().Wide {
			value = rowValue(e, p.Options().Kind)
		}
		t.Row(e.Key, exact(e.Revision), string(e.Op), render.At(e.Created), render.Count(e.Size), value)
	}
}
