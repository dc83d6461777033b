package pub

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// heard are the messages that reached a subscription.
type heard struct {
	t   *testing.T
	sub *nats.Subscription
}

func listen(t *testing.T, srv *testkit.NATS, subject string) heard {
	t.Helper()
	nc := srv.Conn()
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return heard{t, sub}
}

func (h heard) next() *nats.Msg {
	h.t.Helper()
	m, err := h.sub.NextMsg(5 * time.Second)
	if err != nil {
		h.t.Fatalf("no message: %v", err)
	}
	return m
}

// only takes exactly n messages: nothing may follow.
func (h heard) only(n int) []*nats.Msg {
	h.t.Helper()
	var out []*nats.Msg
	for range n {
		out = append(out, h.next())
	}
	if m, err := h.sub.NextMsg(20 * time.Millisecond); err == nil {
		h.t.Fatalf("one message too many: %s %q", m.Subject, m.Data)
	}
	return out
}

func bodies(msgs []*nats.Msg) string {
	var out []string
	for _, m := range msgs {
		out = append(out, string(m.Data))
	}
	return strings.Join(out, "|")
}

func setup(t *testing.T) (*clitest.CLI, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t, testkit.WithAccounts())
	return clitest.New(t, Command()).Server(srv.URL()), srv
}

