package bench

import (
	"context"
	"errors"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/agents"
)

type agentOptions struct{ name, group string }

func agentVerb() command.Node {
	return command.Verb[agentOptions]{
		Meta: command.Meta{Name: "agent", Short: "Take part in benchmarks that another process starts",
			Long: `A benchmark with --agents N looks for N agents of its group through NATS, divides its clients among them, starts them together, and merges their reports: histograms are added, not averaged.

Agents speak to the server of their own context, so that each machine can have its own way to the cluster. An agent runs until interrupted. Whoever may publish to natsbench.> can start load on it.`},
		Scope: command.User, Effect: command.Writes, Output: command.Feed, Result: result{},
		Examples: []command.Example{{Line: "nats bench agent --name one", Says: "Waiting for a controller", About: "Wait for benchmarks as one"}},
		Bind: func(c *fisk.CmdClause, o *agentOptions) {
			c.Flag("name", "The name of this agent in reports").Default("agent").StringVar(&o.name)
			c.Flag("group", "The group that it belongs to").Default("default").StringVar(&o.group)
		},
		Check: func(o *agentOptions) error { return groupName(o.group) },
		Run:   runAgent,
	}
}

func runAgent(ctx context.Context, e *env.Env, o agentOptions) error {
	if _, embedded := e.Nats.Effective().Embedded(); embedded {
		return fail.Hint(fail.Usagef("an embedded server is of this process alone: a controller cannot reach it"), "nats server run starts a server that others can reach")
	}
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return err
	}
	feed := e.Out.Feed()
	err = agents.Serve(ctx, world(e), nc, o.group, o.name, func(r *meter.Report) error { return feed.Emit(result{Report: r}) })
	if ferr := feed.Flush(); err == nil {
		err = ferr
	}
	if ctx.Err() != nil && (errors.Is(err, fail.ErrInterrupted) || errors.Is(err, fail.ErrTerminated)) {
		return nil // its normal end
	}
	return err
}
