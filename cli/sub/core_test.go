package sub

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

func setup(t *testing.T) (*clitest.CLI, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t, testkit.WithAccounts())
	return clitest.New(t, Command()).Server(srv.URL()), srv
}

// publish sends body after body to the subject; the server has them when it returns.
func publish(t *testing.T, srv *testkit.NATS, subject string, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		testkit.PublishMsg(t, srv.Conn(), subject, b)
	}
}

// listening starts line and waits until it receives the subject.
func listening(c *clitest.CLI, srv *testkit.NATS, line, subject string) *clitest.Running {
	r := c.Start(line)
	srv.AwaitInterest(subject)
	return r
}

func wants(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s is\n%q\nwant\n%q", what, got, want)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	r := listening(c, srv, "sub foo --count 1", "foo")
	publish(t, srv, "foo", "hello")
	done := r.Wait()
	wants(t, "stdout", done.Out, "[#1] Received on \"foo\"\nhello\n\n\n")
	if !regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d Subscribing on foo $`).MatchString(done.Err) {
		t.Errorf("stderr is %q", done.Err)
	}
}

func TestBodiesAndHeaders(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	r := listening(c, srv, "sub foo.> bar --count 4", "bar")
	publish(t, srv, "foo.1", "line\n", "")
	m := nats.NewMsg("bar")
	m.Reply, m.Data = "answers", []byte("h")
	m.Header = nats.Header{"B": {"x"}, "A": {"1", "2"}}
	if err := srv.Conn().PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	publish(t, srv, "foo.2", "\x1b[31m")
	wants(t, "stdout", r.Wait().Out, "[#1] Received on \"foo.1\"\nline\n\n[#2] Received on \"foo.1\"\nnil body\n\n\n"+
		"[#3] Received on \"bar\" with reply \"answers\"\nA: 1\nA: 2\nB: x\n\nh\n\n\n[#4] Received on \"foo.2\"\n\x1b[31m\n\n\n")
}

// TestS6_TerminalSeesNoControlCharacters: what strangers send is shown, not obeyed.
func TestS6_TerminalSeesNoControlCharacters(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	r := listening(c.TTY(80), srv, "sub foo --count 1", "foo")
	testkit.PublishMsg(t, srv.Conn(), "foo", "\x1b[31mred", "K", "\x07bell")
	if out := r.Wait().Out; strings.Contains(out, "\x1b") || strings.Contains(out, "\x07") || !strings.Contains(out, `\x1b[31mred`) {
		t.Errorf("stdout is %q", out)
	}
}

func TestRaw(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ flags, want string }{
		{"--raw", "hello\nline\nbin\x00\xff\n"},
		{`--raw --delimiter '\0'`, "hello\x00line\n\x00\x00bin\x00\xff\x00"},
		{`--raw --delimiter ''`, "helloline\nbin\x00\xff"},
		{`--raw --delimiter '"\x41\n'`, "hello\"A\nline\n\"A\n\"A\nbin\x00\xff\"A\n"},
	} {
		t.Run(row.flags, func(t *testing.T) {
			t.Parallel()
			c, srv := setup(t)
			r := listening(c, srv, "sub foo --count 4 "+row.flags, "foo")
			publish(t, srv, "foo", "hello", "line\n", "", "bin\x00\xff")
			done := r.Wait()
			wants(t, "stdout", done.Out, row.want)
			wants(t, "stderr", done.Err, "")
		})
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	r := listening(c, srv, `sub foo --count 2 --format 'line=%n %s %p %h{K}\n'`, "foo")
	testkit.PublishMsg(t, srv.Conn(), "foo", "a", "K", "v")
	publish(t, srv, "foo", "b")
	wants(t, "lines", r.Wait().Out, "1 foo a v\n2 foo b \n")

	r = listening(c, srv, "sub bar --count 2 --json", "bar")
	testkit.PublishMsg(t, srv.Conn(), "bar", `{"a":"<"}`, "K", "v")
	publish(t, srv, "bar", "\xff")
	lines := strings.Split(strings.TrimSpace(r.Wait().Out), "\n")
	if len(lines) != 2 {
		t.Fatalf("want 2 documents, got %q", lines)
	}
	var first, second record
	strict(t, lines[0], &first)
	strict(t, lines[1], &second)
	if first.Number != 1 || first.Subject != "bar" || *first.Data != `{"a":"<"}` || first.Headers.Get("K") != "v" || first.Time.IsZero() {
		t.Errorf("first is %s", lines[0])
	}
	if second.Data != nil || string(second.DataBase64) != "\xff" || second.Size != 1 {
		t.Errorf("second is %s", lines[1])
	}
	c.Fails(fail.Usage, "sub foo --raw --json")
}

// strict decodes a document that has no keys beside those of v.
func strict(t *testing.T, text string, v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func TestLessOfEachMessage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ flags, want string }{
		{"--headers-only", "[#1] Received on \"foo\"\nA: 1\n\n[#2] Received on \"foo\"\n"},
		{"--subjects-only", "[#1] Received on \"foo\"\n[#2] Received on \"foo\"\n"},
		{"-I foo.x,bar.*", "[#1] Received on \"foo\"\nA: 1\n\nb\n\n\n[#2] Received on \"foo\"\nc\n\n\n"},
	} {
		t.Run(row.flags, func(t *testing.T) {
			t.Parallel()
			c, srv := setup(t)
			r := listening(c, srv, "sub foo foo.x bar.> --count 2 "+row.flags, "bar.y")
			if strings.HasPrefix(row.flags, "-I") {
				publish(t, srv, "foo.x", "no")
				publish(t, srv, "bar.y", "no")
			}
			testkit.PublishMsg(t, srv.Conn(), "foo", "b", "A", "1")
			publish(t, srv, "foo", "c")
			wants(t, "stdout", r.Wait().Out, row.want)
		})
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	for flag, want := range map[string]string{
		"-t": `^\[#1\] @ [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\.\d{6} Received on "foo"\n`,
		"-d": `^\[#1\] @ [\d.]+(µs|ms|s) Received on "foo"\n`,
	} {
		c, srv := setup(t)
		r := listening(c, srv, "sub foo --count 1 "+flag, "foo")
		publish(t, srv, "foo", "x")
		if out := r.Wait().Out; !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s: %q", flag, out)
		}
	}
	c.Fails(fail.Usage, "sub foo -t -d", "exclude each other")
}

