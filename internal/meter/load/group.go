package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
)

// errEnough ends clients whose time is over: it is no error.
var errEnough = errors.New("the time of the run is over")

// idleError ends clients for which nothing comes any more.
type idleError struct{ text string }

func (e *idleError) Error() string { return e.text }

// side is a group of clients that do the same thing, each in a goroutine of its own.
type side struct {
	kind    Kind
	engine  string
	run     *meter.Run
	workers []*worker
	work    func(context.Context, *worker) error
	// delivery is the account of all clients together, where they do not have their own; nil otherwise.
	delivery func(context.Context) *meter.Delivery
	account  *meter.Delivery
	opened   time.Duration // when the clients were let go
	target   int64         // messages of all clients together, 0 without a number
}

// worker is one client.
type worker struct {
	*meter.Probe
	index int // from 0
	share meter.Share
	limit int64 // messages to receive after the warm-up, 0 without a number
	group *group
	// ready is called once connected; it returns when all clients are.
	ready func(context.Context) error
	// extra is what the client found besides its probe's figures.
	extra meter.Client
	err   error
}

// group runs sides together and watches them.
type group struct {
	w     World
	spec  *Spec
	sides []*side
	gate  chan struct{}
	slots chan struct{} // connections being made

	mu    sync.Mutex
	left  int // clients not yet connected
	first error
	fatal context.CancelCauseFunc
	// starved asks whether nothing is left that the clients wait for; nil when nobody can know.
	starved func(context.Context) bool
	over    func() bool // additional: all that can come has come, nil when it can't be known
}

// connecting is how many clients connect at the same time.
const connecting = 64

func newGroup(w World, spec *Spec) *group {
	return &group{w: w, spec: spec, gate: make(chan struct{}), slots: make(chan struct{}, connecting)}
}

// add makes a side of clients, with shares of messages as the kind divides them.
func (g *group) add(k Kind, engine string, clients int, messages int64, work func(context.Context, *worker) error) *side {
	s := &side{kind: k, engine: engine, run: meter.NewRun(clients, g.spec.Warmup), work: work, target: messages}
	shares := make([]meter.Share, clients)
	if k.Divide {
		shares = meter.Divide(messages, clients)
	} else {
		s.target *= int64(clients)
		for i := range shares {
			shares[i].Messages = messages
		}
	}
	for i, p := range s.run.Probes() {
		shares[i].Offset += g.spec.FirstMessage
		s.workers = append(s.workers, &worker{Probe: p, index: i, share: shares[i], limit: shares[i].Messages, group: g})
	}
	g.sides = append(g.sides, s)
	return s
}

// begin runs all clients to their end and returns why they ended early, nil when they did not.
func (g *group) begin(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g.fatal = cancel
	var wg sync.WaitGroup
	for _, s := range g.sides {
		g.left += len(s.workers)
	}
	connected := make(chan struct{})
	for _, s := range g.sides {
		for _, w := range s.workers {
			w.ready = g.arrive(connected)
			wg.Go(func() { g.one(ctx, s, w) })
		}
	}
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { g.open(ctx, connected, cancel) })
	watching.Go(func() { g.watch(ctx, done, cancel) })
	wg.Wait()
	close(done)
	cause := context.Cause(ctx)
	for _, s := range g.sides {
		if s.delivery != nil {
			s.account = s.delivery(ctx)
		}
	}
	cancel(nil)
	watching.Wait()
	g.show(true)
	return g.verdict(cause)
}

// open lets the clients start when all have connected and the gate of the world says so.
func (g *group) open(ctx context.Context, connected chan struct{}, cancel context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
		return
	case <-connected:
	}
	if g.w.Gate != nil {
		if err := g.w.Gate(ctx); err != nil {
			cancel(err)
			return
		}
	}
	for _, s := range g.sides {
		s.opened = s.run.Now()
	}
	close(g.gate)
}

// arrive makes the ready function of one client.
func (g *group) arrive(connected chan struct{}) func(context.Context) error {
	return func(ctx context.Context) error {
		g.mu.Lock()
		g.left--
		if g.left == 0 {
			close(connected)
		}
		g.mu.Unlock()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-g.gate:
			return nil
		}
	}
}

