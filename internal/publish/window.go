package publish

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/wire"
)

// The bounds of a window that its Config does not give.
const (
	DefaultMessages = 4096
	DefaultBytes    = 8 << 20
)

// overhead is what a message counts for besides its subject, headers and body, bytes.
const overhead = 64

// Config is the shape of a Window. T is what stands for a message.
type Config[T any] struct {
	Messages int           // that may be under way; 0 is DefaultMessages
	Bytes    int           // of these messages, unless one alone is larger; 0 is DefaultBytes
	Idle     time.Duration // when nothing is acknowledged for so long while it is waited for, what is under way has failed with nats.ErrTimeout
	Clock    clock.Clock   // nil is the system's
	// Done is told of every message, in the order of sending, by one goroutine at a time. It must not use the window.
	Done func(what T, a Ack, err error)
}

// Window publishes messages without waiting for each acknowledgement and reports what became of every one, in the order in which they
// were sent. It has a connection of its own, which it renews when it breaks. No message is sent twice: those whose
// acknowledgements were lost with a connection have failed when nothing more was acknowledged for the idle time.
// A publish that the permissions do not allow ends the window. Send, Flush, Wait and Close belong to one goroutine.
type Window[T any] struct {
	cfg   Config[T]
	inbox string // with its dot; the number of the message follows
	link  link

	// of the sender
	subject, reply, header []byte

	// of who reads the acknowledgements
	acks acks

	mu     sync.Mutex
	slots  []slot[T]
	head   uint64      // number of the oldest message that is not reported
	next   uint64      // number of the next message
	open   uint64      // messages in between without an answer
	bytes  int         // of the messages in between
	last   time.Time   // of the latest acknowledgement
	err    error       // why nothing more can be sent
	denied uint64      // messages that the permissions did not allow: they get no acknowledgement
	spoilt bool        // err has cost messages
	ready  func() bool // what the sender waits for; nil while it does not
	wake   chan struct{}
}

type slot[T any] struct {
	what     T
	size     int
	answered bool
	ack      Ack
	err      error
}

// Open makes a window with a connection of its own, as wire.Dial makes it from o; errors are those of wire.Dial. What happens to the
// connection is told to the AsyncErrorCB and the DisconnectedErrCB of o, which are given no *nats.Conn. After the end of ctx a
// write that blocks fails soon; the acknowledgements of what was sent can still be waited for. The caller closes the window.
func Open[T any](ctx context.Context, o nats.Options, cfg Config[T]) (*Window[T], error) {
	inbox := nats.NewInbox()
	if o.InboxPrefix != "" {
		inbox = o.InboxPrefix + "." + strings.TrimPrefix(inbox, nats.InboxPrefix)
	}
	w := newWindow(cfg, inbox)
	l, err := dialLine(ctx, o, nil, w.inbox, w.cfg.Clock, w)
	if err != nil {
		return nil, err
	}
	w.link = l
	return w, nil
}

