package config

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/term"
)

type watchOptions struct {
	scope
	present bool
	count   uint64
}

func watchVerb() command.Node {
	return command.Verb[watchOptions]{
		Meta: command.Meta{
			Name: "watch", Short: "Show changes, and what devices make of them",
			Long: "Every change of the configuration, and every word of a device on what it has applied, as they come, until Ctrl-C. With --device only what concerns that device is shown, with --where or --name only that rule.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Feed, Result: event{},
		Examples: []command.Example{
			{Line: "nats fleet config watch --present", Says: `all revision 1 {"interval":5}`, Needs: []string{"fleet config set interval=5"}},
			{Line: "nats fleet config watch --present --count 1 --jq .key", Says: "all", About: "The keys that change, for a script", Needs: []string{"fleet config set interval=5"}},
		},
		Names: command.Names{"device": command.Devices},
		Bind: func(c *fisk.CmdClause, o *watchOptions) {
			o.bind(c)
			c.Flag("present", "Begin with what there is now").UnNegatableBoolVar(&o.present)
			c.Flag("count", "End after this many").SetValue(flagval.NewUint64(&o.count))
		},
		Check: func(o *watchOptions) error { return o.check() },
		Run:   runWatch,
	}
}

// event is a change of the configuration, or what a device says of it.
type event struct {
	Time     time.Time         `json:"time"`
	Kind     string            `json:"kind"`             // changed, removed, applied or failed
	Key      string            `json:"key,omitempty"`    // of what was changed
	Where    string            `json:"where,omitempty"`  // of a rule
	Device   string            `json:"device,omitempty"` // that applied it
	Revision uint64            `json:"revision"`
	Keys     map[string]uint64 `json:"keys,omitempty"` // that a device has applied
	Config   json.RawMessage   `json:"config,omitempty"`
	Error    string            `json:"error,omitempty"`
}

func newEvent(h control.Happening) event {
	if s := h.State; s != nil {
		out := event{Time: h.Time.UTC(), Kind: "applied", Device: s.ID, Revision: s.Revision, Keys: s.Keys, Error: s.Error}
		if s.Error != "" {
			out.Kind = "failed"
		}
		return out
	}
	out := event{Time: h.Time.UTC(), Kind: "changed", Key: h.Change.Key, Where: h.Change.Where, Revision: h.Change.Revision, Error: h.Change.Error}
	if h.Change.Op != store.Put {
		out.Kind = "removed"
	} else {
		out.Config = raw(h.Change.Config)
	}
	return out
}

// View is one line.
func (v event) View(p *render.Page) {
	switch {
	case v.Kind == "removed":
		p.Line("[%s] %s %s", render.At(v.Time), render.Key(v.Key), render.Warn("removed"))
	case v.Kind == "changed" && v.Error != "":
		p.Line("[%s] %s revision %d %s", render.At(v.Time), render.Key(v.Key), v.Revision, render.Bad(v.Error))
	case v.Kind == "changed":
		p.Line("[%s] %s revision %d %s", render.At(v.Time), render.Key(v.Key), v.Revision, compact(v.Config))
	case v.Kind == "failed":
		p.Line("[%s] device %s %s, stays at revision %d", render.At(v.Time), v.Device, render.Bad("failed: "+term.Visible(v.Error, false)), v.Revision)
	default:
		p.Line("[%s] device %s %s revision %d", render.At(v.Time), v.Device, render.Good("applied"), v.Revision)
	}
}

// errEnough ends a watch that has shown what was asked for.
var errEnough = errors.New("enough was shown")

func runWatch(ctx context.Context, e *env.Env, o watchOptions) error {
	feed, shown := e.Out.Feed(), uint64(0)
	err := o.on(ctx, e, func(ctx context.Context, f *control.Fleet, key string) error {
		whole := key == fleet.KeyAll
		return f.Watch(ctx, o.present, func() error {
			if !e.Out.Machine() {
				e.Say("Watching the configuration in bucket %s", o.service.Bucket)
			}
			return feed.Flush()
		}, func(h control.Happening) error {
			v := newEvent(h)
			if !whole && v.Key != key && (v.Device == "" || fleet.DeviceKey(v.Device) != key) {
				return nil
			}
			if err := feed.Emit(v); err != nil {
				return err
			}
			if shown++; shown == o.count {
				return errEnough
			}
			return nil
		})
	})
	if closeErr := feed.Close(nil); err == nil {
		err = closeErr
	}
	switch {
	case errors.Is(err, errEnough):
		return nil
	case errors.Is(err, jetstream.ErrBucketNotFound):
		return fail.Hint(err, "nats fleet init makes it")
	}
	return fail.Ended(ctx, err)
}
