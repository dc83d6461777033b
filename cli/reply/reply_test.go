package reply

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func setup(t *testing.T) (*clitest.CLI, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t, testkit.WithAccounts())
	return clitest.New(t, Command()).Server(srv.URL()).Env("PATH", os.Getenv("PATH")), srv
}

func ask(t *testing.T, srv *testkit.NATS, subject, body string) *nats.Msg {
	t.Helper()
	m := nats.NewMsg(subject)
	m.Data = []byte(body)
	m.Header.Set("In", "1")
	answer, err := srv.Conn().RequestMsg(m, 5*time.Second)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	return answer
}

func TestBodies(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ line, subject, request, want string }{
		{"reply svc 'pong {{Request}}'", "svc", "ping", "pong ping"},
		{"reply svc 'pong {{Request}}'", "svc", "", "pong "},
		{"reply svc '{{Count}} {{Subject}} {{Token 0}} {{Header \"In\"}}'", "svc", "x", "1 svc svc 1"},
		{"reply svc 'say {{Request}}'", "svc", "{{ID}}", "say {{ID}}"},
		{"reply svc", "svc", "echoed", "echoed"},
		{"reply svc body --echo", "svc", "echoed", "echoed"},
		{"reply 'w.>' --command 'echo {{1}} {{Request}}'", "w.london", "hi there", "london hi there\n"},
		{"reply 'w.>' --command 'sh -c \"echo $NATS_REQUEST_SUBJECT $NATS_REQUEST_BODY\"'", "w.x", "b", "w.x b\n"},
		{"reply 'w.>' --command cat", "w.x", "stdin", "stdin"},
	} {
		t.Run(row.line, func(t *testing.T) {
			t.Parallel()
			c, srv := setup(t)
			r := c.Start(row.line).Says("Listening on")
			if got := string(ask(t, srv, row.subject, row.request).Data); got != row.want {
				t.Errorf("the answer is %q, want %q", got, row.want)
			}
			if done := r.Interrupt(); done.Code != fail.OK {
				t.Errorf("exit code %d, stderr %s", done.Code, done.Err)
			}
		})
	}
}

