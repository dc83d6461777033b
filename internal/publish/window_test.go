package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

// outcome is one report of a window.
type outcome struct {
	n   int
	seq uint64
	err error
}

// outcomes are the reports so far.
type outcomes struct {
	mu  sync.Mutex
	all []outcome
}

func (o *outcomes) note(n int, a Ack, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, outcome{n, a.Sequence, err})
}

func (o *outcomes) list() []outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.all)
}

// kinds are the ways to make a window.
var kinds = map[string]func(context.Context, *nats.Conn, Config[int]) (*Window[int], error){
	"own":    Beside[int],
	"shared": func(_ context.Context, nc *nats.Conn, cfg Config[int]) (*Window[int], error) { return Over(nc, cfg) },
}

// eachKind runs a test with each of them.
func eachKind(t *testing.T, test func(t *testing.T, open func(nc *nats.Conn, cfg Config[int]) (*Window[int], *outcomes))) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, func(nc *nats.Conn, cfg Config[int]) (*Window[int], *outcomes) {
				t.Helper()
				o := &outcomes{}
				cfg.Done = o.note
				w, err := kind(t.Context(), nc, cfg)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(w.Close)
				if _, own := w.link.(*line); own != (name == "own") {
					t.Fatalf("the window has a %T", w.link)
				}
				return w, o
			})
		})
	}
}

func send(t *testing.T, w *Window[int], n int, subject string, data []byte) {
	t.Helper()
	if err := w.Send(t.Context(), n, &nats.Msg{Subject: subject, Data: data}); err != nil {
		t.Fatal(err)
	}
}

func wait(t *testing.T, w *Window[int]) {
	t.Helper()
	if err := w.Wait(testkit.Context(t)); err != nil {
		t.Fatal(err)
	}
}

func memory(t *testing.T, srv *testkit.NATS, subjects ...string) {
	t.Helper()
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "S", Subjects: subjects, Storage: jetstream.MemoryStorage})
}

// More than the window holds, in messages and in bytes, is sent; every message has its outcome, in the order of sending.
func TestEveryMessageHasItsOutcome(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, open func(*nats.Conn, Config[int]) (*Window[int], *outcomes)) {
		srv := testkit.Server(t)
		memory(t, srv, "s", "big")
		w, o := open(srv.Conn(), Config[int]{Idle: time.Minute})
		const n = 3*DefaultMessages + 5
		for i := range n {
			send(t, w, i, "s", nil)
		}
		big := []byte(strings.Repeat("x", 900_000))
		const all = n + 3*DefaultBytes/900_000
		for i := range all - n {
			send(t, w, n+i, "big", big)
		}
		send(t, w, all, "nobody", nil)
		wait(t, w)
		got := o.list()
		for i := range all {
			if got[i] != (outcome{i, uint64(i) + 1, nil}) {
				t.Fatalf("report %d is %+v", i, got[i])
			}
		}
		if len(got) != all+1 || !errors.Is(got[all].err, nats.ErrNoResponders) {
			t.Errorf("%d reports, a message that nobody stores: %v", len(got), got[all].err)
		}
		if w.open != 0 || w.bytes != 0 || w.head != w.next {
			t.Errorf("%d messages and %d bytes are under way", w.open, w.bytes)
		}
		if stored := testkit.State(t, srv.JS(), "S").Msgs; stored != all {
			t.Errorf("%d messages are stored", stored)
		}
	})
}

// The reports come in the order of sending, whatever the order of the answers; the window never holds more than its size.
func TestWindowOrder(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, open func(*nats.Conn, Config[int]) (*Window[int], *outcomes)) {
		srv := testkit.Server(t)
		const size = 5
		var held []*nats.Msg
		testkit.Handle(t, srv.Conn(), "s", func(m *nats.Msg) {
			if held = append(held, m); len(held) > size {
				t.Errorf("%d messages are under way", len(held))
			}
			if len(held) < size {
				return
			}
			for _, h := range slices.Backward(held) {
				_ = h.Respond(fmt.Appendf(nil, `{"stream":"S","seq":%s}`, h.Data))
			}
			held = nil
		})
		w, o := open(srv.Conn(), Config[int]{Messages: size, Idle: time.Minute})
		for i := range 20 {
			send(t, w, i, "s", fmt.Appendf(nil, "%d", i+1))
		}
		wait(t, w)
		for i, got := range o.list() {
			if got != (outcome{i, uint64(i + 1), nil}) {
				t.Errorf("report %d is %+v", i, got)
			}
		}
	})
}

