package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/wire"
)

// subscriber receives the messages of one client.
type subscriber struct {
	w      *crew.Worker
	spec   *crew.Spec
	epoch  int64 // nanoseconds since 1970 at which the clock of the run began
	tracks tracks
	got    int64 // after the warm-up

	shared     *account                   // of the members of a queue group; nil without one
	publishers int                        // how many there are, 0 when nobody knows
	sent       func() func(uint32) uint64 // at the end: how many each sent; nil when nobody knows
}

func newSubscriber(w *crew.Worker) *subscriber {
	return &subscriber{w: w, spec: w.Group.Spec, epoch: w.Run().Wall(0).UnixNano(), tracks: newTracks()}
}

// subscribers plans a run that receives what others publish. Members of a queue group count together: what this run did not
// see may have gone to members elsewhere.
func (g *group) subscribers(k crew.Kind, clients int) {
	var shared *account
	if g.Spec.Stamp {
		k.Covers = crew.CoversStamp
		if g.Spec.Queue != "" {
			shared = &account{tracks: newTracks()}
		}
	}
	side := g.Add(k, g.Spec.Engine, clients, g.Spec.Messages, func(ctx context.Context, w *crew.Worker) error {
		r := newSubscriber(w)
		r.shared = shared
		return r.run(ctx)
	})
	if shared != nil {
		side.Delivery = func(context.Context) *meter.Delivery {
			d := shared.result(0, 0, nil).Share()
			return &d
		}
	}
}

func (s *subscriber) run(ctx context.Context) error {
	if s.spec.Engine == crew.NatsGo {
		return s.natsGo(ctx)
	}
	return s.wire(ctx)
}

// enough reports that the client has what it was to receive.
func (s *subscriber) enough() bool {
	return s.w.Limit > 0 && s.got >= s.w.Limit
}

// take counts n messages of size bytes that were read by now.
func (s *subscriber) take(n, size int64, now time.Duration) {
	s.w.Add(n, size, now)
	if !s.w.Warm(now) {
		s.got += n
	}
}

// stamped reads the stamp of a message that arrived at now.
func (s *subscriber) stamped(payload []byte, now time.Duration) {
	sent, publisher, seq, ok := meter.ReadStamp(payload, s.epoch+int64(now))
	if s.shared != nil {
		s.shared.observe(publisher, seq, ok)
	} else {
		s.tracks.observe(publisher, seq, ok)
	}
	if !ok {
		return
	}
	s.w.Latency(time.Duration(s.epoch+int64(now)-sent), now)
}

// finish fills in the account of the messages.
func (s *subscriber) finish() {
	if !s.spec.Stamp || s.shared != nil {
		return
	}
	var sent func(uint32) uint64
	if s.sent != nil {
		sent = s.sent()
	}
	d := s.tracks.result(s.spec.FirstPublisher, s.publishers, sent)
	s.w.Extra.Delivery = &d
}

// tracks follow the publishers by their numbers.
type tracks struct {
	of   map[uint32]*meter.Tracker
	last *meter.Tracker // of the publisher whose message came last: mostly the next one is its, too
	id   uint32
}

func newTracks() tracks { return tracks{of: map[uint32]*meter.Tracker{}} }

func (ts *tracks) observe(publisher uint32, seq uint64, numbered bool) {
	t := ts.last
	if t == nil || ts.id != publisher {
		if t = ts.of[publisher]; t == nil {
			t = &meter.Tracker{}
			ts.of[publisher] = t
		}
		ts.last, ts.id = t, publisher
	}
	if numbered {
		t.Observe(seq)
	} else {
		t.Count()
	}
}

// result is the account of n publishers whose ids count from first, each of which sent as many as sent says; nil: nobody knows.
func (ts *tracks) result(first uint32, n int, sent func(uint32) uint64) meter.Delivery {
	for i := range n {
		if id := meter.PublisherID(first, i); ts.of[id] == nil {
			ts.of[id] = &meter.Tracker{} // of this one nothing came at all
		}
	}
	var d meter.Delivery
	for id, t := range ts.of {
		var k uint64
		if sent != nil {
			k = sent(id)
		}
		d.Merge(t.Result(k))
	}
	return d
}

// account is what the members of a queue group received together.
type account struct {
	mu     sync.Mutex
	tracks tracks
}

func (a *account) observe(publisher uint32, seq uint64, numbered bool) {
	a.mu.Lock()
	a.tracks.observe(publisher, seq, numbered)
	a.mu.Unlock()
}

