package sub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/js/follow"
	"github.com/natskit/natskit/internal/render"
)

// entry is one message of a stream.
type entry struct {
	subject string
	reply   string
	header  nats.Header
	data    []byte
	at      time.Time
	stored  stored
	msg     jetstream.Msg // to acknowledge; nil when there is nothing to acknowledge
	end     bool          // instead of a message: the stream has nothing more for us
	err     error         // instead of a message: why there is no more
}

// source delivers the messages of a stream.
type source interface {
	// next begins the delivery of at most want messages, 0 for no limit. The channel is closed at its end.
	next(ctx context.Context, want uint64) (<-chan entry, error)
	// stop ends the delivery. What it had taken for us and could not hand over is given back, where there is a way: with
	// keep it is still handed over before the channel is closed.
	stop(ctx context.Context) (keep bool)
}

// replay shows what a source delivers.
type replay struct {
	e       *env.Env
	o       *subOptions
	out     *printer
	src     source // or
	flow    *follow.Reader
	nc      *nats.Conn
	api     jetstream.JetStream
	nothing bool // the source had nothing for us at the start
	msg     message
	stored  stored
	style   style
	key     string
	ignored func(subject []byte) bool
	tick    <-chan time.Time

	shown, bytes uint64
	seen         time.Time // the latest message, at first the start
	drawn        time.Time
	acks         []jetstream.Msg
	expired      bool
}

func runStream(ctx context.Context, e *env.Env, o subOptions) error {
	ctx, done := e.Nats.Allowed(ctx)
	defer done()
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return err
	}
	r := &replay{e: e, o: &o, nc: nc, ignored: ignore(o.ignore)}
	if o.graph && len(o.subjects) == 0 {
		o.subjects = []string{">"}
	}
	if err = r.open(ctx); err != nil {
		return contexts.Refusal(ctx, err)
	}
	if r.out, err = newPrinter(ctx, e, &o); err != nil {
		r.close(context.WithoutCancel(ctx))
		return err
	}
	defer r.out.live.close()
	r.seen = e.Clock.Now()
	r.style = styleOf(&o, r.seen)
	r.msg.style = &r.style
	if every := r.every(); every > 0 {
		t := e.Clock.NewTicker(every)
		defer t.Stop()
		r.tick = t.C()
	}
	err = r.run(ctx)
	if ferr := r.finish(context.WithoutCancel(ctx)); err == nil {
		err = ferr
	}
	s := &summary{Received: r.shown, Bytes: r.bytes, Duration: e.Clock.Now().Sub(r.style.start)}
	return conclude(ctx, e, &o, r.out, s, contexts.Refusal(ctx, err), r.expired)
}

// open finds the stream and the way to read it.
func (r *replay) open(ctx context.Context) (err error) {
	if r.api, err = r.e.Nats.JetStream(ctx); err != nil {
		return err
	}
	client := js.New(r.api)
	filter := ">"
	if len(r.o.subjects) > 0 {
		filter = r.o.subjects[0]
	}
	r.key = filter
	name := r.o.stream
	bounded, cancel := r.e.Nats.Deadline(ctx)
	defer cancel()
	if name == "" {
		name, err = r.api.StreamNameBySubject(bounded, filter)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return fail.NotFoundf("no stream found with subject: %s", filter)
		} else if err != nil {
			return contexts.Refusal(ctx, fmt.Errorf("finding the stream of %s: %w", filter, err))
		}
	}
	stream, err := r.api.Stream(bounded, name)
	if err != nil {
		return client.StreamError(bounded, name, contexts.Refusal(ctx, err))
	}
	cfg := stream.CachedInfo().Config
	switch {
	case r.o.durable != "":
		r.src, err = openDurable(bounded, r, stream, name)
	case r.o.direct && !cfg.AllowDirect:
		err = fail.Hint(fmt.Errorf("cannot enable direct gets: allow_direct is not set to true for stream %s", name),
			"nats stream edit %s --allow-direct", name)
	case cfg.Retention != jetstream.LimitsPolicy && !cfg.AllowDirect:
		r.src, err = openSingle(bounded, r, client, stream, filter)
	case r.o.direct || cfg.Retention != jetstream.LimitsPolicy:
		r.flow, err = openFlow(bounded, r, client, stream, filter, true)
	default:
		r.flow, err = openFlow(bounded, r, client, stream, filter, false)
	}
	return err
}

// close gives back what open took, for a run that does not begin.
func (r *replay) close(ctx context.Context) {
	if r.flow != nil {
		r.flow.Close(ctx)
	} else {
		r.src.stop(ctx)
	}
}

// from says where the reading starts, as the status lines put it.
func (r *replay) from() string {
	o := r.o
	switch {
	case o.startSeq > 0:
		return fmt.Sprintf("starting at sequence %d", o.startSeq)
	case o.last:
		return "from last received message"
	case o.newOnly:
		return "for new messages"
	case o.since.Given && o.since.IsSequence():
		return fmt.Sprintf("starting at sequence %d", o.since.Sequence)
	case o.since.Given && o.since.Time.IsZero():
		return "since " + render.HumaneDuration(o.since.Ago)
	case o.since.Given:
		return "since " + o.since.Time.Format(time.RFC3339)
	case o.lastPerSubject:
		return "for last message per subject"
	}
	return "from first received message"
}

