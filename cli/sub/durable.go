package sub

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/contexts"
)

// batch is how many messages of a durable consumer are asked for at a time.
const batch = 128

// openDurable finds the consumer, or makes it: one that demands acknowledgements and starts where the flags say.
func openDurable(ctx context.Context, r *replay, stream jetstream.Stream, name string) (source, error) {
	consumer, err := stream.Consumer(ctx, r.o.durable)
	switch {
	case errors.Is(err, jetstream.ErrNotPullConsumer):
		return openPush(ctx, r, stream, name)
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		from := startOf(r.o, r.e.Clock.Now())
		consumer, err = stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: r.o.durable, AckPolicy: jetstream.AckExplicitPolicy, HeadersOnly: r.o.headersOnly || r.o.subjectsOnly,
			DeliverPolicy: from.Policy, OptStartSeq: from.Seq, OptStartTime: from.Time,
		})
		if err != nil {
			return nil, fmt.Errorf("making consumer %s > %s: %w", name, r.o.durable, contexts.Refusal(ctx, err))
		}
		r.e.Say("Subscribing to JetStream Stream %q using new pull consumer %q", name, r.o.durable)
	case err != nil:
		return nil, fmt.Errorf("consumer %s > %s: %w", name, r.o.durable, contexts.Refusal(ctx, err))
	default:
		r.e.Say("Subscribing to JetStream Stream %q using existing pull consumer %q", name, r.o.durable)
	}
	info := consumer.CachedInfo()
	s := &pulled{r: r, consumer: consumer, acks: info.Config.AckPolicy != jetstream.AckNonePolicy}
	r.nothing = info.NumPending == 0 && info.NumAckPending == 0
	return s, nil
}

// pulled reads by a durable pull consumer, batch by batch, so that no more is taken from it than is shown.
type pulled struct {
	r        *replay
	consumer jetstream.Consumer
	acks     bool
	cancel   context.CancelFunc
	relay    sync.WaitGroup
}

func (s *pulled) next(ctx context.Context, want uint64) (<-chan entry, error) {
	s.relay.Wait()
	n := batch
	if want > 0 && want < batch {
		n = int(want)
	}
	ctx, s.cancel = context.WithCancel(ctx)
	msgs, err := s.consumer.Fetch(n, jetstream.FetchContext(ctx))
	if err != nil {
		s.cancel()
		return nil, fmt.Errorf("consumer %s: %w", s.r.o.durable, err)
	}
	out := make(chan entry)
	s.relay.Go(func() {
		defer close(out)
		defer s.cancel()
		for m := range msgs.Messages() {
			en := entryOf(m)
			if !s.acks {
				out <- en // lost to everybody if it were not shown
				continue
			}
			en.msg = m
			select {
			case out <- en:
			case <-ctx.Done():
				_ = m.Nak() // for whoever reads next; without it, it comes again when its time to acknowledge is over
			}
		}
		if err := msgs.Error(); err != nil && ctx.Err() == nil && !errors.Is(err, jetstream.ErrNoHeartbeat) {
			select {
			case out <- entry{err: fmt.Errorf("consumer %s: %w", s.r.o.durable, err)}:
			case <-ctx.Done():
			}
		}
	})
	return out, nil
}

func (s *pulled) stop(context.Context) (keep bool) {
	if s.cancel != nil {
		s.cancel()
	}
	if !s.acks {
		return true
	}
	s.relay.Wait()
	return false
}

// pushed reads by a durable push consumer, whose messages the server sends to a subject.
type pushed struct {
	*pipe
	r        *replay
	consumer jetstream.PushConsumer
	acks     bool
	cc       jetstream.ConsumeContext
}

func openPush(ctx context.Context, r *replay, stream jetstream.Stream, name string) (source, error) {
	consumer, err := stream.PushConsumer(ctx, r.o.durable)
	if err != nil {
		return nil, fmt.Errorf("consumer %s > %s: %w", name, r.o.durable, contexts.Refusal(ctx, err))
	}
	r.e.IO.Warn("consumer %s > %s is a push consumer; reading those is deprecated, use a pull consumer", name, r.o.durable)
	r.e.Say("Subscribing to JetStream Stream %q using existing push consumer %q", name, r.o.durable)
	info := consumer.CachedInfo()
	s := &pushed{pipe: newPipe(0), r: r, consumer: consumer, acks: info.Config.AckPolicy != jetstream.AckNonePolicy}
	r.nothing = info.NumPending == 0 && info.NumAckPending == 0
	return s, nil
}

func (s *pushed) next(context.Context, uint64) (<-chan entry, error) {
	var err error
	s.cc, err = s.consumer.Consume(func(m jetstream.Msg) {
		en := entryOf(m)
		if s.acks {
			en.msg = m
		}
		if !s.put(en) && s.acks {
			_ = m.Nak()
		}
	}, jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
		s.r.e.Log.Debug(fmt.Sprintf(">>> Reading consumer %s: %v", s.r.o.durable, err))
	}))
	return s.entries, err
}

func (s *pushed) stop(context.Context) bool {
	s.close()
	if s.cc != nil {
		s.cc.Stop()
		<-s.cc.Closed()
	}
	return false
}
