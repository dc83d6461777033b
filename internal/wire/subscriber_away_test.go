package wire

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
)

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
		runtime.Gosched()
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
