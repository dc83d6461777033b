package stream

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/jscmd"
)

type graphOptions struct {
	stream string
	group  *group
}

func graphVerb(g *group) command.Node {
	return command.Verb[graphOptions]{
		Meta: command.Meta{
			Name: "graph", Short: "Watch the messages of a stream as graphs",
			Long: "How many messages there are, and how many are removed and stored a second, drawn anew each second until ^C. It needs a terminal of at least 20 columns and rows.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Screen, Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats stream graph --help", Says: "graph", About: "On a terminal: nats stream graph ORDERS"},
		},
		Bind: func(c *fisk.CmdClause, o *graphOptions) {
			o.group = g
			c.Arg("stream", "The stream").StringVar(&o.stream)
		},
		Run: runGraph,
	}
}

func runGraph(ctx context.Context, e *env.Env, o graphOptions) error {
	const without = "nats stream state STREAM --json shows the numbers"
	if !e.IO.OutTTY {
		return fail.Usagef("a graph needs a terminal").WithHint(without)
	}
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := jscmd.Pick(ctx, e, c, o.group.all, o.stream)
	if err != nil {
		return err
	}
	name := s.StreamInfo.Config.Name
	plots := []jscmd.Plot{{Caption: "Messages Stored"}, {Caption: "Messages Removed / second"}, {Caption: "Messages Stored / second"}}
	var stored, removed jscmd.Rate
	return jscmd.Graph(ctx, e, "Stream "+name, without, plots, func(ctx context.Context) ([]float64, error) {
		s, err := c.Info(ctx, name)
		if err != nil {
			return nil, err
		}
		st, now := s.State, e.Clock.Now()
		// What was ever stored and is not there any more was removed, whether from the front or from between.
		return []float64{float64(st.Msgs), removed.Next(st.LastSeq-min(st.Msgs, st.LastSeq), now), stored.Next(st.LastSeq, now)}, nil
	})
}
