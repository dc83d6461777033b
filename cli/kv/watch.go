package kv

import (
	"context"
	"strings"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
	"github.com/natskit/natskit/internal/term"
)

type watchOptions struct {
	bucket  string
	key     string
	more    []string
	history bool
	deletes bool
	updates bool
	initial bool
	from    uint64
	limits  storecmd.Limits
}

func watchVerb() command.Node {
	return command.Verb[watchOptions]{
		Meta: command.Meta{
			Name: "watch", Short: "Show values as they change",
			Long: "First come the present values, the last of them with a delta of 0, then every change until Ctrl-C. Values with line breaks or control characters are shown escaped on one line; --json gives them whole.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Feed, Result: change{},
		Names: command.Names{"bucket": command.Buckets, "key": command.Keys, "more": command.Keys},
		Examples: []command.Example{
			{Line: "nats kv watch CFG", Says: "PUT CFG > port: 4222", Needs: []string{"kv add CFG", "kv put CFG port 4222"}},
			{Line: "nats kv watch CFG 'db.>' --history --no-deletes", Says: "PUT CFG > db.host: new", About: "Every revision of some keys",
				Needs: []string{"kv add CFG --history 5", "kv put CFG db.host old", "kv put CFG db.host new"}},
			{Line: "nats kv watch CFG --count 1 --jq .value", Says: "4222", About: "Wait for one value, for a script", Needs: []string{"kv add CFG", "kv put CFG port 4222"}},
		},
		Bind: func(c *fisk.CmdClause, o *watchOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("key", "The key, or a pattern").Default(store.All).StringVar(&o.key)
			c.Arg("more", "Further keys and patterns").StringsVar(&o.more)
			c.Flag("history", "Begin with every revision that is kept").UnNegatableBoolVar(&o.history)
			c.Flag("deletes", "Show removals too").Default("true").BoolVar(&o.deletes)
			c.Flag("updates", "Show only changes from now on").UnNegatableBoolVar(&o.updates)
			c.Flag("revision", "Begin at this revision").SetValue(flagval.NewUint64(&o.from))
			c.Flag("initial", "End when the present values have been shown").UnNegatableBoolVar(&o.initial)
			c.Flag("count", "End after this many").SetValue(flagval.NewUint64(&o.limits.Count))
			c.Flag("wait", "End after this long").PlaceHolder("DURATION").SetValue(flagval.NewDuration(&o.limits.Wait).Positive())
		},
		Check: func(o *watchOptions) error {
			if err := store.CheckBucket(o.bucket); err != nil {
				return err
			}
			for _, k := range o.keys() {
				if err := store.CheckPattern(k); err != nil {
					return err
				}
			}
			switch {
			case o.updates && o.history:
				return fail.Usagef("updates only cannot be used with include history: --updates or --history")
			case o.updates && (o.from > 0 || o.initial):
				return fail.Usagef("--updates cannot be combined with --revision or --initial")
			}
			return nil
		},
		Run: runWatch,
	}
}

func (o watchOptions) keys() []string { return append([]string{o.key}, o.more...) }

// change is one entry of a watch.
type change struct{ entry }

// View is one line.
func (c change) View(p *render.Page) {
	o := p.Options()
	p.Block([]string{strings.TrimSuffix(string(c.AppendText(nil, render.TextOptions{TTY: o.TTY, Paint: o.Paint, Location: o.Location})), "\n")})
}

// AppendText is the line "[time] PUT BUCKET > key: value".
func (c change) AppendText(dst []byte, o render.TextOptions) []byte {
	dst = append(dst, '[')
	dst = c.Created.In(o.Location).AppendFormat(dst, time.DateTime)
	dst = append(dst, "] "...)
	style := term.Good
	if c.Op != store.Put {
		style = term.Bad
	}
	dst = append(dst, o.Paint.Paint(style, string(c.Op))...)
	dst = append(dst, ' ')
	dst = append(dst, c.Bucket...)
	dst = append(dst, " > "...)
	dst = append(dst, term.Visible(c.Key, false)...)
	if c.Op == store.Put {
		dst = append(dst, ": "...)
		dst = append(dst, oneLine(c.raw)...)
	}
	return append(dst, '\n')
}

// oneLine is a value without line breaks: text as it is, all else escaped.
func oneLine(value []byte) string {
	if readable(value) && !strings.ContainsAny(string(value), "\r\n\t") {
		return term.Visible(string(value), false)
	}
	return quoted(value)
}

// LineItem gives the parts that --format line=FORMAT may use: the key stands for the subject, the revision for the number.
func (c change) LineItem() render.LineItem {
	return render.LineItem{Subject: c.Key, Payload: c.raw, Header: c.Headers.Get, Number: c.Revision, Time: c.Created, Size: c.Size}
}

func runWatch(ctx context.Context, e *env.Env, o watchOptions) error {
	return storecmd.Watch(ctx, e, o.limits, func(ctx context.Context, w *storecmd.Watching) error {
		return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Bucket) error { return watch(ctx, e, b, o, w) })
	})
}

func watch(ctx context.Context, e *env.Env, b *store.Bucket, o watchOptions, w *storecmd.Watching) error {
	return b.Read(ctx, store.Read{
		Patterns: o.keys(), History: o.history, Updates: o.updates, From: o.from, Deletes: o.deletes, Live: !o.initial,
		Start: func() error {
			e.Say("Watching %s > %s", b.Name, strings.Join(o.keys(), " "))
			return nil
		},
		AtEnd: func() error {
			if w.Shown > 0 && !o.initial && !e.Out.Machine() {
				e.Say("Shown what was there: %s, going on with changes", plural(w.Shown, "entry", "entries"))
			}
			return w.Feed.Flush()
		},
	}, func(one store.Entry) error { return w.Emit(change{newEntry(one)}) })
}
