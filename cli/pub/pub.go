// Package pub is the command that publishes messages.
package pub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/payload"
)

// Command is `nats publish`.
func Command() command.Node { return pubVerb() }

type pubOptions struct {
	subject string
	body    string
	bodySet bool

	reply     string
	headers   nats.Header
	count     int64
	sleep     time.Duration
	jitter    time.Duration
	quiet     bool
	force     bool
	sendOn    string
	templates bool
	asked     bool // --templates or --no-templates was given

	from       string // format of the records on standard input
	errorFile  string
	headerFile string

	jetstream bool
	atomic    bool
	schedule  schedule
}

func pubVerb() command.Node {
	return command.Verb[pubOptions]{
		Meta: command.Meta{
			Name: "publish", Aliases: []string{"pub"}, Short: "Publish messages",
			Long: `The body is the argument, else standard input: all of it as one message, or with --send-on newline one message for each line. The argument - is standard input too.

A body given as argument is a template, and so are the subject and header values: {{Count}} {{ID}} {{Time}} {{TimeStamp}} {{Unix}} {{UnixNano}} {{Random 5 10}}. What comes from standard input is sent byte for byte unless --templates is given.

With --from ndjson or --from csv each record on standard input is a message: subject, reply, data or data_base64, headers (in CSV a column header:NAME for each), ttl and id. What a record does not say comes from the command line. A record that cannot be published is told, kept in --error-file, and does not stop the rest.

A message is reported as published when the server has processed it; with --jetstream when the stream has stored it.`,
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: receipt{},
		Examples: []command.Example{
			{Line: "nats pub hello.world 'Hello!'", Says: `Published 6 bytes to "hello.world"`, About: "One message"},
			{Line: "nats pub 'sensor.{{Count}}' '{\"id\":\"{{ID}}\"}' --count 10", Says: "sensor.10", About: "Ten messages, each with its own subject and body"},
			{Line: `printf 'one\ntwo\n' | nats pub lines --send-on newline`, Says: "Published", About: "A message for each line"},
			{Line: `printf '{"subject":"orders.1","data":"new","headers":{"Kind":"a"}}\n' | nats pub orders --from ndjson`, Says: "Published 1", About: "Records that bring subject and headers"},
		},
		Bind: bindPub, Check: checkPub, Run: runPub,
	}
}

func bindPub(c *fisk.CmdClause, o *pubOptions) {
	c.Arg("subject", "Subject to publish to").Required().StringVar(&o.subject)
	c.Arg("body", "Body of the message; - is standard input").IsSetByUser(&o.bodySet).StringVar(&o.body)
	c.Flag("reply", "Reply subject to put on the message").StringVar(&o.reply)
	flagval.HeaderVar(c.Flag("header", "Header to put on the message").Short('H').PlaceHolder("K:V"), &o.headers)
	flagval.Int64Var(c.Flag("count", "How many messages to send of each body").Default("1"), &o.count)
	flagval.DurationVar(c.Flag("sleep", "Pause between two messages").PlaceHolder("DURATION"), &o.sleep)
	flagval.DurationVar(c.Flag("jitter", "Random extra pause, up to this").PlaceHolder("DURATION"), &o.jitter)
	c.Flag("quiet", "Say nothing about each message").Short('q').UnNegatableBoolVar(&o.quiet)
	c.Flag("force-stdin", "Read standard input also when it is a terminal").UnNegatableBoolVar(&o.force)
	c.Flag("send-on", "When a message from standard input is whole: at its end (eof) or at each line (newline)").Default("eof").EnumVar(&o.sendOn, "newline", "eof")
	c.Flag("templates", "Expand templates in body and subject").Default("true").IsSetByUser(&o.asked).BoolVar(&o.templates)
	c.Flag("jetstream", "Publish to a stream and wait until it has stored the message").Short('J').UnNegatableBoolVar(&o.jetstream)
	c.Flag("atomic", "Store all lines of standard input in one atomic batch, or none").UnNegatableBoolVar(&o.atomic)
	c.Flag("from", "Read records from standard input, a message each, with their own subject, headers, ttl and id").PlaceHolder("FORMAT").EnumVar(&o.from, "ndjson", "csv")
	c.Flag("error-file", "Keep records that were not published in this file, as they came").PlaceHolder("FILE").StringVar(&o.errorFile)
	c.Flag("header-file", "Headers to put on the message: lines of K:V, or a JSON object").PlaceHolder("FILE").StringVar(&o.headerFile)
	o.schedule.bind(c)
}

func checkPub(o *pubOptions) error {
	if err := o.checkRecords(); err != nil {
		return err
	}
	if err := o.schedule.check(); err != nil {
		return err
	}
	if o.schedule.given() {
		o.jetstream = true
	}
	if o.atomic {
		switch {
		case o.schedule.given():
			return fail.Usagef("--atomic cannot be combined with schedules")
		case o.sendOn != "newline" || o.bodySet && o.body != "-":
			return fail.Usagef("atomic batch publishing requires JetStream and STDIN with --send-on=newline")
		}
	}
	o.count = max(o.count, 1)
	// A subject with a template is checked when it is known.
	if t, err := payload.Compile("subject", o.subject, payload.ForPublish); err != nil {
		return err
	} else if t.Literal() || !o.templates {
		return publishable(o.subject)
	}
	return nil
}

// publishable refuses what no message can be published to.
func publishable(subject string) error {
	if err := flagval.CheckSubject(subject, false); err != nil {
		return fail.Usagef("%w: %s", nats.ErrBadSubject, err)
	}
	return nil
}

// outbox takes composed messages and answers for what became of them.
type outbox interface {
	// send takes one message; body is valid during the call. Its error ends the run.
	send(ctx context.Context, m message) error
	// reject notes a message that cannot be sent; its error ends the run.
	reject(m message, err error) error
	// idle is called when nothing follows for now: what was taken is to be sent and, where it is due, reported.
	idle(ctx context.Context) error
	// close waits for the word on everything taken.
	close(ctx context.Context) error
}

// message is one message, composed.
type message struct {
	number  int // from 1
	line    int // of standard input, 0 when the body is no line
	subject string
	reply   string
	header  nats.Header
	body    []byte
	raw     []byte // the record it was made of
}

func runPub(ctx context.Context, e *env.Env, o pubOptions) error {
	r := &receipt{Subject: o.subject}
	c, err := newComposer(e, o)
	if err != nil {
		return err
	}
	ctx, done := e.Nats.Allowed(ctx)
	defer done()
	var box outbox
	switch {
	case o.atomic:
		box, err = newBatch(ctx, e, o, r)
	case o.jetstream:
		box, err = newStored(ctx, e, o, r)
	default:
		box, err = newCore(ctx, e, o, r)
	}
	if err != nil {
		return err
	}
	if c.input.FromStdin() && !o.quiet && !e.Out.Machine() {
		e.Say("Reading payload from STDIN")
	}
	if o.from != "" {
		err = c.runRecords(ctx, e, o, box, r)
	} else {
		err = c.run(ctx, e, o, box)
	}
	last := ctx
	if err != nil {
		last = context.WithoutCancel(ctx) // what was sent before an interrupt or an error is still answered for
	}
	tail, cancel := e.Nats.Deadline(last)
	defer cancel()
	if cerr := box.close(tail); err == nil {
		err = cerr
	}
	if rerr := r.rejects.close(); rerr != nil && err == nil {
		err = fmt.Errorf("error file %s: %w", o.errorFile, rerr)
	}
	if o.from != "" && !o.quiet && !e.Out.Machine() {
		e.Say("%s", r.summary(o.errorFile))
	}
	if err == nil {
		err = r.verdict()
	}
	if perr := e.Out.Print(*r); err == nil {
		err = perr
	}
	return err
}

// composer makes messages of bodies: templates, headers, schedule.
type composer struct {
	input   payload.Input
	subject *payload.Text
	header  *payload.HeaderTemplate
	values  payload.Values
	plain   bool    // neither subject nor header nor body has anything to expand
	fixed   message // then: what all messages share
}

func newComposer(e *env.Env, o pubOptions) (*composer, error) {
	c := &composer{
		input: payload.Input{
			Stdin: e.IO.In, StdinTTY: e.IO.InTTY, Force: o.force, Lines: o.sendOn == "newline",
			Templates: o.templates, TemplatesAsked: o.asked,
		},
		values: payload.Values{Clock: e.Clock},
	}
	if o.bodySet {
		c.input.Arg = &o.body
	}
	var err error
	if o.templates {
		c.subject, err = payload.Compile("subject", o.subject, payload.ForPublish)
	} else {
		c.subject = payload.Verbatim("subject", o.subject)
	}
	if err != nil {
		return nil, err
	}
	if err := o.readHeaders(e); err != nil {
		return nil, err
	}
	c.header, err = payload.CompileHeader(payload.MergeHeaders(o.schedule.header(e.Clock.Now()), o.headers), payload.ForPublish)
	if err != nil {
		return nil, err
	}
	if c.subject.Literal() && len(o.headers) == 0 && !o.schedule.given() && !c.input.ExpandBody() {
		c.plain = true
		c.fixed, err = c.compose(payload.Verbatim("body", ""), 1, 0, o.reply)
	}
	return c, err
}

// run sends every body as often as asked, with its pauses.
func (c *composer) run(ctx context.Context, e *env.Env, o pubOptions, box outbox) error {
	src := newSource(ctx, c.input)
	defer src.close()
	pace := pacer{e: e, sleep: o.sleep, jitter: o.jitter}
	number := 0
	for {
		body, err := src.next(func() error { return box.idle(ctx) })
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if c.plain && o.count == 1 && !pace.on() {
			// A million piped lines: nothing to expand, nothing to wait for.
			number++
			m := c.fixed
			m.number, m.line, m.body = number, body.Line, body.Data
			if err := box.send(ctx, m); err != nil {
				return err
			}
			continue
		}
		text, err := c.input.Text(body, payload.ForPublish)
		if err != nil {
			return err
		}
		if box, ok := box.(*core); ok && o.count > 1 && !pace.on() && text.Literal() && c.subject.Literal() && c.header.Literal() {
			if err := box.repeat(ctx, c, body, o); err != nil {
				return err
			}
			number += int(o.count)
			continue
		}
		for range o.count {
			number++
			if err := pace.wait(ctx, func() error { return box.idle(ctx) }); err != nil {
				return err
			}
			m, err := c.compose(text, number, body.Line, o.reply)
			if err != nil {
				return err
			}
			if err := box.send(ctx, m); err != nil {
				return err
			}
		}
	}
}

func (c *composer) compose(text *payload.Text, number, line int, reply string) (message, error) {
	c.values.Next(number)
	m := message{number: number, line: line, reply: reply}
	var err error
	if m.subject, err = c.subject.ExpandString(&c.values); err != nil {
		return m, err
	}
	if !c.subject.Literal() {
		if err := publishable(m.subject); err != nil {
			return m, err
		}
	}
	if m.header, err = c.header.Expand(&c.values); err != nil {
		return m, err
	}
	m.body, err = text.Expand(nil, &c.values)
	return m, err
}

// pacer keeps the pause between two messages: measured from send to send, the first is never held back.
type pacer struct {
	e             *env.Env
	sleep, jitter time.Duration
	last          time.Time
}

func (p *pacer) on() bool { return p.sleep > 0 || p.jitter > 0 }

func (p *pacer) wait(ctx context.Context, idle func() error) error {
	if !p.on() {
		return nil
	}
	now := p.e.Clock.Now()
	if !p.last.IsZero() {
		pause := p.sleep
		if p.jitter > 0 {
			pause += rand.N(p.jitter)
		}
		if left := p.last.Add(pause).Sub(now); left > 0 {
			if err := idle(); err != nil {
				return err
			}
			select {
			case <-p.e.Clock.After(left):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			now = p.e.Clock.Now()
		}
	}
	p.last = now
	return nil
}

// where names a message for an error: its line where it has one.
func (m message) where() string {
	if m.line > 0 {
		return fmt.Sprintf("line %d", m.line)
	}
	return fmt.Sprintf("message %d", m.number)
}
