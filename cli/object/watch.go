package object

import (
	"context"
	"errors"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

type watchOptions struct {
	bucket  string
	updates bool
	initial bool
	count   uint64
	wait    time.Duration
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
			c.Flag("count", "End after this many").SetValue(flagval.NewUint64(&o.count))
			c.Flag("wait", "End after this long").PlaceHolder("DURATION").SetValue(flagval.NewDuration(&o.wait).Positive())
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
		p.Line("[%s] %s %s > %s", render.At(c.ModTime), render.Bad("DEL"), c.Bucket, c.Name)
	case c.Link != nil:
		p.Line("[%s] %s %s > %s: link to %s > %s", render.At(c.ModTime), render.Good("PUT"), c.Bucket, c.Name, c.Link.Bucket, c.Link.Name)
	default:
		p.Line("[%s] %s %s > %s: %s in %d chunks", render.At(c.ModTime), render.Good("PUT"), c.Bucket, c.Name, render.Bytes(c.Size), c.Chunks)
	}
}

// errEnough ends a watch that has shown what was asked for.
var errEnough = errors.New("enough was shown")

func runWatch(ctx context.Context, e *env.Env, o watchOptions) error {
	limited := ctx
	if o.wait > 0 {
		var stop context.CancelFunc
		limited, stop = context.WithTimeoutCause(ctx, o.wait, errEnough)
		defer stop()
	}
	err := onBucket(limited, e, o.bucket, func(ctx context.Context, b *store.Objects) error {
		feed := e.Out.Feed()
		shown := uint64(0)
		err := b.List(ctx, store.ListObjects{
			Deleted: true, Updates: o.updates, Live: !o.initial, AtEnd: feed.Flush,
			Start: func() error {
				e.Say("Watching %s", b.Name)
				return nil
			},
		}, func(i *store.ObjectInfo) error {
			if err := feed.Emit(change{newObjectInfo(i)}); err != nil {
				return err
			}
			if shown++; shown == o.count {
				return errEnough
			}
			return nil
		})
		if closeErr := feed.Close(nil); err == nil {
			err = closeErr
		}
		return err
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return fail.Ended(ctx, err)
}
