package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
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
	const total = 200_000 // about 7 MB of frames
	rows := []struct {
		name         string
		memory, disk int64
		drops        bool
	}{
		{"in memory", 32 << 20, -1, false},
		{"on disk", 1 << 20, 64 << 20, false},
		{"dropped", 1 << 20, 2 << 20, true},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, "")
			ev := newEvents()
			s := open(t, Config{Options: testOptions(srv.ClientURL()), Memory: r.memory, Disk: r.disk, Dir: t.TempDir(), Event: ev.add}, "s")
			began, goOn := make(chan struct{}), make(chan struct{})
			got, lost, next := 0, 0, 0
			done := make(chan error)
			ctx, cancel := context.WithCancelCause(testContext(t))
			go func() {
				done <- s.Run(ctx, Sink{
					Msg: func(m *Msg) error {
						if got == 0 {
							close(began)
							<-goOn
						}
						got++
						lost += int(m.Lost)
						next += int(m.Lost)
						if n, _ := number(m.Payload[6:]); n != next {
							return fmt.Errorf("message %d came where %d was due", n, next)
						}
						next++
						return nil
					},
					Tick: func() error { // the last messages may be among the dropped
						if n, _ := s.Pending(); n == 0 && uint64(got)+s.Dropped() == total {
							return ErrStop
						}
						return nil
					},
					Every: time.Millisecond,
				})
			}()
			publish(t, srv.ClientURL(), "s", total)
			<-began
			for s.Stats().InMsgs < total {
				select {
				case <-ev.news:
				case <-time.After(time.Millisecond):
				}
				if ctx.Err() != nil {
					t.Fatalf("only %+v", s.Stats())
				}
			}
			close(goOn)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			cancel(nil)
			dropped := int(s.Dropped())
			if got+dropped != total || lost > dropped || (dropped > 0) != r.drops {
				t.Errorf("%d handled, %d dropped, %d of them noted between messages", got, dropped, lost)
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

func TestSubscriberEnds(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "")
	boom := errors.New("boom")
	o := testOptions(srv.ClientURL())
	sinks := map[string]Sink{
		"message": {Msg: func(*Msg) error { return boom }},
		"idle":    {Idle: func() error { return boom }},
		"tick":    {Tick: func() error { return boom }, Every: time.Microsecond},
		"tick under load": {Tick: func() error { return boom }, Every: time.Microsecond, Idle: func() error {
			t.Error("idle with messages pending")
			return nil
		}},
	}
	for name, sink := range sinks {
		s := open(t, Config{Options: o}, "s")
		if strings.HasPrefix(name, "m") || strings.HasSuffix(name, "load") {
			publish(t, srv.ClientURL(), "s", 50_000)
			if err := s.conn.Ping(testContext(t)); err != nil {
				t.Fatal(err)
			}
			s.conn.rmu.Lock()
			if err := s.feed(s.conn, s.conn.buf[s.conn.r:s.conn.seen], nil); err != nil {
				t.Fatal(err)
			}
			s.conn.r = s.conn.seen
			s.conn.rmu.Unlock()
		}
		if err := s.Run(testContext(t), sink); err != boom {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := open(t, Config{Options: o}, "s")
	ctx, cancel := context.WithCancelCause(testContext(t))
	cancel(fail.ErrTerminated)
	if err := s.Run(ctx, Sink{}); !errors.Is(err, fail.ErrTerminated) {
		t.Error(err)
	}
	// An interrupt is heeded between any two messages.
	s = open(t, Config{Options: o}, "s")
	publish(t, srv.ClientURL(), "s", 1000)
	ctx, cancel = context.WithCancelCause(testContext(t))
	n := 0
	err := s.Run(ctx, Sink{Msg: func(*Msg) error {
		n++
		cancel(fail.ErrInterrupted)
		for !s.halt.Load() {
			time.Sleep(time.Microsecond)
		}
		return nil
	}})
	if left, _ := s.Pending(); !errors.Is(err, fail.ErrInterrupted) || n != 1 || left > 999 {
		t.Errorf("%v after %d messages, %d left", err, n, left)
	}
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

// restart stops a server and starts another on its port.
func restart(t *testing.T, srv *natsd.Server, config string) *natsd.Server {
	t.Helper()
	port := srv.Addr().(*net.TCPAddr).Port
	srv.Shutdown()
	srv.WaitForShutdown()
	return startServer(t, config, func(o *natsd.Options) { o.Port = port })
}

func TestSubscriberSurvivesRestart(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "")
	ev := newEvents()
	s := open(t, Config{Options: testOptions(srv.ClientURL()), Event: ev.add}, "s")
	r := run(t, s)
	publish(t, srv.ClientURL(), "s", 1)
	r.expect(t, fmt.Sprintf("%016d", 0))
	for round := 1; round <= 2; round++ {
		srv = restart(t, srv, "")
		if e := ev.wait(t, Disconnected, round); !errors.Is(e.Err, nats.ErrDisconnected) || e.Behind || e.URL != "nats://"+srv.Addr().String() {
			t.Errorf("%+v", e)
		}
		if e := ev.wait(t, Reconnected, round); e.Away <= 0 || e.At.IsZero() || e.URL != s.URL() {
			t.Errorf("%+v", e)
		}
		publish(t, srv.ClientURL(), "s", 2)
		r.expect(t, fmt.Sprintf("%016d", 0))
		r.expect(t, fmt.Sprintf("%016d", 1))
	}
	r.stop(t)
	if st := s.Stats(); st.InMsgs != 5 || st.InPayload != 80 {
		t.Errorf("%+v", st)
	}
}

func TestSubscriberChangesWhileAway(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "")
	ev := newEvents()
	s := open(t, Config{Options: testOptions(srv.ClientURL()), Event: ev.add}, "s", "t")
	r := run(t, s)
	port := srv.Addr().(*net.TCPAddr).Port
	srv.Shutdown()
	srv.WaitForShutdown()
	ev.wait(t, ConnectFailed, 1)
	if s.URL() != "" || s.Info() != nil || !errors.Is(s.Publish([]byte("x"), nil), nats.ErrDisconnected) {
		t.Error("still connected")
	}
	if sid, err := s.Subscribe(testContext(t), "u", ""); sid != 3 || err != nil {
		t.Error(sid, err)
	}
	if err := s.Unsubscribe(1); err != nil {
		t.Error(err)
	}
	srv = startServer(t, "", func(o *natsd.Options) { o.Port = port })
	ev.wait(t, Reconnected, 1)
	nc := client(t, srv.ClientURL())
	for _, subject := range []string{"s", "t", "u"} {
		if err := nc.Publish(subject, []byte(subject)); err != nil {
			t.Fatal(err)
		}
	}
	r.expect(t, "t")
	r.expect(t, "u")
	// And while connected.
	if err := s.Unsubscribe(2); err != nil {
		t.Error(err)
	}
	if _, err := s.Subscribe(testContext(t), "v", "q"); err != nil {
		t.Error(err)
	}
	s.mu.Lock()
	c := s.conn
	s.mu.Unlock()
	if err := c.Ping(testContext(t)); err != nil {
		t.Error(err)
	}
	for _, subject := range []string{"t", "v"} {
		if err := nc.Publish(subject, []byte(subject)); err != nil {
			t.Fatal(err)
		}
	}
	r.expect(t, "v")
	r.stop(t)
}

func TestSubscriberFailsOver(t *testing.T) {
	t.Parallel()
	member := func(routes ...*natsd.Server) *natsd.Server {
		return startServer(t, "", func(o *natsd.Options) {
			o.Cluster = natsd.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: -1}
			for _, r := range routes {
				o.Routes = append(o.Routes, natsd.RoutesFromStr("nats://"+r.ClusterAddr().String())...)
			}
		})
	}
	a := member()
	b := member(a)
	ev := newEvents()
	s := open(t, Config{Options: testOptions(a.ClientURL()), Event: ev.add}, "s")
	r := run(t, s)
	// The first server makes the second known.
	for ctx := testContext(t); len(s.Info().ConnectURLs) < 2; {
		s.mu.Lock()
		c := s.conn
		s.mu.Unlock()
		if err := c.Ping(ctx); err != nil {
			t.Fatal(err)
		}
	}
	a.Shutdown()
	if e := ev.wait(t, Reconnected, 1); e.URL != "nats://"+b.Addr().String() {
		t.Errorf("%+v", e)
	}
	publish(t, b.ClientURL(), "s", 1)
	r.expect(t, fmt.Sprintf("%016d", 0))
	r.stop(t)
}

