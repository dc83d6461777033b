package follow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/wire"
)

// glance is how often a reader looks at the clock.
const glance = 250 * time.Millisecond

// Reader reads one stream: what the socket brings is handed on by the goroutine that reads it.
type Reader struct {
	cfg     Config
	sink    Sink
	sub     *wire.Subscriber
	way     way
	inboxes string // prefix of reply subjects
	stop    context.CancelCauseFunc
	anew    atomic.Bool // there is a new connection: nothing was asked for on it

	msg     Msg
	seq     uint64 // of the latest message read
	pending uint64 // at the start
	counted uint64 // messages towards the limit
	skips   bool   // some did not count
	ended   bool   // End was called

	read  uint64 // messages and answers, to notice silence
	quiet time.Duration
	known uint64    // read at the last glance
	since time.Time // when nothing could come any more; zero when it can
}

// way is how messages are asked for. Its methods are called by the goroutine of Run.
type way interface {
	// ask asks for the messages after the latest that was read, and forgets all that was asked for before.
	ask(ctx context.Context) error
	// take fills m from w. It reports false for an answer that is no message.
	take(ctx context.Context, w *wire.Msg, m *Msg) (bool, error)
	// taken is called after the message was handed on.
	taken() error
	// look is called now and then; quiet is for how long nothing has come.
	look(ctx context.Context, quiet time.Duration) error
	// lost reports that nothing can be asked for at the moment.
	lost() bool
	// close gives back what the server keeps for us.
	close(ctx context.Context)
}

