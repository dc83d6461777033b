package events

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func setup(t *testing.T) (*clitest.CLI, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t, testkit.WithAccounts())
	return clitest.New(t, Command()).Server(srv.URL()), srv
}

// modify changes a stream, so that the server tells of it.
func modify(t *testing.T, srv *testkit.NATS, name, about string) {
	t.Helper()
	if _, err := srv.JS().UpdateStream(testkit.Context(t), jetstream.StreamConfig{Name: name, Subjects: []string{name}, Description: about}); err != nil {
		t.Fatal(err)
	}
}

func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

func TestAdvisories(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "X", Subjects: []string{"X"}})
	run := func(flags string) *clitest.Running {
		return c.Start("events --js-advisory --no-srv-advisory --type stream_action --filter modify --count 1 " + flags) // the creation may be told late
	}
	short := run("--short").Says("Listening for Advisories on $JS.EVENT.ADVISORY.>")
	long := run("").Says("Listening for Advisories")
	modify(t, srv, "X", "one")
	if r := short.Wait(); r.Code != fail.OK || !strings.HasSuffix(r.Out, " [Stream Modify] X\n") || strings.Contains(r.Err, "warning") {
		t.Errorf("%d %q %q", r.Code, r.Out, r.Err)
	}
	if r := long.Wait(); r.Code != fail.OK || !strings.Contains(r.Out, "Stream Modify Action\n\n        Stream: X\n") {
		t.Errorf("%d %q", r.Code, r.Out)
	}

	for _, row := range []struct{ flags, has string }{
		{"--json", `"type":"io.nats.jetstream.advisory.v1.stream_action"`},
		{"--cloudevent", `"specversion":"1.0"`},
		{"--format ndjson", `"subject":"$JS.EVENT.ADVISORY.STREAM.UPDATED.X"`},
		{"--jq [.stream]", `["X"]`},
		{`--filter 'STREAM_\w+' --json`, `"action":"modify"`},
		{"--format csv", "[Stream Modify] X"},
		{"--stream-name X --format 'line=%s'", "$JS.EVENT.ADVISORY.STREAM.UPDATED.X"},
	} {
		t.Run(row.flags, func(t *testing.T) {
			r := clitest.New(t, Command()).Server(srv.URL()).Start("events --js-advisory --no-srv-advisory --type stream_action --count 1 " + row.flags)
			// No banner tells that it listens, so the stream is changed until it has heard of it.
			done := make(chan clitest.Result, 1)
			go func() { done <- r.Wait() }()
			n := 0
			testkit.Eventually(t, time.Minute, "an event", func() bool {
				n++
				modify(t, srv, "X", fmt.Sprint(row.flags, n))
				return r.Out() != ""
			})
			if got := <-done; got.Code != fail.OK || !strings.Contains(got.Out, row.has) || got.Err != "" {
				t.Errorf("%d %q %q", got.Code, got.Out, got.Err)
			} else if !strings.Contains(row.flags, "csv") && !strings.Contains(row.flags, "line") {
				if len(lines(got.Out)) != 1 || !json.Valid([]byte(got.Out)) {
					t.Errorf("not one JSON document on one line: %q", got.Out)
				}
			}
		})
	}
}

func TestServerEvents(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	c = c.Server(srv.SysURL())
	// A failed authentication comes as an error and as a disconnection, each on two of the subjects: it is shown once.
	r := c.Start("events --short --type client_disconnect --filter 'nobody' --subjects '$SYS.SERVER.>'").
		Says("Listening for Client Connection events on $SYS.ACCOUNT.*.CONNECT").Says("Listening for Client Disconnection events").
		Says("Listening for Authentication Errors events").Says("Listening for advisories on $SYS.SERVER.>")
	for n := 1; n <= 2; n++ { // when the second is there, the first would have come twice
		if nc, err := nats.Connect(srv.URL(), nats.UserInfo("nobody", "wrong")); err == nil {
			nc.Close()
			t.Fatal("a wrong password was accepted")
		}
		testkit.Eventually(t, time.Minute, "a disconnection", func() bool { return strings.Count(r.Out(), "[Disconnection]") >= n })
	}
	if got := r.Interrupt(); got.Code != fail.OK || strings.Count(got.Out, "[Disconnection]") != 2 || strings.Contains(got.Err, "warning") {
		t.Errorf("%d %q %q", got.Code, got.Out, got.Err)
	}
}

func TestSelection(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	c.Fails(fail.Usage, "events --no-srv-advisory", "no events were chosen")
	for _, f := range []string{"--all", "--js-metric", "--js-advisory", "--subjects a"} {
		c.Fails(fail.Usage, "events --stream X "+f, "--stream")
	}
	c.Fails(fail.Usage, "events --filter '('", "--filter")
	c.Fails(fail.Usage, "events --type '('", "--type")
	c.Fails(fail.Usage, "events --since 1h", "--stream")
	c.Fails(fail.Usage, "events --last 1", "--stream")
	c.Fails(fail.Usage, "events --stream X --last 1 --since 1h", "exclude")
	c.Fails(fail.NotFound, "events --stream NOSUCH", "NOSUCH")
	c.Server(srv.UserURL("limited")).Fails(fail.Unreachable, "events --js-advisory --timeout 20s", "$JS.EVENT.ADVISORY.>")
	c.Server(testkit.Dead(t)).Fails(fail.Unreachable, "events", "no servers")
	c.Fails(fail.NoAnswer, "events --js-advisory --count 1 --wait 20ms", "no event came")
	r := c.Start("events").Says("system account")
	if got := r.Says("Listening for Auth").Interrupt(); got.Code != fail.OK || got.Out != "" {
		t.Errorf("%d %q", got.Code, got.Out)
	}
	if got := c.Start("events --js-metric --js-event-prefix OTHER").Says("Listening for Metrics on OTHER.METRIC.>").Interrupt(); got.Code != fail.OK {
		t.Errorf("%d %q", got.Code, got.Err)
	}
}

