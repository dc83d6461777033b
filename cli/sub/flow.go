package sub

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

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/wire"
)

// glance is how often a flow looks at the clock.
const glance = 250 * time.Millisecond

// flow reads a stream by the wire engine: what the socket brings is shown by the goroutine that reads it.
type flow struct {
	r       *replay
	name    string    // of the stream
	created time.Time // that stream
	sub     *wire.Subscriber
	way     way
	inboxes string // prefix of reply subjects
	stop    context.CancelCauseFunc
	anew    atomic.Bool // a connection was lost: what was asked for on it does not come
	seq     uint64      // of the latest message read

	output bool // an error came from the output

	read  uint64 // messages and answers, to notice silence
	quiet time.Duration
	known uint64 // read at the last glance
}

func newFlow(r *replay, info *jetstream.StreamInfo) *flow {
	return &flow{r: r, name: info.Config.Name, created: info.Created}
}

// way is how messages are asked for. Its methods are called by the goroutine that runs the flow.
type way interface {
	// ask asks for the messages after the latest that was read, and forgets all that was asked for before.
	ask(ctx context.Context) error
	// take fills m from w. It reports false for an answer that is no message.
	take(ctx context.Context, w *wire.Msg, m *message) (bool, error)
	// taken is called after the message was shown.
	taken(ctx context.Context) error
	// look is called now and then; quiet is for how long nothing has come.
	look(ctx context.Context, quiet time.Duration) error
	// close gives back what the server keeps for us.
	close(ctx context.Context)
}

// run shows the stream to the end that the flags ask for.
func (f *flow) run(ctx context.Context) (err error) {
	r := f.r
	defer f.way.close(context.WithoutCancel(ctx))
	opts, err := r.e.Nats.Options(ctx)
	if err != nil {
		return err
	}
	if f.inboxes = opts.InboxPrefix; f.inboxes == "" {
		f.inboxes = strings.TrimSuffix(nats.InboxPrefix, ".")
	}
	ctx, f.stop = context.WithCancelCause(ctx)
	defer f.stop(nil)
	if f.sub, err = wire.Open(ctx, wire.Config{Options: opts, Clock: r.e.Clock, Event: f.event}); err != nil {
		return r.e.Nats.Explain(err)
	}
	defer f.sub.Close()
	if err := f.way.ask(ctx); err != nil {
		return f.tell(err)
	}
	every := glance
	if wanted := r.every(); wanted > 0 {
		every = min(every, wanted)
	}
	err = f.sub.Run(ctx, wire.Sink{
		Msg: func(w *wire.Msg) error { return f.receive(ctx, w) }, Idle: func() error { return f.idle(ctx) },
		Tick: func() error { return f.tick(ctx, every) }, Every: every,
	})
	if ctx.Err() != nil && f.seq > 0 && fail.Ended(ctx, err) == nil {
		r.e.Say("The last message is sequence %d of stream %s", f.seq, r.stored.stream)
	}
	return f.tell(err)
}

// tell adds to an error how far the reading came.
func (f *flow) tell(err error) error {
	if err == nil || f.seq == 0 || f.output || errors.Is(err, fail.ErrInterrupted) || errors.Is(err, fail.ErrTerminated) {
		return err
	}
	return fail.Hint(fmt.Errorf("after sequence %d: %w", f.seq, err), "go on with --start-sequence %d", f.seq+1)
}

// event tells of the connection. Nothing is missed with it: the stream is read on from where it was.
func (f *flow) event(e wire.Event) {
	switch e.Kind {
	case wire.Disconnected:
		f.r.e.Log.Debug(fmt.Sprintf(">>> Disconnected from the stream's messages: %v", e.Err))
	case wire.Reconnected:
		f.anew.Store(true)
		f.r.e.Log.Debug(fmt.Sprintf(">>> Reconnected to %s for the stream's messages", e.URL))
	case wire.ServerError:
		f.stop(e.Err)
	}
}

func (f *flow) receive(ctx context.Context, w *wire.Msg) error {
	f.read++
	m := &f.r.msg
	ok, err := f.way.take(ctx, w, m)
	if err != nil || !ok {
		return err
	}
	f.r.seen = w.At
	done, err := f.r.present(ctx, m)
	switch {
	case err != nil:
		f.output = true
		return err
	case done:
		return wire.ErrStop
	}
	return f.way.taken(ctx)
}

func (f *flow) idle(ctx context.Context) error {
	if f.anew.Swap(false) {
		if err := f.way.ask(ctx); err != nil {
			return err
		}
	}
	err := f.r.idle()
	f.output = err != nil
	return err
}

func (f *flow) tick(ctx context.Context, every time.Duration) error {
	if f.read != f.known {
		f.known, f.quiet = f.read, 0
	} else {
		f.quiet += every // not what the clock says: while the output takes nothing, nothing can come
	}
	pending, _ := f.sub.Pending()
	if done, err := f.r.ticked(pending == 0); done || err != nil {
		if err == nil {
			err = wire.ErrStop
		}
		return err
	}
	if f.sub.URL() == "" {
		return nil // away
	}
	return f.way.look(ctx, f.quiet)
}

// there asks whether the stream that we read is still there. It is an error that it is not; false is no answer for now.
func (f *flow) there(ctx context.Context) (bool, error) {
	limited, cancel := f.r.e.Nats.Deadline(ctx)
	defer cancel()
	stream, err := f.r.api.Stream(limited, f.name)
	if err != nil {
		return false, f.fatal(ctx, err)
	}
	if !stream.CachedInfo().Created.Equal(f.created) {
		return false, fmt.Errorf("stream %s was deleted and made again while it was read", f.name)
	}
	return true, nil
}

// fatal is nil for an error of a request that may pass.
func (f *flow) fatal(ctx context.Context, err error) error {
	var api *jetstream.APIError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrPermissionViolation), errors.As(err, &api) && api.Code != 503:
		return fmt.Errorf("reading stream %s: %w", f.name, contexts.Refusal(ctx, err))
	}
	f.r.e.Log.Debug(fmt.Sprintf(">>> Reading stream %s: %v", f.name, err))
	return nil
}

// inbox subscribes to a new subject, in place of the one before.
func (f *flow) inbox(ctx context.Context, before int) (subject string, sid int, err error) {
	if before > 0 {
		if err := f.sub.Unsubscribe(before); err != nil {
			return "", 0, err
		}
	}
	subject = f.inboxes + "." + nuid.Next()
	if sid, err = f.sub.Subscribe(ctx, subject, ""); err != nil {
		return "", 0, fmt.Errorf("subscribing to %s: %w", subject, err)
	}
	return subject, sid, nil
}

// request sends a request whose answers go to the reply subject. What cannot be sent is asked for again with the next connection.
func (f *flow) request(subject, reply string, body []byte) error {
	f.r.e.Log.Debug(fmt.Sprintf(">>> %s: %s", subject, body))
	err := f.sub.Request(subject, reply, body)
	if errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrConnectionClosed) {
		return nil
	}
	return err
}
