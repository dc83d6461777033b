package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/natskit/natskit/internal/meter"
)

func (p *putter) begin(ctx context.Context) {
	p.ctx = ctx
	p.w.Set(meter.Putting)
}

func (p *putter) put(_, body []byte, from time.Duration, step int) error {
	key := p.keys.key(p.w.share.Offset + p.sent)
	ctx, cancel := context.WithTimeout(p.ctx, p.w.group.w.Timeout)
	defer cancel()
	if _, err := p.kv.Put(ctx, key, body); err != nil {
		if told := p.failed(); told != nil {
			err = told
		}
		return fmt.Errorf("putting key '%s': %w", key, err)
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

func (p *putter) repeat([]byte, []byte, int) error {
	return errors.New("a storer gives each message its own time")
}

func (p *putter) flush() error { return nil }

func (p *putter) ping(ctx context.Context) error { return p.FlushWithContext(ctx) }

func (p *putter) denied() int64 { return p.refuse.Load() }

func (p *putter) drain(context.Context) (int64, error) {
	p.w.End(p.w.Run().Now())
	return 0, nil
}

func (p *putter) close() { p.shut() }
