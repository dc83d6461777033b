// Package reply is the command that answers requests.
package reply

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/render"
)

// Command is `nats reply`.
func Command() command.Node { return replyVerb() }

type replyOptions struct {
	subject     string
	body        string
	bodySet     bool
	echo        bool
	command     string
	queue       string
	sleep       time.Duration
	headers     nats.Header
	count       uint64
	concurrency int64

	responder *payload.Command
	text      *payload.Text
	header    *payload.HeaderTemplate
}

func replyVerb() command.Node {
	return command.Verb[replyOptions]{
		Meta: command.Meta{
			Name: "reply", Short: "Answer requests",
			Long: `The answer is the body, a template; or with --echo the request itself; or with --command what a command writes to its standard output. The body knows {{Request}}, {{Subject}}, {{Token 0}}, {{Header "K"}} and {{Count}}, which counts requests from 1, beside what nats publish knows.

The command is cut into arguments once and run without a shell: {{0}}, {{1}} are the tokens of the subject, {{Request}} the body, which is also on its standard input and, with the subject, in NATS_REQUEST_BODY and NATS_REQUEST_SUBJECT. When it fails the reply has no body and the header Nats-Service-Error.

Whoever runs this with the same --queue shares the requests.`,
		},
		Scope: command.User, Effect: command.Writes, Output: command.Feed, Result: handled{},
		Examples: []command.Example{
			{Line: "nats reply device.time 'it is {{Time}}'", Says: `Listening on "device.time" in group "NATS-RPLY-22"`, About: "A fixed answer with the time in it"},
			{Line: "nats reply 'weather.*' --command 'echo sunny in {{1}}'", Says: "Listening on", About: "What a command says"},
		},
		Bind: bindReply, Check: checkReply, Run: runReply,
	}
}

func bindReply(c *fisk.CmdClause, o *replyOptions) {
	c.Arg("subject", "Subject to answer on, wildcards allowed").Required().StringVar(&o.subject)
	c.Arg("body", "The answer, a template").IsSetByUser(&o.bodySet).StringVar(&o.body)
	c.Flag("echo", "Answer with the request itself").UnNegatableBoolVar(&o.echo)
	c.Flag("command", "Answer with what this command writes").PlaceHolder("COMMAND").StringVar(&o.command)
	c.Flag("queue", "Share the requests with the other members of this group").Short('q').Default("NATS-RPLY-22").StringVar(&o.queue)
	c.Flag("sleep", "Wait a random time up to this before each answer").PlaceHolder("MAX").SetValue(flagval.NewDuration(&o.sleep).Min(0))
	flagval.HeaderVar(c.Flag("header", "Header to put on answers, its value a template").Short('H').PlaceHolder("K:V"), &o.headers)
	c.Flag("count", "End after this many answers").PlaceHolder("N").Validator(flagval.Whole(0, 1<<31)).Uint64Var(&o.count)
	c.Flag("concurrency", "How many requests are handled at a time").Default("10").Validator(flagval.Whole(1, 10_000)).Int64Var(&o.concurrency)
}

func checkReply(o *replyOptions) error {
	if err := flagval.CheckSubject(o.subject, true); err != nil {
		return fail.Usagef("%w: %s", nats.ErrBadSubject, err)
	}
	if o.queue == "" || strings.ContainsAny(o.queue, " \t\r\n") {
		return fail.Usagef("--queue %q: a group has a name without spaces", o.queue)
	}
	var err error
	if o.command != "" {
		if o.responder, err = payload.ParseResponder(o.command); err != nil {
			return err
		}
	}
	if o.text, err = payload.Compile("body", o.body, payload.ForReply); err != nil {
		return err
	}
	o.header, err = payload.CompileHeader(o.headers, payload.ForReply)
	return err
}

// responder answers what arrives.
type responder struct {
	e       *env.Env
	o       *replyOptions
	nc      *nats.Conn
	feed    *render.Feed
	exec    payload.Exec
	slots   chan struct{}
	running sync.WaitGroup
	number  int
	machine bool
}

func runReply(ctx context.Context, e *env.Env, o replyOptions) error {
	r := &responder{e: e, o: &o, slots: make(chan struct{}, o.concurrency), machine: e.Out.Machine()}
	switch {
	case o.echo:
		o.responder = nil
	case o.responder != nil:
		r.exec = e.Child()
	case !o.bodySet:
		o.echo = true
		e.Say("No body or command supplied, enabling echo mode")
	}
	ctx, done := e.Nats.Allowed(ctx)
	defer done()
	var err error
	if r.nc, err = e.Nats.Conn(ctx); err != nil {
		return err
	}
	r.feed = e.Out.Feed()
	err = contexts.Refusal(ctx, r.run(ctx))
	if cerr := r.feed.Close(nil); err == nil {
		err = cerr
	}
	return fail.Ended(ctx, err)
}

// inbox is how many requests may wait for their turn; more than that are dropped, as nats.go does by itself.
const inbox = 64 * 1024

