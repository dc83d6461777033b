package consumer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/render"
)

type nextOptions struct {
	stream, consumer string
	ack, nak, term   bool
	ackSet           bool
	raw              bool
	wait             time.Duration
	count            int64
	group            string
	minPending       int64
	minAckPending    int64
	priority         int64
}

func nextVerb() command.Node {
	return command.Verb[nextOptions]{
		Meta: command.Meta{
			Name: "next", Short: "Fetch messages through a pull consumer",
			Long: `Each message is shown, then acknowledged; what is not shown is never acknowledged. When there is none within --timeout the exit code is 5, when there are fewer than --count it is 7.

A consumer with priority groups is read with --group; where it has only one, that is taken.`,
		},
		Scope: command.User, Effect: command.Reads, Output: command.Feed, Result: delivery{},
		Names: command.Names{"stream": command.Streams, "consumer": command.Consumers},
		Examples: []command.Example{
			{Line: "nats consumer next ORDERS NEW", Says: "Acknowledged message", About: "The next message", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults", "pub orders.new hello"}},
			{Line: "nats consumer next ORDERS NEW --count 2 --raw --no-ack", Says: "hello", About: "Two bodies, to be delivered again later", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults", "pub orders.new hello --count 2"}},
		},
		Bind: func(c *fisk.CmdClause, o *nextOptions) {
			c.Arg("stream", "The stream").Required().StringVar(&o.stream)
			c.Arg("consumer", "The consumer").Required().StringVar(&o.consumer)
			c.Flag("ack", "Acknowledge the messages").Default("true").IsSetByUser(&o.ackSet).BoolVar(&o.ack)
			c.Flag("nak", "Have the messages delivered again").UnNegatableBoolVar(&o.nak)
			c.Flag("term", "Never have the messages delivered again").Default("false").UnNegatableBoolVar(&o.term)
			c.Flag("raw", "Print bodies alone").Short('r').UnNegatableBoolVar(&o.raw)
			c.Flag("wait", "Wait up to this long before each acknowledgement").SetValue(flagval.NewDuration(&o.wait).Min(0))
			c.Flag("count", "How many messages").Default("1").SetValue(flagval.NewInt64(&o.count).Min(1))
			c.Flag("group", "The priority group to pull for").StringVar(&o.group)
			c.Flag("min-pending", "Only with at least this many unprocessed messages; for overflow groups").SetValue(flagval.NewInt64(&o.minPending).Min(1))
			c.Flag("min-ack-pending", "Only with at least this many unacknowledged messages; for overflow groups").SetValue(flagval.NewInt64(&o.minAckPending).Min(1))
			c.Flag("priority", "The priority of the pull, 0 is the highest; for prioritized groups").SetValue(flagval.NewInt64(&o.priority).Min(0).Max(9))
		},
		Check: checkNext,
		Run:   runNext,
	}
}

func checkNext(o *nextOptions) error {
	explicit := o.ackSet && o.ack
	switch {
	case o.term && o.nak:
		return fail.Usagef("--term and --nak exclude each other")
	case o.term && explicit:
		return fail.Usagef("--term and --ack exclude each other")
	case o.nak && explicit:
		return fail.Usagef("--nak and --ack exclude each other")
	}
	if err := jsconf.CheckName("stream", o.stream); err != nil {
		return err
	}
	return jsconf.CheckName("consumer", o.consumer)
}

// answer is what a message is answered with, and how people are told.
type answer struct{ body, says string }

func (o nextOptions) answer() answer {
	switch {
	case o.term:
		return answer{"+TERM", "Terminated message"}
	case o.nak:
		return answer{"-NAK", "Negative Acknowledged message"}
	case o.ack:
		return answer{"+ACK", "Acknowledged message"}
	}
	return answer{}
}

func runNext(ctx context.Context, e *env.Env, o nextOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	i, err := consumers.Info(ctx, c, o.stream, o.consumer)
	if err != nil {
		return err
	}
	if !i.IsPull() {
		return fail.Newf(fail.Failure, "consumer %s is a push consumer: it delivers to %s", full(o.stream, o.consumer), i.ConsumerInfo.Config.DeliverSubject).
			WithHint("nats consumer sub %s %s", o.stream, o.consumer)
	}
	r, err := newReader(ctx, e, c, i, o)
	if err != nil {
		return err
	}
	feed := e.Out.Feed()
	err = r.read(ctx, feed)
	return errors.Join(err, feed.Close(nil))
}

// reader fetches messages and answers them.
type reader struct {
	e       *env.Env
	nc      *nats.Conn
	con     jetstream.Consumer
	name    string
	o       nextOptions
	answer  answer
	timeout time.Duration
	batch   int64
	options []jetstream.FetchOpt
	seen    int64
}

// most is the largest batch that is asked for at once, so that little is delivered for nothing when the reading stops.
const most = 100

func newReader(ctx context.Context, e *env.Env, c *js.Client, i consumers.Consumer, o nextOptions) (*reader, error) {
	s, err := e.Nats.JetStream(ctx)
	if err != nil {
		return nil, err
	}
	r := &reader{e: e, nc: s.Conn(), name: full(o.stream, o.consumer), o: o, answer: o.answer(), timeout: c.Timeout(), batch: most}
	cfg := i.ConsumerInfo.Config
	if cfg.AckPolicy.String() == "None" {
		r.answer = answer{}
	}
	if r.con, err = s.Consumer(ctx, o.stream, o.consumer); err != nil {
		return nil, consumers.Explain(ctx, c, o.stream, o.consumer, err)
	}
	// What the consumer does not allow is not asked for.
	if cfg.MaxRequestExpires > 0 {
		r.timeout = min(r.timeout, cfg.MaxRequestExpires)
	}
	if cfg.MaxRequestBatch > 0 {
		r.batch = min(r.batch, int64(cfg.MaxRequestBatch))
	}
	if o.wait > 0 {
		r.batch = 1 // the others would wait for theirs too
	}
	return r, r.groupOptions(cfg.PriorityGroups)
}

func (r *reader) groupOptions(groups []string) error {
	o := r.o
	if o.group == "" && len(groups) == 1 {
		o.group = groups[0]
	}
	if o.group == "" && len(groups) > 1 {
		return fail.Usagef("pass --group: consumer %s has the priority groups %v", r.name, groups)
	}
	if o.group == "" && (o.minPending > 0 || o.minAckPending > 0 || o.priority > 0) {
		return fail.Usagef("consumer %s has no priority groups", r.name)
	}
	if o.group != "" {
		r.options = append(r.options, jetstream.FetchPriorityGroup(o.group))
	}
	if o.minPending > 0 {
		r.options = append(r.options, jetstream.FetchMinPending(o.minPending))
	}
	if o.minAckPending > 0 {
		r.options = append(r.options, jetstream.FetchMinAckPending(o.minAckPending))
	}
	if o.priority > 0 {
		r.options = append(r.options, jetstream.FetchPrioritized(uint8(o.priority)))
	}
	return nil
}

// read fetches until there are enough, or none came in time.
func (r *reader) read(ctx context.Context, feed *render.Feed) error {
	for r.seen < r.o.count {
		n, err := r.fetch(ctx, feed, min(r.batch, r.o.count-r.seen))
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case n == 0 && r.seen == 0:
			return fail.Newf(fail.NoAnswer, "no message received: consumer %s has none within %s", r.name, r.timeout)
		case n == 0:
			return fail.Partialf("%d of %d messages received: consumer %s has no more within %s", r.seen, r.o.count, r.name, r.timeout)
		}
	}
	return nil
}

// fetch asks for up to n messages and answers those that come.
func (r *reader) fetch(ctx context.Context, feed *render.Feed, n int64) (got int64, err error) {
	wait, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	batch, err := r.con.Fetch(int(n), append([]jetstream.FetchOpt{jetstream.FetchContext(wait)}, r.options...)...)
	if err != nil {
		return 0, r.explain(err)
	}
	for m := range batch.Messages() {
		if err != nil || ctx.Err() != nil {
			continue // delivered, but neither shown nor answered: it comes again
		}
		got++
		r.seen++
		if err = r.take(ctx, feed, m); err != nil {
			cancel()
		}
	}
	if err != nil {
		return got, err
	}
	return got, r.explain(batch.Error())
}

// explain drops the errors that only say that time is up.
func (r *reader) explain(err error) error {
	switch {
	case err == nil, errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, jetstream.ErrNoMessages):
		return nil
	}
	return fmt.Errorf("consumer %s: %w", r.name, err)
}

