package sub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
)

// An idle stream is asked less and less often.
const (
	soon   = 50 * time.Millisecond
	rarely = time.Second
)

// single reads a stream message by message from its leader, where neither a consumer may be made nor direct gets are allowed.
type single struct {
	*pipe
	r      *replay
	client *js.Client
	name   string
	filter string
	seq    uint64
	cancel context.CancelFunc
	done   chan struct{}
}

func openSingle(ctx context.Context, r *replay, client *js.Client, stream jetstream.Stream, filter string) (source, error) {
	at, err := placeOf(ctx, r, client, stream, filter)
	if err != nil {
		return nil, err
	}
	name := stream.CachedInfo().Config.Name
	if at.Time != nil || at.Policy == jetstream.DeliverLastPerSubjectPolicy {
		return nil, fmt.Errorf("stream %s does not allow direct gets, which --since and --last-per-subject need here", name)
	}
	return &single{pipe: newPipe(256), r: r, client: client, name: name, filter: filter, seq: at.Seq}, nil
}

func (s *single) next(ctx context.Context, _ uint64) (<-chan entry, error) {
	ctx, s.cancel = context.WithCancel(ctx)
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		defer close(s.entries)
		if err := s.read(ctx); err != nil && ctx.Err() == nil {
			s.put(entry{err: fmt.Errorf("stream %s: %w", s.name, err)})
		}
	}()
	return s.entries, nil
}

func (s *single) stop(context.Context) bool {
	s.close()
	if s.cancel != nil {
		s.cancel()
		<-s.done
	}
	return false
}

// read hands over what there is, then waits for more.
func (s *single) read(ctx context.Context) error {
	pause := soon
	for {
		err := s.one(ctx)
		switch {
		case errors.Is(err, js.ErrStop):
			return nil
		case err == nil:
			pause = soon
			continue
		case !js.IsCode(err, 10037) && !errors.Is(err, js.ErrNoMessages):
			return err
		case s.r.o.toEnd:
			s.put(entry{end: true})
			return nil
		}
		select {
		case <-s.r.e.Clock.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(pause*2, rarely)
	}
}

// one hands over the next message.
func (s *single) one(ctx context.Context) error {
	m, err := s.client.NextMessage(ctx, s.name, s.filter, s.seq)
	if err != nil {
		return err
	}
	s.seq = m.Sequence + 1
	en := entry{subject: m.Subject, data: m.Data, at: m.Time}
	if len(m.Header) > 0 {
		if en.header, err = nats.DecodeHeadersMsg(m.Header); err != nil {
			return fmt.Errorf("headers of message %d: %w", m.Sequence, err)
		}
	}
	en.stored = stored{stream: s.name, sequence: m.Sequence, pending: 1, direct: true}
	if !s.put(en) {
		return js.ErrStop
	}
	return nil
}
