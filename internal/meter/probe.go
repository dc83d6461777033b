package meter

import (
	"sync"
	"sync/atomic"
	"time"
)

// Run is one measurement: a common clock for its clients and a record of how far they had come when.
type Run struct {
	base   time.Time
	warmup time.Duration
	probes []*Probe

	mu       sync.Mutex
	timeline []Point
	every    time.Duration
	began    time.Duration
}

// Point is how far a run had come: messages and bytes since it began, warm-up included.
type Point struct {
	At       time.Duration `json:"at_ns"`
	Messages int64         `json:"messages"`
	Bytes    int64         `json:"bytes"`
}

// maxPoints bounds the timeline: when it is full every other point goes and the distance doubles.
const maxPoints = 600

// NewRun prepares a run of clients. What happens in the first warmup of each client's work is not counted.
func NewRun(clients int, warmup time.Duration) *Run {
	r := &Run{base: time.Now(), warmup: warmup, every: 50 * time.Millisecond, began: -1}
	for i := range clients {
		r.probes = append(r.probes, &Probe{run: r, number: i + 1, warmEnd: -1})
	}
	return r
}

// Now is the time on the clock of the run.
func (r *Run) Now() time.Duration { return time.Since(r.base) }

// Wall is a time on the clock of the run as the wall clock had it.
func (r *Run) Wall(at time.Duration) time.Time { return r.base.Add(at) }

// Probes are the meters of the clients, in order of their numbers.
func (r *Run) Probes() []*Probe { return r.probes }

// Seen is how many messages all clients have handled by now, warm-up included; safe to call at any time.
func (r *Run) Seen() int64 {
	var n int64
	for _, p := range r.probes {
		n += p.seen.Load()
	}
	return n
}

// Sample adds a point to the timeline; it is called some twenty times a second while the run goes on.
func (r *Run) Sample() {
	now := r.Now()
	var pt Point
	for _, p := range r.probes {
		pt.Messages += p.seen.Load()
		pt.Bytes += p.seenBytes.Load()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began < 0 {
		if pt.Messages == 0 {
			return
		}
		r.began = now
	}
	pt.At = now - r.began
	if n := len(r.timeline); n > 0 && pt.At-r.timeline[n-1].At < r.every {
		return
	}
	r.timeline = append(r.timeline, pt)
	if len(r.timeline) > maxPoints {
		kept := r.timeline[:0]
		for i := 0; i < len(r.timeline); i += 2 {
			kept = append(kept, r.timeline[i])
		}
		r.timeline, r.every = kept, r.every*2
	}
}

// Timeline is the points so far.
func (r *Run) Timeline() []Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Point(nil), r.timeline...)
}

// Probe is the meter of one client. Its owner alone calls the methods that record; progress may be read from elsewhere.
type Probe struct {
	run    *Run
	number int

	seen, seenBytes atomic.Int64
	state           atomic.Int32
	_               [64]byte // the counters of two clients do not share a cache line

	warmEnd  time.Duration
	sender   bool
	started  bool
	start    time.Duration
	last     time.Duration
	messages int64
	bytes    int64
	head     int64 // messages of the first read of a receiver: they arrived before its clock ran
	headSize int64
	lat      Hist
	lag      Hist
	steps    []stepCount
}

// State is what a client is doing, for progress lines.
type State int32

// The states of a client; their names are at most ten characters wide.
const (
	Setup State = iota
	Publishing
	AckWait
	Batching
	Committing
	Requesting
	Putting
	Getting
	Receiving
	Consuming
	Fetching
	Serving
	Finished
)

var stateNames = [...]string{"Setup", "Publishing", "AckWait", "Batching", "Committing", "Requesting", "Putting", "Getting",
	"Receiving", "Consuming", "Fetching", "Serving", "Finished"}

// String is the word shown to people.
func (s State) String() string { return stateNames[s] }

// Number is the client's number, from 1.
func (p *Probe) Number() int { return p.number }

// Run is the run that the probe belongs to.
func (p *Probe) Run() *Run { return p.run }

// Set says what the client is doing now.
func (p *Probe) Set(s State) { p.state.Store(int32(s)) }

// State is what the client is doing.
func (p *Probe) State() State { return State(p.state.Load()) }

// Seen is how many messages the client has handled, warm-up included.
func (p *Probe) Seen() int64 { return p.seen.Load() }

