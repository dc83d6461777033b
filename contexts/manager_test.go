package contexts_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/fail"
)

// closedPort is a loopback URL where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "nats://" + l.Addr().String()
}

func resolved(t *testing.T, settings ...map[contexts.Key]contexts.Given) contexts.Resolved {
	t.Helper()
	return newBox(t).resolve(contexts.Request{NoContext: true, Settings: both(settings...)})
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	dead := closedPort(t)
	rows := []struct {
		request contexts.Request
		want    []string
	}{
		{contexts.Request{Settings: flags("server", dead)}, []string{"nats: no servers available for connection: cannot connect to " + dead + " (--server)"}},
		{contexts.Request{Settings: given(contexts.FromEnv, "server", strings.Replace(dead, "//", "//u:s3cr3t-pw@", 1))}, []string{"u:*****@", "($NATS_URL)", "nats: no servers available for connection"}},
		{contexts.Request{Context: named("prod")}, []string{`(context "prod")`}},
		{contexts.Request{Settings: flags("server", dead+","+closedPort(t))}, []string{dead + ",nats://"}},
	}
	b := newBox(t)
	b.context("prod", `{"url":"`+dead+`"}`)
	for _, r := range rows {
		_, err := manager(t, b.resolve(r.request), contexts.Options{}).Conn(t.Context())
		wantError(t, err, fail.Unreachable, r.want...)
		if !errors.Is(err, nats.ErrNoServers) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%v", err)
		}
	}
	_, err := manager(t, contexts.Resolved{URL: dead}, contexts.Options{}).Conn(t.Context())
	wantError(t, err, fail.Unreachable, "(default)", "--server")
}

// localhost may have several addresses, of which the server listens on one.
func TestNamesWithSeveralAddresses(t *testing.T) {
	t.Parallel()
	s := runServer(t, nil)
	u := strings.Replace(s.ClientURL(), "127.0.0.1", "localhost", 1)
	connected(t, manager(t, resolved(t, flags("server", u)), contexts.Options{}))
	_, err := manager(t, resolved(t, flags("server", strings.Replace(closedPort(t), "127.0.0.1", "localhost", 1))), contexts.Options{}).Conn(t.Context())
	wantError(t, err, fail.Unreachable, "nats: no servers available for connection")
}

func TestNamesThatDoNotExist(t *testing.T) {
	t.Parallel()
	_, err := manager(t, resolved(t, flags("server", "nats://nope.invalid:1")), contexts.Options{}).Conn(t.Context())
	wantError(t, err, fail.Unreachable, "nope.invalid", "--server")
}

