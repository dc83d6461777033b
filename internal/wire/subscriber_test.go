package wire

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
)

func open(t *testing.T, cfg Config, subjects ...string) *Subscriber {
	t.Helper()
	s, err := Open(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for i, subject := range subjects {
		if sid, err := s.Subscribe(testContext(t), subject, ""); err != nil || sid != i+1 {
			t.Fatal(sid, err)
		}
	}
	return s
}

// running is a Run in the background that collects bodies.
type running struct {
	s      *Subscriber
	bodies chan string
	cancel context.CancelCauseFunc
	done   chan error
}

func run(t *testing.T, s *Subscriber) *running {
	ctx, cancel := context.WithCancelCause(testContext(t))
	r := &running{s, make(chan string, 1000), cancel, make(chan error, 1)}
	go func() {
		r.done <- s.Run(ctx, Sink{Msg: func(m *Msg) error {
			r.bodies <- string(m.Payload)
			return nil
		}})
	}()
	t.Cleanup(func() { cancel(ErrStop) })
	return r
}

func (r *running) expect(t *testing.T, body string) {
	t.Helper()
	select {
	case got := <-r.bodies:
		if got != body {
			t.Fatalf("got %q, want %q", got, body)
		}
	case err := <-r.done:
		r.done <- err
		if len(r.bodies) > 0 {
			r.expect(t, body)
			return
		}
		t.Fatalf("Run ended: %v", err)
	case <-time.After(patience):
		t.Fatalf("%q did not come", body)
	}
}

func (r *running) stop(t *testing.T) {
	t.Helper()
	r.cancel(fail.ErrInterrupted)
	if err := <-r.done; !errors.Is(err, fail.ErrInterrupted) {
		t.Errorf("Run ended with %v", err)
	}
}

// publish sends numbered bodies of 16 bytes.
func publish(t *testing.T, url, subject string, n int) {
	t.Helper()
	w := dial(t, testOptions(url)).Writer()
	for i := range n {
		if err := w.Pub(subject, "", nil, fmt.Appendf(nil, "%016d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Flush(), w.c.Ping(testContext(t))); err != nil {
		t.Fatal(err)
	}
}

func TestSubscriber(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "")
	s := open(t, Config{Options: testOptions(srv.ClientURL())}, "a", "b.>")
	publish(t, srv.ClientURL(), "b.c", 10_000) // before Run: nothing that was confirmed is missed
	next, idle := 0, 0
	err := s.Run(testContext(t), Sink{
		Msg: func(m *Msg) error {
			if n, _ := number(m.Payload[6:]); n != next || m.Sid != 2 || string(m.Subject) != "b.c" || m.Lost != 0 || m.At.IsZero() {
				return fmt.Errorf("message %d: %+v", next, m)
			}
			if next++; next == 10_000 {
				return ErrStop
			}
			return nil
		},
		Idle: func() error { idle++; return nil },
	})
	if err != nil {
		t.Error(err)
	}
	if st := s.Stats(); st.InMsgs != 10_000 || st.InPayload != 160_000 {
		t.Errorf("%+v", st)
	}
	if n, _ := s.Pending(); n != 0 || s.Dropped() != 0 || s.URL() != "" || s.Info() != nil {
		t.Errorf("%d pending, %d dropped, at %q", n, s.Dropped(), s.URL())
	}
}

// TestSubscriberSlow publishes all before the sink takes its second message.
func TestSubscriberSlow(t *testing.T) {
	t.Parallel()
	const total = 60_000 // about 2 MB of frames
	rows := []struct {
		name         string
		memory, disk int64
		drops        bool
	}{
		{"in memory", 32 << 20, -1, false},
		{"on disk", 256 << 10, 64 << 20, false},
		{"dropped", 256 << 10, 512 << 10, true},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, "")
			ev := newEvents()
			s := open(t, Config{Options: testOptions(srv.ClientURL()), Memory: r.memory, Disk: r.disk, Dir: t.TempDir(), Event: ev.add}, "s")
			sink := &slowSink{s: s, total: total, began: make(chan struct{}), goOn: make(chan struct{})}
			done := make(chan error)
			ctx := testContext(t)
			go func() { done <- s.Run(ctx, Sink{Msg: sink.take, Tick: sink.look, Every: time.Millisecond}) }()
			publish(t, srv.ClientURL(), "s", total)
			<-sink.began
			for s.Stats().InMsgs < total {
				select {
				case <-ev.news:
				case <-time.After(time.Millisecond):
				}
				if ctx.Err() != nil {
					t.Fatalf("only %+v", s.Stats())
				}
			}
			close(sink.goOn)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			dropped := int(s.Dropped())
			if sink.got+dropped != total || sink.lost > dropped || (dropped > 0) != r.drops {
				t.Errorf("%d handled, %d dropped, %d of them noted between messages", sink.got, dropped, sink.lost)
			}
			if r.name != "in memory" {
				ev.wait(t, Spilling, 1)
			}
			if r.drops {
				ev.wait(t, Dropping, 1)
			}
		})
	}
}

