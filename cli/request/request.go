// Package request is the command that asks and shows the answers.
package request

import (
	"context"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/asking"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
)

// Command is `nats request`.
func Command() command.Node { return requestVerb() }

type requestOptions struct {
	asking.Options
	replies int64
	wait    bool // of earlier releases, where it meant nothing either
}

func requestVerb() command.Node {
	return command.Verb[requestOptions]{
		Meta: command.Meta{
			Name: "request", Aliases: []string{"req"}, Short: "Send requests and show the replies",
			Long: `One reply is waited for as long as --timeout says. With --replies N up to N are gathered: it ends early at a reply without a body, or when none comes for --reply-timeout longer than the mean so far. --replies 0 gathers all that come within --timeout.

With --concurrency N up to N requests wait at a time, and replies are shown as they come: their JSON names the request.

Without any reply the command ends with 5. The body comes from the argument or standard input and may be a template, as in nats publish.`,
		},
		Scope: command.User, Effect: command.Writes, Output: command.Feed, Result: asking.Answer{},
		Examples: []command.Example{
			{Line: "nats request help.me 'how?'", Says: "with patience", About: "One question, one answer", Needs: []string{"& reply help.me 'with patience'"}},
			{Line: "nats request device.info --replies 0 --timeout 300ms --json", Says: `"rtt_ns"`, About: "Everybody who answers in 300 milliseconds",
				Needs: []string{"& reply device.info here"}},
			{Line: "nats request help.me '{{Count}}' --count 100 --concurrency 10", Says: "100 replies to 100 requests", About: "A hundred questions, ten at a time", Needs: []string{"& reply help.me --echo"}},
		},
		Bind: bindRequest, Check: checkRequest, Run: runRequest,
	}
}

func bindRequest(c *fisk.CmdClause, o *requestOptions) {
	c.Arg("subject", "Subject to send to").Required().StringVar(&o.Subject)
	c.Arg("body", "Body of the request; - is standard input").IsSetByUser(&o.BodySet).StringVar(&o.Body)
	c.Flag("wait", "Wait for a reply, as always").Short('w').Hidden().Default("true").BoolVar(&o.wait)
	o.Bind(c)
	c.Flag("replies", "How many replies to gather for each request; 0 is all within --timeout").Default("1").Validator(flagval.Whole(0, 1<<31)).Int64Var(&o.replies)
	c.Flag("reply-timeout", "How much longer than the mean each further reply may take").Default("300ms").SetValue(flagval.NewDuration(&o.Between).Min(0))
	c.Flag("wait-for-empty", "Gather replies until one has no body").UnNegatableBoolVar(&o.UntilEmpty)
}

// OutputFormat is the format of --raw.
func (o *requestOptions) OutputFormat() string { return o.Format() }

func checkRequest(o *requestOptions) error {
	o.Replies = int(o.replies)
	if o.UntilEmpty {
		o.Replies = 0
	}
	if o.Subject == "" {
		return fail.Usagef("%w: it is empty", nats.ErrBadSubject)
	}
	return o.Options.Check()
}

func runRequest(ctx context.Context, e *env.Env, o requestOptions) error {
	return asking.Run(ctx, e, o.Options)
}
