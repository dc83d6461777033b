package load

import (
	"context"
	"errors"

	"github.com/natskit/natskit/internal/meter"
)

// pubsub plans both sides of a run in one process: they share a clock, and the subscribers know what was sent.
func (g *group) pubsub() {
	s := g.spec
	pub, _ := KindOf("pub")
	sub, _ := KindOf("sub")
	if len(s.Segments) > 0 {
		pub.Covers = coversPaced
	}
	if s.Stamp {
		sub.Covers = coversStamp
		if len(s.Segments) > 0 {
			sub.Covers = coversStampP
		}
	}
	clients := s.Clients
	if s.bounded() {
		clients = int(min(int64(clients), s.Messages))
	}
	publishers := g.add(pub, s.Engine, clients, s.Messages, publish)
	sent := func(ctx context.Context) func(uint16) uint64 {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errEnough) && !isIdle(cause) {
			return nil // stopped in mid-flight: what was on its way is not lost
		}
		return func(publisher uint16) uint64 {
			if i := int(publisher) - s.FirstClient; i >= 0 && i < len(publishers.workers) {
				return uint64(publishers.workers[i].Seen())
			}
			return 0
		}
	}
	var shared *account
	if s.Queue != "" && s.Stamp {
		shared = &account{tracks: tracks{}}
	}
	subscribers := g.add(sub, s.Engine, s.Subscribers, s.Messages, func(ctx context.Context, w *worker) error {
		r := newSubscriber(w)
		r.sent = func() func(uint16) uint64 { return sent(ctx) }
		r.publishers = len(publishers.workers)
		r.shared = shared
		return r.run(ctx)
	})
	subscribers.delivery = func(ctx context.Context) *meter.Delivery {
		if shared == nil {
			return nil
		}
		return shared.result(s.FirstClient, len(publishers.workers), sent(ctx))
	}
	if s.Queue != "" || s.Warmup > 0 {
		for _, w := range subscribers.workers {
			w.limit = 0 // when it is over depends on them all
		}
	}
	if s.Queue != "" {
		subscribers.target = s.Messages
	}
	copies := int64(s.Subscribers)
	if s.Queue != "" {
		copies = 1
	}
	g.over = func() bool {
		for _, w := range publishers.workers {
			if w.State() != meter.Finished {
				return false
			}
		}
		return subscribers.run.Seen() >= publishers.run.Seen()*copies
	}
}

func isIdle(err error) bool {
	var idle *idleError
	return errors.As(err, &idle)
}