// slowSink stands still at its first message until told to go on, and checks that the rest come in order.
type slowSink struct {
	s               *Subscriber
	total           int
	got, lost, next int
	began, goOn     chan struct{}
}

func (k *slowSink) take(m *Msg) error {
	if k.got == 0 {
		close(k.began)
		<-k.goOn
	}
	k.got++
	k.lost += int(m.Lost)
	k.next += int(m.Lost)
	if n, _ := number(m.Payload[6:]); n != k.next {
		return fmt.Errorf("message %d came where %d was due", n, k.next)
	}
	k.next++
	return nil
}

// look ends Run when everything is accounted for: the last messages may be among the dropped.
func (k *slowSink) look() error {
	if n, _ := k.s.Pending(); n == 0 && k.got+int(k.s.Dropped()) == k.total {
		return ErrStop
	}
	return nil
}

func TestSubscriberDenied(t *testing.T) {
	t.Parallel()
	srv := startServer(t, `authorization { users = [{user: u, password: p, permissions: {subscribe: "ok.>", publish: "ok.>"}}] }`)
	o := testOptions(srv.ClientURL())
	o.User, o.Password = "u", "p"
	ev := newEvents()
	s := open(t, Config{Options: o, Event: ev.add}, "ok.1")
	var v *Violation
	if _, err := s.Subscribe(testContext(t), "no.1", ""); !errors.As(err, &v) || v.Subject != "no.1" || v.Publish {
		t.Error(err)
	}
	if _, err := s.Subscribe(testContext(t), "a b", ""); !errors.Is(err, nats.ErrBadSubject) {
		t.Error(err)
	}
	if _, err := s.Subscribe(testContext(t), "a", "b b"); !errors.Is(err, nats.ErrBadQueueName) {
		t.Error(err)
	}
	r := run(t, s)
	nc := client(t, srv.ClientURL(), nats.UserInfo("u", "p"))
	if err := nc.Publish("ok.1", []byte("before")); err != nil {
		t.Fatal(err)
	}
	r.expect(t, "before")
	if err := s.Publish([]byte("no.2"), nil); err != nil { // sent when Run is idle
		t.Error(err)
	}
	s.flush()
	if e := ev.wait(t, ServerError, 1); !errors.Is(e.Err, nats.ErrPermissionViolation) {
		t.Errorf("%+v", e)
	}
	for {
		if _, err := s.Subscribe(testContext(t), "no.3", ""); err == nil {
			break // the other result is that of a Subscribe before the socket was being read
		}
	}
	if err := <-r.done; !errors.As(err, &v) || v.Subject != "no.3" {
		t.Error(err)
	}
}

func TestSubscriberPublishes(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "")
	s := open(t, Config{Options: testOptions(srv.ClientURL())}, "s")
	nc := client(t, srv.ClientURL())
	replies := nc.NewInbox()
	sub, err := nc.SubscribeSync(replies)
	if err != nil {
		t.Fatal(err)
	}
	flush(t, nc)
	ctx, cancel := context.WithCancel(testContext(t))
	done := make(chan error)
	go func() {
		done <- s.Run(ctx, Sink{Msg: func(m *Msg) error { return s.Publish(m.Reply, []byte("+ACK")) }})
	}()
	for range 3 {
		if err := nc.PublishRequest("s", replies, nil); err != nil {
			t.Fatal(err)
		}
		if m, err := sub.NextMsgWithContext(testContext(t)); err != nil || string(m.Data) != "+ACK" {
			t.Fatal(m, err)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := s.Publish([]byte("a"), nil); !errors.Is(err, nats.ErrDisconnected) {
		t.Error(err)
	}
}

// TestSubscriberReadsWhileOutputBlocks is about sinks that are kept elsewhere than at a message: a flush into a full pipe, a long report.
func TestSubscriberReadsWhileOutputBlocks(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "")
	for _, where := range []string{"idle", "tick"} {
		s := open(t, Config{Options: testOptions(srv.ClientURL())}, "s")
		blocked, goOn := make(chan struct{}), make(chan struct{})
		block := func() error {
			select {
			case <-blocked:
			default:
				close(blocked)
				<-goOn
			}
			return nil
		}
		got := 0
		sink := Sink{Msg: func(*Msg) error {
			if got++; got == 1000 {
				return ErrStop
			}
			return nil
		}}
		if where == "idle" {
			sink.Idle = block
		} else {
			sink.Tick, sink.Every = block, time.Millisecond
		}
		done := make(chan error)
		go func() { done <- s.Run(testContext(t), sink) }()
		<-blocked
		publish(t, srv.ClientURL(), "s", 1000)
		for limit := time.Now().Add(patience); s.Stats().InMsgs < 1000; {
			if time.Now().After(limit) {
				t.Fatalf("%s: %+v", where, s.Stats())
			}
			runtime.Gosched()
		}
		if n, _ := s.Pending(); n != 1000 {
			t.Errorf("%s: %d pending", where, n)
		}
		close(goOn)
		if err := <-done; err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
}
