package bench

import (
	"context"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
)

type subOptions struct {
	common
	subject  string
	multi    bool
	latency  bool
	queue    string
	duration time.Duration
}

func subVerb() command.Node {
	return command.Verb[subOptions]{
		Meta: command.Meta{Name: "sub", Short: "Receive on core NATS",
			Long: `--msgs is the number of messages of each client. The rate counts from the first read to the last and leaves out what the first read brought, since nobody knows how long that took.

--wait bounds the time until the first message, --idle that between two. When fewer messages come than were asked for, the report covers those that came.`},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: result{},
		Examples: []command.Example{
			{Line: "nats bench sub demo --msgs 2000", Says: "NATS Core NATS subscriber stats", About: "Receive 2,000 messages",
				Needs: []string{"& bench pub demo --throughput 5000 --duration 15s"}},
			{Line: "nats bench sub demo --latency --duration 300ms", Says: "Delivery: expected", About: "Count losses and time the way from bench pub --latency",
				Needs: []string{"& bench pub demo --latency --throughput 5000 --duration 15s"}},
		},
		Bind: func(c *fisk.CmdClause, o *subOptions) {
			c.Arg("subject", "Subject to subscribe to").Required().StringVar(&o.subject)
			o.common.bind(c)
			o.bindEngine(c)
			c.Flag("multisubject", "Subscribe to SUBJECT.*, what bench pub --multisubject publishes to").UnNegatableBoolVar(&o.multi)
			c.Flag("latency", "Read send times and numbers that bench pub --latency writes").UnNegatableBoolVar(&o.latency)
			c.Flag("queue", "Share the messages with the other members of a queue group").PlaceHolder("GROUP").StringVar(&o.queue)
			flagval.DurationVar(c.Flag("duration", "Receive for so long after the first message instead of a number of messages").Default("0s").PlaceHolder("DURATION"), &o.duration)
		},
		Check: func(o *subOptions) error {
			if err := o.check(); err != nil {
				return err
			}
			if o.duration < 0 {
				return fail.Usagef("--duration must not be negative")
			}
			return subscribable(o.subject)
		},
		Run: runSub,
	}
}

func runSub(ctx context.Context, e *env.Env, o subOptions) error {
	s := o.spec("sub")
	s.Subject, s.Stamp, s.Queue, s.Duration = o.subject, o.latency, o.queue, o.duration
	s.Multi.On = o.multi
	if o.duration > 0 {
		s.Messages = 0
	}
	args := base(s)
	args["multi-subject"], args["subject"] = o.multi, o.subject
	return execute(ctx, e, o.common, s, args)
}
