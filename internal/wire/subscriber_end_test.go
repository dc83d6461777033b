package wire

import (
	"context"
	"errors"
	"net"
	"runtime"
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
		}, Msg: func(*Msg) error { runtime.Gosched(); return nil }},
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
			runtime.Gosched()
		}
		return nil
	}})
	if left, _ := s.Pending(); !errors.Is(err, fail.ErrInterrupted) || n != 1 || left > 999 {
		t.Errorf("%v after %d messages, %d left", err, n, left)
	}
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
	o.ReconnectWait = 0
	s := open(t, Config{Options: o, Event: ev.add, Clock: clock.NewManual(time.Unix(1, 0))}, "s") // no time passes: there is no pause
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
