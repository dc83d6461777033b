package meter

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"
)

// Segment is a stretch of a schedule whose rate goes in a straight line from From to To, in messages a second.
type Segment struct {
	From, To float64
	For      time.Duration // 0 in the last segment: without an end
}

// Schedule says when each message of a run is meant to be sent, whether or not the system under test keeps up: latencies
// counted from these times do not hide the time in which a slow server kept us from sending.
type Schedule struct {
	segments []Segment
	starts   []float64 // messages due when the segment begins
	begins   []float64 // seconds at which the segment begins
}

// NewSchedule checks and prepares segments. Rates must not be negative nor all zero, and every segment but the last needs a
// length.
func NewSchedule(segments ...Segment) (*Schedule, error) {
	if len(segments) == 0 {
		return nil, fmt.Errorf("a schedule needs a rate")
	}
	s := &Schedule{segments: segments}
	var at, due, highest float64
	for i, g := range segments {
		if g.From < 0 || g.To < 0 || math.IsNaN(g.From+g.To) || math.IsInf(g.From+g.To, 0) {
			return nil, fmt.Errorf("rates must be positive: %g to %g", g.From, g.To)
		}
		if g.For < 0 || g.For == 0 && (i < len(segments)-1 || g.From != g.To) {
			return nil, fmt.Errorf("a change of rate needs a duration")
		}
		s.starts, s.begins = append(s.starts, due), append(s.begins, at)
		at += g.For.Seconds()
		due += (g.From + g.To) / 2 * g.For.Seconds()
		highest = max(highest, g.From, g.To)
	}
	if highest == 0 {
		return nil, fmt.Errorf("a rate of 0 sends nothing")
	}
	return s, nil
}

// Total is how many messages the schedule has, or -1 when it has no end.
func (s *Schedule) Total() int64 {
	last := len(s.segments) - 1
	g := s.segments[last]
	if g.For == 0 {
		return -1
	}
	return int64(math.Round(s.starts[last] + (g.From+g.To)/2*g.For.Seconds()))
}

// At is when message i, counted from 0, is meant to be sent, from the start of the run.
func (s *Schedule) At(i int64) time.Duration {
	n := float64(i)
	k := len(s.segments) - 1
	for k > 0 && s.starts[k] > n {
		k--
	}
	for k > 0 && s.segments[k].From+s.segments[k].To == 0 { // a pause sends nothing: its messages belong before it
		k--
	}
	return time.Duration((s.begins[k] + timeInto(s.segments[k], n-s.starts[k])) * 1e9)
}

// timeInto is the seconds after which n messages of a segment are due: the root of from·t + (to−from)·t²/2d = n.
func timeInto(g Segment, n float64) float64 {
	switch {
	case n <= 0:
		return 0
	case g.From == g.To:
		return n / g.From
	}
	d := g.For.Seconds()
	a := (g.To - g.From) / (2 * d)
	root := math.Sqrt(max(g.From*g.From+4*a*n, 0))
	return min(2*n/(g.From+root), d) // this form of the root loses no digits when a is small
}

// Step is the number of the segment in which message i falls, from 0.
func (s *Schedule) Step(i int64) int {
	k := len(s.segments) - 1
	for k > 0 && s.starts[k] > float64(i) {
		k--
	}
	return k
}

// Segments are the stretches of the schedule in order.
func (s *Schedule) Segments() []Segment { return s.segments }

// Pacer is one client's view of a schedule that several clients work off: client c of n sends messages c, c+n, c+2n…
type Pacer struct {
	s       *Schedule
	client  int64
	clients int64
	next    int64         // message of this client, from 0
	ahead   time.Duration // when next is due
}

// NewPacer is the pacer of client (from 0) among clients.
func (s *Schedule) NewPacer(client, clients int) *Pacer {
	p := &Pacer{s: s, client: int64(client), clients: int64(max(clients, 1))}
	p.ahead = p.at(0)
	return p
}

func (p *Pacer) at(i int64) time.Duration { return p.s.At(i*p.clients + p.client) }

// Due takes the next message if it is due at elapsed since the start of the run and says when it was meant to be sent.
func (p *Pacer) Due(elapsed time.Duration) (intended time.Duration, ok bool) {
	if p.ahead > elapsed {
		return p.ahead, false
	}
	intended = p.ahead
	p.next++
	p.ahead = p.at(p.next)
	return intended, true
}

// Number is the number of the next message in the whole schedule, from 0.
func (p *Pacer) Number() int64 { return p.next*p.clients + p.client }

// Next is when the next message is due.
func (p *Pacer) Next() time.Duration { return p.ahead }

// spin is how long before its time a waiter stops sleeping and looks at the clock instead: timers wake up late by this
// much on an idle machine.
const spin = 120 * time.Microsecond

// WaitUntil returns when now() has reached at, as precisely as the machine allows, or the error of ctx.
func WaitUntil(ctx context.Context, now func() time.Duration, at time.Duration) error {
	for {
		left := at - now()
		switch {
		case left <= 0:
			return ctx.Err()
		case left <= spin:
			runtime.Gosched()
		default:
			t := time.NewTimer(left - spin)
			select {
			case <-ctx.Done():
				t.Stop()
				return ctx.Err()
			case <-t.C:
			}
		}
	}
}
