package consumer

import (
	"context"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/jscmd"
)

type infoOptions struct {
	target
	noSelect bool
}

func (o *infoOptions) bindInfo(c *fisk.CmdClause, g *group) {
	o.bind(c, g)
	c.Flag("no-select", "Do not offer a choice when a name is missing").Default("false").UnNegatableBoolVar(&o.noSelect)
}

func infoVerb(g *group) command.Node {
	return command.Verb[infoOptions]{
		Meta: command.Meta{
			Name: "info", Aliases: []string{"nfo"}, Short: "Describe a consumer",
			Long: "Configuration, cluster and state. JSON is the document of the server.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: api.ConsumerInfo{},
		Names: command.Names{"stream": command.Streams, "consumer": command.Consumers},
		Examples: []command.Example{
			{Line: "nats consumer info ORDERS NEW", Says: "Ack Policy: Explicit", About: "Everything about a consumer", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults"}},
			{Line: "nats consumer info ORDERS NEW --jq .num_pending", Says: "0", About: "One number", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults"}},
		},
		Bind:  func(c *fisk.CmdClause, o *infoOptions) { o.bindInfo(c, g) },
		Check: (*infoOptions).check,
		Run: func(ctx context.Context, e *env.Env, o infoOptions) error {
			return show(ctx, e, o, false)
		},
	}
}

func stateVerb(g *group) command.Node {
	return command.Verb[infoOptions]{
		Meta: command.Meta{
			Name: "state", Short: "Show how far a consumer is",
			Long: "What was delivered and acknowledged, and what is still to come. JSON is the same document as of nats consumer info.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: api.ConsumerInfo{},
		Names: command.Names{"stream": command.Streams, "consumer": command.Consumers},
		Examples: []command.Example{
			{Line: "nats consumer state ORDERS NEW", Says: "Unprocessed Messages: 0", About: "How far it is", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults"}},
		},
		Bind:  func(c *fisk.CmdClause, o *infoOptions) { o.bindInfo(c, g) },
		Check: (*infoOptions).check,
		Run: func(ctx context.Context, e *env.Env, o infoOptions) error {
			return show(ctx, e, o, true)
		},
	}
}

func (o *infoOptions) check() error {
	if o.noSelect {
		if err := needNames(o.target); err != nil {
			return err
		}
	}
	return o.target.check()
}

func show(ctx context.Context, e *env.Env, o infoOptions, stateOnly bool) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	i, err := o.pick(ctx, e, c)
	if err != nil {
		return err
	}
	return e.Out.Print(screen{Consumer: i, stateOnly: stateOnly})
}
