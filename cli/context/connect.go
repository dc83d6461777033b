package context

import (
	"context"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/embedded"
	"github.com/natskit/natskit/internal/env"
)

// connect tries the stored context alone: neither the environment nor flags change what is tried, except for what contexts do
// not hold. The outcome is noted in d, and why it failed is returned.
func (d *details) connect(ctx context.Context, e *env.Env, st *contexts.Stored) error {
	err := dial(ctx, e, st)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d.Connection = &connection{OK: err == nil}
	if err != nil {
		d.Connection.Error = err.Error()
	}
	return err
}

func dial(ctx context.Context, e *env.Env, st *contexts.Stored) error {
	r := contexts.Request{
		Context:  contexts.Given{Values: []string{st.Label()}, From: contexts.Origin{Kind: contexts.FromFlag, Name: "the argument"}},
		Settings: map[contexts.Key]contexts.Given{},
	}
	for _, k := range []contexts.Key{contexts.KeyTimeout, contexts.KeyTLSInsecure, contexts.KeyConnectionName, contexts.KeyTrace} {
		if g, ok := e.Request.Settings[k]; ok && g.From.Kind == contexts.FromFlag {
			r.Settings[k] = g
		}
	}
	resolved, err := contexts.Resolve(ctx, store(e), r)
	if err != nil {
		return err
	}
	for _, w := range resolved.Warnings {
		e.IO.Warn("%s", w)
	}
	m := contexts.NewManager(resolved, contexts.Options{
		Name: "NATS CLI Version " + e.Build.Version, Log: e.Log, Warn: func(format string, args ...any) { e.Say(format, args...) },
		OpenEmbedded: func(ctx context.Context, dir string) (nats.InProcessConnProvider, func() error, error) {
			return embedded.Open(ctx, e.Files.Path(dir), e.Log)
		},
	})
	defer func() { _ = m.Close() }()
	_, err = m.Conn(ctx)
	return err
}
