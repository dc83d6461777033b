package cluster

import (
	"context"
	"fmt"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

type cancelOptions struct {
	stream string
	force  bool
	all    *bool
}

func cancelMoveVerb(all *bool) command.Node {
	return command.Verb[cancelOptions]{
		Meta: command.Meta{
			Name: "cancel-move", Short: "Cancel a move of a stream to other servers",
			Long: "The stream goes back to the peers, the placement and the number of replicas that it had; an evacuation cannot be canceled. --force asks nothing and sends the request even where no move is seen. The command waits up to a minute.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: canceled{}, Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats stream cluster cancel-move --help", Says: "force", About: "On a cluster: nats stream cluster cancel-move ORDERS"},
		},
		Bind: func(c *fisk.CmdClause, o *cancelOptions) {
			o.all = all
			c.Arg("stream", "The stream").StringVar(&o.stream)
			c.Flag("force", "Do not ask, and do not look whether a move is under way").Short('f').UnNegatableBoolVar(&o.force)
		},
		Run: runCancelMove,
	}
}

// canceled is a move that was given up.
type canceled struct {
	Stream string   `json:"stream"`
	Peers  []string `json:"peers"`
}

// View says so.
func (c canceled) View(p *render.Page) { p.Line("Canceled move of %q", c.Stream) }

func runCancelMove(ctx context.Context, e *env.Env, o cancelOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := clustered(ctx, e, c, *o.all, o.stream)
	if err != nil {
		return err
	}
	name := s.StreamInfo.Config.Name
	if s.Cluster.Desired == nil && !o.force {
		return fail.Hint(fmt.Errorf("stream %s is not being moved", name), "pass --force to send the request all the same")
	}
	if d := s.Cluster.Desired; d != nil && d.Origin == nil && !o.force {
		return fail.Hint(fmt.Errorf("stream %s leaves a server that is evacuated or gone: that cannot be canceled", name), "nats stream info %s shows how far it is", name)
	}
	if err := jscmd.Sure(ctx, e, o.force, "cancel the move of Stream "+name, name); err != nil {
		return err
	}
	if err := c.CancelMove(ctx, name); err != nil {
		return err
	}
	e.Say("Requested the end of the move of stream %q", name)
	s, err = await(ctx, e, c, name, moveTime, "the end of the move", func(s js.Stream) bool {
		return s.Cluster != nil && s.Cluster.Leader != "" && s.Cluster.Desired == nil
	})
	if err != nil {
		return err
	}
	return e.Out.Print(canceled{Stream: name, Peers: peers(s)})
}
