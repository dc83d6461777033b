package config

import (
	"context"
	"encoding/json"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleetcmd"
	"github.com/natskit/natskit/internal/render"
)

type getOptions struct {
	scope
	revision uint64
}

func getVerb() command.Node {
	return command.Verb[getOptions]{
		Meta: command.Meta{
			Name: "get", Short: "Show a configuration",
			Long: "Without --device, --where or --name it is the one for all devices. nats fleet info shows what a device has made of all that is for it.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: document{},
		Examples: []command.Example{
			{Line: "nats fleet config get", Says: `"chart_color": "#ff0000"`, Needs: []string{"fleet config set chart_color=#ff0000"}},
			{Line: "nats fleet config get --device d1 --jq .config.interval", Says: "5", About: "One value of one device, for a script", Needs: []string{"fleet config set interval=5 --device d1"}},
		},
		Names: command.Names{"device": command.Devices},
		Bind: func(c *fisk.CmdClause, o *getOptions) {
			o.bind(c)
			c.Flag("revision", "As it was at this revision").PlaceHolder("REVISION").SetValue(flagval.NewUint64(&o.revision).Min(1))
		},
		Check: func(o *getOptions) error { return o.check() },
		Run: func(ctx context.Context, e *env.Env, o getOptions) error {
			return o.on(ctx, e, func(ctx context.Context, f *control.Fleet, key string) error {
				l, err := f.Layer(ctx, key, o.revision)
				if err != nil {
					return err
				}
				if len(l.Config) == 0 {
					return o.nothing(key)
				}
				return e.Out.Print(newDocument(l))
			})
		},
	}
}

// document is a part of the configuration.
type document struct {
	Key      string          `json:"key"`
	Where    string          `json:"where,omitempty"` // of a rule
	Revision uint64          `json:"revision"`
	Time     time.Time       `json:"time"`
	Config   json.RawMessage `json:"config"`
}

func newDocument(l control.Layer) document {
	return document{l.Key, l.Where, l.Revision, l.Created.UTC(), raw(l.Config)}
}

// raw is a document of the configuration as JSON; what is none is a string.
func raw(text []byte) json.RawMessage {
	switch {
	case len(text) == 0:
		return json.RawMessage("null")
	case json.Valid(text):
		return json.RawMessage(text)
	}
	quoted, err := json.Marshal(string(text))
	if err != nil {
		return json.RawMessage("null")
	}
	return quoted
}

// View is a line about the document, and the document.
func (d document) View(p *render.Page) {
	if !fleetcmd.Wordy(p) {
		p.Table("", render.Column{Name: "Key"}, render.Column{Name: "Revision"}, render.Column{Name: "Time"}, render.Column{Name: "Config"}).
			Row(d.Key, render.Count(d.Revision), render.At(d.Time), compact(d.Config))
		return
	}
	p.Line("%s, revision %d, %s", render.Key(d.Key), d.Revision, render.Since(d.Time))
	if d.Where != "" {
		p.Line("where %s", d.Where)
	}
	p.Gap()
	p.Text(string(control.Canonical(d.Config)))
}

type lsOptions struct{ service fleetcmd.Service }

func lsVerb() command.Node {
	return command.Verb[lsOptions]{
		Meta:  command.Meta{Name: "ls", Aliases: []string{"list"}, Short: "List the parts of the configuration"},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: documents{},
		Examples: []command.Example{
			{Line: "nats fleet config ls", Says: "where.phones", Needs: []string{"fleet config set interval=5", `fleet config set interval=30 --where 'os.name == "Android"' --name phones`}},
			{Line: "nats fleet config ls --format names", Says: "all", About: "The keys, for a script", Needs: []string{"fleet config set interval=5"}},
		},
		Bind:  func(c *fisk.CmdClause, o *lsOptions) { o.service.BindBucket(c) },
		Check: func(o *lsOptions) error { return o.service.Check() },
		Run: func(ctx context.Context, e *env.Env, o lsOptions) error {
			return o.service.On(ctx, e, func(ctx context.Context, f *control.Fleet) error {
				layers, err := f.Layers(ctx)
				if err != nil {
					return err
				}
				out := documents{bucket: o.service.Bucket, all: []document{}}
				for _, l := range layers {
					out.all = append(out.all, newDocument(l))
				}
				return e.Out.Print(out)
			})
		},
	}
}

// documents are the parts of the configuration.
type documents struct {
	bucket string
	all    []document
}

// JSON is the list.
func (d documents) JSON() any { return d.all }

// View is one row for each.
func (d documents) View(p *render.Page) {
	if len(d.all) == 0 && fleetcmd.Wordy(p) {
		p.Line("There is no configuration in bucket %s; nats fleet config set KEY=VALUE makes one", d.bucket)
		return
	}
	t := p.Table("", render.Column{Name: "Key"}, render.Column{Name: "Where", Elide: render.End}, render.Column{Name: "Revision", Align: render.Right},
		render.Column{Name: "Changed"}, render.Column{Name: "Config", Elide: render.End})
	for _, one := range d.all {
		t.Row(one.Key, one.Where, render.Count(one.Revision), render.Since(one.Time), compact(one.Config))
	}
}