// Open makes the consumer, if there is to be one. The caller runs the reader or closes it.
func Open(ctx context.Context, cfg Config) (*Reader, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.System()
	}
	if cfg.Log == nil {
		cfg.Log = func(string, ...any) {}
	}
	r := &Reader{cfg: cfg}
	var err error
	if cfg.Direct {
		r.way, err = newDirect(r)
	} else {
		r.way, err = newOrdered(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Read opens a reader and runs it.
func Read(ctx context.Context, cfg Config, sink Sink) error {
	r, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	return r.Run(ctx, sink)
}

// Pending is how many messages there were when the reader was opened.
func (r *Reader) Pending() uint64 { return r.pending }

// Seq is the sequence of the latest message that was read, 0 if there was none.
func (r *Reader) Seq() uint64 { return r.seq }

// Close removes the consumer of a reader that was not run, also when ctx has ended.
func (r *Reader) Close(ctx context.Context) { r.way.close(context.WithoutCancel(ctx)) }

// Run reads until one of the functions returns an error (ErrStop: Run returns nil), there is an end, or ctx ends, and removes the
// consumer. It may be called once. A *ConnectError says that there is no connection, before any message.
func (r *Reader) Run(ctx context.Context, sink Sink) error {
	defer r.Close(ctx)
	if r.sink = sink; sink.Every <= 0 || sink.Every > glance {
		r.sink.Every = glance
	}
	if r.pending == 0 && !r.cfg.Direct {
		if err := r.end(); err != nil {
			return unlessStop(err)
		}
	}
	opts := r.cfg.Options
	if opts == nil {
		o := wire.OptionsOf(r.cfg.JS.Conn())
		opts = &o
	}
	if r.inboxes = opts.InboxPrefix; r.inboxes == "" {
		r.inboxes = strings.TrimSuffix(nats.InboxPrefix, ".")
	}
	ctx, r.stop = context.WithCancelCause(ctx)
	defer r.stop(nil)
	var err error
	if r.sub, err = wire.Open(ctx, wire.Config{Options: *opts, Clock: r.cfg.Clock, Event: r.event}); err != nil {
		return &ConnectError{err}
	}
	defer r.sub.Close()
	r.anew.Store(true) // asked when the reading has begun, which needs no answers to our subscriptions
	return r.sub.Run(ctx, wire.Sink{
		Msg: func(w *wire.Msg) error { return r.receive(ctx, w) }, Idle: func() error { return r.idle(ctx) },
		Tick: func() error { return r.tick(ctx) }, Every: r.sink.Every,
	})
}

func unlessStop(err error) error {
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// event tells of the connection. Nothing is missed with it: the stream is read on from where it was.
func (r *Reader) event(e wire.Event) {
	switch e.Kind {
	case wire.Disconnected:
		r.cfg.Log(">>> Disconnected from the stream's messages: %v", e.Err)
	case wire.Reconnected:
		r.anew.Store(true)
		r.cfg.Log(">>> Reconnected to %s for the stream's messages", e.URL)
	case wire.ServerError:
		r.stop(e.Err)
	}
}

func (r *Reader) receive(ctx context.Context, w *wire.Msg) error {
	r.read++
	m := &r.msg
	ok, err := r.way.take(ctx, w, m)
	if err != nil || !ok {
		return err
	}
	upTo := r.cfg.UpTo
	if upTo > 0 && m.Sequence > upTo {
		return ErrStop
	}
	m.Arrived = w.At
	switch err := r.sink.Each(m); err {
	case nil:
		r.counted++
	case ErrSkip:
		r.skips = true
	default:
		return err
	}
	if r.counted == r.cfg.Limit && r.counted > 0 || m.Sequence == upTo {
		return ErrStop
	}
	if m.Pending == 0 && !r.cfg.Direct { // otherwise the answers end with a word of their own
		if err := r.end(); err != nil {
			return err
		}
	}
	return r.way.taken()
}

// end tells, once, that there is nothing more for now.
func (r *Reader) end() error {
	if r.ended || r.sink.End == nil {
		return nil
	}
	r.ended = true
	return r.sink.End()
}

// ending reports whether somebody waits for the end.
func (r *Reader) ending() bool { return r.sink.End != nil && !r.ended }

func (r *Reader) idle(ctx context.Context) error {
	if r.anew.Swap(false) {
		if err := r.way.ask(ctx); err != nil {
			return err
		}
	}
	if r.sink.Idle == nil {
		return nil
	}
	return r.sink.Idle()
}

func (r *Reader) tick(ctx context.Context) error {
	if r.read != r.known {
		r.known, r.quiet = r.read, 0
	} else {
		r.quiet += r.sink.Every // not what the clock says: while the sink is busy, nothing can come
	}
	if r.sink.Tick != nil {
		pending, _ := r.sub.Pending()
		if err := r.sink.Tick(pending == 0); err != nil {
			return err
		}
	}
	away := r.sub.URL() == ""
	if err := r.patience(away || r.way.lost()); err != nil || away {
		return err
	}
	return r.way.look(ctx, r.quiet)
}

// patience ends a reading from which nothing can come for too long.
func (r *Reader) patience(lost bool) error {
	now := r.cfg.Clock.Now()
	switch {
	case !lost:
		r.since = time.Time{}
	case r.since.IsZero():
		r.since = now
	case r.cfg.Patience > 0 && now.Sub(r.since) >= r.cfg.Patience:
		return fmt.Errorf("reading stream %s stopped behind sequence %d: %w", r.cfg.Stream, r.seq, nats.ErrTimeout)
	}
	return nil
}

// there asks whether the stream that we read is still there. It is an error that it is not; false is no answer for now.
func (r *Reader) there(ctx context.Context) (bool, error) {
	limited, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	stream, err := r.cfg.JS.Stream(limited, r.cfg.Stream)
	if err != nil {
		return false, r.fatal(ctx, err)
	}
	if created := r.cfg.Created; !created.IsZero() && !stream.CachedInfo().Created.Equal(created) {
		return false, fmt.Errorf("stream %s was deleted and made again while it was read", r.cfg.Stream)
	}
	return true, nil
}

// fatal is nil for an error of a request that may pass.
func (r *Reader) fatal(ctx context.Context, err error) error {
	var api *jetstream.APIError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrPermissionViolation), errors.As(err, &api) && api.Code != 503:
		return fmt.Errorf("reading stream %s: %w", r.cfg.Stream, err)
	}
	r.cfg.Log(">>> Reading stream %s: %v", r.cfg.Stream, err)
	return nil
}

// inbox subscribes to a new subject, in place of the one before.
func (r *Reader) inbox(ctx context.Context, before int) (subject string, sid int, err error) {
	if before > 0 {
		if err := r.sub.Unsubscribe(before); err != nil {
			return "", 0, err
		}
	}
	subject = r.inboxes + "." + nuid.Next()
	if sid, err = r.sub.Subscribe(ctx, subject, ""); err != nil {
		return "", 0, fmt.Errorf("subscribing to %s: %w", subject, err)
	}
	return subject, sid, nil
}

// request sends a request whose answers go to the reply subject. What cannot be sent is asked for again with the next connection.
func (r *Reader) request(tail, reply string, body []byte) error {
	r.cfg.Log(">>> %s%s: %s", r.cfg.Prefix, tail, body)
	err := r.sub.Request(r.cfg.Prefix+tail, reply, body)
	if errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrConnectionClosed) {
		return nil
	}
	return err
}
