package publish

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
)

// Window publishes messages without waiting for each acknowledgement, at most size at a time, and reports what became of
// them in the order in which they were sent. Publish and Wait belong to one goroutine.
type Window struct {
	nc      *nats.Conn
	sub     *nats.Subscription
	prefix  string
	timeout time.Duration
	clock   clock.Clock
	done    func(n int, a Ack, err error)

	mu       sync.Mutex
	slots    []slot
	head     int // number of the oldest message that is not reported
	next     int // number of the next message
	progress chan struct{}
}

type slot struct {
	answered bool
	ack      Ack
	err      error
	deadline time.Time
}

// NewWindow prepares a window of size messages on nc. A message whose acknowledgement does not come within timeout has
// failed with nats.ErrTimeout. done is called for every message, numbered from 0, in order, by one goroutine at a time.
func NewWindow(nc *nats.Conn, size int, timeout time.Duration, c clock.Clock, done func(n int, a Ack, err error)) (*Window, error) {
	w := &Window{nc: nc, prefix: nc.NewInbox() + ".", timeout: timeout, clock: c, done: done, slots: make([]slot, size), progress: make(chan struct{}, 1)}
	sub, err := nc.Subscribe(w.prefix+"*", w.answer)
	if err != nil {
		return nil, err
	}
	_ = sub.SetPendingLimits(-1, -1) // never more than the window holds
	w.sub = sub
	return w, nil
}

// Publish sends m, whose Reply it sets, once there is room in the window. Its error means that m was not sent.
func (w *Window) Publish(ctx context.Context, m *nats.Msg) error {
	if err := w.until(ctx, len(w.slots)-1); err != nil {
		return err
	}
	w.mu.Lock()
	n := w.next
	w.next++
	w.slots[n%len(w.slots)] = slot{deadline: w.clock.Now().Add(w.timeout)}
	w.mu.Unlock()
	m.Reply = w.prefix + strconv.Itoa(n)
	if err := w.nc.PublishMsg(m); err != nil {
		w.settle(n, Ack{}, err)
		return err
	}
	return nil
}

// Wait waits until every message is reported. Its error is why it could not: the end of ctx.
func (w *Window) Wait(ctx context.Context) error { return w.until(ctx, 0) }

// Close ends the subscription for acknowledgements.
func (w *Window) Close() { _ = w.sub.Unsubscribe() }

// until waits until at most open messages are under way. The oldest is given up when its time has passed.
func (w *Window) until(ctx context.Context, open int) error {
	for {
		w.mu.Lock()
		under := w.next - w.head
		var oldest time.Time
		if under > 0 {
			oldest = w.slots[w.head%len(w.slots)].deadline
		}
		head := w.head
		w.mu.Unlock()
		if under <= open {
			return nil
		}
		wait := oldest.Sub(w.clock.Now())
		if wait <= 0 {
			w.settle(head, Ack{}, nats.ErrTimeout)
			continue
		}
		select {
		case <-w.progress:
		case <-w.clock.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (w *Window) answer(m *nats.Msg) {
	n, err := strconv.Atoi(strings.TrimPrefix(m.Subject, w.prefix))
	if err != nil {
		return
	}
	ack, err := ParseAck(m)
	w.settle(n, ack, err)
}

// settle records what became of message n and reports all that are settled in a row.
func (w *Window) settle(n int, a Ack, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n < w.head || n >= w.next {
		return // given up before, or never sent
	}
	s := &w.slots[n%len(w.slots)]
	if s.answered {
		return
	}
	s.answered, s.ack, s.err = true, a, err
	for w.head < w.next && w.slots[w.head%len(w.slots)].answered {
		s := &w.slots[w.head%len(w.slots)]
		w.done(w.head, s.ack, s.err)
		w.head++
	}
	select {
	case w.progress <- struct{}{}:
	default:
	}
}