// take shows a message and answers it.
func (r *reader) take(ctx context.Context, feed *render.Feed, m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("consumer %s: message on %s: %w", r.name, m.Subject(), err)
	}
	d := delivery{
		Stream: meta.Stream, Consumer: meta.Consumer, Subject: m.Subject(), Tries: meta.NumDelivered, ConsumerSeq: meta.Sequence.Consumer, StreamSeq: meta.Sequence.Stream,
		Pending: meta.NumPending, Time: meta.Timestamp, Headers: m.Headers(), Data: m.Data(), raw: r.o.raw, at: r.e.Clock.Now(),
	}
	if err := feed.Emit(d); err != nil {
		return err
	}
	if err := feed.Flush(); err != nil || r.answer.body == "" {
		return err
	}
	said := r.answer.says
	if r.o.wait > 0 {
		pause := time.Duration(rand.Int64N(int64(r.o.wait)))
		select {
		case <-r.e.Clock.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		said = fmt.Sprintf("%s after %s delay", said, render.HumaneDuration(pause))
	}
	if err := answerMessage(ctx, r.nc, r.timeout, m.Reply(), r.answer.body); err != nil {
		return fmt.Errorf("consumer %s: acknowledging message %d: %w", r.name, meta.Sequence.Stream, err)
	}
	if r.o.raw || r.e.Out.Machine() {
		return nil
	}
	return feed.Emit(remark(said))
}

// answerMessage sends the answer and waits for the server's word that it has it.
func answerMessage(ctx context.Context, nc *nats.Conn, timeout time.Duration, reply, body string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := nc.RequestWithContext(ctx, reply, []byte(body))
	return err
}
