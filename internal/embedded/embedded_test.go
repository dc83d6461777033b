package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

func TestStart(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	log := newLines()
	store := filepath.Join(t.TempDir(), "a", "b")
	s := run(t, Options{Name: "dev", JetStream: true, Store: store, Websocket: -1, Monitor: -1, Log: slog.New(log), Domain: "edge"})
	if s.Name() != "dev" || s.Store() != store || s.ClusterURL() != "" || s.LeafURL() != "" || s.Err() != nil {
		t.Errorf("name %s, store %s, cluster %s, leaf %s, err %v", s.Name(), s.Store(), s.ClusterURL(), s.LeafURL(), s.Err())
	}
	if !strings.HasPrefix(s.URL(), "nats://127.0.0.1:") {
		t.Errorf("url %s", s.URL())
	}
	log.await(t, slog.LevelInfo, "Server is ready")
	connect(t, s.WebsocketURL())
	nc := connect(t, s.URL())
	testkit.Stream(t, jetStream(t, nc), jetstream.StreamConfig{Name: "S"})
	info, err := jetStream(t, nc).AccountInfo(testkit.Context(t))
	if err != nil || info.Domain != "edge" {
		t.Errorf("info %+v: %v", info, err)
	}
	if got := varz(t, s)["server_name"]; got != "dev" {
		t.Errorf("monitored name %v", got)
	}
	select {
	case <-s.Done():
		t.Error("the server ended")
	default:
	}
	stop(t, s)
	stop(t, s)
	select {
	case <-s.Done():
	default:
		t.Error("the server has not ended")
	}
	if s.Err() != nil {
		t.Errorf("err %v after a stop", s.Err())
	}
	if _, err := s.InProcessConn(); err == nil {
		t.Error("a stopped server accepts")
	}
}