// listen is what the server sends us: a channel that several subscriptions fill.
type listen struct {
	nc             *nats.Conn
	subject, queue string
	messages       chan *nats.Msg
	subs           []*nats.Subscription
}

// more makes the server send us up to n messages beyond those it was asked for before, without end when n is 0.
// With an end, other members of the group get what we do not answer.
func (l *listen) more(n int) error {
	sub, err := l.nc.ChanQueueSubscribe(l.subject, l.queue, l.messages)
	if err == nil && n > 0 {
		err = sub.AutoUnsubscribe(n)
	}
	l.subs = append(l.subs, sub)
	return err
}

// end makes the server send no more; all that it has sent is in the channel when end returns.
func (l *listen) end(ctx context.Context) error {
	for _, sub := range l.subs {
		if err := sub.Drain(); err != nil && !errors.Is(err, nats.ErrBadSubscription) {
			return err
		}
	}
	return l.nc.FlushWithContext(ctx)
}

// run answers until the count is reached or ctx ends. What had arrived by then is still answered, within --timeout.
func (r *responder) run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	in := &listen{nc: r.nc, subject: r.o.subject, queue: r.o.queue, messages: make(chan *nats.Msg, inbox)}
	if err := in.more(int(r.o.count)); err != nil {
		return err
	}
	bounded, done := r.e.Nats.Deadline(ctx)
	err := r.nc.FlushWithContext(bounded)
	done()
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	r.e.Say("Listening on %q in group %q", r.o.subject, r.o.queue)
	return r.drain(ctx, work, cancel, in, r.serve(ctx, work, in))
}

// serve answers messages until the count is reached or ctx ends.
func (r *responder) serve(ctx, work context.Context, in *listen) error {
	closed := r.nc.StatusChanged(nats.CLOSED)
	defer r.nc.RemoveStatusListener(closed)
	for r.o.count == 0 || r.o.count > uint64(r.number) {
		select {
		case m := <-in.messages:
			if m.Reply == "" && r.o.count > 0 {
				// It was one of those that we asked for, but it is not one that counts.
				if err := in.more(1); err != nil {
					return err
				}
			}
			if err := r.accept(work, m); err != nil {
				return err
			}
		case <-closed:
			return nats.ErrConnectionClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// drain ends the subscriptions, answers what had arrived and waits until the server has the answers.
func (r *responder) drain(ctx, work context.Context, cancel func(), in *listen, err error) error {
	if err != nil && ctx.Err() == nil {
		cancel()
		r.running.Wait()
		return err
	}
	r.e.Say("Draining...")
	tail, done := r.e.Nats.Deadline(context.WithoutCancel(ctx))
	defer done()
	defer context.AfterFunc(tail, cancel)()
	if r.nc.IsConnected() && ctx.Err() != nil {
		r.rest(tail, work, in)
	}
	r.running.Wait()
	if r.nc.IsConnected() {
		if ferr := r.nc.FlushWithContext(tail); err == nil {
			err = ferr
		}
	}
	r.e.Say("Exiting")
	return err
}

// rest answers what the server had sent before it learned that we end.
func (r *responder) rest(tail, work context.Context, in *listen) {
	if in.end(tail) != nil {
		return
	}
	for {
		select {
		case m := <-in.messages:
			if r.accept(work, m) != nil {
				return
			}
		default:
			return
		}
	}
}

// accept shows a request and has it answered beside us. A message that asks for no answer is only told of.
func (r *responder) accept(work context.Context, m *nats.Msg) error {
	if m.Reply == "" {
		r.e.Say("Could not publish reply: %s on %q", nats.ErrMsgNoReply, m.Subject)
		return nil
	}
	r.number++
	h := &handled{Number: r.number, Subject: m.Subject, Reply: m.Reply, Headers: m.Header, Time: r.e.Clock.Now(), body: m.Data}
	if !r.machine {
		r.e.Say("[#%d] Received on subject %q:", h.Number, h.Subject)
		for _, line := range payload.HeaderLines(m.Header) {
			r.e.Say("%s", line)
		}
		if err := r.feed.Emit(h); err != nil {
			return err
		}
	}
	select {
	case r.slots <- struct{}{}:
	case <-work.Done():
		return context.Cause(work)
	}
	r.running.Go(func() {
		defer func() { <-r.slots }()
		r.handle(work, m, h)
	})
	return nil
}

// handle answers one request.
func (r *responder) handle(ctx context.Context, m *nats.Msg, h *handled) {
	if r.o.sleep > 0 {
		select {
		case <-r.e.Clock.After(rand.N(r.o.sleep)):
		case <-ctx.Done():
			return
		}
	}
	answer, err := r.answer(ctx, m, h.Number)
	if err != nil {
		h.Error = err.Error()
		r.e.Say("[#%d] %s", h.Number, err)
	}
	if err := r.nc.PublishMsg(answer); err != nil {
		h.Error = err.Error()
		r.e.Say("[#%d] Could not publish reply: %s", h.Number, err)
	}
	if r.machine {
		h.finish(answer.Data)
		_ = r.feed.Emit(h) // a reader that went away is met by the next request, or by Close
	}
}
