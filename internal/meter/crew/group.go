package crew

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

// ErrEnough ends clients whose time is over: it is no error.
var ErrEnough = errors.New("the time of the run is over")

// IdleError ends clients for which nothing comes any more.
type IdleError struct{ Text string }

// Error says what the client waited for.
func (e *IdleError) Error() string { return e.Text }

// Side is a group of clients that do the same thing, each in a goroutine of its own.
type Side struct {
	Kind    Kind
	Engine  string
	Run     *meter.Run
	Workers []*Worker
	work    func(context.Context, *Worker) error
	// Delivery is the account of all clients together, where they do not have their own; nil otherwise.
	Delivery func(context.Context) *meter.Delivery
	Account  *meter.Delivery
	Opened   time.Duration // when the clients were let go
	Target   int64         // messages of all clients together, 0 without a number
}

// Worker is one client.
type Worker struct {
	*meter.Probe
	Index int // from 0
	Share meter.Share
	Limit int64 // messages to receive after the warm-up, 0 without a number
	Group *Group
	// Ready is called once connected; it returns when all clients are.
	Ready func(context.Context) error
	// Extra is what the client found besides its probe's figures.
	Extra meter.Client
	Err   error
}

// Group runs sides together and watches them.
type Group struct {
	World World
	Spec  *Spec
	Sides []*Side

	gate  chan struct{}
	slots chan struct{} // connections being made

	mu    sync.Mutex
	left  int // clients not yet connected
	first error
	fatal context.CancelCauseFunc
	// Starved asks whether nothing is left that the clients wait for; nil when nobody can know.
	Starved func(context.Context) bool
	// Left says what there would be for the clients when nothing came for too long; nil when nobody can know.
	Left func(context.Context) string
	Over func() bool // additional: all that can come has come, nil when it can't be known
}

// starved is how long consumers wait without a message before the run asks whether any is left.
const starved = 500 * time.Millisecond

// connecting is how many clients connect at the same time.
const connecting = 64

// NewGroup is a crew without clients for the run that spec describes.
func NewGroup(w World, spec *Spec) *Group {
	return &Group{World: w, Spec: spec, gate: make(chan struct{}), slots: make(chan struct{}, connecting)}
}

// Add makes a side of clients, with shares of messages as the kind divides them.
func (g *Group) Add(k Kind, engine string, clients int, messages int64, work func(context.Context, *Worker) error) *Side {
	s := &Side{Kind: k, Engine: engine, Run: meter.NewRun(clients, g.Spec.Warmup), work: work, Target: messages}
	shares := make([]meter.Share, clients)
	if k.Divide {
		shares = meter.Divide(messages, clients)
	} else {
		s.Target *= int64(clients)
		for i := range shares {
			shares[i].Messages = messages
		}
	}
	for i, p := range s.Run.Probes() {
		shares[i].Offset += g.Spec.FirstMessage
		s.Workers = append(s.Workers, &Worker{Probe: p, Index: i, Share: shares[i], Limit: shares[i].Messages, Group: g})
	}
	g.Sides = append(g.Sides, s)
	return s
}

// Run runs all clients to their end and returns why they ended early, nil when they did not.
func (g *Group) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g.fatal = cancel
	var wg sync.WaitGroup
	for _, s := range g.Sides {
		g.left += len(s.Workers)
	}
	connected := make(chan struct{})
	for _, s := range g.Sides {
		for _, w := range s.Workers {
			w.Ready = g.arrive(connected)
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
	for _, s := range g.Sides {
		if s.Delivery != nil {
			s.Account = s.Delivery(ctx)
		}
	}
	cancel(nil)
	watching.Wait()
	g.show(true)
	return g.verdict(cause)
}

// End ends all clients; err is why.
func (g *Group) End(err error) { g.fatal(err) }

// open lets the clients start when all have connected and the gate of the world says so.
func (g *Group) open(ctx context.Context, connected chan struct{}, cancel context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
		return
	case <-connected:
	}
	if g.World.Gate != nil {
		if err := g.World.Gate(ctx); err != nil {
			cancel(err)
			return
		}
	}
	for _, s := range g.Sides {
		s.Opened = s.Run.Now()
	}
	close(g.gate)
}

