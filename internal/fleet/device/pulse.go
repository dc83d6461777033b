package device

import (
	"context"
	"sync"
	"time"

	"github.com/natskit/natskit/internal/fleet"
)

// pulse wakes all who wait.
type pulse struct {
	mu sync.Mutex
	c  chan struct{}
}

// wait is closed at the next signal.
func (p *pulse) wait() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.c == nil {
		p.c = make(chan struct{})
	}
	return p.c
}

func (p *pulse) signal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.c != nil {
		close(p.c)
		p.c = nil
	}
}

// pause waits until d has passed, woken is closed or ctx ends; false is the last.
func pause(ctx context.Context, d time.Duration, woken <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-woken:
	case <-ctx.Done():
		return false
	}
	return true
}

// Selectors keeps the expressions last compiled. The zero value is ready; it may be used by several goroutines.
type Selectors struct {
	mu   sync.Mutex
	kept map[string]compiled
}

type compiled struct {
	selector fleet.Selector
	err      error
}

const keptSelectors = 64

// Get is fleet.Compile with a memory.
func (s *Selectors) Get(expression string) (fleet.Selector, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.kept[expression]
	if !ok {
		c.selector, c.err = fleet.Compile(expression)
		if s.kept == nil || len(s.kept) >= keptSelectors {
			s.kept = map[string]compiled{}
		}
		s.kept[expression] = c
	}
	return c.selector, c.err
}