func TestWindowFailures(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, open func(*nats.Conn, Config[int]) (*Window[int], *outcomes)) {
		srv := testkit.Server(t)
		testkit.Subscribe(t, srv.Conn(), "silent")
		memory(t, srv, "s")
		w, o := open(srv.Conn(), Config[int]{Messages: 6, Idle: time.Second})
		for i, subject := range []string{"s", "nobody", "silent", "s"} {
			send(t, w, i, subject, nil)
		}
		for i, m := range []*nats.Msg{{Subject: ""}, {Subject: "s", Data: make([]byte, 2<<20)}} {
			if err := w.Send(t.Context(), 4+i, m); err == nil {
				t.Errorf("a message to %q of %d bytes was sent", m.Subject, len(m.Data))
			}
		}
		send(t, w, 6, "s", nil)
		wait(t, w)
		want := []error{nil, nats.ErrNoResponders, nats.ErrTimeout, nil, nats.ErrBadSubject, nats.ErrMaxPayload, nil}
		got := o.list()
		if len(got) != len(want) {
			t.Fatalf("reports are %+v", got)
		}
		for i, g := range got {
			if g.n != i || !errors.Is(g.err, want[i]) {
				t.Errorf("report %d is %+v, want %v", i, g, want[i])
			}
		}
	})
}

// TestInterrupted: an interrupt ends the waiting for room and for answers, with its reason.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, open func(*nats.Conn, Config[int]) (*Window[int], *outcomes)) {
		srv := testkit.Server(t)
		testkit.Subscribe(t, srv.Conn(), "silent")
		w, _ := open(srv.Conn(), Config[int]{Messages: 3, Idle: time.Hour})
		for i := range 3 {
			send(t, w, i, "silent", nil)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(fail.ErrInterrupted)
		if err := w.Send(ctx, 3, &nats.Msg{Subject: "silent"}); !errors.Is(err, fail.ErrInterrupted) {
			t.Errorf("send: %v", err)
		}
		if err := w.Wait(ctx); !errors.Is(err, fail.ErrInterrupted) {
			t.Errorf("wait: %v", err)
		}
	})
}

func TestSilenceIsAFailure(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, open func(*nats.Conn, Config[int]) (*Window[int], *outcomes)) {
		srv := testkit.Server(t)
		nc := srv.Conn()
		sub := testkit.Subscribe(t, nc, "silent")
		const size = 64
		w, o := open(nc, Config[int]{Messages: size, Idle: 20 * time.Millisecond})
		for i := range size + 1 {
			send(t, w, i, "silent", nil)
		}
		wait(t, w)
		got := o.list()
		if len(got) != size+1 || !errors.Is(got[0].err, nats.ErrTimeout) || !errors.Is(got[size].err, nats.ErrTimeout) {
			t.Fatalf("%d outcomes: %+v", len(got), got)
		}
		// An answer that comes too late belongs to no message any more.
		late := sub.Next()
		send(t, w, size+1, "silent", nil)
		if err := late.Respond([]byte(`{"stream":"S","seq":7}`)); err != nil {
			t.Fatal(err)
		}
		wait(t, w)
		if got := o.list(); len(got) != size+2 || !errors.Is(got[size+1].err, nats.ErrTimeout) {
			t.Errorf("%+v", got[size:])
		}
	})
}

// TestSourceFallsSilent: what was sent leaves although nothing follows and nobody waits.
func TestSourceFallsSilent(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, open func(*nats.Conn, Config[int]) (*Window[int], *outcomes)) {
		srv := testkit.Server(t)
		memory(t, srv, "s")
		w, o := open(srv.Conn(), Config[int]{Idle: time.Minute})
		for i := range 3 {
			send(t, w, i, "s", nil)
			testkit.Eventually(t, time.Minute, "the message is stored", func() bool { return len(o.list()) == i+1 })
		}
	})
}