func TestTalk(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	c, srv := setup(t)
	r := c.Start("reply svc.one hi --count 1").Says(`Listening on "svc.one" in group "NATS-RPLY-22"`)
	ask(t, srv, "svc.one", "ping")
	done := r.Wait()
	if done.Code != fail.OK || done.Out != "\nping\n" {
		t.Errorf("exit code %d, stdout %q", done.Code, done.Out)
	}
	for _, want := range []string{`[#1] Received on subject "svc.one":`, " In: 1\n", "Draining...\n", "Exiting\n"} {
		if !strings.Contains(done.Err, want) {
			t.Errorf("stderr does not say %q: %s", want, done.Err)
		}
	}
	if r := c.Start("reply quiet"); !strings.Contains(r.Says("Listening on").Err(), "No body or command supplied, enabling echo mode") {
		t.Errorf("stderr is %q", r.Err())
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	c.Start("reply e --echo -H 'Own: {{Subject}}'").Says("Listening on")
	h := ask(t, srv, "e", "x").Header
	if h.Get("In") != "1" || h.Get("Own") != "e" || h.Get("NATS-Reply-Counter") != "1" {
		t.Errorf("headers of an echo are %v", h)
	}
	c.Start("reply b body -H 'Own: {{Count}}'").Says(`Listening on "b"`)
	if h := ask(t, srv, "b", "x").Header; h.Get("In") != "" || h.Get("Own") != "1" {
		t.Errorf("headers of a body are %v", h)
	}
}

// TestS3_FailingCommandKeepsItsWords: the requester learns that it failed, and nothing of what it wrote.
func TestS3_FailingCommandKeepsItsWords(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	r := c.Start(`reply svc --command 'sh -c "echo half; echo secret >&2; exit 3"'`).Says("Listening on")
	m := ask(t, srv, "svc", "x")
	if len(m.Data) != 0 || m.Header.Get("Nats-Service-Error") == "" || m.Header.Get("Nats-Service-Error-Code") != "500" {
		t.Errorf("the answer is %q %v", m.Data, m.Header)
	}
	r.Says("exit status 3").Says("secret")
}

// TestS2_RequestsAreNoCommands: a request stays one argument, whatever it looks like.
func TestS2_RequestsAreNoCommands(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	c.Start(`reply 'a.*' --command 'printf %s|%s|%s {{1}} {{Request}} end'`).Says("Listening on")
	for _, request := range []string{"$(id)", "'", "a b c", "{{ID}}", "; id", "`id`"} {
		if got, want := string(ask(t, srv, "a.$(id)", request).Data), "$(id)|"+request+"|end"; got != want {
			t.Errorf("the answer is %q, want %q", got, want)
		}
	}
}

func TestCommandsRunBesideEachOther(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	dir := t.TempDir()
	// Each waits until both have begun.
	script := dir + "/both.sh"
	text := "touch " + dir + "/$1\nwhile ! [ -e " + dir + "/a -a -e " + dir + "/b ]; do sleep 0.01; done\necho $1\n"
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Start("reply 'w.*' --concurrency 2 --command 'sh " + script + " {{1}}'").Says("Listening on")
	var both sync.WaitGroup
	for _, s := range []string{"a", "b"} {
		both.Go(func() {
			m, err := srv.Conn().Request("w."+s, nil, 20*time.Second)
			if err != nil || string(m.Data) != s+"\n" {
				t.Errorf("%s: %v %v", s, m, err)
			}
		})
	}
	both.Wait()
}

func TestCountLeavesTheRestToOthers(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	r := c.Start("reply svc one --count 2").Says("Listening on")
	if err := srv.Conn().Publish("svc", []byte("asks for nothing")); err != nil {
		t.Fatal(err)
	}
	r.Says("message does not have a reply")
	for range 2 {
		ask(t, srv, "svc", "x")
	}
	if done := r.Wait(); done.Code != fail.OK {
		t.Errorf("exit code %d", done.Code)
	}
	if _, err := srv.Conn().Request("svc", nil, 5*time.Second); err == nil || !strings.Contains(err.Error(), "no responders") {
		t.Errorf("a third request got %v", err)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	r := c.Start("reply svc 'to {{Request}}' --count 1 --json").Says("Listening on")
	ask(t, srv, "svc", "x")
	var h handled
	if err := json.Unmarshal([]byte(r.Wait().Out), &h); err != nil {
		t.Fatal(err)
	}
	if h.Number != 1 || *h.Data != "x" || *h.Response != "to x" || h.Reply == "" || h.Headers.Get("In") != "1" {
		t.Errorf("document is %+v", h)
	}
}

func TestSleep(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	c.Start("reply svc x --sleep 5ms").Says("Listening on")
	ask(t, srv, "svc", "x")
	// An interrupt answers what it holds, at most --timeout later.
	r := c.Start("reply slow x --sleep 1h --timeout 50ms").Says("Listening on")
	if err := srv.Conn().PublishRequest("slow", "back", nil); err != nil {
		t.Fatal(err)
	}
	r.Says("Received on subject")
	if done := r.Interrupt(); done.Code != fail.OK {
		t.Errorf("exit code %d, stderr %s", done.Code, done.Err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	clitest.New(t, Command()).Server(testkit.Dead(t)).Fails(fail.Unreachable, "reply foo x", "no servers available for connection")
	c.Server(srv.UserURL("limited")).Fails(fail.Unreachable, "reply notok x", `Permissions Violation for Subscription to "notok"`)
	for _, line := range []string{
		"reply 'bad subj' x", "reply s '{{Bogus}}'", "reply s x -H 'nocolon'", "reply s x -H 'K: {{Bogus}}'", "reply s --command ' '",
		"reply s --command 'sh -c {{Request}}'", "reply s x --queue 'a b'", "reply s x --concurrency 0",
	} {
		c.Fails(fail.Usage, line)
	}
}

func TestHandledLooks(t *testing.T) {
	h := &handled{Number: 3, Subject: "svc.one", Reply: "_INBOX.a", Headers: nats.Header{"A": {"1"}}, Time: viewtest.Now, body: []byte("ping\x07")}
	h.finish([]byte("pong"))
	viewtest.Golden(t, "handled", h)
}
