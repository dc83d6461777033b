package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

// holdStore makes the test binary hold the store named by this variable until its stdin ends or it is killed.
const holdStore = "EMBEDDED_TEST_HOLD_STORE"

// startTime bounds what takes a moment, on a busy machine.
const startTime = time.Minute

func TestMain(m *testing.M) {
	dir, ok := os.LookupEnv(holdStore)
	if !ok {
		os.Exit(m.Run())
	}
	s, err := Start(context.Background(), Options{Port: -1, JetStream: true, Store: dir, Name: "holder", User: "u", Password: "p"})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.URL())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		os.Exit(1)
	}
	if err := s.Stop(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// run starts a server that ends with the test.
func run(t *testing.T, o Options) *Server {
	t.Helper()
	if o.Port == 0 && o.Config == "" {
		o.Port = -1
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// refusal starts a server that must not start, and checks the code and what the error says.
func refusal(t *testing.T, o Options, code fail.Code, says ...string) error {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err == nil {
		stop(t, s)
		t.Fatalf("%+v starts", o)
	}
	if got := fail.CodeOf(err); got != code {
		t.Errorf("%v: code %d, want %d", err, got, code)
	}
	for _, want := range says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	return err
}

func connect(t *testing.T, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, append(opts, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	if err != nil {
		t.Fatalf("connecting to %s: %v", url, err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// denied checks that the server says so: a client that still writes when the server hangs up may not hear it, and asks again.
func denied(t *testing.T, url string, opts ...nats.Option) {
	t.Helper()
	testkit.Eventually(t, startTime, url+" is denied", func() bool {
		nc, err := nats.Connect(url, opts...)
		if err == nil {
			nc.Close()
			t.Fatalf("%s is let in", url)
		}
		return errors.Is(err, nats.ErrAuthorization)
	})
}

func jetStream(t *testing.T, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// with puts a user and password, or a token, into a URL.
func with(url, credentials string) string {
	return strings.Replace(url, "://", "://"+credentials+"@", 1)
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "server.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// portOf is the port of a URL.
func portOf(t *testing.T, url string) int {
	t.Helper()
	_, hostPort, _ := strings.Cut(url, "://")
	a, err := net.ResolveTCPAddr("tcp", hostPort)
	if err != nil {
		t.Fatal(err)
	}
	return a.Port
}

// lines collects log lines for tests.
type lines struct{ ch chan slog.Record }

func newLines() *lines { return &lines{ch: make(chan slog.Record, 10000)} }

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	select {
	case l.ch <- r:
	default:
	}
	return nil
}

// await waits for a line of the level that contains the text.
func (l *lines) await(t *testing.T, level slog.Level, text string) {
	t.Helper()
	ctx := testkit.Context(t)
	for {
		select {
		case r := <-l.ch:
			if r.Level == level && strings.Contains(r.Message, text) {
				return
			}
		case <-ctx.Done():
			t.Fatalf("no %s line says %q", level, text)
		}
	}
}
