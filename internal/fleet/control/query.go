package control

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fleet"
)

// grace is how long stray answers are waited for when all known devices have answered: there may be some that nobody knows.
const grace = 50 * time.Millisecond

// Patience says how long answers are waited for.
type Patience struct {
	Timeout time.Duration // for all of them
	Quiet   time.Duration // since the last answer; 0 is no such bound
	Expect  int           // so many devices are the end; 0 is not known
	Known   []string      // when Expect is 0: the end is near when all of these have answered
}

// Gathered tells who answered a question that all devices were asked.
type Gathered struct {
	Answered int      // devices
	Expected int      // devices that should have; 0 when that is not known
	Silent   []string // the ids of those of Patience.Known that did not answer, sorted
}

// Complete tells whether everybody who should have answered did.
func (g Gathered) Complete() bool { return g.Answered >= g.Expected && len(g.Silent) == 0 }

// Query asks every device whether the expression selects it and hands each answer over as it comes, once for each device. The
// expression should have been compiled before: devices say otherwise one by one that it is wrong.
func (f *Fleet) Query(ctx context.Context, expression string, p Patience, each func(fleet.Answer) error) (Gathered, error) {
	body, err := json.Marshal(fleet.Query{Expr: expression})
	if err != nil {
		return Gathered{}, err
	}
	return gather(ctx, f, f.Names.Query(), body, p, func(a fleet.Answer) string {
		if a.Match && (a.Info == nil || a.Info.ID != a.ID) {
			return ""
		}
		return a.ID
	}, each)
}

// gather asks on a subject and hands each answer over, once for each id. Answers that are no T, or have no valid id, are strange.
func gather[T any](ctx context.Context, f *Fleet, subject string, body []byte, p Patience, idOf func(T) string, each func(T) error) (Gathered, error) {
	tally := newTally(p)
	answers, stop, err := f.ask(ctx, subject, body)
	if err != nil {
		return tally.result(), err
	}
	defer stop()
	end, quiet := f.Clock.After(p.Timeout), (<-chan time.Time)(nil)
	for !tally.full() {
		select {
		case m := <-answers:
			if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
				return tally.result(), nil // nobody listens
			}
			if says := m.Header.Get("Nats-Service-Error"); says != "" {
				f.strange("a device refuses what it was asked: %s", says)
				continue
			}
			var v T
			if err := json.Unmarshal(m.Data, &v); err != nil {
				f.strange("an answer on %s cannot be read: %v", subject, err)
				continue
			}
			id := idOf(v)
			if err := fleet.CheckID(id); err != nil {
				f.strange("an answer on %s does not say whose it is", subject)
				continue
			}
			if !tally.count(id) {
				continue
			}
			if err := each(v); err != nil {
				return tally.result(), err
			}
			quiet = nil
			if d := tally.quiet(p.Quiet); d > 0 {
				quiet = f.Clock.After(d)
			}
		case <-quiet:
			return tally.result(), nil
		case <-end:
			return tally.result(), nil
		case <-ctx.Done():
			return tally.result(), context.Cause(ctx)
		}
	}
	return tally.result(), nil
}

// ask publishes a question; the answers come on the channel until stop is called.
func (f *Fleet) ask(ctx context.Context, subject string, body []byte) (<-chan *nats.Msg, func(), error) {
	answers, done := make(chan *nats.Msg, 64), make(chan struct{})
	sub, err := f.Conn.Subscribe(f.Conn.NewInbox(), func(m *nats.Msg) {
		select {
		case answers <- m:
		case <-done:
		}
	})
	if err != nil {
		return nil, nil, err
	}
	stop := func() {
		close(done)
		_ = sub.Unsubscribe()
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		stop()
		return nil, nil, err
	}
	if err := f.Conn.PublishRequest(subject, sub.Subject, body); err != nil {
		stop()
		return nil, nil, err
	}
	if err := context.Cause(ctx); err != nil {
		stop()
		return nil, nil, err
	}
	return answers, stop, nil
}

// tally counts who answered.
type tally struct {
	p       Patience
	seen    map[string]bool
	waiting map[string]bool
}

func newTally(p Patience) *tally {
	t := &tally{p: p, seen: map[string]bool{}, waiting: map[string]bool{}}
	for _, id := range p.Known {
		t.waiting[id] = true
	}
	return t
}

// count tells whether the device is a new one.
func (t *tally) count(id string) bool {
	if t.seen[id] {
		return false
	}
	t.seen[id] = true
	delete(t.waiting, id)
	return true
}

func (t *tally) full() bool { return t.p.Expect > 0 && len(t.seen) >= t.p.Expect }

func (t *tally) quiet(d time.Duration) time.Duration {
	if t.p.Expect == 0 && len(t.p.Known) > 0 && len(t.waiting) == 0 {
		return grace
	}
	return d
}

func (t *tally) result() Gathered {
	g := Gathered{Answered: len(t.seen), Expected: t.p.Expect, Silent: []string{}}
	if g.Expected == 0 && len(t.p.Known) > 0 {
		g.Expected = len(t.seen) + len(t.waiting)
	}
	if g.Expected > g.Answered {
		for id := range t.waiting {
			g.Silent = append(g.Silent, id)
		}
		slices.Sort(g.Silent)
	}
	return g
}