func TestWait(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	c.OK("sub foo --wait 30ms")
	c.Fails(fail.NoAnswer, "sub foo --wait 30ms --count 2", "no message came")
	r := listening(c, srv, "sub bar --wait 1s --count 2", "bar")
	publish(t, srv, "bar", "x")
	if done := r.Wait(); done.Code != fail.Partial {
		t.Errorf("exit code %d, stderr %s", done.Code, done.Err)
	}
}

func TestQueueShares(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	a := c.Start("sub foo --queue Q --raw --wait 500ms")
	b := c.Start("sub foo --queue Q --raw --wait 500ms")
	testkit.Eventually(t, time.Minute, "both members", func() bool { return srv.Server().NumSubscriptions() > 0 && members(srv) == 2 })
	for i := range 20 {
		publish(t, srv, "foo", fmt.Sprint(i))
	}
	if n := strings.Count(a.Wait().Out, "\n") + strings.Count(b.Wait().Out, "\n"); n != 20 {
		t.Errorf("both together got %d messages, want 20", n)
	}
}

func members(srv *testkit.NATS) int {
	n := 0
	conns, err := srv.Server().Connz(nil)
	if err != nil {
		return 0
	}
	for _, c := range conns.Conns {
		n += int(c.NumSubs)
	}
	return n
}

func TestInbox(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	r := c.Start("sub --inbox --count 1")
	r.Says("_INBOX.")
	testkit.Eventually(t, time.Minute, "the inbox on stdout", func() bool { return strings.HasSuffix(r.Out(), "\n") })
	inbox := strings.TrimSpace(r.Out())
	publish(t, srv, inbox, "x")
	if out := r.Wait().Out; out != inbox+"\n[#1] Received on \""+inbox+"\"\nx\n\n\n" {
		t.Errorf("stdout is %q", out)
	}
}

