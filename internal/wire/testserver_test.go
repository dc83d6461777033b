package wire

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// patience bounds what a test waits for; nothing depends on its length.
const patience = time.Minute

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// startServer runs a server on a port of its own choice; a config text may be given.
func startServer(t testing.TB, config string, change ...func(*natsd.Options)) *natsd.Server {
	t.Helper()
	opts := &natsd.Options{Host: "127.0.0.1", Port: -1, NoSigs: true}
	if config != "" {
		file := filepath.Join(t.TempDir(), "server.conf")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		parsed, err := natsd.ProcessConfigFile(file)
		if err != nil {
			t.Fatal(err)
		}
		opts = parsed
		opts.Host, opts.NoSigs = "127.0.0.1", true
		if opts.Port == 0 || opts.Port == natsd.DEFAULT_PORT {
			opts.Port = -1
		}
	}
	opts.NoLog = true
	for _, f := range change {
		f(opts)
	}
	s, err := natsd.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server is not ready")
	}
	return s
}

func testOptions(urls ...string) nats.Options {
	o := nats.GetDefaultOptions()
	o.Servers = urls
	o.Timeout = patience
	o.ReconnectWait = 10 * time.Millisecond
	o.ReconnectJitter = time.Millisecond
	return o
}

func dial(t testing.TB, o nats.Options) *Conn {
	t.Helper()
	c, err := Dial(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// client is an ordinary connection for the other side of a test.
func client(t testing.TB, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, append(opts, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func flush(t testing.TB, nc *nats.Conn) {
	t.Helper()
	if err := nc.FlushWithContext(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

// events collects what a Subscriber reports and lets tests wait for it.
type events struct {
	mu   sync.Mutex
	all  []Event
	news chan struct{}
}

func newEvents() *events { return &events{news: make(chan struct{}, 1)} }

func (e *events) add(ev Event) {
	e.mu.Lock()
	e.all = append(e.all, ev)
	e.mu.Unlock()
	select {
	case e.news <- struct{}{}:
	default:
	}
}

// wait returns the n-th event of the kind, counted from 1.
func (e *events) wait(t testing.TB, kind EventKind, n int) Event {
	t.Helper()
	limit := time.After(patience)
	for {
		e.mu.Lock()
		seen := 0
		for _, ev := range e.all {
			if ev.Kind == kind {
				if seen++; seen == n {
					e.mu.Unlock()
					return ev
				}
			}
		}
		e.mu.Unlock()
		select {
		case <-e.news:
		case <-limit:
			t.Fatalf("no %s event (number %d) in %v", kind, n, e.all)
		}
	}
}
