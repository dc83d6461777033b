package streams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
)

// oldGroup is the deliver group in which the clients of a push consumer share its messages.
const oldGroup = "nats-bench"

// prepareOld makes the consumer of a run that uses the legacy API of nats.go, and removes it afterwards.
func (g *group) prepareOld(ctx context.Context, r *meter.Report) (func(), error) {
	ctx, c, _, err := g.existing(ctx, r)
	if err != nil {
		return nil, err
	}
	js, err := g.World.OldJetStream(c.Conn)
	if err != nil {
		return c.Shut, err
	}
	s := g.Spec.Stream
	if g.Spec.Kind == "oldjs ordered" {
		return c.Shut, nil
	}
	if s.Consumer != defaultConsumer {
		if _, err := js.ConsumerInfo(s.Name, s.Consumer, nats.Context(ctx)); err != nil {
			return c.Shut, fmt.Errorf("getting durable consumer '%s': %w", s.Consumer, c.told(err))
		}
		return c.Shut, nil
	}
	cfg := &nats.ConsumerConfig{Durable: s.Consumer, DeliverPolicy: nats.DeliverAllPolicy, AckPolicy: nats.AckExplicitPolicy,
		ReplayPolicy: nats.ReplayInstantPolicy, FilterSubject: g.Spec.Subscription(), MaxAckPending: max(s.Batch*g.Spec.All(), 1)}
	if s.Acks == "none" {
		cfg.AckPolicy, cfg.MaxAckPending = nats.AckNonePolicy, 0
	}
	if g.Spec.Kind == "oldjs push" {
		cfg.DeliverSubject, cfg.DeliverGroup = nats.NewInbox(), oldGroup
	}
	if err := js.DeleteConsumer(s.Name, s.Consumer, nats.Context(ctx)); err != nil && !errors.Is(err, nats.ErrConsumerNotFound) {
		return c.Shut, fmt.Errorf("consumer %s: %w", s.Consumer, c.told(err))
	}
	if _, err := js.AddConsumer(s.Name, cfg, nats.Context(ctx)); err != nil {
		return c.Shut, fmt.Errorf("creating durable consumer '%s': %w", s.Consumer, c.told(err))
	}
	return func() {
		defer c.Shut()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.World.Timeout)
		defer cancel()
		if err := js.DeleteConsumer(s.Name, s.Consumer, nats.Context(ctx)); err == nil {
			g.World.Say("Deleted durable consumer: %s", s.Consumer)
		}
	}, nil
}

// oldWork receives with the legacy API: by callback from an ordered or a push consumer, or batch by batch from a pull consumer.
func (r *reader) oldWork(ctx context.Context) error {
	js, err := r.w.Group.World.OldJetStream(r.c.Conn)
	if err != nil {
		return err
	}
	if err := r.w.Ready(ctx); err != nil {
		return err
	}
	name := r.spec.Stream
	if r.spec.Kind == "oldjs pull" {
		sub, err := js.PullSubscribe(r.spec.Subscription(), name.Consumer, nats.Bind(name.Name, name.Consumer))
		if err != nil {
			return fmt.Errorf("subscribing to %s: %w", r.spec.Subject, err)
		}
		r.askOld(sub)
		return r.oldFetch(ctx, sub)
	}
	return r.oldCallback(ctx, js)
}

func (r *reader) askOld(sub *nats.Subscription) {
	r.pool.ask(func(context.Context) (*jetstream.ConsumerInfo, error) {
		i, err := sub.ConsumerInfo()
		if err != nil {
			return nil, err
		}
		return &jetstream.ConsumerInfo{NumPending: i.NumPending, NumAckPending: i.NumAckPending}, nil
	})
}

func (r *reader) oldCallback(ctx context.Context, js nats.JetStreamContext) error {
	ended := make(chan error, 1)
	end := func(err error) {
		select {
		case ended <- err:
		default:
		}
	}
	ordered := r.spec.Kind == "oldjs ordered"
	handle := func(m *nats.Msg) {
		if !ordered && r.pool.claim(1) == 0 {
			_ = m.Nak()
			end(nil)
			return
		}
		last := r.take(int64(len(m.Data) + crew.HeaderSize(m.Header)))
		if ordered && r.complete() {
			end(nil)
			return
		}
		if !ordered {
			if err := r.oldAck(ctx, m); err != nil {
				end(err)
			}
			if last {
				r.w.Group.End(crew.ErrEnough)
			}
		}
		_ = crew.Pause(ctx, r.spec.Sleep) // its end is the client's business
	}
	r.w.Set(meter.Consuming)
	var sub *nats.Subscription
	var err error
	if ordered {
		sub, err = js.Subscribe(r.spec.Subscription(), handle, nats.OrderedConsumer(), nats.BindStream(r.spec.Stream.Name))
	} else {
		sub, err = js.QueueSubscribe(r.spec.Subscription(), oldGroup, handle, nats.Bind(r.spec.Stream.Name, r.spec.Stream.Consumer), nats.ManualAck())
	}
	if err != nil {
		return fmt.Errorf("subscribing to %s: %w", r.spec.Subject, err)
	}
	defer func() {
		defer r.part()()
		_ = sub.Unsubscribe()
	}()
	r.askOld(sub)
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return err
}

func (r *reader) oldAck(ctx context.Context, m *nats.Msg) error {
	var err error
	switch {
	case r.spec.Stream.Acks == "none":
	case r.spec.Stream.DoubleAck:
		bounded, cancel := context.WithTimeout(ctx, r.w.Group.World.Timeout)
		defer cancel()
		err = m.AckSync(nats.Context(bounded))
	default:
		err = m.Ack()
	}
	if err != nil {
		return fmt.Errorf("acknowledging: %w", err)
	}
	return nil
}

func (r *reader) oldFetch(ctx context.Context, sub *nats.Subscription) error {
	r.w.Set(meter.Fetching)
	for {
		n := r.pool.claim(int64(r.share()))
		if n == 0 {
			if r.pool.still.Load() == 0 {
				return nil
			}
			if err := crew.Pause(ctx, 10*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, time.Second)
		msgs, err := sub.Fetch(int(n), nats.Context(bounded))
		cancel()
		for _, m := range msgs {
			r.take(int64(len(m.Data) + crew.HeaderSize(m.Header)))
			if err := r.oldAck(ctx, m); err != nil {
				return err
			}
			if err := crew.Pause(ctx, r.spec.Sleep); err != nil {
				return err
			}
		}
		if r.spec.Bounded() {
			r.pool.left.Add(n - int64(len(msgs)))
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, nats.ErrTimeout) {
			return fmt.Errorf("fetching from the consumer '%s': %w", r.spec.Stream.Consumer, err)
		}
	}
}