func (g *group) one(ctx context.Context, s *side, w *worker) {
	err := s.work(ctx, w)
	w.Set(meter.Finished)
	if cause := context.Cause(ctx); cause != nil && (errors.Is(err, cause) || errors.Is(err, context.Canceled)) {
		return // ended from outside; the cause is the verdict's business
	}
	if err == nil || errors.Is(err, errEnough) {
		return
	}
	if errors.Is(err, syscall.EPIPE) { // of a socket: it must not be taken for a reader of our output that went away
		err = fail.Newf(fail.Unreachable, "%v", err)
	}
	w.err = err
	g.mu.Lock()
	if g.first == nil {
		g.first = err
	}
	g.mu.Unlock()
	if !isIdle(err) { // what one client could not get, others may
		g.fatal(err)
	}
}

func (g *group) verdict(cause error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first != nil {
		return g.first
	}
	if errors.Is(cause, errEnough) {
		return nil
	}
	return cause
}

// watch samples the run, shows progress, and ends it when its time is over or nothing happens any more.
func (g *group) watch(ctx context.Context, done chan struct{}, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	select {
	case <-done:
		return
	case <-ctx.Done():
		return
	case <-g.gate:
	}
	started := time.Now()
	var seen int64
	var first, moved, asked time.Time
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		var n int64
		for _, s := range g.sides {
			s.run.Sample()
			n += s.run.Seen()
		}
		if n != seen {
			if first.IsZero() {
				first = now
			}
			seen, moved = n, now
		}
		g.show(false)
		err := g.limit(now, started, first, moved)
		if err == nil && g.starved != nil && now.Sub(asked) >= starved && now.Sub(later(started, moved)) >= max(starved, 2*g.spec.Sleep) {
			asked = now
			if g.starved(ctx) {
				err = &idleError{"the stream has no more for them"}
			}
		}
		if err != nil {
			cancel(err)
			return
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// limit is why the run has to end now, or nil. started is when the clients were let go, first and moved when the first and
// the latest message was seen.
func (g *group) limit(now, started, first, moved time.Time) error {
	s := g.spec
	switch {
	case first.IsZero():
		if s.Wait > 0 && now.Sub(started) >= s.Wait {
			return &idleError{fmt.Sprintf("the first message did not come within %s", s.Wait)}
		}
	case s.Duration > 0 && !s.bounded() && g.sides[0].kind.Role == meter.Consumer && now.Sub(first) >= s.Duration+s.Warmup:
		return errEnough
	case s.Idle > 0 && len(s.Segments) == 0 && now.Sub(moved) >= max(s.Idle, 2*s.Sleep):
		return &idleError{fmt.Sprintf("nothing came for %s", s.Idle)}
	}
	if g.over != nil && g.over() {
		return errEnough
	}
	return nil
}

func (g *group) show(over bool) {
	if g.w.Watch == nil {
		return
	}
	var out []Progress
	for _, s := range g.sides {
		p := Progress{Label: s.kind.Label}
		for _, w := range s.workers {
			p.Clients = append(p.Clients, ClientProgress{w.Number(), w.State(), w.Seen(), w.share.Messages})
		}
		out = append(out, p)
	}
	g.w.Watch(out, over)
}

// pause waits d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// outcome says how the run ended by the error it ended with, and which error the command returns for it.
func (g *group) outcome(ctx context.Context, err error) (meter.Outcome, error) {
	var idle *idleError
	var seen, want int64
	for _, s := range g.sides {
		for _, w := range s.workers {
			seen += w.Seen()
		}
		want += s.target
	}
	switch {
	case err == nil:
		return meter.Complete, nil
	case ctx.Err() != nil:
		return meter.Interrupted, err
	case errors.As(err, &idle):
		code := fail.Partial
		if seen == 0 {
			code = fail.NoAnswer
		}
		e := fail.Newf(code, "%d of %d messages: %s", seen, want, idle.text)
		if g.spec.Duration > 0 && !g.spec.bounded() {
			e = fail.Newf(code, "%d messages: %s", seen, idle.text)
		}
		return meter.Idle, e.WithHint("--idle and --wait say how long to wait")
	}
	return meter.Failed, err
}
