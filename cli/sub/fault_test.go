package sub

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

// faults is how many random moments a fault is tried at.
func faults() int {
	if os.Getenv("NATSKIT_SOAK") != "" {
		return 20
	}
	return 3
}

// tripwire is an output that says when it has taken a number of lines, and takes no more until it is told to go on.
type tripwire struct {
	lines   int // before it trips
	tripped chan struct{}
	on      chan struct{}

	mu  sync.Mutex
	buf bytes.Buffer
}

func newTripwire(lines int) *tripwire {
	return &tripwire{lines: lines, tripped: make(chan struct{}), on: make(chan struct{})}
}

func (w *tripwire) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.buf.Write(p)
	trips := false
	if w.lines > 0 {
		w.lines -= bytes.Count(p, []byte("\n"))
		trips = w.lines <= 0
	}
	w.mu.Unlock()
	if trips {
		close(w.tripped)
		<-w.on
	}
	return len(p), nil
}

func (w *tripwire) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// numbered is a server with a stream S of n messages, whose bodies are their numbers from 1 and some padding.
func numbered(t *testing.T, n int) *testkit.NATS {
	t.Helper()
	srv := testkit.Server(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, AllowDirect: true})
	js := srv.JS()
	pad := " " + strings.Repeat("x", 200)
	for i := 1; i <= n; i++ {
		if _, err := js.PublishAsync("s", []byte(strconv.Itoa(i)+pad)); err != nil {
			t.Fatal(err)
		}
		if i%500 == 0 || i == n {
			<-js.PublishAsyncComplete()
		}
	}
	return srv
}

// inOrder fails the test unless out is the messages 1 to n, each once.
func inOrder(t *testing.T, out string, n int) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != n {
		t.Errorf("%d messages, want %d", len(lines), n)
	}
	for i, l := range lines {
		if number, _, _ := strings.Cut(l, " "); number != strconv.Itoa(i+1) {
			t.Fatalf("message %d is %.20q", i+1, l)
		}
	}
}

// TestReplaySurvivesItsServer: the server goes away at a random moment and comes back; nothing is lost and nothing doubled.
func TestReplaySurvivesItsServer(t *testing.T) {
	t.Parallel()
	const n = 20_000
	for i := range faults() {
		mode := []string{"--all", "--direct"}[i%2]
		at := 1 + rand.IntN(n-1)
		t.Run(fmt.Sprintf("%s at %d", mode, at), func(t *testing.T) {
			t.Parallel()
			srv := numbered(t, n)
			out, errs := newTripwire(at), newTripwire(0)
			_, wait := slowly(t, srv.URL(), out, errs, "sub", "--stream", "S", mode, "--raw", "--count", strconv.Itoa(n))
			<-out.tripped
			if at%2 == 0 { // the reader is stuck meanwhile, or is not
				close(out.on)
				srv.Restart()
			} else {
				srv.Restart()
				close(out.on)
			}
			if code := wait(); code != fail.OK {
				t.Errorf("exit code %d: %s", code, errs.text())
			}
			inOrder(t, out.text(), n)
		})
	}
}

// TestReplayTellsWhereItStopped: a replay that cannot go on says with which sequence it ended, and that is what was written.
func TestReplayTellsWhereItStopped(t *testing.T) {
	t.Parallel()
	const n = 20_000
	for _, row := range []struct {
		name string
		end  func(t *testing.T, srv *testkit.NATS, interrupt, wait func() fail.Code) fail.Code
		code fail.Code
		says string
	}{
		{"server killed, then interrupted", func(_ *testing.T, srv *testkit.NATS, interrupt, _ func() fail.Code) fail.Code {
			srv.Stop()
			return interrupt()
		}, fail.OK, `The last message is sequence (\d+) of stream S`},
		{"stream deleted", func(t *testing.T, srv *testkit.NATS, _, wait func() fail.Code) fail.Code {
			if err := srv.JS().DeleteStream(t.Context(), "S"); err != nil {
				t.Fatal(err)
			}
			return wait()
		}, fail.NotFound, `after sequence (\d+): reading stream S: `},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			srv := numbered(t, n)
			out, errs := newTripwire(1+rand.IntN(n/2)), newTripwire(0)
			interrupt, wait := slowly(t, srv.URL(), out, errs, "sub", "--stream", "S", "--all", "--raw")
			<-out.tripped
			close(out.on)
			if code := row.end(t, srv, interrupt, wait); code != row.code {
				t.Errorf("exit code %d, want %d: %s", code, row.code, errs.text())
			}
			found := regexp.MustCompile(row.says).FindStringSubmatch(errs.text())
			if found == nil {
				t.Fatalf("stderr is %s", errs.text())
			}
			last, _ := strconv.Atoi(found[1])
			inOrder(t, out.text(), last)
		})
	}
}