func (r *replay) every() time.Duration {
	switch {
	case r.o.wait > 0:
		return min(max(r.o.wait/20, time.Millisecond), time.Second)
	case r.o.report() || r.o.graph:
		return time.Second
	}
	return 0
}

func (r *replay) run(ctx context.Context) error {
	if r.flow != nil {
		return r.follow(ctx)
	}
	if r.o.toEnd && r.nothing {
		r.close(context.WithoutCancel(ctx))
		return nil
	}
	for {
		var want uint64
		if r.o.count > 0 {
			want = r.o.count - r.shown
		}
		entries, err := r.src.next(ctx, want)
		if err != nil {
			return err
		}
		done, err := r.drain(ctx, entries)
		if err != nil || done {
			if r.src.stop(context.WithoutCancel(ctx)) {
				for en := range entries {
					if err == nil || ctx.Err() != nil {
						_, terr := r.take(context.WithoutCancel(ctx), &en)
						err = errors.Join(err, terr)
					}
				}
			}
			return err
		}
	}
}

// drain shows the entries until the channel is closed or, with done, until there is reason to end.
func (r *replay) drain(ctx context.Context, entries <-chan entry) (done bool, err error) {
	for {
		var en entry
		var ok bool
		select {
		case en, ok = <-entries:
		default:
			if err := r.idle(); err != nil {
				return true, err
			}
			select {
			case en, ok = <-entries:
			case <-ctx.Done():
				return true, context.Cause(ctx)
			case <-r.tick:
				if done, err := r.ticked(true); done || err != nil {
					return true, err
				}
				continue
			}
		}
		if !ok {
			return false, nil
		}
		if done, err := r.take(ctx, &en); done || err != nil {
			return true, err
		}
		if ctx.Err() != nil {
			return true, context.Cause(ctx)
		}
	}
}

// take shows one message. done says that it was the last.
func (r *replay) take(ctx context.Context, en *entry) (done bool, err error) {
	if en.err != nil {
		return true, contexts.Refusal(ctx, en.err)
	}
	if en.end {
		return true, nil
	}
	m := &r.msg
	if r.o.wait > 0 {
		r.seen = r.e.Clock.Now()
	}
	r.stored = en.stored
	m.subject, m.reply = append(m.subject[:0], en.subject...), append(m.reply[:0], en.reply...)
	m.header, m.data, m.at, m.stored = en.header, en.data, en.at, &r.stored
	before := r.shown
	if done, err = r.present(ctx, m); err != nil {
		return true, err
	}
	if en.msg != nil && r.shown > before {
		r.acks = append(r.acks, en.msg)
		if len(r.acks) >= 256 {
			if err := r.idle(); err != nil {
				return true, err
			}
		}
	}
	return done, nil
}

// present shows a message unless it is to be ignored. done says that it was the last.
func (r *replay) present(ctx context.Context, m *message) (done bool, err error) {
	end := r.o.toEnd && m.stored.pending == 0 && !m.stored.direct
	if r.ignored(m.subject) {
		return end, nil
	}
	r.shown++
	m.number = r.shown
	r.bytes += uint64(len(m.data))
	if err := r.out.show(ctx, m, r.key); err != nil {
		return true, err
	}
	return end || r.shown == r.o.count, nil
}

// idle writes what waits; only what was written is acknowledged.
func (r *replay) idle() error { return r.acknowledge(jetstream.Msg.Ack) }

func (r *replay) acknowledge(last func(jetstream.Msg) error) error {
	if err := r.out.flush(); err != nil {
		return err
	}
	for i, m := range r.acks {
		ack := jetstream.Msg.Ack
		if i == len(r.acks)-1 {
			ack = last
		}
		if err := ack(m); err != nil {
			r.acks = r.acks[i:]
			return fmt.Errorf("acknowledging a message of %s: %w", r.o.durable, err)
		}
	}
	r.acks = r.acks[:0]
	return nil
}

// finish writes and acknowledges the rest, and waits until the consumer has taken note.
func (r *replay) finish(ctx context.Context) error {
	if r.flow != nil {
		return r.idle()
	}
	r.src.stop(ctx)
	ctx, cancel := r.e.Nats.Deadline(ctx)
	defer cancel()
	err := r.acknowledge(func(m jetstream.Msg) error { return m.DoubleAck(ctx) })
	if err != nil || r.o.durable == "" || r.nc.IsClosed() {
		return err
	}
	return r.nc.FlushWithContext(ctx)
}

// ticked ends a silence that is too long, unless messages wait, and draws what is live.
func (r *replay) ticked(idle bool) (done bool, err error) {
	now := r.e.Clock.Now()
	if idle && r.o.wait > 0 && now.Sub(r.seen) >= r.o.wait {
		r.expired = true
		return true, nil
	}
	if r.out.live != nil && now.Sub(r.drawn) >= time.Second-time.Millisecond {
		r.drawn = now
		return false, r.out.live.draw()
	}
	return false, nil
}
