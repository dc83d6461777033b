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
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

type historyOptions struct{ scope }

func historyVerb() command.Node {
	return command.Verb[historyOptions]{
		Meta:  command.Meta{Name: "history", Short: "List the revisions of a configuration", Long: "Oldest first, as many as the bucket keeps; one that is made here keeps 64."},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: revisions{},
		Examples: []command.Example{
			{Line: "nats fleet config history", Says: `{"interval":9}`, Needs: []string{"fleet config set interval=5", "fleet config set interval=9"}},
			{Line: "nats fleet config history --device d1 --jq '.[-1].revision'", Says: "1", About: "The latest revision of one device's, for a script", Needs: []string{"fleet config set interval=5 --device d1"}},
		},
		Names: command.Names{"device": command.Devices},
		Bind:  func(c *fisk.CmdClause, o *historyOptions) { o.bind(c) },
		Check: func(o *historyOptions) error { return o.check() },
		Run: func(ctx context.Context, e *env.Env, o historyOptions) error {
			return o.on(ctx, e, func(ctx context.Context, f *control.Fleet, key string) error {
				all, err := f.History(ctx, key)
				if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrKeyNotFound) {
					return o.nothing(key)
				}
				if err != nil {
					return err
				}
				out := revisions{key: key, all: make([]revision, len(all))}
				for i, r := range all {
					out.all[i] = newRevision(r)
				}
				return e.Out.Print(out)
			})
		},
	}
}

// revision is one entry of the history.
type revision struct {
	Revision uint64          `json:"revision"`
	Time     time.Time       `json:"time"`
	Op       store.Op        `json:"op"`
	Where    string          `json:"where,omitempty"`
	Config   json.RawMessage `json:"config"` // null for a removal
	Error    string          `json:"error,omitempty"`
}

func newRevision(r control.Revision) revision {
	return revision{r.Revision, r.Created.UTC(), r.Op, r.Where, raw(r.Config), r.Error}
}

// revisions are the history of a configuration.
type revisions struct {
	key string
	all []revision
}

// JSON is the list.
func (r revisions) JSON() any { return r.all }

// View is one row for each.
func (r revisions) View(p *render.Page) {
	t := p.Table("History of "+r.key, render.Column{Name: "Revision", Align: render.Right}, render.Column{Name: "Time"}, render.Column{Name: "Op"},
		render.Column{Name: "Where", Wide: true}, render.Column{Name: "Config", Elide: render.End})
	for _, one := range r.all {
		doc := any(compact(one.Config))
		switch {
		case one.Error != "":
			doc = render.Bad(one.Error)
		case one.Op != store.Put:
			doc = ""
		}
		t.Row(render.Count(one.Revision), render.At(one.Time), string(one.Op), one.Where, doc)
	}
}
