package agents

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
)

// A controller asks each of its agents for a sign of life all through a run, and so either side learns that the other is gone: the
// server says that nobody is there to ask, and a machine or network that fails is missed after patience.
const (
	beat     = 500 * time.Millisecond
	patience = 10 * time.Second
	misses   = 6 // times that nobody was there to ask: a connection that comes back takes two seconds
)

// errAbandoned ends the run of an agent whose controller is gone.
var errAbandoned = fail.Newf(fail.Unreachable, "the controller is gone")

// pulse is what an agent hears of its controllers, by the subjects of their answers.
type pulse struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// feel answers a controller.
func (p *pulse) feel(m *nats.Msg) {
	p.mu.Lock()
	if _, ours := p.last[string(m.Data)]; ours {
		p.last[string(m.Data)] = time.Now()
	}
	p.mu.Unlock()
	_ = m.Respond(nil)
}

// watch ends a run when its controller was not heard of for too long. It returns with ctx.
func (p *pulse) watch(ctx context.Context, answer string, stop context.CancelCauseFunc) {
	heard := func(f func()) {
		p.mu.Lock()
		defer p.mu.Unlock()
		f()
	}
	heard(func() { p.last[answer] = time.Now() })
	defer heard(func() { delete(p.last, answer) })
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		gone := false
		heard(func() { gone = time.Since(p.last[answer]) > patience })
		if gone {
			stop(errAbandoned)
			return
		}
	}
}