func TestSubscriberGivesUp(t *testing.T) {
	t.Parallel()
	t.Run("after MaxReconnect", func(t *testing.T) {
		t.Parallel()
		srv := startServer(t, "")
		ev := newEvents()
		o := testOptions(srv.ClientURL())
		o.MaxReconnect = 3
		o.CustomReconnectDelayCB = func(int) time.Duration { return 0 }
		r := run(t, open(t, Config{Options: o, Event: ev.add}, "s"))
		srv.Shutdown()
		if err := <-r.done; !errors.Is(err, nats.ErrNoServers) || fail.CodeOf(err) != fail.Unreachable {
			t.Error(err)
		}
		ev.wait(t, ConnectFailed, 3)
		if len(ev.all) != 4 {
			t.Errorf("%+v", ev.all)
		}
	})
	t.Run("without AllowReconnect", func(t *testing.T) {
		t.Parallel()
		srv := startServer(t, "")
		o := testOptions(srv.ClientURL())
		o.AllowReconnect = false
		r := run(t, open(t, Config{Options: o}, "s"))
		srv.Shutdown()
		if err := <-r.done; !errors.Is(err, nats.ErrDisconnected) {
			t.Error(err)
		}
	})
	t.Run("when refused twice", func(t *testing.T) {
		t.Parallel()
		srv := startServer(t, "")
		ev := newEvents()
		r := run(t, open(t, Config{Options: testOptions(srv.ClientURL()), Event: ev.add}, "s"))
		restart(t, srv, `authorization { token: "changed" }`)
		if err := <-r.done; !errors.Is(err, nats.ErrAuthorization) {
			t.Error(err)
		}
	})
	t.Run("when the subscription is denied", func(t *testing.T) {
		t.Parallel()
		srv := startServer(t, "")
		r := run(t, open(t, Config{Options: testOptions(srv.ClientURL())}, "s"))
		restart(t, srv, `no_auth_user: u, authorization { users = [{user: u, password: p, permissions: {subscribe: "other"}}] }`)
		if err := <-r.done; !errors.Is(err, nats.ErrPermissionViolation) {
			t.Error(err)
		}
	})
	t.Run("at the first connection", func(t *testing.T) {
		t.Parallel()
		if _, err := Open(testContext(t), Config{Options: testOptions(nobody(t))}); !errors.Is(err, nats.ErrNoServers) {
			t.Error(err)
		}
	})
}