// TestReplayWithoutItsConsumer: the consumer of a replay is removed by somebody else; nothing is lost and nothing doubled.
func TestReplayWithoutItsConsumer(t *testing.T) {
	t.Parallel()
	const n = 60_000 // more than is under way at a time
	srv := numbered(t, n)
	out, errs := newTripwire(1000), newTripwire(0)
	_, wait := slowly(t, srv.URL(), out, errs, "sub", "--stream", "S", "--all", "--raw", "--count", strconv.Itoa(n))
	<-out.tripped
	s, err := srv.JS().Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	names := s.ConsumerNames(t.Context())
	for name := range names.Name() {
		if err := s.DeleteConsumer(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	close(out.on)
	if code := wait(); code != fail.OK {
		t.Errorf("exit code %d: %s", code, errs.text())
	}
	inOrder(t, out.text(), n)
}

// TestReplayOfLargeMessages: a message larger than what is asked for at a time comes all the same.
func TestReplayOfLargeMessages(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithConfig("max_payload: 12MB, max_pending: 64MB"))
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, AllowDirect: true})
	large := "large" + strings.Repeat("x", 10<<20)
	var want []string
	for i, body := range []string{"a", large, "b", large, large, "c"} {
		testkit.Store(t, srv.JS(), "s", 1, body)
		want = append(want, fmt.Sprintf("%d %.5s %d", i+1, body, len(body)))
	}
	for _, mode := range []string{"--all", "--direct"} {
		out, errs := newTripwire(0), newTripwire(0)
		_, wait := slowly(t, srv.URL(), out, errs, "sub", "--stream", "S", mode, "--format", `line=%n %p %S\n`, "-T")
		if code := wait(); code != fail.OK {
			t.Errorf("%s: exit code %d: %s", mode, code, errs.text())
		}
		got := strings.Split(strings.TrimSuffix(out.text(), "\n"), "\n")
		for i, l := range got {
			parts := strings.Fields(l)
			got[i] = fmt.Sprintf("%s %.5s %s", parts[0], parts[1], parts[2])
		}
		wants(t, mode, strings.Join(got, "; "), strings.Join(want, "; "))
	}
}

// TestReplayHeaders: the headers of the sender, also those that look like the server's.
func TestReplayHeaders(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, AllowDirect: true})
	testkit.PublishMsg(t, srv.Conn(), "s", "x", "Nats-Sequence", "77", "Nats-Stream", "OTHER", "A", "b")
	for _, mode := range []string{"--all", "--direct"} {
		r := c.OK("sub --stream S -T --format 'line=%n %h{A} %h{Nats-Sequence} %h{Nats-Stream} %p' " + mode)
		wants(t, mode, r.Out, "1 b 77 OTHER x")
	}
}

// TestReplayDenied: a user who may make a consumer and not pull from it is told so at once.
func TestReplayDenied(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithConfig(`no_auth_user: all
authorization { users = [
  { user: all, password: x }
  { user: few, password: x, permissions: { publish: { deny: ["$JS.API.CONSUMER.MSG.NEXT.>", "$JS.API.DIRECT.>"] } } }
] }`))
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, AllowDirect: true})
	testkit.Store(t, srv.JS(), "s", 1, "x")
	url := strings.Replace(srv.URL(), "nats://", "nats://few:x@", 1)
	for _, mode := range []string{"--all", "--direct"} {
		out, errs := newTripwire(0), newTripwire(0)
		_, wait := slowly(t, url, out, errs, "sub", "--stream", "S", mode, "--timeout", "50s")
		if code := wait(); code != fail.Unreachable || !strings.Contains(errs.text(), "Permissions Violation") {
			t.Errorf("%s: exit code %d: %s", mode, code, errs.text())
		}
	}
}
