package kv

import (
	"context"
	"fmt"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/term"
)

type revertOptions struct {
	bucket, key string
	revision    uint64
	force       bool
}

func revertVerb() command.Node {
	return command.Verb[revertOptions]{
		Meta: command.Meta{
			Name: "revert", Short: "Give a key an earlier value again",
			Long: "The value of the revision is stored anew, so that the history goes on; a key that was deleted comes back. If someone writes the key meanwhile nothing is stored.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: reverted{},
		Names: command.Names{"bucket": command.Buckets, "key": command.Keys},
		Examples: []command.Example{
			{Line: "nats kv revert CFG port 1 --force", Says: "History for CFG > port", Needs: []string{"kv add CFG --history 5", "kv put CFG port 4222", "kv put CFG port 4223"}},
			{Line: "nats kv revert CFG port 1 --force --jq .revision", Says: "3", About: "The new revision, for a script",
				Needs: []string{"kv add CFG --history 5", "kv put CFG port 4222", "kv del CFG port -f"}},
		},
		Bind: func(c *fisk.CmdClause, o *revertOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("key", "The key").Required().StringVar(&o.key)
			c.Arg("revision", "The revision whose value to restore").Required().SetValue(flagval.NewUint64(&o.revision).Min(1))
			c.Flag("force", "Act without asking").BoolVar(&o.force)
		},
		Check: func(o *revertOptions) error {
			if err := store.CheckBucket(o.bucket); err != nil {
				return err
			}
			return store.CheckKey(o.key)
		},
		Run: runRevert,
	}
}

// reverted tells the revision that holds the old value now, and the history that it ends.
type reverted struct {
	Bucket   string  `json:"bucket"`
	Key      string  `json:"key"`
	From     uint64  `json:"from"` // the revision whose value was restored
	Revision uint64  `json:"revision"`
	History  history `json:"history"`
}

// View is the history.
func (r reverted) View(p *render.Page) { r.History.View(p) }

func runRevert(ctx context.Context, e *env.Env, o revertOptions) error {
	return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Bucket) error {
		found, err := b.HistoryOf(ctx, o.key)
		if err != nil {
			return err
		}
		latest := found[len(found)-1]
		old, err := b.Get(ctx, o.key, o.revision)
		switch {
		case err != nil && len(found) == 1:
			return fail.Hint(err, "bucket %s keeps %d revisions of a key and has one of %s: there is nothing to revert to", o.bucket, b.History(), o.key)
		case err != nil:
			return err
		case old.Revision == latest.Revision:
			return fail.Newf(fail.Failure, "bucket %s: key %s is at revision %d: there is nothing to revert", o.bucket, o.key, o.revision)
		}
		if !o.force {
			text, note := shownValue(old.Value, false)
			e.IO.Line(term.Visible(strings.TrimSpace(fmt.Sprintf("Revision: %d\n\n%s\n%s", old.Revision, text, note)), true))
		}
		if err := prompt.Sure(ctx, e.Prompt, o.force, fmt.Sprintf("revert %s > %s to revision %d", o.bucket, o.key, o.revision)); err != nil {
			return err
		}
		rev, err := b.Update(ctx, o.key, old.Value, latest.Revision, 0)
		if err != nil {
			return err
		}
		written, err := b.Fresh(ctx, rev)
		if err != nil {
			return err
		}
		return e.Out.Print(reverted{Bucket: o.bucket, Key: o.key, From: o.revision, Revision: rev, History: after(found, written, b.History())})
	})
}

// after is the history once an entry was added to a bucket that keeps so many of a key.
func after(found []store.Entry, written store.Entry, keeps int64) history {
	found = append(found, written)
	found = found[max(0, len(found)-int(keeps)):]
	out := make(history, len(found))
	for i, one := range found {
		one.Delta = uint64(len(found) - 1 - i)
		out[i] = newEntry(one)
	}
	return out
}
