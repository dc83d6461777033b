package meter

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// Confirmer learns how long the server takes to confirm what a publisher handed over: it sends PINGs behind the messages and
// times the PONGs. The publisher never waits for it but when the server is far behind.
type Confirmer struct {
	probe *Probe
	ping  func(context.Context) error
	// written counts the bytes on the connection. While sampling, the publisher lets the PING go first: at full speed it would
	// find the connection busy for ever.
	written func() int64
	mark    func(func(error)) error // sends a PING from the publisher's own goroutine; nil when others send them
	single  bool                    // one PING at a time, for the message after the last one confirmed: sampling at full speed
	staged  []handed                // offered and not yet written; belongs to the publisher

	mu      sync.Mutex
	pending []handed        // written, waiting for a PING
	ctx     context.Context // of the last PING of a sampler
	flying  int             // PINGs under way
	room    *sync.Cond
	wake    chan struct{}
	stopped bool
	wg      sync.WaitGroup
}

// handed is a message on its way: when its latency begins and to which step of the schedule it belongs.
type handed struct {
	from time.Duration
	step int32
}

// The limits of a Confirmer: PINGs under way at the same time, messages waiting for one.
const (
	pingsInFlight = 16
	maxPending    = 1 << 20
)

// NewConfirmer starts a Confirmer; Stop ends it, and ctx its PINGs.
func NewConfirmer(ctx context.Context, probe *Probe, single bool, ping func(context.Context) error, written func() int64) *Confirmer {
	c := &Confirmer{probe: probe, ping: ping, written: written, single: single, wake: make(chan struct{}, pingsInFlight)}
	c.room = sync.NewCond(&c.mu)
	n := pingsInFlight
	if single {
		n = 1
	}
	for range n {
		c.wg.Go(func() { c.confirm(ctx) })
	}
	return c
}

// NewSampler times one message after the other, like a Confirmer with single, by PINGs that the publisher writes itself: mark sends
// one behind what was written and has its argument called when it is answered, by the time that a ping after it has come back.
func NewSampler(ctx context.Context, probe *Probe, mark func(func(error)) error, ping func(context.Context) error) *Confirmer {
	c := &Confirmer{probe: probe, mark: mark, ping: ping, single: true, ctx: ctx}
	c.room = sync.NewCond(&c.mu)
	return c
}

// Offer notes a message that is about to be written. step is its step of the schedule, -1 without one.
func (c *Confirmer) Offer(from time.Duration, step int) {
	if !c.single || len(c.staged) == 0 {
		c.staged = append(c.staged, handed{from, int32(step)})
	}
}

// Flushed says that what was offered has been written to the connection: a PING from now on comes behind it.
func (c *Confirmer) Flushed() {
	if len(c.staged) == 0 {
		return
	}
	if c.mark != nil {
		c.sample()
		return
	}
	c.mu.Lock()
	for !c.single && len(c.pending) >= maxPending && !c.stopped {
		c.room.Wait()
	}
	taken := !c.single || len(c.pending) == 0 && c.flying == 0
	if taken {
		c.pending = append(c.pending, c.staged...)
	}
	c.mu.Unlock()
	c.staged = c.staged[:0]
	if !taken {
		return
	}
	before := c.written()
	select {
	case c.wake <- struct{}{}:
	default: // enough wake-ups are waiting already
	}
	for c.single && c.written() == before && !c.idle() {
		runtime.Gosched()
	}
}

// Due reports that a sampler will send a PING behind what is handed over next.
func (c *Confirmer) Due() bool {
	if c.mark == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flying == 0 && !c.stopped
}

// sample sends a PING for what is staged unless one is under way.
func (c *Confirmer) sample() {
	h := c.staged[0]
	c.staged = c.staged[:0]
	c.mu.Lock()
	due := c.flying == 0 && !c.stopped
	if due {
		c.flying++
	}
	c.mu.Unlock()
	if !due {
		return
	}
	err := c.mark(func(err error) { c.answered([]handed{h}, err) })
	if err != nil { // the publisher meets the same error
		c.mu.Lock()
		c.stopped = true
		c.mu.Unlock()
	}
}

// answered takes the end of a PING that was sent behind the messages.
func (c *Confirmer) answered(messages []handed, err error) {
	now := c.probe.Run().Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flying--
	switch {
	case err != nil: // the publisher meets the same error
		c.stopped = true
		c.room.Broadcast()
		return
	case c.mark != nil && c.stopped:
		return // too late to be counted
	}
	for _, h := range messages {
		c.record(now-h.from, now, int(h.step))
	}
}

// idle reports that no PING is due or under way, as when one failed.
func (c *Confirmer) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped || len(c.pending) == 0 && c.flying == 0
}

func (c *Confirmer) confirm(ctx context.Context) {
	var mine []handed
	for range c.wake {
		c.mu.Lock()
		mine, c.pending = c.pending, mine[:0]
		c.room.Broadcast()
		if len(mine) > 0 {
			c.flying++
		}
		c.mu.Unlock()
		if len(mine) == 0 {
			continue
		}
		c.answered(mine, c.ping(ctx))
	}
}

// record adds a latency to the probe. The caller holds the lock: nobody else records latencies of this probe.
func (c *Confirmer) record(d, now time.Duration, step int) {
	if step >= 0 {
		c.probe.Step(step, d, now)
	}
	c.probe.Latency(d, now)
}

// Stop waits for the confirmations under way.
func (c *Confirmer) Stop() {
	c.Flushed()
	if c.mark != nil {
		c.mu.Lock()
		waiting := c.flying > 0 && !c.stopped
		c.mu.Unlock()
		if waiting {
			_ = c.ping(c.ctx) // the answers come in order
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stopped = true
		return
	}
	close(c.wake)
	c.wg.Wait()
}
