package bench

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
)

type pubOptions struct {
	common
	pacing
	body
	multi   multi
	subject string
	latency bool
}

func pubVerb() command.Node {
	return command.Verb[pubOptions]{
		Meta: command.Meta{Name: "pub", Short: "Publish on core NATS",
			Long: `--msgs is the number of messages of all clients together. The rate counts from the first publish until the server has confirmed the last.

The latency is the time from the hand-over of a message to the server's word that it has processed it, sampled while the run goes as fast as it can. With --throughput, --ramp or --steps each message has a time at which it is meant to be sent, whether the server keeps up or not; then every latency counts from there.`},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: result{},
		Examples: []command.Example{
			{Line: "nats bench pub demo --msgs 20000 --size 16B", Says: "NATS Core NATS publisher stats", About: "As fast as one client can"},
			{Line: "nats bench pub demo --throughput 2000 --duration 500ms --clients 2", Says: "aggregated stats", About: "A steady rate, with true latencies"},
			{Line: "nats bench pub demo --steps 1000,2000,4000 --duration 600ms --report steps.html", Says: "At 4,000 msgs/sec", About: "Find where the latency begins to rise"},
		},
		Bind: func(c *fisk.CmdClause, o *pubOptions) {
			c.Arg("subject", "Subject to publish to").Required().StringVar(&o.subject)
			o.common.bind(c)
			o.bindEngine(c)
			o.bindSleep(c)
			o.pacing.bind(c)
			o.body.bind(c)
			o.multi.bind(c)
			c.Flag("latency", "Write send time and number into each payload, for bench sub --latency").UnNegatableBoolVar(&o.latency)
		},
		Check: checkPub, Run: runPub,
	}
}

func checkPub(o *pubOptions) error {
	if err := o.common.check(); err != nil {
		return err
	}
	if err := o.pacing.check(); err != nil {
		return err
	}
	if err := o.checkHeader(); err != nil {
		return err
	}
	if err := stampable(o.latency, o.size.low, o.payload); err != nil {
		return err
	}
	return publishable(o.subject)
}

func runPub(ctx context.Context, e *env.Env, o pubOptions) error {
	s := o.spec("pub")
	s.Subject, s.Multi, s.Stamp = o.subject, o.multi.spec(), o.latency
	o.apply(&s)
	if err := o.body.load(e, &s); err != nil {
		return err
	}
	args := base(s).withPacing(o.pacing).withMulti(o.multi)
	args["sleep"], args["subject"] = o.sleep, o.subject
	return execute(ctx, e, o.common, s, args)
}