func varz(t *testing.T, s *Server) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(testkit.Context(t), http.MethodGet, s.MonitorURL()+"/varz", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var v map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestInProcess(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	s := run(t, Options{DontListen: true, JetStream: true, Store: t.TempDir(), Token: "secret"})
	if s.URL() != "" {
		t.Errorf("url %s of a server that does not listen", s.URL())
	}
	nc := connect(t, "nats://embedded", nats.InProcessServer(s), nats.Token("secret"))
	testkit.Stream(t, jetStream(t, nc), jetstream.StreamConfig{Name: "S"})
}

// A server that needs no port starts although another one has the default port.
func TestDontListenTakesNoPort(t *testing.T) {
	t.Parallel()
	a := run(t, Options{})
	run(t, Options{DontListen: true, Port: portOf(t, a.URL())})
}

func TestStoreIsPrivate(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "new", "store")
	s := run(t, Options{JetStream: true, Store: store})
	js := jetStream(t, connect(t, s.URL()))
	testkit.Stream(t, js, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	testkit.Store(t, js, "s", 1, "x")
	err := filepath.WalkDir(filepath.Dir(store), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && d.IsDir() && info.Mode().Perm() != 0o700 {
			t.Errorf("%s: mode %v", path, info.Mode())
		}
		if err == nil && d.Name() == lockFile && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Everything that was acknowledged is there after a stop, whatever was going on when it came.
func TestStopKeepsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	const messages = 10_000
	o := Options{JetStream: true, Store: t.TempDir()}
	s := run(t, o)
	nc := connect(t, s.URL(), nats.NoReconnect())
	js := jetStream(t, nc)
	testkit.Stream(t, js, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})

	var acknowledged atomic.Uint64 // the highest sequence: it covers those before
	enough := make(chan struct{})
	var publishers sync.WaitGroup
	for p := range 4 {
		publishers.Go(func() {
			for {
				ack, err := js.Publish(t.Context(), fmt.Sprintf("s.%d", p), []byte("0123456789012345678901234567890123456789"))
				if err != nil {
					return // the server is gone
				}
				for seen := acknowledged.Load(); ack.Sequence > seen && !acknowledged.CompareAndSwap(seen, ack.Sequence); {
					seen = acknowledged.Load()
				}
				if ack.Sequence == messages {
					close(enough)
				}
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(2 * time.Minute):
		t.Error("publishing hangs")
	}
	stop(t, s)
	publishers.Wait()

	again := run(t, o)
	state := testkit.State(t, jetStream(t, connect(t, again.URL())), "S")
	if got := acknowledged.Load(); got < messages || state.LastSeq < got || state.Msgs != state.LastSeq || state.FirstSeq != 1 {
		t.Errorf("%d messages acknowledged, stored %d of %d to %d", got, state.Msgs, state.FirstSeq, state.LastSeq)
	}
	if again.Name() != s.Name() {
		t.Errorf("name %s, was %s: the store gives the name", again.Name(), s.Name())
	}
}

func TestStopGivesUpWaiting(t *testing.T) {
	t.Parallel()
	s := run(t, Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("no time")
	cancel(why)
	// Either the server was quick or the cause is told; the clean-up stops it for good.
	if err := s.Stop(ctx); err != nil && !errors.Is(err, why) {
		t.Errorf("stop: %v", err)
	}
}

func TestStartWithEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fail.ErrInterrupted)
	store := filepath.Join(t.TempDir(), "s")
	if _, err := Start(ctx, Options{Port: -1, JetStream: true, Store: store}); !errors.Is(err, fail.ErrInterrupted) {
		t.Errorf("start: %v", err)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	port := l.Addr().(*net.TCPAddr).Port
	text := fmt.Sprint(port)
	store := t.TempDir()
	for what, o := range map[string]Options{
		"client":    {Port: port, JetStream: true, Store: store},
		"websocket": {Port: -1, Websocket: port, JetStream: true, Store: store},
		"monitor":   {Port: -1, Monitor: port},
		"cluster":   {Port: -1, Cluster: "C", ClusterListen: "127.0.0.1:" + text},
		"leaf node": {Port: -1, LeafListen: "127.0.0.1:" + text},
		"gateway":   {Config: writeConfig(t, "listen: 127.0.0.1:-1\ngateway { name: A, listen: '127.0.0.1:"+text+"' }")},
	} {
		refusal(t, o, fail.Failure, what, text, "in use")
	}
	other := testkit.Server(t, testkit.WithName("elsewhere"))
	err = refusal(t, Options{Port: other.Port()}, fail.Failure, fmt.Sprint(other.Port()), `nats-server "elsewhere"`)
	if hint := fail.HintOf(err); !strings.Contains(hint, "--port -1") {
		t.Errorf("hint %q", hint)
	}
	// The store is free: its lock was given back.
	run(t, Options{JetStream: true, Store: store})
}

func TestUnusableAddress(t *testing.T) {
	t.Parallel()
	refusal(t, Options{Host: "192.0.2.1", Port: 4222}, fail.Failure, "4222", "192.0.2.1")
}

// What only the logger is told while the server starts reaches the caller, and leaves nothing behind.
func TestFatalAtStart(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	store := t.TempDir()
	for _, text := range []string{
		"client_advertise: 'a:b:c'",
		"cluster { name: C, listen: '127.0.0.1:-1', advertise: 'a:b:c' }",
		"websocket { listen: '127.0.0.1:-1', no_tls: true, advertise: 'a:b:c' }",
		"leafnodes { listen: '127.0.0.1:-1', advertise: 'a:b:c' }",
		"pid_file: '/nonexistent/directory/nats.pid'",
	} {
		o := Options{Config: writeConfig(t, "listen: 127.0.0.1:-1\n"+text), JetStream: true, Store: store}
		word := "a:b:c"
		switch {
		case strings.HasPrefix(text, "pid"):
			word = "pidfile"
		case strings.HasPrefix(text, "cluster"):
			o.Routes = []string{strings.TrimPrefix(testkit.Dead(t), "nats://")}
		}
		refusal(t, o, fail.Failure, store, word)
	}
	run(t, Options{JetStream: true, Store: store})
}

func TestFatalWhileRunning(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	store := t.TempDir()
	s, err := Start(t.Context(), Options{Port: -1, JetStream: true, Store: store})
	if err != nil {
		t.Fatal(err)
	}
	s.srv.Fatalf("the disk is gone")
	select {
	case <-s.Done():
	case <-testkit.Context(t).Done():
		t.Fatal("the server goes on")
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "the disk is gone") || fail.CodeOf(err) != fail.Failure {
		t.Errorf("err %v", err)
	}
	if err := s.Stop(t.Context()); err == nil {
		t.Error("stop does not tell why the server ended")
	}
	run(t, Options{JetStream: true, Store: store})
}

func TestEndByItself(t *testing.T) {
	t.Parallel()
	s, err := Start(t.Context(), Options{Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	s.srv.Shutdown()
	select {
	case <-s.Done():
	case <-testkit.Context(t).Done():
		t.Fatal("the end is not seen")
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "by itself") {
		t.Errorf("err %v", err)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	log := newLines()
	s := run(t, Options{Log: slog.New(log), Debug: true, Trace: true, Token: "hunter2"})
	log.await(t, slog.LevelInfo, "Listening for client connections")
	connect(t, s.URL(), nats.Token("hunter2"))
	log.await(t, slog.LevelDebug, "[CONNECT ")
	denied(t, s.URL())
	log.await(t, slog.LevelError, "authentication error")
}
