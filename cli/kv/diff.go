package kv

import (
	"context"
	"fmt"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
)

type diffOptions struct {
	bucket   string
	other    string
	patterns []string
	key      string
	from, to uint64
}

func diffVerb() command.Node {
	return command.Verb[diffOptions]{
		Meta: command.Meta{
			Name: "diff", Short: "Compare two buckets, or two revisions of a key",
			Long: "Two buckets are compared by the latest values of their keys; the keys of the first are held in memory meanwhile. With --key and one bucket two revisions of that key are compared line by line: --from, else the one before, and --to, else the latest. It ends with 1 when there are differences.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: bucketDiff{},
		Names: command.Names{"bucket": command.Buckets, "other": command.Buckets, "key": command.Keys},
		Examples: []command.Example{
			{Line: "nats kv diff CFG COPY", Says: "1 same, 0 added, 0 removed, 0 changed", Needs: []string{"kv add CFG", "kv put CFG a 1", "kv add COPY", "kv put COPY a 1"}},
			{Line: "nats kv diff CFG --key port --from 1 --to 2", Says: "Revision 1", About: "What changed in a value", Needs: []string{"kv add CFG --history 5", "kv put CFG port 4222", "kv put CFG port 4222"}},
		},
		Bind: func(c *fisk.CmdClause, o *diffOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("other", "The bucket to compare it with").StringVar(&o.other)
			c.Arg("pattern", "Only keys that match").StringsVar(&o.patterns)
			c.Flag("key", "Compare two revisions of this key").PlaceHolder("KEY").StringVar(&o.key)
			c.Flag("from", "The earlier revision").PlaceHolder("REVISION").SetValue(flagval.NewUint64(&o.from))
			c.Flag("to", "The later revision").PlaceHolder("REVISION").SetValue(flagval.NewUint64(&o.to))
		},
		Check: checkDiff,
		Run: func(ctx context.Context, e *env.Env, o diffOptions) error {
			if o.key != "" {
				return diffRevisions(ctx, e, o)
			}
			return diffBuckets(ctx, e, o)
		},
	}
}

func checkDiff(o *diffOptions) error {
	if err := store.CheckBucket(o.bucket); err != nil {
		return err
	}
	for _, p := range o.patterns {
		if err := store.CheckPattern(p); err != nil {
			return err
		}
	}
	switch {
	case o.key == "" && o.other == "":
		return fail.Usagef("name another bucket, or a key with --key")
	case o.key != "" && o.other != "":
		return fail.Usagef("--key compares revisions within one bucket: leave %s out", o.other)
	case o.key != "":
		return store.CheckKey(o.key)
	case o.from+o.to > 0:
		return fail.Usagef("--from and --to are revisions of a key: name it with --key")
	}
	return store.CheckBucket(o.other)
}

// bucketDiff is how the second bucket differs from the first.
type bucketDiff struct {
	Left  string `json:"left"`
	Right string `json:"right"`
	store.Compared
	Differences []store.Difference `json:"differences"`
}

// View is a line for each key that differs, and the counts.
func (d bucketDiff) View(p *render.Page) {
	for _, x := range d.Differences {
		switch x.State {
		case "added":
			p.Line("%s", render.Good("+ "+x.Key))
		case "removed":
			p.Line("%s", render.Bad("- "+x.Key))
		default:
			p.Line("%s revision %d to %d, %s to %s", render.Warn("~ "+x.Key), x.Left.Revision, x.Right.Revision, render.Bytes(x.Left.Size), render.Bytes(x.Right.Size))
		}
	}
	p.Line("%s to %s: %s same, %s added, %s removed, %s changed", d.Left, d.Right, render.Count(d.Same), render.Count(d.Added), render.Count(d.Removed), render.Count(d.Changed))
}

func diffBuckets(ctx context.Context, e *env.Env, o diffOptions) error {
	return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
		left, err := c.OpenKV(ctx, o.bucket)
		if err != nil {
			return err
		}
		right, err := c.OpenKV(ctx, o.other)
		if err != nil {
			return err
		}
		out := bucketDiff{Left: o.bucket, Right: o.other, Differences: []store.Difference{}}
		out.Compared, err = left.Diff(ctx, right, o.patterns, func(d store.Difference) error {
			out.Differences = append(out.Differences, d)
			return nil
		})
		if err != nil {
			return err
		}
		if err := e.Out.Print(out); err != nil {
			return err
		}
		if len(out.Differences) > 0 {
			return fail.ErrDifference
		}
		return nil
	})
}

// revisionDiff is how the value of a key changed between two revisions.
type revisionDiff struct {
	Bucket string       `json:"bucket"`
	Key    string       `json:"key"`
	From   entry        `json:"from"`
	To     entry        `json:"to"`
	Same   bool         `json:"same"`
	Lines  []store.Line `json:"lines"` // empty when a value is not text
}

// View is the changed lines between those that stayed.
func (d revisionDiff) View(p *render.Page) {
	p.Line("%s > %s", d.Bucket, d.Key)
	p.Line("--- Revision %d, %s", d.From.Revision, render.At(d.From.Created))
	p.Line("+++ Revision %d, %s", d.To.Revision, render.At(d.To.Created))
	switch {
	case d.Same:
		p.Line("The values are the same")
	case len(d.Lines) == 0:
		p.Line("The values are not text: %s and %s", render.Bytes(d.From.Size), render.Bytes(d.To.Size))
	}
	for _, l := range d.Lines {
		switch l.Mark {
		case "+":
			p.Line("%s", render.Good("+"+l.Text))
		case "-":
			p.Line("%s", render.Bad("-"+l.Text))
		default:
			p.Line("%s", " "+l.Text)
		}
	}
}

func diffRevisions(ctx context.Context, e *env.Env, o diffOptions) error {
	return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Bucket) error {
		found, err := b.HistoryOf(ctx, o.key)
		if err != nil {
			return err
		}
		from, to, err := pickRevisions(found, o)
		if err != nil {
			return err
		}
		out := revisionDiff{Bucket: o.bucket, Key: o.key, From: newEntry(from), To: newEntry(to), Same: string(from.Value) == string(to.Value) && from.Op == to.Op, Lines: []store.Line{}}
		if !out.Same && readable(from.Value) && readable(to.Value) {
			out.Lines = store.Lines(string(from.Value), string(to.Value))
		}
		if err := e.Out.Print(out); err != nil {
			return err
		}
		if !out.Same {
			return fail.ErrDifference
		}
		return nil
	})
}

// pickRevisions finds the two revisions: what was named, else the latest and the one before it.
func pickRevisions(found []store.Entry, o diffOptions) (from, to store.Entry, err error) {
	at := func(revision uint64) (int, error) {
		for i, e := range found {
			if e.Revision == revision {
				return i, nil
			}
		}
		return 0, fail.NotFoundf("bucket %s: key %s has no revision %d", o.bucket, o.key, revision).WithHint("nats kv history %s %s lists the revisions", o.bucket, o.key)
	}
	last := len(found) - 1
	if o.to > 0 {
		if last, err = at(o.to); err != nil {
			return from, to, err
		}
	}
	first := last - 1
	if o.from > 0 {
		if first, err = at(o.from); err != nil {
			return from, to, err
		}
	}
	if first < 0 {
		return from, to, fail.NotFoundf("bucket %s: key %s has no revision before %d", o.bucket, o.key, found[last].Revision).
			WithHint("%s", fmt.Sprintf("the bucket keeps as many as its --history says: nats kv info %s", o.bucket))
	}
	return found[first], found[last], nil
}
