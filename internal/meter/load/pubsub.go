package load

import (
	"context"
	"errors"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
)

// pubsub plans both sides of a run in one process: they share a clock, and the subscribers know what was sent.
func (g *group) pubsub() {
	s := g.Spec
	pub, _ := crew.KindOf("pub")
	sub, _ := crew.KindOf("sub")
	if len(s.Segments) > 0 {
		pub.Covers = crew.CoversPaced
	}
	if s.Stamp {
		sub.Covers = crew.CoversStamp
		if len(s.Segments) > 0 {
			sub.Covers = crew.CoversStampPaced
		}
	}
	clients := s.Clients
	if s.Bounded() {
		clients = int(min(int64(clients), s.Messages))
	}
	publishers := g.Add(pub, s.Engine, clients, s.Messages, publish)
	sent := func(ctx context.Context) func(uint32) uint64 {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, crew.ErrEnough) && !crew.IsIdle(cause) {
			return nil // stopped in mid-flight: what was on its way is not lost
		}
		return func(publisher uint32) uint64 {
			if i := int(meter.PublisherID(publisher, -int(s.FirstPublisher))); i < len(publishers.Workers) {
				return uint64(publishers.Workers[i].Seen())
			}
			return 0
		}
	}
	var shared *account
	if s.Queue != "" && s.Stamp {
		shared = &account{tracks: newTracks()}
	}
	subscribers := g.Add(sub, s.Engine, s.Subscribers, s.Messages, func(ctx context.Context, w *crew.Worker) error {
		r := newSubscriber(w)
		r.sent = func() func(uint32) uint64 { return sent(ctx) }
		r.publishers = len(publishers.Workers)
		r.shared = shared
		return r.run(ctx)
	})
	subscribers.Delivery = func(ctx context.Context) *meter.Delivery {
		if shared == nil {
			return nil
		}
		return shared.result(s.FirstPublisher, len(publishers.Workers), sent(ctx))
	}
	if s.Queue != "" || s.Warmup > 0 {
		for _, w := range subscribers.Workers {
			w.Limit = 0 // when it is over depends on them all
		}
	}
	if s.Queue != "" {
		subscribers.Target = s.Messages
	}
	copies := int64(s.Subscribers)
	if s.Queue != "" {
		copies = 1
	}
	g.Over = func() bool {
		for _, w := range publishers.Workers {
			if w.State() != meter.Finished {
				return false
			}
		}
		return subscribers.Run.Seen() >= publishers.Run.Seen()*copies
	}
}
