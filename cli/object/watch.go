package object

import (
	"context"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
)

type watchOptions struct {
	bucket  string
	updates bool
	initial bool
	limits  storecmd.Limits
}

func watchVerb() command.Node {
	return command.Verb[watchOptions]{
		Meta: command.Meta{
			Name: "watch", Short: "Show objects as they change",
			Long: "First come the objects that are there, deleted ones too, then every change until Ctrl-C.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Feed, Result: change{},
		Names: command.Names{"bucket": command.ObjectStores},
		Examples: []command.Example{
			{Line: "nats object watch FILES", Says: "PUT FILES > a.txt: ", Needs: []string{"object add FILES", "printf 'hello' | nats object put FILES --name a.txt"}},
			{Line: "nats object watch FILES --count 1 --jq .name", Says: "a.txt", About: "Wait for an object, for a script", Needs: []string{"object add FILES", "printf 'hello' | nats object put FILES --name a.txt"}},
		},
		Bind: func(c *fisk.CmdClause, o *watchOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Flag("updates", "Show only changes from now on").UnNegatableBoolVar(&o.updates)
			c.Flag("initial", "End when what is there has been shown").UnNegatableBoolVar(&o.initial)
			c.Flag("count", "End after this many").SetValue(flagval.NewUint64(&o.limits.Count))
			c.Flag("wait", "End after this long").PlaceHolder("DURATION").SetValue(flagval.NewDuration(&o.limits.Wait).Positive())
		},
		Check: func(o *watchOptions) error {
			if o.updates && o.initial {
				return fail.Usagef("--updates and --initial exclude each other")
			}
			return store.CheckBucket(o.bucket)
		},
		Run: runWatch,
	}
}

// change is an object that was put or deleted.
type change struct{ objectInfo }

// View is one line.
func (c change) View(p *render.Page) {
	switch {
	case c.Deleted:
		p.Line("[%s] %s %s > %s", render.At(c.ModTime), render.Bad("DEL"), c.Bucket, oneLine(c.Name))
	case c.Link != nil:
		p.Line("[%s] %s %s > %s: link to %s > %s", render.At(c.ModTime), render.Good("PUT"), c.Bucket, oneLine(c.Name), c.Link.Bucket, oneLine(c.Link.Name))
	default:
		p.Line("[%s] %s %s > %s: %s in %d chunks", render.At(c.ModTime), render.Good("PUT"), c.Bucket, oneLine(c.Name), render.Bytes(c.Size), c.Chunks)
	}
}

// oneLine keeps a name, which may hold anything, from looking like further lines of the watch.
func oneLine(name string) string {
	return strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(name)
}

func runWatch(ctx context.Context, e *env.Env, o watchOptions) error {
	return storecmd.Watch(ctx, e, o.limits, func(ctx context.Context, w *storecmd.Watching) error {
		return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Objects) error {
			return b.List(ctx, store.ListObjects{
				Deleted: true, Updates: o.updates, Live: !o.initial, AtEnd: w.Feed.Flush,
				Start: func() error {
					e.Say("Watching %s", b.Name)
					return nil
				},
			}, func(i *store.ObjectInfo) error { return w.Emit(change{newObjectInfo(i)}) })
		})
	})
}
