package pub

import (
	"context"
	"errors"
	"io"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/payload"
)

// source hands out bodies. Lines are read ahead by a goroutine of their own, in batches that grow while the sender is busy,
// so that a line typed by hand is sent at once and a million piped lines are not sent one by one.
type source struct {
	bodies  *payload.Bodies
	ctx     context.Context
	cancel  context.CancelFunc
	batches chan *batchOfLines
	spares  chan *batchOfLines // handed out, to be filled again
	current *batchOfLines
	at      int
}

// batchOfLines are lines one behind the other; ends[i] is where line i ends.
type batchOfLines struct {
	data  []byte
	ends  []int
	first int // number of the first line
	err   error
}

const batchBytes = 64 << 10

func newSource(ctx context.Context, in payload.Input) *source {
	ctx, cancel := context.WithCancel(ctx)
	s := &source{bodies: in.Open(ctx), ctx: ctx, cancel: cancel}
	if in.Lines && in.FromStdin() {
		s.batches, s.spares = make(chan *batchOfLines), make(chan *batchOfLines, 2)
		go s.readAhead()
	}
	return s
}

// close ends the reading. A read that blocks is ended with its context.
func (s *source) close() {
	s.cancel()
	if s.batches != nil {
		for range s.batches {
		}
	}
	s.bodies.Close()
}

func (s *source) readAhead() {
	defer close(s.batches)
	b := s.fresh()
	for {
		body, err := s.bodies.Next()
		if err != nil {
			b.err = err
			select {
			case s.batches <- b:
			case <-s.ctx.Done():
				return
			}
			if !errors.Is(err, nats.ErrMaxPayload) {
				return
			}
			b = s.fresh()
			continue
		}
		if len(b.ends) == 0 {
			b.first = body.Line
		}
		b.data = append(b.data, body.Data...)
		b.ends = append(b.ends, len(b.data))
		if len(b.data) < batchBytes && len(b.ends) < batchBytes/8 {
			select {
			case s.batches <- b:
				b = s.fresh()
			default:
			}
			continue
		}
		select {
		case s.batches <- b:
			b = s.fresh()
		case <-s.ctx.Done():
			return
		}
	}
}

// fresh is an empty batch.
func (s *source) fresh() *batchOfLines {
	select {
	case b := <-s.spares:
		b.data, b.ends, b.err = b.data[:0], b.ends[:0], nil
		return b
	default:
		return &batchOfLines{}
	}
}

// next is the next body, valid until the call after; before it waits for one it calls idle.
func (s *source) next(idle func() error) (payload.Body, error) {
	if s.batches == nil {
		return s.bodies.Next()
	}
	for {
		if c := s.current; c != nil {
			if s.at < len(c.ends) {
				begin := 0
				if s.at > 0 {
					begin = c.ends[s.at-1]
				}
				body := payload.Body{Data: c.data[begin:c.ends[s.at]], Line: c.first + s.at}
				s.at++
				return body, nil
			}
			s.current = nil
			err := c.err
			select {
			case s.spares <- c:
			default:
			}
			if err != nil {
				return payload.Body{}, err
			}
		}
		b, err := s.wait(idle)
		if err != nil {
			return payload.Body{}, err
		}
		s.current, s.at = b, 0
	}
}

func (s *source) wait(idle func() error) (*batchOfLines, error) {
	select {
	case b, ok := <-s.batches:
		return b, ended(ok)
	default:
	}
	if err := idle(); err != nil {
		return nil, err
	}
	select {
	case b, ok := <-s.batches:
		return b, ended(ok)
	case <-s.ctx.Done():
		return nil, context.Cause(s.ctx)
	}
}

func ended(ok bool) error {
	if !ok {
		return io.EOF
	}
	return nil
}