// Begin starts the clock of a client that acts: publishes, requests, gets. Its rate counts from here, or from the end of
// the warm-up.
func (p *Probe) Begin(now time.Duration) {
	p.sender = true
	p.last = now
	p.warmEnd = now + p.run.warmup
	if p.run.warmup == 0 {
		p.start, p.started = now, true
	}
}

// Add counts n messages of together size bytes that were handled by now. A client that never called Begin receives: its
// clock starts with what its first read brought, and these messages do not count towards the rate, since nobody knows how
// long they took.
func (p *Probe) Add(n, size int64, now time.Duration) {
	p.seen.Add(n)
	p.seenBytes.Add(size)
	if p.warmEnd < 0 {
		p.warmEnd = now + p.run.warmup
	}
	if now < p.warmEnd {
		p.last = now
		return
	}
	if !p.started {
		p.started = true
		if p.sender {
			p.start = p.last
		} else {
			p.start, p.head, p.headSize = now, n, size
		}
	}
	p.messages += n
	p.bytes += size
	p.last = now
}

// Take removes n messages of size bytes from the count again: they turned out not to have been delivered.
func (p *Probe) Take(n, size int64) {
	p.messages = max(p.messages-n, 0)
	p.bytes = max(p.bytes-size, 0)
}

// End stops the clock of a sender: what it counted is now known to have arrived.
func (p *Probe) End(now time.Duration) {
	if p.started {
		p.last = max(p.last, now)
	}
}

// Warm reports that what happens at now still belongs to the warm-up.
func (p *Probe) Warm(now time.Duration) bool {
	return p.run.warmup > 0 && (p.warmEnd < 0 || now < p.warmEnd)
}

// Latency records how long one operation took that ended at now.
func (p *Probe) Latency(d, now time.Duration) {
	if !p.Warm(now) {
		p.lat.Record(d)
	}
}

// LatencyN records the same latency for n operations.
func (p *Probe) LatencyN(d time.Duration, n int64, now time.Duration) {
	if !p.Warm(now) {
		p.lat.RecordN(d, n)
	}
}

// Lag records how much later than intended a message was handed over: our own share of its latency.
func (p *Probe) Lag(d, now time.Duration) {
	if !p.Warm(now) {
		p.lag.Record(d)
	}
}

// stepCount is what one client did in one step of a schedule.
type stepCount struct {
	messages    int64
	latency     Hist
	first, last time.Duration // when its first and its last message were meant to be sent
	ended       time.Duration // when the last operation ended
}

// join adds what another client did in the same step.
func (c *stepCount) join(o *stepCount) {
	if o.messages == 0 {
		return
	}
	if c.messages == 0 || o.first < c.first {
		c.first = o.first
	}
	c.last, c.ended = max(c.last, o.last), max(c.ended, o.ended)
	c.messages += o.messages
	c.latency.Merge(&o.latency)
}

// rate is the messages a second of the step, which was to last for planned: until all of them were done, and until the next would
// have been due.
func (c *stepCount) rate(planned time.Duration) float64 {
	span := planned
	if n := float64(c.messages); n > 1 {
		span = max(c.ended-c.first, time.Duration(float64(c.last-c.first)*n/(n-1)))
	}
	if span <= 0 {
		return 0
	}
	return float64(c.messages) / span.Seconds()
}

// Step records an operation of step k of the schedule that took d and ended at now.
func (p *Probe) Step(k int, d, now time.Duration) {
	if p.Warm(now) {
		return
	}
	for len(p.steps) <= k {
		p.steps = append(p.steps, stepCount{})
	}
	one := &p.steps[k]
	if from := now - d; one.messages == 0 {
		one.first, one.last = from, from
	} else {
		one.first, one.last = min(one.first, from), max(one.last, from)
	}
	one.messages++
	one.ended = max(one.ended, now)
	one.latency.Record(d)
}

// Rate is the messages and bytes a second over the client's own time, and whether there was enough to measure: a receiver
// needs something after its first read.
func (p *Probe) Rate() (messages, bytes float64, ok bool) {
	d := (p.last - p.start).Seconds()
	n, size := p.messages, p.bytes
	if !p.sender {
		n, size = n-p.head, size-p.headSize
	}
	if !p.started || d <= 0 || n <= 0 {
		return 0, 0, false
	}
	return float64(n) / d, float64(size) / d, true
}
