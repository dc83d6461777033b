package streams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/meter"
)

func (p *putter) Begin(ctx context.Context) {
	p.ctx = p.Bound(ctx)
	p.w.Set(meter.Putting)
}

func (p *putter) Head(nats.Header) error { return nil } // values have none

func (p *putter) Put(_, body []byte, from time.Duration, step int) error {
	key := p.keys.key(p.w.Share.Offset + p.sent)
	ctx, cancel := context.WithTimeout(p.ctx, p.w.Group.World.Timeout)
	defer cancel()
	if _, err := p.kv.Put(ctx, key, body); err != nil {
		return fmt.Errorf("putting key '%s': %w", key, p.Known(err))
	}
	p.sent++
	now := p.w.Run().Now()
	if step >= 0 {
		p.w.Step(step, now-from, now)
	}
	p.w.Latency(now-from, now)
	p.w.Add(1, int64(len(body)), now)
	return nil
}

func (p *putter) Repeat([]byte, []byte, int) error {
	return errors.New("a storer gives each message its own time")
}

func (p *putter) Flush() error { return nil }

func (p *putter) Ping(ctx context.Context) error { return p.FlushWithContext(ctx) }

func (p *putter) Denied() int64 { return p.Refused.Load() }

func (p *putter) Drain(context.Context) (int64, error) {
	p.w.End(p.w.Run().Now())
	return 0, nil
}

func (p *putter) Close() { p.Shut() }
