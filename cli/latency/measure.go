package latency

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nuid"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/wire"
)

func unique() string { return nuid.Next() }

// warmUp is how long messages are sent before those that count.
const warmUp = 100 * time.Millisecond

// stray stands in test messages that are still on their way.
const stray = uint64(0)

// measure sends on schedule and receives beside it. Times are offsets from the first message that counts, plus one hour so
// that those of the warm-up are positive too.
func (p *pair) measure(ctx context.Context, r *result) error {
	const shift = time.Hour
	start := p.e.Clock.Now().Add(warmUp)
	now := func() time.Duration { return p.e.Clock.Now().Sub(start) }
	receiving, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	r.samples = make([]time.Duration, 0, r.Messages)
	go func() {
		done <- p.b.Read(receiving, wire.Handler{Msg: func(m *wire.Msg) error {
			at := m.At.Sub(start)
			stamp := binary.LittleEndian.Uint64(m.Payload)
			sent := time.Duration(stamp) - shift
			if stamp == stray || sent < 0 {
				return nil
			}
			r.samples = append(r.samples, at-sent)
			r.LastReceived = at
			if len(r.samples) == r.Messages {
				return wire.ErrStop
			}
			return nil
		}})
	}()
	err := p.send(ctx, r, now, shift)
	if err == nil {
		err = p.await(ctx, done, cancel)
	} else {
		cancel()
		<-done
	}
	r.Lost = r.Messages - len(r.samples)
	r.sum()
	return err
}

// await waits for the receiver, at most the timeout. Messages that have not come by then are lost, which is no error here.
func (p *pair) await(ctx context.Context, done <-chan error, cancel func()) error {
	var err error
	select {
	case err = <-done:
	case <-p.e.Clock.After(p.e.Nats.Effective().Timeout):
		cancel()
		err = <-done
		if errors.Is(err, context.Canceled) && ctx.Err() == nil {
			return nil
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("second connection: %w", err)
	}
	return nil
}

// send keeps the schedule: a message that is late is sent at once with the time at which it was due.
func (p *pair) send(ctx context.Context, r *result, now func() time.Duration, shift time.Duration) error {
	w := p.a.Writer()
	body := make([]byte, p.o.size)
	interval := float64(time.Second) / float64(p.o.rate)
	for i := -int(float64(warmUp) / interval); i < r.Messages; i++ {
		due := time.Duration(float64(i) * interval)
		if now() < due {
			if err := w.Flush(); err != nil {
				return fmt.Errorf("first connection: %w", err)
			}
			if err := meter.WaitUntil(ctx, now, due); err != nil {
				return context.Cause(ctx)
			}
		}
		if i == 0 {
			r.FirstSent = now()
		}
		binary.LittleEndian.PutUint64(body, uint64(due+shift))
		if err := w.Pub(p.subject, "", nil, body); err != nil {
			return fmt.Errorf("first connection: %w", err)
		}
		if next := time.Duration(float64(i+1) * interval); now() < next {
			if err := w.Flush(); err != nil {
				return fmt.Errorf("first connection: %w", err)
			}
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("first connection: %w", err)
	}
	r.LastSent = now()
	return nil
}
