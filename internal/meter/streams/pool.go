package streams

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
)

// pool is what the consuming clients of a run share: how many messages are still to come, and the consumers to ask whether
// there are any.
type pool struct {
	g     *crew.Group
	left  atomic.Int64          // messages nobody has claimed
	still atomic.Int64          // messages not yet counted
	said  atomic.Pointer[error] // the latest complaint of the library
	// stalls counts how often the library heard nothing of a pull for two heartbeats and asked again.
	stalls atomic.Int64

	mu    sync.Mutex
	infos []func(context.Context) (*jetstream.ConsumerInfo, error)
}

func (g *group) consumers(k crew.Kind, clients int, work func(*reader, context.Context) error, ready Prepared) Prepared {
	p := &pool{g: g.Group}
	p.left.Store(g.Spec.Messages)
	p.still.Store(g.Spec.Messages)
	g.Add(k, crew.NatsGo, clients, g.Spec.Messages, func(ctx context.Context, w *crew.Worker) error {
		r := &reader{w: w, spec: g.Spec, pool: p}
		return r.run(ctx, work)
	})
	g.Starved, g.Left = p.starved, p.remaining
	return func(ctx context.Context, r *meter.Report) (func(), error) {
		end, err := ready(ctx, r)
		return func() {
			p.note(r)
			if end != nil {
				end()
			}
		}, err
	}
}

// note tells of clients that stood still, since it is in the rate.
func (p *pool) note(r *meter.Report) {
	if n := p.stalls.Load(); n > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("The client library heard nothing of what it had asked for and asked again after %s, %s times: the rate contains these waits", 2*heartbeat, meter.Commas(n)))
	}
}

// starved asks the server whether anything is left for the consumers.
func (p *pool) starved(ctx context.Context) bool {
	p.mu.Lock()
	infos := p.infos
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, p.g.World.Timeout) // a server that does not answer must not keep the run from seeing it
	defer cancel()
	for _, f := range infos {
		i, err := f(ctx)
		if err != nil || i.NumPending > 0 || i.NumAckPending > 0 {
			return false
		}
	}
	return len(infos) > 0
}

// remaining says what the first consumer still has, which tells a slow server from messages that others hold.
func (p *pool) remaining(ctx context.Context) string {
	p.mu.Lock()
	infos := p.infos
	p.mu.Unlock()
	if len(infos) == 0 {
		return ""
	}
	text := ""
	if i, err := infos[0](ctx); err == nil && i.NumPending+uint64(i.NumAckPending) > 0 {
		text = fmt.Sprintf("though the consumer has %s messages and waits for %s acknowledgements", meter.Commas(int64(i.NumPending)), meter.Commas(int64(i.NumAckPending)))
	}
	if e := p.said.Load(); e != nil {
		text = strings.TrimPrefix(text+fmt.Sprintf(", the client library said: %v", *e), ", ")
	}
	return text
}

func (p *pool) ask(f func(context.Context) (*jetstream.ConsumerInfo, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.infos = append(p.infos, f)
}

// claim reserves up to n of the messages that are to come, 0 when there are no more. A run without a number has them always.
func (p *pool) claim(n int64) int64 {
	if !p.g.Spec.Bounded() {
		return n
	}
	for {
		left := p.left.Load()
		n = min(n, left)
		if n <= 0 || p.left.CompareAndSwap(left, left-n) {
			return max(n, 0)
		}
	}
}
