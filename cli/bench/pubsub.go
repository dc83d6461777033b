package bench

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
)

type pubsubOptions struct {
	common
	pacing
	body
	multi       multi
	subject     string
	latency     bool
	queue       string
	subscribers int64
}

func pubsubVerb() command.Node {
	return command.Verb[pubsubOptions]{
		Meta: command.Meta{Name: "pubsub", Short: "Publish and receive on core NATS in one process",
			Long: `--clients publishers send --msgs messages together, and every one of --subscribers receives them all, or with --queue the members share them.

Each payload carries its send time and number: the report has the end-to-end latency, and says what was lost, repeated or out of order. --no-latency leaves payloads alone, for the highest rates.`},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: result{},
		Examples: []command.Example{
			{Line: "nats bench pubsub demo --msgs 20000 --size 16B", Says: "Delivery: expected 20,000 | received 20,000 | lost 0", About: "The speed of both sides together, and the way between them"},
			{Line: "nats bench pubsub demo --throughput 2000 --duration 500ms --hdr latency.hgrm", Says: "Saved latency histogram", About: "End-to-end latency at a steady rate"},
		},
		Bind: func(c *fisk.CmdClause, o *pubsubOptions) {
			c.Arg("subject", "Subject to publish to and to subscribe to").Required().StringVar(&o.subject)
			o.common.bind(c)
			o.bindEngine(c)
			o.bindSleep(c)
			o.pacing.bind(c)
			o.body.bind(c)
			o.multi.bind(c)
			c.Flag("latency", "Write send time and number into each payload").Default("true").BoolVar(&o.latency)
			c.Flag("queue", "Let the subscribers share the messages as members of this queue group").PlaceHolder("GROUP").StringVar(&o.queue)
			c.Flag("subscribers", "How many clients receive").Default("1").SetValue(flagval.NewInt64(&o.subscribers).Min(1).Max(60_000))
		},
		Check: checkPubsub, Run: runPubsub,
	}
}

func checkPubsub(o *pubsubOptions) error {
	if err := o.common.check(); err != nil {
		return err
	}
	if err := o.alone("both sides in one process: run bench sub and bench pub"); err != nil {
		return err
	}
	if err := o.pacing.check(); err != nil {
		return err
	}
	if err := o.checkHeader(); err != nil {
		return err
	}
	if o.latency && (o.payload != "" || o.size.low < 16) {
		return fail.Hint(stampable(true, o.size.low, o.payload), "--no-latency measures without it")
	}
	return publishable(o.subject)
}

func runPubsub(ctx context.Context, e *env.Env, o pubsubOptions) error {
	s := o.spec("pubsub")
	s.Subject, s.Multi, s.Stamp, s.Queue, s.Subscribers = o.subject, o.multi.spec(), o.latency, o.queue, int(o.subscribers)
	o.apply(&s)
	if err := o.body.load(e, &s); err != nil {
		return err
	}
	args := base(s).withPacing(o.pacing).withMulti(o.multi)
	args["sleep"], args["subject"], args["subscribers"] = o.sleep, o.subject, o.subscribers
	return execute(ctx, e, o.common, s, args)
}