// arrive makes the ready function of one client.
func (g *Group) arrive(connected chan struct{}) func(context.Context) error {
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

func (g *Group) one(ctx context.Context, s *Side, w *Worker) {
	err := s.work(ctx, w)
	w.Set(meter.Finished)
	if cause := context.Cause(ctx); cause != nil && (errors.Is(err, cause) || errors.Is(err, context.Canceled)) {
		return // ended from outside; the cause is the verdict's business
	}
	if err == nil || errors.Is(err, ErrEnough) {
		return
	}
	if errors.Is(err, syscall.EPIPE) { // of a socket: it must not be taken for a reader of our output that went away
		err = fail.Newf(fail.Unreachable, "%v", err)
	}
	w.Err = err
	g.mu.Lock()
	if g.first == nil {
		g.first = err
	}
	g.mu.Unlock()
	if !IsIdle(err) { // what one client could not get, others may
		g.fatal(err)
	}
}

func (g *Group) verdict(cause error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first != nil {
		return g.first
	}
	if errors.Is(cause, ErrEnough) {
		return nil
	}
	return cause
}

// watch samples the run, shows progress, and ends it when its time is over or nothing happens any more.
func (g *Group) watch(ctx context.Context, done chan struct{}, cancel context.CancelCauseFunc) {
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
	schedule, _ := g.Spec.Schedule() // it was checked before
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
		for _, s := range g.Sides {
			s.Run.Sample()
			n += s.Run.Seen()
		}
		if n != seen {
			if first.IsZero() {
				first = now
			}
			seen, moved = n, now
		}
		g.show(false)
		err := g.limit(now, started, first, moved, schedule)
		if err == nil && g.Starved != nil && now.Sub(asked) >= starved && now.Sub(later(started, moved)) >= max(starved, 2*g.Spec.Sleep) {
			asked = now
			if g.Starved(ctx) {
				err = &IdleError{"the stream has no more for them"}
			}
		}
		if err != nil {
			cancel(g.explained(ctx, err))
			return
		}
	}
}

// explained adds what was left to the error of clients for which nothing came.
func (g *Group) explained(ctx context.Context, err error) error {
	var idle *IdleError
	if g.Left == nil || !errors.As(err, &idle) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, g.World.Timeout)
	defer cancel()
	if left := g.Left(ctx); left != "" {
		return &IdleError{Text: idle.Text + ", " + left}
	}
	return err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// limit is why the run has to end now, or nil. started is when the clients were let go, first and moved when the first and
// the latest message was seen; a schedule may have nothing to do for a while.
func (g *Group) limit(now, started, first, moved time.Time, schedule *meter.Schedule) error {
	s := g.Spec
	switch {
	case first.IsZero():
		if s.Wait > 0 && g.overdue(now.Sub(started), schedule) >= s.Wait {
			return &IdleError{fmt.Sprintf("the first message did not come within %s", s.Wait)}
		}
	case s.Duration > 0 && !s.Bounded() && g.Sides[0].Kind.Role == meter.Consumer && now.Sub(first) >= s.Duration+s.Warmup:
		return ErrEnough
	case s.Idle > 0 && now.Sub(moved) >= max(s.Idle, 2*s.Sleep) && g.overdue(now.Sub(started), schedule) >= s.Idle:
		return &IdleError{fmt.Sprintf("nothing came for %s", s.Idle)}
	}
	if g.Over != nil && g.Over() {
		return ErrEnough
	}
	return nil
}

// overdue is for how long, at elapsed since the start, the next message should have been sent: always without a schedule.
func (g *Group) overdue(elapsed time.Duration, schedule *meter.Schedule) time.Duration {
	if schedule == nil {
		return elapsed
	}
	next := g.Sides[0].Run.Seen() * int64(g.Spec.All()) / int64(max(g.Spec.Clients, 1)) // other machines do their part of it
	return elapsed - schedule.At(next)
}

func (g *Group) show(over bool) {
	if g.World.Watch == nil {
		return
	}
	var out []Progress
	for _, s := range g.Sides {
		p := Progress{Label: s.Kind.Label}
		for _, w := range s.Workers {
			p.Clients = append(p.Clients, ClientProgress{w.Number(), w.State(), w.Seen(), w.Share.Messages})
		}
		out = append(out, p)
	}
	g.World.Watch(out, over)
}

// Pause waits d or until ctx ends.
func Pause(ctx context.Context, d time.Duration) error {
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

// Outcome says how the run ended by the error it ended with, and which error the command returns for it.
func (g *Group) Outcome(ctx context.Context, err error) (meter.Outcome, error) {
	var idle *IdleError
	var seen, want int64
	for _, s := range g.Sides {
		for _, w := range s.Workers {
			seen += w.Seen()
		}
		want += s.Target
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
		e := fail.Newf(code, "%d of %d messages: %s", seen, want, idle.Text)
		if g.Spec.Duration > 0 && !g.Spec.Bounded() {
			e = fail.Newf(code, "%d messages: %s", seen, idle.Text)
		}
		return meter.Idle, e.WithHint("--idle and --wait say how long to wait")
	}
	return meter.Failed, err
}

// IsIdle reports that err ended a client because nothing came.
func IsIdle(err error) bool {
	var idle *IdleError
	return errors.As(err, &idle)
}