// result is the account of the group. The order in which its members read says nothing about that of the messages.
func (a *account) result(first uint32, n int, sent func(uint32) uint64) *meter.Delivery {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.tracks.result(first, n, sent)
	d.Gaps, d.Reordered = 0, 0
	return &d
}

func (s *subscriber) wire(ctx context.Context) error {
	g := s.w.Group
	c, err := g.DialWire(ctx)
	if err != nil {
		return fmt.Errorf("client number %d failed to connect: %w", s.w.Number(), err)
	}
	defer func() {
		st := c.Stats()
		s.w.Extra.WireBytes = int64(st.InBytes + st.OutBytes)
		_ = c.Close()
	}()
	sub := s.spec.Subscription()
	if _, err := c.Subscribe(sub, s.spec.Queue); err != nil {
		return fmt.Errorf("subscribing to %s: %w", sub, err)
	}
	if err := c.Ping(ctx); err != nil {
		return fmt.Errorf("subscribing to %s: %w", sub, err)
	}
	s.w.Set(meter.Receiving)
	// Messages may come as soon as the first of the other clients sends: only the reading waits for all.
	if err := s.w.Ready(ctx); err != nil {
		return err
	}
	defer s.finish()
	if s.spec.Stamp {
		err = s.readStamped(ctx, c)
	} else {
		err = s.count(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("subscription to %s: %w", sub, err)
	}
	return nil
}

// count counts without looking into the messages.
func (s *subscriber) count(ctx context.Context, c *wire.Conn) error {
	var until uint64
	if s.spec.Warmup == 0 {
		until = uint64(s.w.Limit)
	}
	var msgs, size uint64
	_, err := c.Count(ctx, until, func(t *wire.Tally) error {
		s.take(int64(t.Msgs-msgs), int64(t.Bytes-size), s.w.Run().Now())
		msgs, size = t.Msgs, t.Bytes
		if s.enough() {
			return wire.ErrStop
		}
		return nil
	})
	return err
}

// readStamped reads each message; those of one read from the socket share its time of arrival.
func (s *subscriber) readStamped(ctx context.Context, c *wire.Conn) error {
	var n, size int64
	var at time.Time
	var now time.Duration
	settle := func() {
		if n > 0 {
			s.take(n, size, now)
			n, size = 0, 0
		}
	}
	h := wire.Handler{
		Msg: func(m *wire.Msg) error {
			if m.At != at {
				settle()
				at, now = m.At, s.w.Run().Now()
			}
			n++
			size += int64(len(m.Header) + len(m.Payload))
			s.stamped(m.Payload, now)
			if s.w.Limit > 0 && s.got+n >= s.w.Limit && !s.w.Warm(now) {
				return wire.ErrStop
			}
			return nil
		},
		Idle: func() error { settle(); return nil },
	}
	err := c.Read(ctx, h)
	settle()
	return err
}

// natsGo receives with nats.go, a callback for each message as an application has it.
func (s *subscriber) natsGo(ctx context.Context) error {
	ended := make(chan error, 1)
	end := func(err error) {
		select {
		case ended <- err:
		default:
		}
	}
	c, err := s.w.Group.DialNats(ctx, end)
	if err != nil {
		return fmt.Errorf("client number %d failed to connect: %w", s.w.Number(), err)
	}
	var mu sync.Mutex // the callback may still run when the client has given up
	over := false
	defer func() {
		mu.Lock()
		over = true
		mu.Unlock()
		s.w.Extra.WireBytes = c.WireBytes()
		c.Shut()
		s.finish()
	}()
	name := s.spec.Subscription()
	sub, err := c.QueueSubscribe(name, s.spec.Queue, func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		now := s.w.Run().Now()
		if s.spec.Stamp {
			s.stamped(m.Data, now)
		}
		s.take(1, int64(m.Size()-len(m.Subject)-len(m.Reply)), now)
		if s.enough() {
			over = true
			end(nil)
		}
	})
	if err != nil {
		return fmt.Errorf("subscribing to %s: %w", name, err)
	}
	_ = sub.SetPendingLimits(-1, -1) // slow processing shows as a rate, not as loss inside the client
	if err := c.Settle(ctx, s.w.Group.World.Timeout); err != nil {
		return fmt.Errorf("subscribing to %s: %w", name, err)
	}
	s.w.Set(meter.Receiving)
	if err := s.w.Ready(ctx); err != nil {
		return err
	}
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("subscription to %s: %w", name, err)
	}
	return nil
}
