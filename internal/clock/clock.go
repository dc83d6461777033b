// Package clock is the one place where commands learn the time, so that tests decide what time it is.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time and wakes callers up.
type Clock interface {
	// Now is the current time with its monotonic reading where there is one.
	Now() time.Time
	// After delivers the time once, d from now; d <= 0 delivers at once.
	After(d time.Duration) <-chan time.Time
	// NewTicker delivers the time every d; d must be positive.
	NewTicker(d time.Duration) Ticker
}

// Ticker is a periodic wake-up that must be stopped by whoever asked for it.
type Ticker interface {
	C() <-chan time.Time
	Stop()
}

// System is the machine's own clock.
func System() Clock { return system{} }

type system struct{}

func (system) Now() time.Time                         { return time.Now() }
func (system) After(d time.Duration) <-chan time.Time { return time.After(d) }
func (system) NewTicker(d time.Duration) Ticker       { return sysTicker{time.NewTicker(d)} }

type sysTicker struct{ t *time.Ticker }

func (s sysTicker) C() <-chan time.Time { return s.t.C }
func (s sysTicker) Stop()               { s.t.Stop() }

// Manual is a clock for tests: it stands still until Advance is called, and waiters fire in order of their due time.
type Manual struct {
	mu      sync.Mutex
	now     time.Time
	waiters []*waiter
}

type waiter struct {
	due   time.Time
	every time.Duration
	c     chan time.Time
	gone  bool
}

// NewManual returns a clock that shows t until it is advanced.
func NewManual(t time.Time) *Manual { return &Manual{now: t} }

// Now is the time last set.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// After fires when Advance has moved the clock by d.
func (m *Manual) After(d time.Duration) <-chan time.Time {
	return m.add(d, 0).c
}

// NewTicker fires each time Advance passes another d; like time.Ticker it drops what nobody reads.
func (m *Manual) NewTicker(d time.Duration) Ticker {
	if d <= 0 {
		panic("clock: ticker interval must be positive")
	}
	return &manualTicker{m, m.add(d, d)}
}

func (m *Manual) add(d, every time.Duration) *waiter {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &waiter{due: m.now.Add(d), every: every, c: make(chan time.Time, 1)}
	if d <= 0 {
		w.c <- m.now
		return w
	}
	m.waiters = append(m.waiters, w)
	return w
}

// Waiting is how many timers and tickers are pending: a test waits for it before advancing.
func (m *Manual) Waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, w := range m.waiters {
		if !w.gone {
			n++
		}
	}
	return n
}

// Advance moves the clock forward and fires what became due, earliest first.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	end := m.now.Add(d)
	for {
		var next *waiter
		for _, w := range m.waiters {
			if !w.gone && !w.due.After(end) && (next == nil || w.due.Before(next.due)) {
				next = w
			}
		}
		if next == nil {
			break
		}
		m.now = next.due
		select {
		case next.c <- next.due:
		default:
		}
		if next.every > 0 {
			next.due = next.due.Add(next.every)
		} else {
			next.gone = true
		}
	}
	m.now = end
	kept := m.waiters[:0]
	for _, w := range m.waiters {
		if !w.gone {
			kept = append(kept, w)
		}
	}
	m.waiters = kept
}

type manualTicker struct {
	m *Manual
	w *waiter
}

func (t *manualTicker) C() <-chan time.Time { return t.w.c }

func (t *manualTicker) Stop() {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	t.w.gone = true
}