func TestPermissionViolations(t *testing.T) {
	t.Parallel()
	s := runServer(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "limited", Password: "s3cr3t-pw", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: []string{"ok.>"}}, Subscribe: &server.SubjectPermission{Allow: []string{"ok.>", "_INBOX.>"}},
		}}}
	})
	said := newLines()
	m := manager(t, resolved(t, flags("server", s.ClientURL(), "user", "limited", "password", "s3cr3t-pw", "timeout", "1h")), contexts.Options{Warn: said.warn})
	nc := connected(t, m)
	if err := m.Violation(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := m.Allowed(t.Context())
	defer cancel()
	bound, done := m.Deadline(ctx)
	defer done()
	_, err := nc.RequestWithContext(bound, "notok", nil) // would wait an hour
	err = contexts.Refusal(ctx, err)
	wantError(t, err, fail.Unreachable, `user "limited"`, `Permissions Violation for Publish to "notok"`)
	if got := m.Violation(); !errors.Is(got, nats.ErrPermissionViolation) {
		t.Errorf("%v", got)
	}
	if got := <-m.Violations(); !errors.Is(got, nats.ErrPermissionViolation) {
		t.Errorf("%v", got)
	}
	said.wait(t, ">>> Unexpected NATS error: nats: permissions violation")
	other, err := m.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for i, want := range []error{nil, nats.ErrPermissionViolation} {
		if err := other.Publish([]string{"ok.x", "notok.again"}[i], nil); err != nil {
			t.Fatal(err)
		}
		if err := m.Flush(t.Context(), other); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if got := <-m.Violations(); !strings.Contains(got.Error(), `"notok.again"`) {
		t.Errorf("%v", got)
	}
	sub, err := nc.SubscribeSync("notok")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sub.NextMsgWithContext(bound); err == nil {
		t.Error("subscribed")
	}
	if got := <-m.Violations(); !strings.Contains(got.Error(), `Subscription to "notok"`) {
		t.Errorf("%v", got)
	}
	fresh, stop := m.Allowed(t.Context())
	stop()
	if err := contexts.Refusal(fresh, context.Canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("an earlier violation is no cause: %v", err)
	}
}

func TestReconnects(t *testing.T) {
	t.Parallel()
	s := runServer(t, nil)
	said, traced := newLines(), newLines()
	m := manager(t, resolved(t, flags("server", s.ClientURL(), "trace", "true")), contexts.Options{
		Name: "NATS CLI Version 1", Warn: said.warn,
		Log:      slog.New(slog.NewTextHandler(traced, &slog.HandlerOptions{Level: slog.LevelDebug})),
		OnClosed: func(err error) { t.Errorf("closed: %v", err) },
	})
	nc := connected(t, m)
	if nc.Opts.Name != "NATS CLI Version 1" {
		t.Errorf("name %q", nc.Opts.Name)
	}
	traced.wait(t, ">>> Connected to nats://127.0.0.1")
	sub, err := nc.SubscribeSync("x")
	if err != nil {
		t.Fatal(err)
	}
	port := s.Addr().(*net.TCPAddr).Port
	s.Shutdown()
	s.WaitForShutdown()
	said.wait(t, ">>> Disconnected due to: ") // EOF, or a reset where the server was quicker than its last bytes
	said.wait(t, ", will attempt reconnect")
	traced.wait(t, ">>> Setting reconnect delay to ")
	traced.wait(t, ">>> Reconnect error: ")
	runServer(t, func(o *server.Options) { o.Port = port })
	traced.wait(t, ">>> Reconnected to nats://127.0.0.1")
	if err := nc.Publish("x", []byte("again")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if msg, err := sub.NextMsgWithContext(ctx); err != nil || string(msg.Data) != "again" {
		t.Errorf("%v, %v", msg, err)
	}
	if strings.Contains(said.String(), "Reconnect") {
		t.Errorf("said without trace: %q", said)
	}
}

func TestClosedByTheServer(t *testing.T) {
	t.Parallel()
	s := runServer(t, func(o *server.Options) { o.MaxPayload = 1024 })
	closed := make(chan error, 1)
	m := manager(t, resolved(t, flags("server", s.ClientURL())), contexts.Options{OnClosed: func(err error) { closed <- err }})
	nc := connected(t, m)
	nc.Opts.SkipSubjectValidation = true
	if err := nc.Publish(strings.Repeat("x", 8192), nil); err != nil { // longer than the server's control line
		t.Fatal(err)
	}
	wantError(t, <-closed, fail.Unreachable, "Connection is closed: nats: ", "aximum")
}

func TestLazySharedAndClosed(t *testing.T) {
	t.Parallel()
	s := runServer(t, nil)
	m := contexts.NewManager(resolved(t, flags("server", s.ClientURL())), contexts.Options{OnClosed: func(err error) { t.Errorf("told of our own close: %v", err) }})
	if s.NumClients() != 0 {
		t.Error("connected before it was asked to")
	}
	var wg sync.WaitGroup
	got := make([]*nats.Conn, 8)
	for i := range got {
		wg.Go(func() {
			nc, err := m.Conn(t.Context())
			if err != nil {
				t.Error(err)
			}
			got[i] = nc
		})
	}
	wg.Wait()
	for _, nc := range got {
		if nc != got[0] {
			t.Error("not shared")
		}
	}
	private, err := m.Dial(t.Context(), nats.Name("mine"))
	if err != nil {
		t.Fatal(err)
	}
	if private == got[0] || private.Opts.Name != "mine" || s.NumClients() != 2 {
		t.Errorf("%d clients", s.NumClients())
	}
	for range 2 {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !got[0].IsClosed() || private.IsClosed() {
		t.Error("closes what it opened for all, and nothing else")
	}
	private.Close()
	if _, err := m.Conn(t.Context()); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestInterruptWhileConnecting(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 4)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	m := manager(t, resolved(t, flags("server", "nats://"+l.Addr().String(), "timeout", "1h")), contexts.Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := m.Conn(ctx)
		done <- err
	}()
	c := <-accepted
	defer c.Close()
	waiting, stop := context.WithCancel(t.Context())
	stop()
	if _, err := m.Conn(waiting); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for another's attempt: %v", err)
	}
	cancel(fail.ErrInterrupted)
	wantError(t, <-done, fail.Interrupted, "interrupted")
	short := manager(t, resolved(t, flags("server", "nats://"+l.Addr().String(), "timeout", "50ms")), contexts.Options{})
	_, err = short.Conn(t.Context())
	wantError(t, err, fail.Unreachable, l.Addr().String())
	late, cancelLate := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancelLate()
	_, err = m.Conn(late)
	wantError(t, err, fail.Unreachable, l.Addr().String(), "nats: no servers available for connection")
}

func TestJetStreamAndTrace(t *testing.T) {
	t.Parallel()
	s := runServer(t, func(o *server.Options) { o.JetStream, o.JetStreamDomain = true, "hub" })
	for name, settings := range map[string]map[contexts.Key]contexts.Given{
		"plain": nil, "domain": flags("js-domain", "hub"), "prefix": flags("js-api-prefix", "$JS.hub.API"),
	} {
		var out bytes.Buffer
		var mu sync.Mutex
		log := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return out.Write(p)
		}), &slog.HandlerOptions{Level: slog.LevelDebug}))
		m := contexts.NewManager(resolved(t, flags("server", s.ClientURL(), "trace", "true"), settings), contexts.Options{Log: log})
		js, err := m.JetStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.AccountInfo(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		mgr, err := m.Manager(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mgr.StreamNames(nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		text := out.String()
		mu.Unlock()
		api := "$JS.API"
		if name != "plain" {
			api = "$JS.hub.API"
		}
		for _, want := range []string{">>> " + api + ".INFO", "<<< " + api + ".INFO", ">>> " + api + ".STREAM.NAMES", "<<< " + api + ".STREAM.NAMES"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in %s", name, want, text)
			}
		}
	}
	_, err := manager(t, resolved(t, flags("server", s.ClientURL(), "js-domain", "a b")), contexts.Options{}).Manager(t.Context())
	wantError(t, err, fail.Usage, "a b")
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestEmbeddedServer(t *testing.T) {
	t.Parallel()
	r := resolved(t, flags("server", "embedded:data"))
	if dir, ok := r.Embedded(); !ok || dir != "data" {
		t.Errorf("%q %v", dir, ok)
	}
	_, err := manager(t, r, contexts.Options{}).Conn(t.Context())
	wantError(t, err, fail.Usage, "embedded:data")
	closed, opened := 0, 0
	m := contexts.NewManager(r, contexts.Options{OpenEmbedded: func(_ context.Context, dir string) (nats.InProcessConnProvider, func() error, error) {
		opened++
		s := runServer(t, func(o *server.Options) { o.DontListen = true })
		return s, func() error { closed++; return nil }, nil
	}})
	connected(t, m)
	private, err := m.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	private.Close()
	if err := m.Close(); err != nil || opened != 1 || closed != 1 {
		t.Errorf("opened %d, closed %d, %v", opened, closed, err)
	}
	_, err = manager(t, r, contexts.Options{OpenEmbedded: func(context.Context, string) (nats.InProcessConnProvider, func() error, error) {
		return nil, nil, fail.Newf(fail.Failure, "is in use")
	}}).Conn(t.Context())
	wantError(t, err, fail.Failure, "embedded:data: is in use")
}

// Options are enough for a client that is not nats.go's.
func TestOptionsForOtherClients(t *testing.T) {
	t.Parallel()
	s := runServer(t, func(o *server.Options) { o.Users = []*server.User{{Username: "u", Password: "p"}} })
	m := manager(t, resolved(t, flags("server", "nats://a:1, "+s.ClientURL(), "user", "u", "password", "p", "inbox-prefix", "_ME", "connection-name", "x")), contexts.Options{Name: "default"})
	o, err := m.Options(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if o.User != "u" || o.Password != "p" || o.Name != "x" || o.InboxPrefix != "_ME" || len(o.Servers) != 2 || o.Servers[1] != s.ClientURL() || o.CustomDialer != nil || o.MaxReconnect != -1 {
		t.Errorf("%+v", o)
	}
	o.Servers[0] = "changed"
	if again, err := m.Options(t.Context()); err != nil || again.Servers[0] != "nats://a:1" {
		t.Errorf("shared with others: %v", err)
	}
}