func TestSubscriberWaitsForFirstConnection(t *testing.T) {
	t.Parallel()
	addr := nobody(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	o := testOptions(addr)
	o.RetryOnFailedConnect = true
	ev := newEvents()
	clk := clock.NewManual(time.Unix(1_000_000, 0))
	s := open(t, Config{Options: o, Event: ev.add, Clock: clk}, "s")
	r := run(t, s)
	ev.wait(t, ConnectFailed, 1)
	srv := startServer(t, "", func(o *natsd.Options) { _, _ = fmt.Sscan(port, &o.Port) })
	for clk.Waiting() == 0 {
		time.Sleep(time.Microsecond)
	}
	clk.Advance(time.Minute)
	if e := ev.wait(t, Reconnected, 1); e.Away != time.Minute || !e.At.Equal(time.Unix(1_000_060, 0)) {
		t.Errorf("%+v", e)
	}
	publish(t, srv.ClientURL(), "s", 1)
	r.expect(t, fmt.Sprintf("%016d", 0))
	r.stop(t)
}

func TestSubscriberRunsIntoAnInterruptWhileAway(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "")
	ev := newEvents()
	o := testOptions(srv.ClientURL())
	o.ReconnectWait = time.Hour
	r := run(t, open(t, Config{Options: o, Event: ev.add}, "s"))
	srv.Shutdown()
	ev.wait(t, Disconnected, 1)
	r.stop(t)
}

func TestSubscriberExpires(t *testing.T) {
	t.Parallel()
	srv, user := jwtServer(t)
	_ = srv
	o := user(func(c *jwt.UserClaims) { c.Expires = time.Now().Add(2 * time.Second).Unix() })
	o.AllowReconnect = false
	r := run(t, open(t, Config{Options: o}, "s"))
	if err := <-r.done; !errors.Is(err, nats.ErrAuthExpired) {
		t.Error(err)
	}
}