func TestUnknownPayloads(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	r := c.Start("events --subjects foo.ev --no-srv-advisory --count 2").Says("Listening for advisories on foo.ev")
	testkit.Publish(t, srv.Conn(), "foo.ev", 1, "not\njson")
	testkit.Publish(t, srv.Conn(), "foo.ev", 1, `{"type":"io.x"}`)
	got := r.Wait()
	want := "Event error: parsing failed: invalid character 'o' in literal null (expecting 'u')\n\n          not\n          json\n"
	if got.Code != fail.OK || !strings.HasPrefix(got.Out, want) || !strings.Contains(got.Out, `Event error: "io.x" is no type of event`) {
		t.Errorf("%d %q", got.Code, got.Out)
	}
}

// stored makes a stream that keeps what is published on ev.>, with n events in it.
func stored(t *testing.T, srv *testkit.NATS, n int) {
	t.Helper()
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "ADV", Subjects: []string{"ev.>"}})
	for i := 1; i <= n; i++ {
		testkit.Store(t, srv.JS(), "ev.a", 1, event(i))
	}
}

func event(i int) string {
	return fmt.Sprintf(`{"type":"io.nats.jetstream.advisory.v1.stream_action","id":"%d","timestamp":"2026-11-21T09:39:03Z","stream":"S%d","action":"modify"}`, i, i)
}

func TestStream(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	c, srv := setup(t)
	stored(t, srv, 5)
	s, err := srv.JS().Stream(testkit.Context(t), "ADV")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(testkit.Context(t), 4); err != nil {
		t.Fatal(err)
	}
	third, err := s.GetMsg(testkit.Context(t), 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ flags, want string }{
		{"", "S1 S2 S3 S5"},
		{"--since 1h", "S1 S2 S3 S5"},
		{"--since " + third.Time.Format(time.RFC3339Nano), "S3 S5"},
		{"--since seq:5", "S5"},
		{"--last 2", "S3 S5"},
		{"--last 3", "S2 S3 S5"},
		{"--last 100", "S1 S2 S3 S5"},
		{"--last 3 --count 2", "S2 S3"},
		{`--filter '"s[12]"'`, "S1 S2"},
	} {
		count := ""
		if !strings.Contains(row.flags, "--count") {
			count = fmt.Sprintf(" --count %d", len(strings.Fields(row.want)))
		}
		r := c.Run("events --stream ADV --jq .stream " + row.flags + count)
		if got := strings.Join(strings.Fields(r.Out), " "); r.Code != fail.OK || r.Err != "" || got != row.want {
			t.Errorf("%s: %d %q %q, want %q", row.flags, r.Code, got, r.Err, row.want)
		}
	}
	if r := c.Run("events --stream ADV --count 9 --wait 3s --short"); r.Code != fail.Partial || strings.Count(r.Out, "[Stream Modify]") != 4 {
		t.Errorf("%d %q", r.Code, r.Out)
	}
	// What is stored later is shown, and an interrupt leaves no consumer behind.
	r := c.Start("events --stream ADV --since 0 --short").Says("Listening for Events in stream ADV since 0")
	testkit.Store(t, srv.JS(), "ev.a", 1, event(6))
	if got := r.Says("[Stream Modify] S6").Interrupt(); got.Code != fail.OK || strings.Contains(got.Out, "S5") {
		t.Errorf("%d %q %q", got.Code, got.Out, got.Err)
	}
	if info, err := s.Info(testkit.Context(t)); err != nil || info.State.Consumers != 0 {
		t.Errorf("%d consumers are left, %v", info.State.Consumers, err)
	}
}

func TestSieveForgets(t *testing.T) {
	t.Parallel()
	s, err := newSieve(eventsOptions{filter: "."})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * remembered {
		if m := (message{data: []byte(event(i))}); !s.passes(m) || s.passes(m) {
			t.Fatalf("event %d", i)
		}
	}
	if len(s.seen) != remembered || len(s.ring) != remembered {
		t.Errorf("%d ids are kept", len(s.seen))
	}
}

func TestViews(t *testing.T) {
	at := viewtest.Now
	m := message{subject: "$JS.EVENT.ADVISORY.STREAM.UPDATED.EVT", data: []byte(event(1)), received: at}
	viewtest.Golden(t, "event", item{message: m})
	viewtest.Golden(t, "event-short", item{message: m, short: true})
	viewtest.Golden(t, "event-cloud", item{message: m, cloud: true})
	m.sequence, m.stored = 7, at.Add(-time.Minute)
	viewtest.Golden(t, "event-wrapped", item{message: m, wrapped: true})
	viewtest.Golden(t, "event-unknown", item{message: message{subject: "foo.ev", data: []byte("not json \x1b[2J"), received: at}})
}
