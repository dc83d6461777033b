package consumer

import (
	"context"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

type resetOptions struct {
	target
	sequence    uint64
	sequenceSet bool
	force       bool
}

func resetVerb(g *group) command.Node {
	return command.Verb[resetOptions]{
		Meta: command.Meta{
			Name: "reset", Short: "Set a consumer back",
			Long: "Without --sequence to its acknowledgement floor: what was delivered and not acknowledged is delivered again. With --sequence it goes on from that message, forwards or backwards; a sequence past the end of the stream is refused, since everything before it would be left out.",
		},
		Scope: command.User, Effect: command.Destroys, Output: command.Value, Result: resetResult{},
		Names: command.Names{"stream": command.Streams, "consumer": command.Consumers},
		Examples: []command.Example{
			{Line: "nats consumer reset ORDERS NEW --force", Says: "State for Consumer ORDERS > NEW", About: "Deliver again what was not acknowledged", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *resetOptions) {
			o.bind(c, g)
			c.Flag("sequence", "Go on from this sequence of the stream").IsSetByUser(&o.sequenceSet).SetValue(flagval.NewUint64(&o.sequence).Min(1))
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
		},
		Check: (*resetOptions).check,
		Run:   runReset,
	}
}

// resetResult is where the consumer was and where it is.
type resetResult struct {
	Before   position           `json:"before"`
	After    position           `json:"after"`
	Consumer consumers.Consumer `json:"consumer"`
}

type position struct {
	Delivered api.SequenceInfo `json:"delivered"`
	AckFloor  api.SequenceInfo `json:"ack_floor"`
	Pending   uint64           `json:"num_pending"`
}

func at(c consumers.Consumer) position { return position{c.Delivered, c.AckFloor, c.NumPending} }

// View is the state after the reset.
func (r resetResult) View(p *render.Page) { screen{Consumer: r.Consumer, stateOnly: true}.View(p) }

func runReset(ctx context.Context, e *env.Env, o resetOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	before, err := o.pick(ctx, e, c)
	if err != nil {
		return err
	}
	name := full(before.Stream, before.Name)
	if o.sequenceSet {
		s, err := c.Info(ctx, before.Stream)
		if err != nil {
			return err
		}
		if last := s.StreamInfo.State.LastSeq; o.sequence > last+1 {
			return fail.Usagef("--sequence %d is past the end of stream %s: the last message has sequence %d", o.sequence, before.Stream, last).
				WithHint("--sequence %d leaves out all messages there are", last+1)
		}
	}
	if err := jscmd.Sure(ctx, e, o.force, "reset the consumer "+name, before.Name); err != nil {
		return err
	}
	if _, err := consumers.Reset(ctx, c, before.Stream, before.Name, o.sequence); err != nil {
		return err
	}
	after, err := consumers.Info(ctx, c, before.Stream, before.Name)
	if err != nil {
		return err
	}
	e.Say("Delivered up to sequence %d of the stream before, %d now", before.Delivered.Stream, after.Delivered.Stream)
	return e.Out.Print(resetResult{Before: at(before), After: at(after), Consumer: after})
}