// stalling is a socket that can be made to deliver nothing.
type stalling struct {
	net.Conn
	mu sync.Mutex
}

func (s *stalling) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Conn.Read(p)
}

func TestSubscriberIsFoundTooSlow(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "", func(o *natsd.Options) { o.MaxPending, o.MaxPayload = 1<<20, 1<<16 })
	ev := newEvents()
	sockets := make(chan *stalling, 10)
	o := testOptions(srv.ClientURL())
	o.CustomDialer = dialerFunc(func(network, address string) (net.Conn, error) {
		nc, err := net.Dial(network, address)
		s := &stalling{Conn: nc}
		sockets <- s
		return s, err
	})
	s := open(t, Config{Options: o, Event: ev.add}, "s")
	sock := <-sockets
	sock.mu.Lock() // our end stops reading, as a machine too slow would
	r := run(t, s)
	nc := dial(t, testOptions(srv.ClientURL()))
	w := nc.Writer()
	for srv.NumSlowConsumers() == 0 {
		if err := w.Repeat(EncodePub(nil, "s", "", nil, make([]byte, 50_000)), 10); err != nil {
			t.Fatal(err)
		}
	}
	sock.mu.Unlock()
	go func() {
		for range r.bodies {
		}
	}()
	if e := ev.wait(t, Disconnected, 1); !errors.Is(e.Err, nats.ErrDisconnected) || !e.Behind {
		t.Errorf("%+v", e)
	}
	ev.wait(t, Reconnected, 1)
	r.stop(t)
}

func TestSubscriberIsCutOff(t *testing.T) {
	t.Parallel()
	for _, tail := range []string{"MSG s 1 5\r\nhe", "MSG s 1"} {
		ours, theirs := net.Pipe()
		o := testOptions()
		o.InProcessServer, o.AllowReconnect = pipe{ours}, false
		ev := newEvents()
		go func() {
			p := newPuppet(t, theirs)
			p.expect(t, "SUB s 1")
			p.expect(t, "PING")
			p.say("MSG s 1 5\r\nfirst\r\nPONG\r\n")
			p.say("MSG s 1 6\r\nsecond\r\n" + tail)
			_ = p.Close()
		}()
		r := run(t, open(t, Config{Options: o, Event: ev.add}, "s"))
		r.expect(t, "first")
		r.expect(t, "second")
		if err := <-r.done; !errors.Is(err, nats.ErrDisconnected) {
			t.Error(err)
		}
		if e := ev.wait(t, Disconnected, 1); !e.Behind {
			t.Errorf("%+v", e)
		}
	}
}

func TestSubscriberHearsOfLameDuck(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "", func(o *natsd.Options) { o.LameDuckDuration, o.LameDuckGracePeriod = time.Millisecond, -time.Nanosecond })
	ev := newEvents()
	r := run(t, open(t, Config{Options: testOptions(srv.ClientURL()), Event: ev.add}, "s"))
	go srv.LameDuckShutdown()
	if e := ev.wait(t, LameDuck, 1); e.URL == "" {
		t.Errorf("%+v", e)
	}
	ev.wait(t, Disconnected, 1)
	r.stop(t)
}

func TestSubscriberWebsocketSurvivesRestart(t *testing.T) {
	t.Parallel()
	config := func(port int) func(*natsd.Options) {
		return func(o *natsd.Options) {
			o.Websocket = natsd.WebsocketOpts{Host: "127.0.0.1", Port: port, NoTLS: true, Compression: true}
		}
	}
	srv := startServer(t, "", config(-1))
	ev := newEvents()
	o := testOptions(srv.WebsocketURL())
	o.Compression = true
	s := open(t, Config{Options: o, Event: ev.add}, "s")
	r := run(t, s)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL(), "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	var n int
	_, _ = fmt.Sscan(port, &n)
	srv.Shutdown()
	srv.WaitForShutdown()
	srv = startServer(t, "", config(n))
	ev.wait(t, Reconnected, 1)
	publish(t, srv.ClientURL(), "s", 1)
	r.expect(t, fmt.Sprintf("%016d", 0))
	r.stop(t)
}
