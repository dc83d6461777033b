package sub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/term"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// slowly runs a line whose stdout is w, beside the test. The returned function interrupts it and gives the exit code.
func slowly(t testing.TB, srv string, w io.Writer, errs io.Writer, args ...string) (interrupt func() fail.Code, wait func() fail.Code) {
	t.Helper()
	home := t.TempDir()
	vars := map[string]string{"NATS_URL": srv, "HOME": home, "XDG_CONFIG_HOME": home}
	e := &env.Env{
		IO:    &term.Streams{In: strings.NewReader(""), Out: w, Err: errs},
		Clock: clock.System(), Getenv: func(k string) string { return vars[k] }, Environ: func() []string { return nil },
		Exec: payload.System, Files: env.Files{Dir: home},
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	done := make(chan fail.Code, 1)
	go func() { done <- fail.Code(clitest.Program(Command()).Run(ctx, args, e)) }()
	t.Cleanup(func() { cancel(fail.ErrInterrupted) })
	wait = func() fail.Code {
		select {
		case code := <-done:
			done <- code
			return code
		case <-time.After(60 * time.Second):
			t.Fatal("the command has not ended")
			return 0
		}
	}
	return func() fail.Code { cancel(fail.ErrInterrupted); return wait() }, wait
}

// gate is a reader that takes nothing until it is opened.
type gate struct {
	open chan struct{}
	mu   sync.Mutex
	buf  bytes.Buffer
}

func (g *gate) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buf.Write(p)
}

func (g *gate) text() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buf.String()
}

// flood publishes n numbered messages; the server has taken them when it returns.
func flood(t testing.TB, nc *nats.Conn, subject string, n int, pad string) {
	t.Helper()
	for i := range n {
		if err := nc.Publish(subject, fmt.Appendf(nil, "%d%s", i, pad)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.FlushTimeout(time.Minute); err != nil {
		t.Fatal(err)
	}
}

// TestD4_SlowReaderLosesNothing: the reader takes nothing at all until everything is published.
func TestD4_SlowReaderLosesNothing(t *testing.T) {
	t.Parallel()
	n := 120_000
	if os.Getenv("NATSKIT_SOAK") != "" {
		n = 1_200_000
	}
	srv := testkit.Server(t)
	out := &gate{open: make(chan struct{})}
	_, wait := slowly(t, srv.URL(), out, io.Discard, "sub", "foo", "--raw", "--count", fmt.Sprint(n))
	srv.AwaitInterest("foo")
	flood(t, srv.Conn(), "foo", n, "")
	close(out.open)
	if code := wait(); code != fail.OK {
		t.Fatalf("exit code %d", code)
	}
	lines := strings.Split(strings.TrimSuffix(out.text(), "\n"), "\n")
	if len(lines) != n {
		t.Fatalf("%d of %d messages arrived", len(lines), n)
	}
	for i, l := range lines {
		if l != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, l)
		}
	}
}

// TestD4_DropsAreCounted: where the backlog is too small, every loss is counted, live, in the document and in the exit code.
func TestD4_DropsAreCounted(t *testing.T) {
	t.Parallel()
	const n = 40_000
	srv := testkit.Server(t)
	out, errs := &gate{open: make(chan struct{})}, &gate{open: make(chan struct{})}
	close(errs.open)
	interrupt, _ := slowly(t, srv.URL(), out, errs, "sub", "foo", "--json", "--backlog", "64KB")
	srv.AwaitInterest("foo")
	flood(t, srv.Conn(), "foo", n, strings.Repeat("x", 100))
	testkit.Eventually(t, time.Minute, "a word about drops", func() bool { return strings.Contains(errs.text(), "messages are being dropped") })
	close(out.open)
	last := 0
	testkit.Eventually(t, time.Minute, "an end that is not dropped", func() bool {
		last++
		flood(t, srv.Conn(), "foo", 1, "end")
		return strings.Contains(out.text(), "0end")
	})
	testkit.Eventually(t, time.Minute, "all that was sent", func() bool { return strings.Count(out.text(), "0end") > 0 })
	if code := interrupt(); code != fail.Partial {
		t.Errorf("exit code %d, stderr %s", code, errs.text())
	}
	lines := strings.Split(strings.TrimSpace(out.text()), "\n")
	var s summary
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil {
		t.Fatal(err)
	}
	if s.Dropped == 0 || s.Received != uint64(len(lines)-1) || s.Received+s.Dropped > uint64(n+last) || s.Received+s.Dropped < uint64(n) {
		t.Errorf("%d sent, %+v, %d lines", n+last, s, len(lines))
	}
	var lost uint64
	for _, l := range lines[:len(lines)-1] {
		var r record
		strict(t, l, &r)
		lost += r.Lost
	}
	if lost != s.Dropped {
		t.Errorf("the messages tell of %d lost ones, the summary of %d", lost, s.Dropped)
	}
	if !strings.Contains(errs.text(), "messages were dropped, because the output was slower than the subject") {
		t.Errorf("stderr is %s", errs.text())
	}
}

// closedPipe is a pipe whose reader has gone.
type closedPipe struct{}

func (closedPipe) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return 0, syscall.EPIPE
}

// TestReaderGone: the command ends when nobody reads what it writes.
func TestReaderGone(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	_, wait := slowly(t, srv.URL(), closedPipe{}, io.Discard, "sub", "foo", "--raw")
	srv.AwaitInterest("foo")
	flood(t, srv.Conn(), "foo", 1, "")
	if code := wait(); code != fail.OK {
		t.Errorf("exit code %d", code)
	}
}
