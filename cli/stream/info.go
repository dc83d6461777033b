package stream

import (
	"context"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/jscmd"
)

type infoOptions struct {
	stream   string
	state    bool
	noSelect bool
	group    *group
}

func infoVerb(g *group) command.Node {
	return command.Verb[infoOptions]{
		Meta:  command.Meta{Name: "info", Aliases: []string{"nfo", "i"}, Short: "Show a stream's configuration and state"},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: api.StreamInfo{}, Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats stream info ORDERS", Says: "Information for Stream ORDERS", About: "Everything about one stream", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats stream info ORDERS --jq .state.messages", Says: "0", About: "One number, for a script", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *infoOptions) {
			bindInfo(c, o, g)
			c.Flag("state", "Show the state alone").UnNegatableBoolVar(&o.state)
		},
		Run: runInfo,
	}
}

func stateVerb(g *group) command.Node {
	return command.Verb[infoOptions]{
		Meta:  command.Meta{Name: "state", Short: "Show a stream's state"},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: api.StreamInfo{}, Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats stream state ORDERS", Says: "State for Stream ORDERS", About: "Messages, bytes and sequences", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *infoOptions) {
			bindInfo(c, o, g)
			o.state = true
		},
		Run: runInfo,
	}
}

func bindInfo(c *fisk.CmdClause, o *infoOptions, g *group) {
	o.group = g
	c.Arg("stream", "The stream").StringVar(&o.stream)
	c.Flag("no-select", "Do not offer a choice of streams when none is named").Default("false").UnNegatableBoolVar(&o.noSelect)
}

func runInfo(ctx context.Context, e *env.Env, o infoOptions) error {
	if o.stream == "" && o.noSelect {
		return fail.Usagef("pass <stream> (--no-select offers no choice)")
	}
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := jscmd.Pick(ctx, e, c, o.group.all, o.stream)
	if err != nil {
		return err
	}
	return e.Out.Print(jscmd.StreamScreen{Stream: s, StateOnly: o.state})
}
