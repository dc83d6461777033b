package testkit_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
)

func TestServer(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	n := testkit.Server(t)
	testkit.Stream(t, n.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	testkit.Store(t, n.JS(), "orders.new", 3, "hello")
	testkit.Publish(t, n.Conn(), "orders.old", 2, "bye")
	if got := testkit.State(t, n.JS(), "ORDERS"); got.Msgs != 5 || got.NumSubjects != 2 {
		t.Errorf("state = %+v", got)
	}
	bodies := ""
	for _, m := range testkit.Stored(t, n.JS(), "ORDERS") {
		bodies += string(m.Data) + " "
	}
	if bodies != "hello hello hello bye bye " {
		t.Errorf("stored %q", bodies)
	}
	if first := n.Conn(); n.Conn() != first {
		t.Error("the connection is not always the same")
	}
}

func TestServersAreApart(t *testing.T) {
	t.Parallel()
	a, b := testkit.Server(t), testkit.Server(t)
	sub := testkit.Subscribe(t, a.Conn(), "x")
	testkit.Publish(t, b.Conn(), "x", 1, "from b")
	testkit.Publish(t, a.Conn(), "x", 2, "from a")
	if got := sub.Bodies(2); got[0] != "from a" || got[1] != "from a" {
		t.Errorf("bodies = %q", got)
	}
	if sub.Pending() != 0 {
		t.Error("there is more")
	}
}

func TestRestartKeepsPortAndStore(t *testing.T) {
	t.Parallel()
	n := testkit.Server(t)
	js := n.JS()
	testkit.Stream(t, js, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	testkit.Store(t, js, "s", 10, "x")
	url, id := n.URL(), n.Server().ID()
	n.Restart()
	if n.URL() != url || n.Server().ID() == id {
		t.Errorf("url %s, was %s; id %s, was %s", n.URL(), url, n.Server().ID(), id)
	}
	if got := testkit.State(t, js, "S").Msgs; got != 10 {
		t.Errorf("%d messages after the restart", got)
	}
	n.Stop()
	if n.Server() != nil {
		t.Error("there is a server after Stop")
	}
	if _, err := nats.Connect(url, nats.Timeout(time.Second)); !errors.Is(err, nats.ErrNoServers) {
		t.Errorf("connecting to a stopped server: %v", err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	t.Run("without JetStream", func(t *testing.T) {
		t.Parallel()
		n := testkit.Server(t, testkit.WithoutJetStream())
		if n.Server().JetStreamEnabled() || n.Store() != "" {
			t.Error("there is JetStream")
		}
	})
	t.Run("domain and name", func(t *testing.T) {
		t.Parallel()
		n := testkit.Server(t, testkit.WithDomain("hub"), testkit.WithName("n7"))
		info, err := n.JS().AccountInfo(testkit.Context(t))
		if err != nil || info.Domain != "hub" || n.Conn().ConnectedServerName() != "n7" {
			t.Errorf("info %+v of %s: %v", info, n.Conn().ConnectedServerName(), err)
		}
	})
	t.Run("config", func(t *testing.T) {
		t.Parallel()
		n := testkit.Server(t, testkit.WithConfig("max_payload: 1000"))
		if got := n.Conn().MaxPayload(); got != 1000 {
			t.Errorf("payload limit %d", got)
		}
	})
	t.Run("websocket", func(t *testing.T) {
		t.Parallel()
		n := testkit.Server(t, testkit.WithWebsocket())
		nc := dial(t, n.WebsocketURL())
		if err := nc.Flush(); err != nil {
			t.Error(err)
		}
	})
	t.Run("monitor", func(t *testing.T) {
		t.Parallel()
		n := testkit.Server(t, testkit.WithMonitor(), testkit.WithName("watched"))
		req, err := http.NewRequestWithContext(testkit.Context(t), http.MethodGet, n.MonitorURL()+"/varz", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var varz struct {
			Name string `json:"server_name"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&varz); err != nil || varz.Name != "watched" {
			t.Errorf("name %q: %v", varz.Name, err)
		}
	})
}

func dial(t *testing.T, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// refuses checks that the server says so: a client that still writes when the server hangs up may not hear it, and asks again.
func refuses(t *testing.T, url string, opts ...nats.Option) {
	t.Helper()
	testkit.Eventually(t, clusterTime, url+" is refused", func() bool {
		nc, err := nats.Connect(url, opts...)
		if err == nil {
			nc.Close()
			t.Fatalf("%s is let in", url)
		}
		return errors.Is(err, nats.ErrAuthorization)
	})
}

// servers asks over the system account who is there.
func servers(t *testing.T, nc *nats.Conn, want int) {
	t.Helper()
	inbox := nats.NewInbox()
	sub := testkit.Subscribe(t, nc, inbox)
	if err := nc.PublishRequest("$SYS.REQ.SERVER.PING", inbox, nil); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for len(seen) < want {
		var answer struct {
			Server struct {
				Name string `json:"name"`
			} `json:"server"`
		}
		if err := json.Unmarshal(sub.Next().Data, &answer); err != nil {
			t.Fatal(err)
		}
		seen[answer.Server.Name] = true
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		n := testkit.Server(t)
		servers(t, n.SysConn(), 1)
	})
	t.Run("token", func(t *testing.T) {
		t.Parallel()
		n := testkit.Server(t, testkit.WithToken("secret"))
		refuses(t, n.URL())
		refuses(t, strings.Replace(n.AuthURL(), "secret", "wrong", 1))
		testkit.Stream(t, n.JS(), jetstream.StreamConfig{Name: "S"})
		servers(t, n.SysConn(), 1)
	})
	t.Run("user", func(t *testing.T) {
		t.Parallel()
		n := testkit.Server(t, testkit.WithUser("u", "p"))
		refuses(t, n.URL())
		refuses(t, strings.Replace(n.UserURL("u"), "u:p", "u:wrong", 1))
		testkit.Stream(t, n.JS(), jetstream.StreamConfig{Name: "S"})
		servers(t, n.SysConn(), 1)
	})
	t.Run("JWT", func(t *testing.T) {
		t.Parallel()
		n := testkit.Server(t, testkit.WithJWT())
		refuses(t, n.URL())
		testkit.Stream(t, n.JS(), jetstream.StreamConfig{Name: "S"})
		servers(t, n.SysConn(), 1)
		dial(t, n.URL(), nats.UserCredentials(n.CredsFile()))
		refuses(t, n.URL(), nats.UserCredentials(testkit.Server(t, testkit.WithJWT()).CredsFile()))
	})
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	n := testkit.Server(t, testkit.WithAccountsLimited())
	testkit.Stream(t, n.JS(), jetstream.StreamConfig{Name: "EV", Subjects: []string{"ev.>"}})
	servers(t, n.SysConn(), 1)

	app, err := jetstream.New(n.UserConn("app"))
	if err != nil {
		t.Fatal(err)
	}
	if testkit.State(t, app, "EV").Msgs != 0 {
		t.Error("somebody without credentials is not app")
	}
	denied := make(chan error, 1)
	n.UserConn("limited").SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied <- err })
	testkit.Publish(t, n.UserConn("limited"), "ok.x", 1, "")
	testkit.Publish(t, n.UserConn("limited"), "no.x", 1, "")
	select {
	case err := <-denied:
		if !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), "no.x") {
			t.Errorf("limited: %v", err)
		}
	case <-testkit.Context(t).Done():
		t.Error("limited may publish to no.x")
	}

	b, err := jetstream.New(n.UserConn("b"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.CreateStream(testkit.Context(t), jetstream.StreamConfig{Name: "B"}); err == nil || !strings.Contains(err.Error(), "max bytes") {
		t.Errorf("stream of b without max_bytes: %v", err)
	}
	testkit.Stream(t, b, jetstream.StreamConfig{Name: "B", MaxBytes: 1 << 20})

	nojs, err := jetstream.New(n.UserConn("nojs"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nojs.AccountInfo(testkit.Context(t)); !errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		t.Errorf("account info of nojs: %v", err)
	}
	nostream, err := jetstream.New(n.UserConn("nostream"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := nostream.CreateStream(ctx, jetstream.StreamConfig{Name: "X"}); err == nil {
		t.Error("nostream may create streams")
	}
	if _, err := app.Stream(testkit.Context(t), "X"); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("stream of nostream: %v", err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	n := testkit.Server(t, testkit.WithTLS())
	if !strings.HasPrefix(n.URL(), "tls://") {
		t.Errorf("url %s", n.URL())
	}
	testkit.Stream(t, n.JS(), jetstream.StreamConfig{Name: "S"})
	dial(t, n.URL(), nats.RootCAs(n.CAFile()))
	if nc, err := nats.Connect(n.URL()); err == nil {
		nc.Close()
		t.Error("an unknown CA is trusted")
	}
	if _, err := tls.LoadX509KeyPair(n.CertFile(), n.KeyFile()); err != nil {
		t.Error(err)
	}

	v := testkit.Server(t, testkit.WithTLSVerify())
	if err := v.Conn().Flush(); err != nil {
		t.Error(err)
	}
	if nc, err := nats.Connect(v.URL(), nats.RootCAs(v.CAFile())); err == nil {
		nc.Close()
		t.Error("a client without a certificate is let in")
	}
}

func TestDead(t *testing.T) {
	t.Parallel()
	nc, err := nats.Connect(testkit.Dead(t), nats.Timeout(5*time.Second))
	if err == nil {
		nc.Close()
	}
	if !errors.Is(err, nats.ErrNoServers) {
		t.Errorf("connecting: %v", err)
	}
}

func TestAwaitInterestAndRespond(t *testing.T) {
	t.Parallel()
	n := testkit.Server(t, testkit.WithAccounts())
	testkit.Respond(t, n.Conn(), "svc", "pong")
	n.AwaitInterest("svc")
	m, err := n.UserConn("app").RequestWithContext(testkit.Context(t), "svc", []byte("ping"))
	if err != nil || string(m.Data) != "pong" {
		t.Errorf("answer %v: %v", m, err)
	}
}

// recorder is a test whose failure is observed.
type recorder struct {
	testing.TB
	failed   bool
	messages []string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, v ...any) {
	r.failed = true
	r.messages = append(r.messages, fmt.Sprintf(format, v...))
}
func (r *recorder) Fatalf(format string, v ...any) { r.Errorf(format, v...) }

func TestEventuallyFails(t *testing.T) {
	t.Parallel()
	r := &recorder{TB: t}
	testkit.Eventually(r, 10*time.Millisecond, "the sun rises", func() bool { return false })
	if !r.failed || !strings.Contains(r.messages[0], "the sun rises") {
		t.Errorf("failed %t: %q", r.failed, r.messages)
	}
	calls := 0
	testkit.Eventually(t, time.Minute, "third call", func() bool { calls++; return calls == 3 })
}

func TestStoreIsPrivate(t *testing.T) {
	t.Parallel()
	n := testkit.Server(t)
	testkit.Stream(t, n.JS(), jetstream.StreamConfig{Name: "S"})
	info, err := os.Stat(n.Store() + "/jetstream")
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v: %v", info.Mode(), err)
	}
}

func BenchmarkServer(b *testing.B) {
	for b.Loop() {
		n := testkit.Server(b)
		testkit.Stream(b, n.JS(), jetstream.StreamConfig{Name: "S"})
		n.Conn().Close()
		n.Stop()
	}
}
