package consumer

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/jscmd"
)

func graphVerb(g *group) command.Node {
	return command.Verb[target]{
		Meta: command.Meta{
			Name: "graph", Short: "Watch a consumer as graphs",
			Long: "How many messages are to be delivered and to be acknowledged, and how many are acknowledged and delivered a second, drawn anew each second until ^C. It needs a terminal of at least 20 columns and rows.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Screen,
		Names: command.Names{"stream": command.Streams, "consumer": command.Consumers},
		Examples: []command.Example{
			{Line: "nats consumer graph --help", Says: "graph", About: "On a terminal: nats consumer graph ORDERS NEW"},
		},
		Bind:  func(c *fisk.CmdClause, o *target) { o.bind(c, g) },
		Check: (*target).check,
		Run:   runGraph,
	}
}

func runGraph(ctx context.Context, e *env.Env, o target) error {
	const without = "nats consumer state STREAM CONSUMER --json shows the numbers"
	if !e.IO.OutTTY {
		return fail.Usagef("a graph needs a terminal").WithHint(without)
	}
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	i, err := o.pick(ctx, e, c)
	if err != nil {
		return err
	}
	plots := []jscmd.Plot{{Caption: "Messages Pending"}, {Caption: "Messages Waiting for Ack"}, {Caption: "Messages Acknowledged / second"}, {Caption: "Messages Delivered / second"}}
	var acked, delivered jscmd.Rate
	return jscmd.Graph(ctx, e, "Consumer Statistics for "+full(i.Stream, i.Name), without, plots, func(ctx context.Context) ([]float64, error) {
		i, err := consumers.Info(ctx, c, i.Stream, i.Name)
		if err != nil {
			return nil, err
		}
		now := e.Clock.Now()
		return []float64{float64(i.NumPending), float64(i.NumAckPending), acked.Next(i.AckFloor.Consumer, now), delivered.Next(i.Delivered.Consumer, now)}, nil
	})
}
