// Package micro is the command group for micro services.
package micro

import (
	"context"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/micro"
)

// Command is `nats service`, also known as `nats micro`.
func Command() command.Node {
	return command.Group{
		Meta: command.Meta{
			Name: "service", Aliases: []string{"micro"}, Short: "Find, ask and run micro services",
			Long: "Services are found by asking, not by a registry: every instance that runs answers for itself.",
		},
		Nodes: func() []command.Node {
			return []command.Node{listVerb(), infoVerb(), statsVerb(), pingVerb(), requestVerb(), serveVerb()}
		},
	}
}

// asker prepares a client, and a context that ends when the server does not let the question through.
func asker(ctx context.Context, e *env.Env) (micro.Client, context.Context, func(), error) {
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return micro.Client{}, nil, nil, err
	}
	ctx, done := e.Nats.Allowed(ctx)
	return micro.Client{
		Conn: nc, Timeout: e.Nats.Effective().Timeout, Clock: e.Clock,
		Malformed: func(reason string) { e.IO.Warn("%s", reason) },
	}, ctx, done, nil
}

// none is the error of a question that nobody answered.
func none(ctx context.Context, err error, name string) error {
	if err != nil {
		return contexts.Refusal(ctx, err)
	}
	out := fail.NotFoundf("no service instances found")
	if name != "" {
		out = fail.NotFoundf("no service instances found: nobody answers for %q", name)
	}
	return out.WithHint("nats micro list shows the services that run")
}
