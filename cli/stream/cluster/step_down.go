package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
)

type stepDownOptions struct {
	stream    string
	preferred string
	force     bool
	all       *bool
}

// electionTime is how long a new leader may take.
const electionTime = 10 * time.Second

func stepDownVerb(all *bool) command.Node {
	return command.Verb[stepDownOptions]{
		Meta: command.Meta{
			Name: "step-down", Aliases: []string{"stepdown", "sd", "elect", "down", "d"}, Short: "Have another server lead a stream",
			Long: "The leader hands over, to the preferred server if one is named. The command ends when the new leader is known, with an error after ten seconds. --force asks for an election even where there seems to be no leader.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: api.StreamInfo{}, Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats stream cluster step-down --help", Says: "preferred", About: "On a cluster: nats stream cluster step-down ORDERS --preferred n2"},
		},
		Bind: func(c *fisk.CmdClause, o *stepDownOptions) {
			o.all = all
			c.Arg("stream", "The stream").StringVar(&o.stream)
			c.Flag("preferred", "The server that should lead").PlaceHolder("SERVER").StringVar(&o.preferred)
			c.Flag("force", "Ask for an election although there is no leader").Short('f').UnNegatableBoolVar(&o.force)
		},
		Run: runStepDown,
	}
}

func runStepDown(ctx context.Context, e *env.Env, o stepDownOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := clustered(ctx, e, c, *o.all, o.stream)
	if err != nil {
		return err
	}
	name, leader := s.StreamInfo.Config.Name, s.Cluster.Leader
	switch {
	case len(s.Cluster.Replicas) == 0:
		return fmt.Errorf("stream %s has a single replica: there is nobody else to lead it", name)
	case leader == "" && !o.force:
		return fail.Hint(fmt.Errorf("stream %s has no leader", name), "pass --force to ask for an election all the same")
	case o.preferred != "" && o.preferred == leader:
		return fmt.Errorf("stream %s is led by %s already (10005)", name, leader)
	}
	e.Say("Requesting leader step down of %q for stream %q in a %d peer cluster group", leader, name, len(peers(s)))
	if err := c.StepDown(ctx, name, o.preferred); err != nil {
		return err
	}
	s, err = await(ctx, e, c, name, electionTime, "the election of a new leader", func(s js.Stream) bool {
		if s.Cluster == nil || s.Cluster.Leader == "" {
			return false
		}
		if o.preferred != "" {
			return s.Cluster.Leader == o.preferred
		}
		return s.Cluster.Leader != leader
	})
	if err != nil {
		return err
	}
	e.Say("New leader elected %q", s.Cluster.Leader)
	return e.Out.Print(jscmd.StreamScreen{Stream: s})
}
