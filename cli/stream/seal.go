package stream

import (
	"context"
	"fmt"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

type sealOptions struct {
	stream string
	force  bool
}

func sealVerb() command.Node {
	return command.Verb[sealOptions]{
		Meta: command.Meta{
			Name: "seal", Short: "Close a stream for good",
			Long: "No message is added to a sealed stream and none leaves it, by age or otherwise. This cannot be undone.",
		},
		Scope: command.User, Effect: command.Destroys, Output: command.Value, Result: api.StreamInfo{}, Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats stream seal ORDERS --force", Says: "Sealed: true", About: "Keep what is there, as it is", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *sealOptions) {
			c.Arg("stream", "The stream").Required().StringVar(&o.stream)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
		},
		Run: runSeal,
	}
}

func runSeal(ctx context.Context, e *env.Env, o sealOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := c.Info(ctx, o.stream)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("seal Stream %s with %s messages, for good", o.stream, render.HumaneCount(s.State.Msgs))
	if err := jscmd.Sure(ctx, e, o.force, what, o.stream); err != nil {
		return err
	}
	cfg, err := s.Config()
	if err != nil {
		return err
	}
	if err := cfg.StripReserved().Set(true, "sealed"); err != nil {
		return err
	}
	sealed, err := c.Update(ctx, cfg)
	if err != nil {
		return jscmd.Unsure(err, "it was sealed", "nats stream info "+o.stream)
	}
	return e.Out.Print(jscmd.StreamScreen{Stream: sealed})
}
