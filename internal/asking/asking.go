// Package asking is what the commands share that send requests and show replies.
package asking

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/publish"
)

// Options say what is asked, how often, and how the replies are shown.
type Options struct {
	Subject string // may be a template
	Body    string
	BodySet bool

	Headers   nats.Header
	Raw       bool  // bodies alone
	Count     int64 // requests for each body
	Translate string
	Force     bool
	SendOn    string // eof or newline
	Templates bool
	AtOnce    int64 // how many requests may wait for their replies at a time; 0 is one

	Replies    int // to gather for each request; 0 is all within the timeout
	Between    time.Duration
	UntilEmpty bool

	asked      bool // --templates or --no-templates was given
	translator *payload.Command
}

// Bind declares the flags that all commands which ask have.
func (o *Options) Bind(c *fisk.CmdClause) {
	c.Flag("raw", "Write the bodies of replies alone, each with a line break if it has none").Short('r').UnNegatableBoolVar(&o.Raw)
	flagval.HeaderVar(c.Flag("header", "Header to put on the request").Short('H').PlaceHolder("K:V"), &o.Headers)
	flagval.Int64Var(c.Flag("count", "How many requests to send of each body").Default("1"), &o.Count)
	c.Flag("translate", "Put each reply through a command first, without a shell").PlaceHolder("COMMAND").StringVar(&o.Translate)
	c.Flag("force-stdin", "Read standard input also when it is a terminal").UnNegatableBoolVar(&o.Force)
	c.Flag("send-on", "When a request from standard input is whole: at its end (eof) or at each line (newline)").Default("eof").EnumVar(&o.SendOn, "newline", "eof")
	c.Flag("concurrency", "How many requests wait for their replies at a time").Default("1").Validator(flagval.Whole(1, 10_000)).Int64Var(&o.AtOnce)
	c.Flag("templates", "Expand templates in body and subject").Default("true").IsSetByUser(&o.asked).BoolVar(&o.Templates)
}

// Format claims the text format for bare bodies, so that asking for another one is an error.
func (o *Options) Format() string {
	if o.Raw {
		return "text"
	}
	return ""
}

// Check prepares what can be told wrong before anything is sent.
func (o *Options) Check() error {
	if o.Count < 1 {
		o.Count = 32767
	}
	if o.Translate != "" {
		var err error
		if o.translator, err = payload.ParseTranslate(o.Translate); err != nil {
			return err
		}
	}
	t, err := payload.Compile("subject", o.Subject, payload.ForPublish)
	if err != nil && o.Templates {
		return err
	}
	if o.Subject != "" && (!o.Templates || t.Literal()) {
		return sendable(o.Subject)
	}
	return nil
}

func sendable(subject string) error {
	if err := flagval.CheckSubject(subject, false); err != nil {
		return fail.Usagef("%w: %s", nats.ErrBadSubject, err)
	}
	return nil
}

// asker sends requests and shows what comes back.
type asker struct {
	e       *env.Env
	o       *Options
	nc      *nats.Conn
	out     *output
	rule    publish.Rule
	subject *payload.Text
	header  *payload.HeaderTemplate
	values  payload.Values
	sent    int

	mu       sync.Mutex // guards what follows, and the output
	answered int        // requests with a reply
	rtts     []time.Duration
	failed   error // the first reason why a request had none
	service  error // the first error that a service answered with
}

// Run sends the requests and shows the replies. Its error says which requests were not answered, or what a service complained of.
func Run(ctx context.Context, e *env.Env, o Options) error {
	a := &asker{e: e, o: &o, values: payload.Values{Clock: e.Clock}}
	a.rule = publish.Rule{Replies: o.Replies, Timeout: e.Nats.Effective().Timeout, Between: o.Between, UntilEmpty: o.UntilEmpty}
	if err := a.compile(); err != nil {
		return err
	}
	ctx, done := e.Nats.Allowed(ctx)
	defer done()
	var err error
	if a.nc, err = e.Nats.Conn(ctx); err != nil {
		return err
	}
	a.out = newOutput(e, &o)
	err = contexts.Refusal(ctx, a.run(ctx))
	if a.rule.Replies == 0 && a.answered > 0 {
		err = fail.Ended(ctx, err) // a gathering without a number ends when its reader has seen enough
	}
	if cerr := a.out.close(); err == nil {
		err = cerr
	}
	if a.sent > 1 && len(a.rtts) > 0 && a.talks() {
		e.Say("%s", spread(a.sent, a.rtts))
	}
	if err != nil {
		return err
	}
	return a.verdict()
}

func (a *asker) talks() bool { return !a.o.Raw && !a.e.Out.Machine() }

func (a *asker) compile() error {
	var err error
	if a.o.Templates {
		a.subject, err = payload.Compile("subject", a.o.Subject, payload.ForPublish)
	} else {
		a.subject = payload.Verbatim("subject", a.o.Subject)
	}
	if err != nil {
		return err
	}
	a.header, err = payload.CompileHeader(a.o.Headers, payload.ForPublish)
	return err
}

