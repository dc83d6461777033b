package bench

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/meter/load"
)

func serviceGroup() command.Node {
	o := &common{}
	return command.Group{
		Meta: command.Meta{Name: "service", Short: "Measure requests to a service and their replies"},
		Bind: func(c *fisk.CmdClause) {
			c.Tag("scope:user", "impact:rw")
			o.bind(c)
			o.bindEngine(c)
			o.bindSleep(c)
		},
		Nodes: func() []command.Node { return []command.Node{requestVerb(o), serveVerb(o)} },
	}
}

type requestOptions struct {
	pacing
	body
	subject string
}

func requestVerb(shared *common) command.Node {
	return command.Verb[requestOptions]{
		Meta: command.Meta{Name: "request", Short: "Send requests and time their replies",
			Long: `--msgs is the number of requests of all clients together; each client has one under way at a time. An empty reply, one that starts with "-" and one that contains "error" end the run.

With --throughput, --ramp or --steps a latency counts from when its request was meant to be sent, so that a slow reply shows in the requests that waited for it.`},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: result{},
		Examples: []command.Example{
			{Line: "nats bench service request svc --msgs 500 --clients 2", Says: "aggregated stats", About: "Two clients that ask in turn", Needs: []string{"& bench service serve svc"}},
		},
		Bind: func(c *fisk.CmdClause, o *requestOptions) {
			c.Arg("subject", "Subject of the requests").Required().StringVar(&o.subject)
			o.pacing.bind(c)
			o.body.bind(c)
		},
		Check: func(o *requestOptions) error {
			if err := shared.check(); err != nil {
				return err
			}
			if err := o.pacing.check(); err != nil {
				return err
			}
			if err := o.checkHeader(); err != nil {
				return err
			}
			return publishable(o.subject)
		},
		Run: func(ctx context.Context, e *env.Env, o requestOptions) error { return runRequest(ctx, e, *shared, o) },
	}
}

func runRequest(ctx context.Context, e *env.Env, shared common, o requestOptions) error {
	s := shared.spec("service request")
	s.Subject = o.subject
	timeout := e.Nats.Effective().Timeout // nobody waits longer for a reply
	s.Wait, s.Idle = min(s.Wait, timeout), min(s.Idle, timeout)
	o.apply(&s)
	if err := o.body.load(e, &s); err != nil {
		return err
	}
	args := base(s).withPacing(o.pacing)
	args["sleep"], args["subject"] = shared.sleep, o.subject
	return execute(ctx, e, shared, s, args)
}

type serveOptions struct{ subject string }

func serveVerb(shared *common) command.Node {
	return command.Verb[serveOptions]{
		Meta: command.Meta{Name: "serve", Short: "Answer requests until interrupted",
			Long: "Each client is an instance of the service nats-bench-service and answers ok. --sleep is the time it takes over an answer. An interrupt is the normal end."},
		Scope: command.User, Effect: command.Writes, Output: command.Feed, Result: result{},
		Examples: []command.Example{
			{Line: "nats bench service serve svc --clients 2", Says: "hit control-c to stop", About: "Two instances that share the requests"},
		},
		Bind: func(c *fisk.CmdClause, o *serveOptions) {
			c.Arg("subject", "Subject to answer on").Required().StringVar(&o.subject)
		},
		Check: func(o *serveOptions) error {
			if err := shared.check(); err != nil {
				return err
			}
			if err := shared.alone("a server that runs until it is stopped"); err != nil {
				return err
			}
			return subscribable(o.subject)
		},
		Run: func(ctx context.Context, e *env.Env, o serveOptions) error { return runServe(ctx, e, *shared, o) },
	}
}

func runServe(ctx context.Context, e *env.Env, shared common, o serveOptions) error {
	s := shared.spec("service serve")
	s.Subject = o.subject
	s.Wait, s.Idle, s.Messages = 0, 0, 0
	if err := reachable(e, shared, s); err != nil {
		return err
	}
	if err := writable(e, shared, s); err != nil {
		return err
	}
	args := base(s)
	args["sleep"], args["subject"], args["msgs"] = shared.sleep, o.subject, count(shared.msgs)
	shared.progress = false
	w := world(e)
	w.Gate = func(context.Context) error { // a line that tells scripts when to begin
		introduce(e, s, args)
		return nil
	}
	feed := e.Out.Feed()
	r, err := load.Run(ctx, w, s)
	if r == nil {
		_ = feed.Flush()
		return err
	}
	return publishReport(e, shared, r, err, feed.Close)
}
