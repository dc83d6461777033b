package context

import (
	"context"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
)

// effective is the result of info --effective.
type effective struct {
	Context  string    `json:"context"` // empty when none is in use
	Path     string    `json:"path"`
	Settings []setting `json:"settings"`
	Warnings []string  `json:"warnings"`
}

// setting is one setting in effect.
type setting struct {
	Key    string `json:"key"` // as the flag is called
	Value  string `json:"value"`
	From   string `json:"from"`   // $NATS_URL, --server, context "prod", default
	Origin string `json:"origin"` // default, context, environment or flag
}

// View is a table.
func (f effective) View(p *render.Page) {
	title := "Effective Settings"
	if f.Context != "" {
		title = `Effective Settings with Context "` + f.Context + `"`
	}
	t := p.Table(title, render.Column{Name: "Setting"}, render.Column{Name: "Value", Elide: render.End}, render.Column{Name: "From"})
	for _, s := range f.Settings {
		t.Row(render.Key(s.Key), s.Value, s.From)
	}
}

func runEffective(ctx context.Context, e *env.Env, name string) error {
	r := e.Request
	if name != "" {
		r.Context, r.NoContext = contexts.Given{Values: []string{name}, From: contexts.Origin{Kind: contexts.FromFlag, Name: "the argument"}}, false
	}
	resolved, err := contexts.Resolve(ctx, store(e), r)
	if err != nil {
		return err
	}
	out := effective{Context: resolved.Context, Path: resolved.ContextPath, Settings: []setting{}, Warnings: append([]string{}, resolved.Warnings...)}
	for _, s := range resolved.List(e.ShowSecrets) {
		out.Settings = append(out.Settings, setting{string(s.Key), s.Value, s.From.String(), kindOf(s.From)})
	}
	for _, w := range resolved.Warnings {
		e.IO.Warn("%s", w)
	}
	return e.Out.Print(out)
}

func kindOf(o contexts.Origin) string {
	switch o.Kind {
	case contexts.FromContext:
		return "context"
	case contexts.FromEnv:
		return "environment"
	case contexts.FromFlag:
		return "flag"
	}
	return "default"
}