// run sends every body as often as asked.
func (a *asker) run(ctx context.Context) error {
	in := payload.Input{
		Stdin: a.e.IO.In, StdinTTY: a.e.IO.InTTY, Force: a.o.Force, Lines: a.o.SendOn == "newline", Templates: a.o.Templates, TemplatesAsked: a.o.asked,
	}
	if a.o.BodySet {
		in.Arg = &a.o.Body
	}
	if in.FromStdin() && a.talks() {
		a.e.Say("Reading payload from STDIN")
	}
	bodies := in.Open(ctx)
	defer bodies.Close()
	under := newFlight(ctx, int(max(a.o.AtOnce, 1)))
	for {
		if !under.room() {
			return under.land(nil)
		}
		body, err := bodies.Next()
		switch {
		case errors.Is(err, io.EOF):
			return under.land(nil)
		case err != nil:
			return under.land(err)
		}
		text, err := in.Text(body, payload.ForPublish)
		if err != nil {
			return under.land(err)
		}
		for i := range a.o.Count {
			if !under.room() {
				return under.land(nil)
			}
			m, err := a.compose(text, int(i)+1)
			if err != nil {
				return under.land(err)
			}
			if a.talks() {
				a.e.Say("Sending request on %q", m.Subject)
			}
			a.sent++
			n := a.sent
			under.begin(func(ctx context.Context) error { return a.ask(ctx, m, n) })
		}
	}
}

// ask sends request number n and shows its replies. Its error ends the whole run; one reply that did not come does not.
func (a *asker) ask(ctx context.Context, m *nats.Msg, n int) error {
	begin := a.e.Clock.Now()
	stop, replies, err := publish.Gather(ctx, a.nc, a.e.Clock, m, a.rule, func(r publish.Reply) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.rtts = append(a.rtts, r.RTT)
		if a.service == nil {
			a.service = serviceError(m.Subject, r.Header)
		}
		return a.out.show(ctx, n, r)
	})
	took := a.e.Clock.Now().Sub(begin)
	a.mu.Lock()
	defer a.mu.Unlock()
	if replies > 0 {
		a.answered++
	}
	silent := false
	switch {
	case err == nil:
		a.note(stop, replies, took)
		return nil
	case ctx.Err() != nil:
		return err
	case errors.Is(err, nats.ErrNoResponders):
		err = fail.Newf(fail.NoAnswer, "request on %s: no responders are available: %w", m.Subject, err).
			WithHint("nats reply %s --echo", m.Subject)
	case errors.Is(err, nats.ErrTimeout):
		silent = true
		err = fail.Newf(fail.NoAnswer, "request on %s: no reply within %s: %w", m.Subject, took.Round(time.Millisecond), err)
	}
	if a.failed == nil {
		a.failed = err
	} else if a.talks() {
		a.e.Say("%s", err)
	}
	if silent {
		return nil
	}
	return err
}

// note says why fewer replies came than were asked for, or how many came where no number was.
func (a *asker) note(stop publish.Stop, n int, took time.Duration) {
	if !a.talks() || stop == publish.Complete {
		return
	}
	why := map[publish.Stop]string{
		publish.Empty: "the last one was empty", publish.Silence: "no other came in time", publish.Deadline: "the time is over",
	}[stop]
	a.e.Say("Received %d replies in %s: %s", n, took.Round(time.Millisecond), why)
}

func (a *asker) compose(text *payload.Text, count int) (*nats.Msg, error) {
	a.values.Next(count)
	m := &nats.Msg{}
	var err error
	if m.Subject, err = a.subject.ExpandString(&a.values); err != nil {
		return nil, err
	}
	if err := sendable(m.Subject); err != nil {
		return nil, err
	}
	if m.Header, err = a.header.Expand(&a.values); err != nil {
		return nil, err
	}
	m.Data, err = text.Expand(nil, &a.values)
	return m, err
}

// serviceError is the error that a service puts into the headers of its reply.
func serviceError(subject string, h nats.Header) error {
	text, code := h.Get("Nats-Service-Error"), h.Get("Nats-Service-Error-Code")
	if text == "" && code == "" {
		return nil
	}
	return fail.Newf(fail.Failure, "the service on %s answered with error %s: %s", subject, code, text)
}

// verdict is nil when every request was answered and no service reported an error.
func (a *asker) verdict() error {
	switch {
	case a.failed != nil && a.answered == 0:
		return a.failed
	case a.failed != nil:
		return fail.Partialf("%d of %d requests were not answered; the first: %w", a.sent-a.answered, a.sent, a.failed)
	case a.service != nil:
		return a.service
	case a.out.translated > 0:
		return fail.Partialf("%d replies were not translated", a.out.translated)
	}
	return nil
}

// spread sums up round trips.
func spread(sent int, rtts []time.Duration) string {
	s := summarize(rtts)
	return fmt.Sprintf("Received %d replies to %d requests, rtt min %s, average %s, p99 %s, max %s", len(rtts), sent, s.min, s.mean, s.p99, s.max)
}
