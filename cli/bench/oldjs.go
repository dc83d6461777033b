package bench

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/meter/crew"
)

func oldjsGroup() command.Node {
	o := &jsCommon{}
	return command.Group{
		Meta: command.Meta{Name: "oldjs", Short: "Measure consumers through the legacy API of nats.go", Hidden: true},
		Bind: func(c *fisk.CmdClause) {
			c.Tag("scope:user", "impact:rw")
			o.bind(c)
			o.bindSleep(c)
			c.Flag("stream", "The stream to use").Default("benchstream").StringVar(&o.stream)
		},
		Nodes: func() []command.Node {
			return []command.Node{oldVerb(o, "ordered"), oldVerb(o, "push"), oldVerb(o, "pull")}
		},
	}
}

type oldOptions struct {
	subject   string
	multi     bool
	consumer  string
	batch     int64
	ack       bool
	doubleAck bool
}

func oldVerb(shared *jsCommon, mode string) command.Node {
	return command.Verb[oldOptions]{
		Meta:  command.Meta{Name: mode, Short: "Receive from " + map[string]string{"ordered": "an ordered consumer", "push": "a durable push consumer", "pull": "a durable pull consumer"}[mode]},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: result{},
		Examples: []command.Example{{Line: "nats bench oldjs " + mode + " demo --msgs 500", Says: "(old API) stats", About: "Receive 500 messages", Needs: filling()}},
		Bind: func(c *fisk.CmdClause, o *oldOptions) {
			c.Arg("subject", "Subject of the messages").Required().StringVar(&o.subject)
			if mode == "ordered" {
				c.Flag("multisubject", "Receive from SUBJECT.*").UnNegatableBoolVar(&o.multi)
				return
			}
			c.Flag("consumer", "The durable consumer to use").Default("nats-bench").StringVar(&o.consumer)
			limit, says := "batch", "How many messages a client asks for at a time"
			if mode == "push" {
				limit, says = "maxacks", "How many messages of a client may wait for their acknowledgement"
			}
			c.Flag(limit, says).Default("500").SetValue(flagval.NewInt64(&o.batch).Min(1))
			c.Flag("ack", "Acknowledge the messages").Default("true").BoolVar(&o.ack)
			c.Flag("doubleack", "Wait for the server to confirm each acknowledgement").Default("false").BoolVar(&o.doubleAck)
		},
		Check: func(o *oldOptions) error {
			if err := shared.check(); err != nil {
				return err
			}
			if err := shared.alone("the legacy API"); err != nil {
				return err
			}
			return subscribable(o.subject)
		},
		Run: func(ctx context.Context, e *env.Env, o oldOptions) error { return runOld(ctx, e, *shared, mode, o) },
	}
}

func runOld(ctx context.Context, e *env.Env, shared jsCommon, mode string, o oldOptions) error {
	shared.engine = crew.NatsGo
	s := shared.spec("oldjs " + mode)
	s.Subject, s.Multi.On = o.subject, o.multi
	s.Stream = crew.Stream{Name: shared.stream, Consumer: o.consumer, Batch: int(o.batch), Acks: "explicit", DoubleAck: o.doubleAck}
	if !o.ack {
		s.Stream.Acks = "none"
	}
	args := base(s)
	args["sleep"], args["stream"], args["subject"] = shared.sleep, shared.stream, o.subject
	if mode != "ordered" {
		args["ack"], args["consumer"], args["double-acked"], args["batch"] = o.ack, o.consumer, o.doubleAck, count(o.batch)
	}
	return execute(ctx, e, shared.common, s, args)
}