func addStream(t *testing.T, srv *testkit.NATS, cfg jetstream.StreamConfig) jetstream.Stream {
	t.Helper()
	s, err := srv.JS().CreateStream(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPublishOne(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	h := listen(t, srv, "foo")
	r := c.OK("pub foo hello")
	if r.Out != "" {
		t.Errorf("stdout is %q, want nothing", r.Out)
	}
	if !regexp.MustCompile(`^\d\d:\d\d:\d\d Published 5 bytes to "foo"\n$`).MatchString(r.Err) {
		t.Errorf("stderr is %q", r.Err)
	}
	if got := bodies(h.only(1)); got != "hello" {
		t.Errorf("body %q", got)
	}
	if r := c.OK("pub foo hello -q"); r.Out+r.Err != "" {
		t.Errorf("quiet said %q %q", r.Out, r.Err)
	}
}

// TestD1_BodySources: the argument wins and standard input is not touched, whatever the streams are connected to.
func TestD1_BodySources(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	for _, row := range []struct{ args, stdin, want string }{
		{"pub foo body", "piped", "body"},
		{"pub foo body --force-stdin", "piped", "body"},
		{"pub foo ''", "piped", ""},
		{"pub foo", "a\nb\n", "a\nb\n"},
		{"pub foo -", "piped", "piped"},
		{"pub foo", "", ""},
		{"pub foo @/etc/hostname", "piped", "@/etc/hostname"},
	} {
		for _, tty := range []bool{false, true} {
			h := listen(t, srv, "foo")
			run := c.Stdin(row.stdin)
			if tty {
				run = run.TTY(80)
			}
			run.OK(row.args)
			if got := bodies(h.only(1)); got != row.want {
				t.Errorf("%s with stdout a terminal %v: body %q, want %q", row.args, tty, got, row.want)
			}
		}
	}
}

func TestArgumentLeavesStdinAlone(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	h := listen(t, srv, "foo")
	r, w := io.Pipe()
	defer w.Close()
	c.StdinFrom(r).OK("pub foo body") // would hang if it read
	h.only(1)
}

// TestD2_Lines: three lines are three messages.
func TestD2_Lines(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	for in, want := range map[string]string{"a\nb\nc\n": "a|b|c", "a\n\nb": "a||b", "a\r\nb\r\n": "a|b", "x": "x"} {
		h := listen(t, srv, "foo")
		c.Stdin(in).OK("pub foo --send-on newline")
		if got := bodies(h.only(strings.Count(want, "|") + 1)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	h := listen(t, srv, "foo")
	c.Stdin("").OK("pub foo --send-on newline")
	h.only(0)
}

// A line that is typed is sent at once, not when the input ends.
func TestLineIsSentAtOnce(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	h := listen(t, srv, "foo")
	r, w := io.Pipe()
	run := c.StdinFrom(r).Start("pub foo --send-on newline")
	fmt.Fprintln(w, "first")
	if m := h.next(); string(m.Data) != "first" {
		t.Errorf("got %q", m.Data)
	}
	run.Says("Published 5 bytes")
	fmt.Fprintln(w, "second")
	h.next()
	w.Close()
	if r := run.Wait(); r.Code != fail.OK {
		t.Errorf("code %d: %s", r.Code, r.Err)
	}
}

func TestManyLines(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	h := listen(t, srv, "foo")
	_ = h.sub.SetPendingLimits(-1, -1)
	var in strings.Builder
	const n = 50_000
	for i := range n {
		fmt.Fprintf(&in, "line %d\n", i)
	}
	c.Stdin(in.String()).OK("pub foo --send-on newline -q")
	for i := range n {
		if got := string(h.next().Data); got != fmt.Sprintf("line %d", i) {
			t.Fatalf("message %d is %q", i, got)
		}
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	h := listen(t, srv, "foo.*")
	c.OK("pub 'foo.{{Count}}' '{{Count}} {{.Count}} {{Unix}} {{ID}} {{Random 5 5}}' --count 2 -H 'A:b:c' -H 'A: d ' -H 'N:{{Count}}'")
	for i, m := range h.only(2) {
		f := strings.Fields(string(m.Data))
		n := fmt.Sprint(i + 1)
		if len(f) != 5 || f[0] != n || f[1] != n || len(f[2]) != 10 || len(f[3]) != 22 || len(f[4]) != 5 {
			t.Errorf("body %q", m.Data)
		}
		if m.Subject != "foo."+n || strings.Join(m.Header["A"], "|") != "b:c|d" || m.Header["N"][0] != n {
			t.Errorf("subject %s, header %v", m.Subject, m.Header)
		}
	}
	c.OK("pub foo.x '{{Bogus}}' --no-templates")
	if got := string(h.next().Data); got != "{{Bogus}}" {
		t.Errorf("body %q", got)
	}
}

// TestD6_Templates: what is piped in is sent as it is, and a template error publishes nothing.
func TestD6_Templates(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	h := listen(t, srv, "foo")
	c.Stdin("{{Count}} {{Bogus}}").OK("pub foo")
	if got := string(h.next().Data); got != "{{Count}} {{Bogus}}" {
		t.Errorf("piped body %q was rewritten", got)
	}
	c.Stdin("n{{Count}}\nn{{Count}}").OK("pub foo --templates --send-on newline")
	if got := bodies(h.only(2)); got != "n1|n2" {
		t.Errorf("templates that were asked for: %q", got)
	}
	for _, line := range []string{"pub foo '{{Bogus}}'", "pub 'foo.{{Bogus}}' x", "pub foo x -H 'A:{{Bogus}}'"} {
		if r := c.Run(line); r.Code == fail.OK || !strings.Contains(r.Err, "Bogus") {
			t.Errorf("%s: code %d, %s", line, r.Code, r.Err)
		}
	}
	h.only(0)
}

func TestPublishUsage(t *testing.T) {
	t.Parallel()
	for line, says := range map[string]string{
		"pub foo x -H nocolon":         `invalid header "nocolon"`,
		"pub 'a b' x":                  "nats: invalid subject",
		"pub '' x":                     "nats: invalid subject",
		"pub 'foo.*' x":                "wildcard",
		"pub foo x --count=2.7":        "--count",
		"pub foo x --send-on sometime": "--send-on",
		"pub foo x --sleep '1h junk'":  "--sleep",
		"pub batch.a x --atomic":       "STDIN with --send-on=newline",
		"pub s b --schedule-at 2030-01-02T15:04:05Z --schedule-after 1s --schedule-dest d": "exclude each other",
		"pub s b --schedule-after 0s --schedule-dest d":                                    "--schedule-after",
		"pub s b --schedule-every 1s --schedule-cron '@hourly' --schedule-dest d":          "exclude each other",
		"pub s b --schedule-after 1s":                                                      "--schedule-dest",
		"pub":                                                                              "required argument 'subject' not provided",
	} {
		clitest.New(t, Command()).Fails(fail.Usage, line, says)
	}
}

func TestSleepIsMeasuredFromSendToSend(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	h := listen(t, srv, "foo")
	k := clock.NewManual(time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC))
	run := c.Clock(k).Start("pub foo x --count 3 --sleep 100ms")
	h.next() // the first is not held back
	for range 2 {
		testkit.Eventually(t, time.Minute, "the pause", func() bool { return k.Waiting() > 0 })
		h.only(0)
		k.Advance(100 * time.Millisecond)
		h.next()
	}
	if r := run.Wait(); r.Code != fail.OK {
		t.Errorf("code %d: %s", r.Code, r.Err)
	}
}

func TestDenied(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithAccounts())
	c := clitest.New(t, Command()).Server(srv.UserURL("limited"))
	r := c.Fails(fail.Unreachable, "pub notok b", `Permissions Violation for Publish to "notok"`)
	if strings.Contains(r.Err, "Published") {
		t.Errorf("said it was published: %s", r.Err)
	}
	c.Fails(fail.Unreachable, "pub notok b --count 10000 -q", "Permissions Violation")
	c.Fails(fail.Unreachable, "pub notok b -J --timeout 20s", "Permissions Violation")
	c.OK("pub ok.a b")
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	h := listen(t, srv, "foo")
	c.Stdin(strings.Repeat("x", 1_200_000)).Fails(fail.Failure, "pub foo", "maximum payload exceeded")
	c.Stdin("a\n"+strings.Repeat("x", 1_200_000)+"\nb\n").Fails(fail.Partial, "pub foo --send-on newline", "line 2")
	if got := bodies(h.only(2)); got != "a|b" {
		t.Errorf("got %q", got)
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server(testkit.Dead(t))
	c.Fails(fail.Unreachable, "pub a b", "nats: error: nats: no servers available for connection", "$NATS_URL")
	c.Fails(fail.Unreachable, "pub a b -J", "nats: error: nats: no servers available for connection")
}

func TestStored(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	s := addStream(t, srv, jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"ORDERS.*"}})
	r := c.OK("pub ORDERS.a one -J -H Nats-Msg-Id:1")
	if r.Out != "" || !strings.Contains(r.Err, "Stored in Stream: ORDERS Sequence: 1\n") {
		t.Errorf("out %q err %q", r.Out, r.Err)
	}
	if r := c.OK("pub ORDERS.a one -J -H Nats-Msg-Id:1"); !strings.HasSuffix(r.Err, "Sequence: 1 Duplicate: true\n") {
		t.Errorf("err %q", r.Err)
	}
	c.Fails(fail.Failure, "pub ORDERS.a x -J -H Nats-Expected-Stream:NO", "expected stream does not match (10060)")
	c.Fails(fail.NoAnswer, "pub nostream.a x -J", "no responders available")

	var got receipt
	if err := json.Unmarshal([]byte(c.OK("pub ORDERS.b '{{Count}}' -J --count 1500 --json").Out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Published != 1500 || len(got.Acks) != 1500 || got.Acks[1499].Sequence != 1501 || got.Failures != 0 {
		t.Errorf("receipt: %d published, %d acks", got.Published, len(got.Acks))
	}
	m, err := s.GetMsg(t.Context(), 1000)
	if err != nil || string(m.Data) != "999" {
		t.Errorf("order was not kept: %v %v", m, err)
	}
}

// TestD5_StoredLines: lines that could not be stored are listed, and the exit code says so.
func TestD5_StoredLines(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	addStream(t, srv, jetstream.StreamConfig{Name: "SMALL", Subjects: []string{"small"}, MaxMsgSize: 5})
	c.Stdin("a\nb\n").Fails(fail.NoAnswer, "pub nostream.a -J --send-on newline", "Could not publish line 1", "Could not publish line 2")
	r := c.Stdin("ok\ntoo long\nok\n").Fails(fail.Partial, "pub small -J --send-on newline", "Could not publish line 2", "1 of 3")
	if strings.Contains(r.Err, "Published") {
		t.Errorf("said published before the ack: %s", r.Err)
	}
}

// TestD13_Atomic: the last message of a batch keeps its headers, and its subject is expanded like the others.
func TestD13_Atomic(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	s := addStream(t, srv, jetstream.StreamConfig{Name: "BATCH", Subjects: []string{"batch.>"}, AllowAtomicPublish: true})
	addStream(t, srv, jetstream.StreamConfig{Name: "PLAIN", Subjects: []string{"plain"}})
	r := c.Stdin("a\nb\nc\n").OK("pub 'batch.{{Count}}' --atomic --send-on newline -H K:v")
	if !regexp.MustCompile(`Wrote batch ID: \w{22} Messages: 3 Sequence: 3\n`).MatchString(r.Err) {
		t.Errorf("stderr %q", r.Err)
	}
	for i, want := range []string{"a", "b", "c"} {
		m, err := s.GetMsg(t.Context(), uint64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		if string(m.Data) != want || m.Header.Get("K") != "v" || m.Subject != fmt.Sprintf("batch.%d", i+1) {
			t.Errorf("message %d: %s %q %v", i+1, m.Subject, m.Data, m.Header)
		}
	}
	c.Stdin("").Fails(fail.Failure, "pub batch.a --atomic --send-on newline", "no messages to publish in atomic batch")
	c.Stdin("x\n").Fails(fail.Failure, "pub plain --atomic --send-on newline", "atomic publishing is not allowed for stream PLAIN with subject plain")
	c.Stdin("x\n").Fails(fail.NotFound, "pub nope --atomic --send-on newline", "no stream found with subject: nope")
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	s := addStream(t, srv, jetstream.StreamConfig{Name: "SCHED", Subjects: []string{"sch.>"}, AllowMsgSchedules: true, AllowMsgTTL: true})
	c.OK("pub sch.s b --schedule-after 1s --schedule-dest sch.out")
	m, err := s.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^@at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`).MatchString(m.Header.Get("Nats-Schedule")) || m.Header.Get("Nats-Schedule-Target") != "sch.out" {
		t.Errorf("header %v", m.Header)
	}
	testkit.Eventually(t, time.Minute, "the scheduled message", func() bool {
		_, err := s.GetLastMsgForSubject(t.Context(), "sch.out")
		return err == nil
	})
}

func TestInterruptedWhileReading(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	r, w := io.Pipe()
	defer w.Close()
	run := c.StdinFrom(r).Start("pub foo")
	run.Says("Reading payload from STDIN")
	if got := run.Interrupt(); got.Code != fail.Interrupted {
		t.Errorf("code %d: %s", got.Code, got.Err)
	}
}

func TestBulkWithoutTerminal(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	h := listen(t, srv, "foo")
	r := c.OK("pub foo x --count 30")
	if r.Out != "" || strings.Contains(r.Err, "\x1b") || !strings.Contains(r.Err, "Published 30 messages") {
		t.Errorf("out %q err %q", r.Out, r.Err)
	}
	h.only(30)
}