// Beside makes a window with a connection of its own with the settings of nc, whose AsyncErrorCB hears of refusals. Where there is no
// second connection to be had, because the account may have no more say, the window shares nc.
func Beside[T any](ctx context.Context, nc *nats.Conn, cfg Config[T]) (*Window[T], error) {
	w := newWindow(cfg, nc.NewInbox())
	o := wire.OptionsOf(nc)
	o.AsyncErrorCB = nc.ErrorHandler()
	if at := nc.ConnectedUrl(); at != "" {
		o.Url = at
	}
	l, err := dialLine(ctx, o, nc, w.inbox, w.cfg.Clock, w)
	switch {
	case err == nil:
		w.link = l
		return w, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return w.share(nc)
}

// Over makes a window that shares nc: for messages so large or so few that a connection of their own gains nothing.
func Over[T any](nc *nats.Conn, cfg Config[T]) (*Window[T], error) {
	return newWindow(cfg, nc.NewInbox()).share(nc)
}

func newWindow[T any](cfg Config[T], inbox string) *Window[T] {
	if cfg.Messages <= 0 {
		cfg.Messages = DefaultMessages
	}
	if cfg.Bytes <= 0 {
		cfg.Bytes = DefaultBytes
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System()
	}
	return &Window[T]{cfg: cfg, inbox: inbox + ".", slots: make([]slot[T], cfg.Messages), last: cfg.Clock.Now(), wake: make(chan struct{}, 1)}
}

func (w *Window[T]) share(nc *nats.Conn) (*Window[T], error) {
	l, err := newGuest(nc, w.inbox, w.cfg.Clock, w)
	if err != nil {
		return nil, err
	}
	w.link = l
	return w, nil
}

// Send publishes m once there is room in the window; what comes back with its outcome. m is not kept, and its Reply does not matter.
// An error means that m was not sent; when it concerns m alone, such as nats.ErrMaxPayload, Done is told too.
func (w *Window[T]) Send(ctx context.Context, what T, m *nats.Msg) error {
	var err error
	w.header, err = wire.AppendHeader(w.header[:0], m.Header)
	w.subject = append(w.subject[:0], m.Subject...)
	return w.put(ctx, what, w.subject, w.header, m.Data, err)
}

// SendBytes is Send for subjects and header blocks, as wire.AppendHeader makes them, that are put together in buffers.
func (w *Window[T]) SendBytes(ctx context.Context, what T, subject, header, data []byte) error {
	return w.put(ctx, what, subject, header, data, nil)
}

// put sends a message, or notes that it cannot be sent for the reason that is known already.
func (w *Window[T]) put(ctx context.Context, what T, subject, header, data []byte, bad error) error {
	size := len(subject) + len(header) + len(data) + overhead
	for {
		up := w.link.lock()
		w.mu.Lock()
		if up && w.err == nil && w.room(size) {
			break
		}
		err := w.err
		w.mu.Unlock()
		if up {
			w.link.unlock()
		}
		if err != nil {
			return err
		}
		if err := w.await(ctx, w.awaited(up, size)); err != nil {
			return err
		}
	}
	n := w.next
	w.next++
	w.bytes += size
	w.open++
	s := &w.slots[n%uint64(len(w.slots))]
	s.what, s.size, s.answered = what, size, false
	w.mu.Unlock()
	w.reply = strconv.AppendUint(append(w.reply[:0], w.inbox...), n, 10)
	err := bad
	if err == nil {
		err = w.link.put(subject, w.reply, header, data)
	}
	w.link.unlock()
	if err != nil {
		w.settle(n, Ack{}, err, w.cfg.Clock.Now())
	}
	return err
}

// room tells whether a message of so many bytes may be sent. Lock held.
func (w *Window[T]) room(size int) bool {
	return w.next-w.head < uint64(len(w.slots)) && (w.bytes == 0 || w.bytes+size <= w.cfg.Bytes)
}

// awaited is what a sender without room waits for: with half of the window free, many messages are sent for each time it
// wakes. One without a connection waits for that.
func (w *Window[T]) awaited(up bool, size int) func() bool {
	if !up {
		return func() bool { return w.err != nil || w.link.up() }
	}
	return func() bool {
		return w.err != nil || w.next-w.head <= uint64(len(w.slots)/2) && w.bytes <= max(0, min(w.cfg.Bytes/2, w.cfg.Bytes-size))
	}
}

// Flush sends what was collected at once instead of in a few milliseconds.
func (w *Window[T]) Flush() { w.link.flush() }

// Wait returns when every message has its outcome; what nobody answered for has failed by then. Its error is why it could not wait,
// the end of ctx, or why the window has ended with messages under way: a refusal or a connection that does not come back.
func (w *Window[T]) Wait(ctx context.Context) error {
	if err := w.await(ctx, func() bool { return w.open <= w.denied }); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.giveUp(w.err)
	if w.spoilt {
		return w.err
	}
	return nil
}

// Close ends the connection, or gives it back. What has no outcome yet gets none.
func (w *Window[T]) Close() { w.link.close() }

// await flushes and waits until ready, which is called with the lock held. When nothing is acknowledged for the idle time what is under
// way is given up, which makes room too.
func (w *Window[T]) await(ctx context.Context, ready func() bool) error {
	w.link.flush()
	began := w.cfg.Clock.Now() // until then the sender was busy elsewhere, and may have sent the latest just now
	for {
		var idle <-chan time.Time
		w.mu.Lock()
		good, ended := ready(), w.link.ended()
		now := w.cfg.Clock.Now()
		quiet := min(now.Sub(w.last), now.Sub(began))
		switch {
		case good || ended != nil || w.open == 0:
		case quiet >= w.cfg.Idle:
			w.giveUp(fmt.Errorf("no acknowledgement within %s: %w", w.cfg.Idle, nats.ErrTimeout))
			good = ready()
		default:
			idle = w.cfg.Clock.After(w.cfg.Idle - quiet)
		}
		w.ready = ready
		if good || ended != nil {
			w.ready = nil
		}
		w.mu.Unlock()
		switch {
		case good:
			return nil
		case ended != nil:
			w.end(ended)
			return ended
		}
		select {
		case <-w.wake:
		case <-idle:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// answer takes an acknowledgement: the subject that it came on, its body, and whether it says that nobody listens.
func (w *Window[T]) answer(subject, data []byte, nobody bool, at time.Time) {
	if len(subject) <= len(w.inbox) {
		return
	}
	n, rest, ok := digits(subject[len(w.inbox):])
	if !ok || len(rest) > 0 {
		return
	}
	a, err := w.acks.read(data, nobody)
	w.settle(n, a, err, at)
}

// settle records what became of message n and reports all that are settled in a row.
func (w *Window[T]) settle(n uint64, a Ack, err error, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n < w.head || n >= w.next {
		return // given up before, or never sent
	}
	s := &w.slots[n%uint64(len(w.slots))]
	if s.answered {
		return
	}
	w.last = at
	w.open--
	s.answered, s.ack, s.err = true, a, err
	for w.head < w.next {
		s := &w.slots[w.head%uint64(len(w.slots))]
		if !s.answered {
			break
		}
		w.report(s)
	}
	w.rouse()
}

// report tells the outcome of the oldest message. Lock held.
func (w *Window[T]) report(s *slot[T]) {
	var none T
	what := s.what
	s.what = none // what it holds may be large
	w.head++
	w.bytes -= s.size
	w.cfg.Done(what, s.ack, s.err)
}

// giveUp reports everything under way, as failed what has no answer. Lock held.
func (w *Window[T]) giveUp(why error) {
	for w.head < w.next {
		s := &w.slots[w.head%uint64(len(w.slots))]
		if !s.answered {
			s.answered, s.ack, s.err = true, Ack{}, why
		}
		w.report(s)
	}
	w.open = 0
}

// rouse wakes the sender when it has what it waits for. Lock held.
func (w *Window[T]) rouse() {
	if w.ready != nil && w.ready() {
		w.ready = nil
		w.nudge()
	}
}

func (w *Window[T]) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// moved is told when there is a connection again.
func (w *Window[T]) moved() { w.nudge() }

// refuse is told of a permission that is missing: to publish one message, or to hear of any.
func (w *Window[T]) refuse(v *wire.Violation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = v
	}
	w.spoilt = true
	if v.Publish {
		w.denied++
	} else {
		w.giveUp(v)
	}
	w.nudge()
}

// end is told why there will be no connection any more.
func (w *Window[T]) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	if w.next > w.head {
		w.spoilt = true
		w.giveUp(err)
	}
	w.nudge()
}
