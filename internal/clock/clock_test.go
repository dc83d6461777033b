package clock_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/clock"
)

var start = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// fired is the time that c holds, zero when there is none.
func fired(c <-chan time.Time) time.Time {
	select {
	case at := <-c:
		return at
	default:
		return time.Time{}
	}
}

func TestManualStandsStill(t *testing.T) {
	t.Parallel()
	m := clock.NewManual(start)
	if !m.Now().Equal(start) || m.Waiting() != 0 {
		t.Errorf("it is %s, %d wait", m.Now(), m.Waiting())
	}
	m.Advance(90 * time.Minute)
	if want := start.Add(90 * time.Minute); !m.Now().Equal(want) {
		t.Errorf("it is %s, want %s", m.Now(), want)
	}
}

func TestManualAfter(t *testing.T) {
	t.Parallel()
	m := clock.NewManual(start)
	soon, late := m.After(time.Second), m.After(time.Minute)
	if at := fired(m.After(0)); !at.Equal(start) {
		t.Errorf("nothing to wait for fired at %s", at)
	}
	if at := fired(m.After(-time.Second)); !at.Equal(start) {
		t.Errorf("the past fired at %s", at)
	}
	m.Advance(time.Second - 1)
	if at := fired(soon); !at.IsZero() || m.Waiting() != 2 {
		t.Errorf("fired at %s, %d wait", at, m.Waiting())
	}
	m.Advance(1)
	if at := fired(soon); !at.Equal(start.Add(time.Second)) || m.Waiting() != 1 {
		t.Errorf("fired at %s, %d wait", at, m.Waiting())
	}
	m.Advance(time.Hour)
	if at := fired(late); !at.Equal(start.Add(time.Minute)) || m.Waiting() != 0 {
		t.Errorf("fired at %s, %d wait", at, m.Waiting())
	}
	m.Advance(time.Hour)
	if at := fired(late); !at.IsZero() {
		t.Errorf("fired twice, at %s", at)
	}
}

func TestManualFiresInOrder(t *testing.T) {
	t.Parallel()
	m := clock.NewManual(start)
	var order []time.Duration
	waits := []time.Duration{3 * time.Second, time.Second, 2 * time.Second}
	var fired []<-chan time.Time
	for _, d := range waits {
		fired = append(fired, m.After(d))
	}
	m.Advance(time.Minute)
	for _, c := range fired {
		order = append(order, (<-c).Sub(start))
	}
	if !slices.Equal(order, waits) {
		t.Errorf("fired after %v, want %v: each at its own time", order, waits)
	}
}

func TestManualTicker(t *testing.T) {
	t.Parallel()
	m := clock.NewManual(start)
	tick := m.NewTicker(time.Second)
	m.Advance(time.Second)
	if at := fired(tick.C()); !at.Equal(start.Add(time.Second)) {
		t.Errorf("ticked at %s", at)
	}
	m.Advance(3 * time.Second)
	if at := fired(tick.C()); !at.Equal(start.Add(2 * time.Second)) {
		t.Errorf("ticked at %s: what nobody reads is dropped, the first stays", at)
	}
	if at := fired(tick.C()); !at.IsZero() {
		t.Errorf("ticked again at %s", at)
	}
	m.Advance(time.Second)
	if at := fired(tick.C()); !at.Equal(start.Add(5 * time.Second)) {
		t.Errorf("ticked at %s", at)
	}
	tick.Stop()
	tick.Stop()
	m.Advance(time.Minute)
	if at := fired(tick.C()); !at.IsZero() || m.Waiting() != 0 {
		t.Errorf("a stopped ticker ticked at %s, %d wait", at, m.Waiting())
	}
	defer func() {
		if recover() == nil {
			t.Error("a ticker without an interval was made")
		}
	}()
	m.NewTicker(0)
}

func TestManualIsSafe(t *testing.T) {
	t.Parallel()
	m := clock.NewManual(start)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				c := m.After(time.Second)
				tick := m.NewTicker(time.Second)
				m.Advance(time.Second)
				<-c
				tick.Stop()
				_ = m.Now()
			}
		})
	}
	wg.Wait()
	if want := start.Add(800 * time.Second); !m.Now().Equal(want) {
		t.Errorf("it is %s, want %s", m.Now(), want)
	}
}

func TestSystem(t *testing.T) {
	t.Parallel()
	c := clock.System()
	before := c.Now()
	<-c.After(0)
	tick := c.NewTicker(time.Millisecond)
	defer tick.Stop()
	<-tick.C()
	if c.Now().Before(before) {
		t.Error("time runs backwards")
	}
}
