package contexts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/fail"
)

// box is a store in directories of its own and an environment that only it sees.
type box struct {
	*contexts.Store
	t    *testing.T
	root string
	home string
	env  map[string]string
}

func newBox(t *testing.T) *box {
	t.Helper()
	dir := t.TempDir()
	b := &box{t: t, root: filepath.Join(dir, "config"), home: filepath.Join(dir, "home"), env: map[string]string{}}
	if err := os.MkdirAll(b.home, 0o700); err != nil {
		t.Fatal(err)
	}
	b.env["HOME"] = b.home
	b.Store = contexts.NewStore(b.root, b.getenv).In(b.home)
	return b
}

func (b *box) getenv(k string) string { return b.env[k] }

func (b *box) path(name string) string {
	return filepath.Join(b.root, "nats", "context", name+".json")
}

// context writes a context file as other programs or an editor would.
func (b *box) context(name, text string) {
	b.t.Helper()
	b.file(b.path(name), text)
}

func (b *box) file(path, text string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) sel(name string) {
	b.t.Helper()
	b.file(filepath.Join(b.root, "nats", "context.txt"), name)
}

// stored is one string of a context file on disk.
func (b *box) stored(name, key string) any {
	b.t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(read(b.t, b.path(name))), &all); err != nil {
		b.t.Fatal(err)
	}
	return all[key]
}

func (b *box) resolve(r contexts.Request) contexts.Resolved {
	b.t.Helper()
	res, err := contexts.Resolve(b.t.Context(), b.Store, r)
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

// snapshot is every file below the root with its content, to show that nothing was written.
func (b *box) snapshot() string {
	b.t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(filepath.Dir(b.root), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		out.WriteString(path + "\n")
		if !d.IsDir() {
			out.WriteString(read(b.t, path))
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out.String()
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func flags(kv ...string) map[contexts.Key]contexts.Given {
	return given(contexts.FromFlag, kv...)
}

func given(kind contexts.OriginKind, kv ...string) map[contexts.Key]contexts.Given {
	out := map[contexts.Key]contexts.Given{}
	for i := 0; i < len(kv); i += 2 {
		k := contexts.Key(kv[i])
		name := kv[i]
		if kind == contexts.FromEnv {
			name = contexts.EnvOf(k)
		}
		g := out[k]
		out[k] = contexts.Given{Values: append(g.Values, kv[i+1]), From: contexts.Origin{Kind: kind, Name: name}}
	}
	return out
}

func both(maps ...map[contexts.Key]contexts.Given) map[contexts.Key]contexts.Given {
	out := map[contexts.Key]contexts.Given{}
	for _, m := range maps {
		for k, g := range m {
			out[k] = g
		}
	}
	return out
}

func named(name string) contexts.Given {
	return contexts.Given{Values: []string{name}, From: contexts.Origin{Kind: contexts.FromFlag, Name: "context"}}
}

// wantError checks code and that the text, with its hint, has all the parts.
func wantError(t *testing.T, err error, code fail.Code, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if got := fail.CodeOf(err); got != code {
		t.Errorf("code = %d, want %d: %v", got, code, err)
	}
	text := err.Error() + "\nhint: " + fail.HintOf(err)
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q not in %q", p, text)
		}
	}
}

// runServer starts a nats-server on a free port of the loopback.
func runServer(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, StoreDir: t.TempDir()}
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server is not ready")
	}
	return s
}

func manager(t *testing.T, r contexts.Resolved, o contexts.Options) *contexts.Manager {
	t.Helper()
	m := contexts.NewManager(r, o)
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return m
}

// connected connects and proves it by a round trip.
func connected(t *testing.T, m *contexts.Manager) *nats.Conn {
	t.Helper()
	nc, err := m.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := nc.FlushWithContext(ctx); err != nil {
		t.Fatal(err)
	}
	return nc
}

func isBroken(err error) *contexts.BrokenError {
	var b *contexts.BrokenError
	errors.As(err, &b)
	return b
}

// lines collects what a Manager says.
type lines struct {
	mu   sync.Mutex
	text []string
	more chan struct{}
}

func newLines() *lines { return &lines{more: make(chan struct{}, 1000)} }

func (l *lines) warn(format string, args ...any) {
	l.mu.Lock()
	l.text = append(l.text, fmt.Sprintf(format, args...))
	l.mu.Unlock()
	l.more <- struct{}{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.warn("%s", p)
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.text, "\n")
}

// wait returns when some line holds the text.
func (l *lines) wait(t *testing.T, want string) {
	t.Helper()
	late := time.After(30 * time.Second)
	for !strings.Contains(l.String(), want) {
		select {
		case <-l.more:
		case <-late:
			t.Fatalf("no %q in %q", want, l.String())
		}
	}
}