func TestDump(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	const first = `{"Subject":"foo","Reply":"","Header":{"A":["1"]},"Data":"aGVsbG8=","Sub":null}`
	r := listening(c, srv, "sub foo --dump d --count 2", "foo")
	testkit.PublishMsg(t, srv.Conn(), "foo", "hello", "A", "1")
	publish(t, srv, "foo", "x")
	done := r.Wait()
	wants(t, "stdout and stderr", done.Out+done.Err, "")
	for _, name := range []string{"d/1.json", "d/2.json"} {
		info, err := os.Stat(c.Path(name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	text, err := os.ReadFile(c.Path("d/1.json"))
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "1.json", string(text), first)
	for _, flag := range []string{"--dump=-", "--dump -"} {
		c, srv := setup(t)
		r := listening(c, srv, "sub foo --count 1 "+flag, "foo")
		testkit.PublishMsg(t, srv.Conn(), "foo", "hello", "A", "1")
		wants(t, flag, r.Wait().Out, first+"\x00")
	}
}

func TestTranslate(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	r := listening(c, srv, "sub foo --translate 'wc -c' --count 1", "foo")
	publish(t, srv, "foo", "hello")
	if out := strings.Join(strings.Fields(r.Wait().Out), " "); out != `[#1] Received on "foo" 5` {
		t.Errorf("stdout is %q", out)
	}
	r = listening(c, srv, "sub bar --translate false --count 1", "bar")
	publish(t, srv, "bar", "hello")
	if done := r.Wait(); done.Code != fail.Partial || !strings.Contains(done.Err, "Error while translating msg body") {
		t.Errorf("exit code %d, stderr %q", done.Code, done.Err)
	}
	c.Fails(fail.Usage, "sub foo --translate ' '", "blank")
}

// TestS1_SubjectsAreNoCommands: what a publisher puts into a subject stays one argument.
func TestS1_SubjectsAreNoCommands(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{"a.$(id)", "a.'", "a.{{ID}}", "a.;id"} {
		c, srv := setup(t)
		r := listening(c, srv, "sub 'a.*' --raw --translate 'printf %s {{Subject}}' --count 1", "a.x")
		publish(t, srv, subject, "x")
		wants(t, subject, r.Wait().Out, subject+"\n")
	}
}

// TestS3_ChildrenHaveNoSecrets: the password with which we connected is not in the environment of the command.
func TestS3_ChildrenHaveNoSecrets(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithUser("u", "hunter2"))
	c := clitest.New(t, Command()).Server(srv.URL()).Env("NATS_USER", "u").Env("NATS_PASSWORD", "hunter2").Env("COPY", "hunter2").Env("PATH", os.Getenv("PATH"))
	r := listening(c, srv, "sub foo --raw --translate env --count 1", "foo")
	nc, err := nats.Connect(srv.AuthURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	testkit.PublishMsg(t, nc, "foo", "x")
	if out := r.Wait().Out; strings.Contains(out, "hunter2") || !strings.Contains(out, "NATS_SUBJECT=foo") {
		t.Errorf("the environment is %q", out)
	}
}

func TestMatchReplies(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	testkit.Respond(t, srv.Conn(), "foo.svc", "pong")
	r := c.Start("sub 'foo.>' --match-replies --count 1").Says("Matching replies with inbox prefix _INBOX.>")
	if _, err := srv.Conn().Request("foo.svc", []byte("ping"), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	want := `^\[#1\] Received on "foo.svc" with reply "(_INBOX\.\S+)"\nping\n\n\n\[#1\] Matched reply on "(_INBOX\.\S+)"\npong\n\n\n$`
	if out := r.Wait().Out; !regexp.MustCompile(want).MatchString(out) {
		t.Errorf("stdout is %q", out)
	}
}

func TestUnmatchedRequestsAreShown(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	r := c.Start("sub 'foo.>' --match-replies --count 1 --timeout 50ms").Says("Matching replies")
	if err := srv.Conn().PublishRequest("foo.svc", "_INBOX.nobody", []byte("ping")); err != nil {
		t.Fatal(err)
	}
	wants(t, "stdout", r.Wait().Out, "[#1] Received on \"foo.svc\" with reply \"_INBOX.nobody\"\nping\n\n\n[#1] No reply on \"_INBOX.nobody\"\n\n\n")
}

func TestReports(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	r := listening(c, srv, "sub 'rp.>' --report-subjects --count 3", "rp.a")
	publish(t, srv, "rp.b", "12")
	publish(t, srv, "rp.a", "1", "2")
	out := r.Wait().Out
	if strings.Contains(out, "\x1b") || !regexp.MustCompile(`(?s)rp\.a +│ +2 .*rp\.b +│ +1 .*Totals +│ +3 +│ 4 B`).MatchString(out) {
		t.Errorf("stdout is\n%s", out)
	}
	r = listening(c, srv, "sub 'rq.*' rq.x.y --report-subscriptions --count 2 --json", "rq.x.y")
	publish(t, srv, "rq.b", "12")
	publish(t, srv, "rq.x.y", "1")
	var got report
	if err := json.Unmarshal([]byte(r.Wait().Out), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Subjects) != 2 || got.Subjects[0].Subject != "rq.*" || got.Messages != 2 || got.Bytes != 3 {
		t.Errorf("report is %+v", got)
	}
}

func TestAck(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	s := testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "EV", Subjects: []string{"ev.>"}})
	push, err := s.CreatePushConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "P", DeliverSubject: "deliver", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Store(t, srv.JS(), "ev.a", 3, "x")
	c.Start("sub deliver --ack --count 2").Says("Subscribing on deliver with acknowledgement of JetStream messages ").Wait()
	testkit.Eventually(t, time.Minute, "two messages to be acknowledged", func() bool { // the server takes its time after it has the words
		info, err := push.Info(t.Context())
		return err == nil && info.AckFloor.Stream == 2
	})
}

func TestInterruptIsTheNormalEnd(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	c, srv := setup(t)
	r := listening(c.TTY(80), srv, "sub foo", "foo")
	publish(t, srv, "foo", "hello")
	r.Says("hello")
	done := r.Interrupt()
	if done.Code != fail.OK || !strings.Contains(done.Err, "Received 1 messages, 5 B in ") {
		t.Errorf("exit code %d, stderr %q", done.Code, done.Err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	clitest.New(t, Command()).Server(testkit.Dead(t)).Fails(fail.Unreachable, "sub foo", "no servers available for connection")
	c.Server(srv.UserURL("limited")).Fails(fail.Unreachable, "sub notok", "Permissions Violation for Subscription to \"notok\"")
	for _, line := range []string{
		"sub", "sub 'a b'", "sub --durable X", "sub x --durable X --stream S", "sub a b --all", "sub x -T", "sub --inbox --stream S", "sub x --all --queue q",
		"sub --inbox --dump=-", "sub x --report-subjects --report-top 0", "sub x --match-replies --all", "sub ev.> --all --last", "sub x --delimiter y",
		`sub x --raw --delimiter '\q'`, "sub x --graph",
	} {
		c.Fails(fail.Usage, line)
	}
}

func TestSurvivesServerRestart(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	r := listening(c, srv, "sub foo", "foo")
	srv.Restart()
	r.Says(">>> Disconnected due to: ").Says(">>> Reconnected to ")
	srv.AwaitInterest("foo")
	publish(t, srv, "foo", "again")
	r.Says("again")
	if done := r.Interrupt(); done.Code != fail.OK {
		t.Errorf("exit code %d", done.Code)
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		pattern, subject string
		want             bool
	}{
		{"a", "a", true}, {"a", "a.b", false}, {"a.*", "a.b", true}, {"a.*", "a.b.c", false}, {"a.>", "a", false}, {"a.>", "a.b.c", true},
		{">", "a", true}, {"*", "a.b", false}, {"*.b", "a.b", true}, {"a.b", "a", false},
	} {
		if got := covers([]byte(row.pattern), []byte(row.subject)); got != row.want {
			t.Errorf("%s covers %s: %v", row.pattern, row.subject, got)
		}
	}
}
