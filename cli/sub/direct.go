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

// direct reads a stream without a consumer: by batches of direct gets, or message by message where the stream takes none.
type direct struct {
	*pipe
	r       *replay
	client  *js.Client
	name    string
	filter  string
	single  bool // the stream takes no direct gets
	seq     uint64
	since   *time.Time
	lastFor bool
	cancel  context.CancelFunc
	done    chan struct{}
}

func openDirect(ctx context.Context, r *replay, client *js.Client, stream jetstream.Stream, filter string) (source, error) {
	info := stream.CachedInfo()
	s := &direct{pipe: newPipe(256), r: r, client: client, name: info.Config.Name, filter: filter, single: !info.Config.AllowDirect, seq: 1}
	o := r.o
	switch {
	case o.startSeq > 0:
		s.seq = o.startSeq
	case o.newOnly:
		s.seq = info.State.LastSeq + 1
	case o.since.Given && o.since.IsSequence():
		s.seq = o.since.Sequence
	case o.since.Given:
		at, _ := o.since.At(r.e.Clock.Now())
		s.seq, s.since = 0, &at
	case o.lastPerSubject:
		s.lastFor = true
	case o.last:
		m, err := client.LastMessage(ctx, s.name, filter)
		switch {
		case err == nil:
			s.seq = m.Sequence
		case js.IsCode(err, 10037):
			s.seq = info.State.LastSeq + 1
		default:
			return nil, err
		}
	}
	if s.single && (s.since != nil || s.lastFor) {
		return nil, fmt.Errorf("stream %s does not allow direct gets, which --since and --last-per-subject need here", s.name)
	}
	where := r.from()
	if !o.startedAnywhere() {
		where = "starting with the first message received"
	}
	r.e.Say("Subscribing to JetStream Stream (direct) holding messages with subject %s %s ", filter, where)
	return s, nil
}

func (o *subOptions) startedAnywhere() bool { return len(o.starts()) > 0 && !o.all }

func (s *direct) empty() bool { return false }

func (s *direct) next(ctx context.Context, _ uint64) (<-chan entry, error) {
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

func (s *direct) stop(context.Context) bool {
	s.close()
	if s.cancel != nil {
		s.cancel()
		<-s.done
	}
	return false
}

// read hands over what there is, then waits for more.
func (s *direct) read(ctx context.Context) error {
	pause := soon
	for {
		got, err := s.round(ctx)
		switch {
		case errors.Is(err, js.ErrStop):
			return nil
		case err != nil && !errors.Is(err, js.ErrNoMessages):
			return err
		case got > 0:
			pause = soon
			continue
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

// round hands over one batch and says how many messages it had.
func (s *direct) round(ctx context.Context) (got int, err error) {
	if s.single {
		return s.one(ctx)
	}
	req := js.DirectRequest{Seq: s.seq, Since: s.since, NextFor: s.filter, Batch: 8192, MaxBytes: 8 << 20}
	if req.NextFor == ">" {
		req.NextFor = "" // the server counts what is pending faster
	}
	if s.lastFor {
		req = js.DirectRequest{LastFor: []string{s.filter}}
	}
	err = s.client.Direct(ctx, s.name, req, func(m *js.DirectMessage) error {
		got++
		s.seq = max(s.seq, m.Sequence+1)
		return s.hand(m.Subject, m.Sequence, m.Time, m.Header, m.Data, m.Pending)
	})
	if got > 0 || errors.Is(err, js.ErrNoMessages) {
		s.since, s.lastFor = s.later(got), false
	}
	return got, err
}

// later is the time to go on from: none once a message has told the sequence.
func (s *direct) later(got int) *time.Time {
	if got > 0 || s.lastFor {
		return nil
	}
	return s.since
}

func (s *direct) one(ctx context.Context) (int, error) {
	m, err := s.client.NextMessage(ctx, s.name, s.filter, s.seq)
	switch {
	case js.IsCode(err, 10037):
		return 0, js.ErrNoMessages
	case err != nil:
		return 0, err
	}
	s.seq = m.Sequence + 1
	h, err := nats.DecodeHeadersMsg(m.Header)
	if len(m.Header) == 0 {
		h, err = nil, nil
	}
	if err != nil {
		return 0, fmt.Errorf("headers of message %d: %w", m.Sequence, err)
	}
	return 1, s.hand(m.Subject, m.Sequence, m.Time, h, m.Data, 1)
}

func (s *direct) hand(subject string, seq uint64, at time.Time, h nats.Header, data []byte, pending uint64) error {
	en := entry{subject: subject, header: h, data: data, at: at}
	en.stored = stored{stream: s.name, sequence: seq, pending: pending, direct: true}
	if !s.put(en) {
		return js.ErrStop
	}
	return nil
}
