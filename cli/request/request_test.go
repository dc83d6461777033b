package request

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/asking"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

func setup(t *testing.T) (*clitest.CLI, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t, testkit.WithAccounts())
	return clitest.New(t, Command()).Server(srv.URL()).Stdin(""), srv
}

// respond answers requests on the subject with each body in turn, all for one request.
func respond(t *testing.T, srv *testkit.NATS, subject string, bodies ...string) {
	t.Helper()
	testkit.Handle(t, srv.Conn(), subject, func(m *nats.Msg) {
		for _, b := range bodies {
			_ = m.Respond([]byte(strings.ReplaceAll(b, "%", string(m.Data))))
		}
	})
}

func TestOne(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	respond(t, srv, "svc", "pong %")
	r := c.OK("req svc ping")
	if r.Out != "pong ping\n\n\n" {
		t.Errorf("stdout is %q", r.Out)
	}
	if !regexp.MustCompile(`^\d\d:\d\d:\d\d Sending request on "svc"\n\d\d:\d\d:\d\d Received with rtt [\d.]+(µs|ms|s)\n$`).MatchString(r.Err) {
		t.Errorf("stderr is %q", r.Err)
	}
	if r := c.OK("req svc ping --raw"); r.Out != "pong ping\n" || r.Err != "" {
		t.Errorf("raw: %q %q", r.Out, r.Err)
	}
	if r := c.Stdin("a\nb\n").OK("req svc --send-on newline --raw"); r.Out != "pong a\npong b\n" {
		t.Errorf("lines: %q", r.Out)
	}
	if r := c.OK("req svc '{{Count}}' --count 3 --raw"); r.Out != "pong 1\npong 2\npong 3\n" {
		t.Errorf("templates: %q", r.Out)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	testkit.Handle(t, srv.Conn(), "svc", func(m *nats.Msg) {
		_ = m.RespondMsg(&nats.Msg{Header: nats.Header{"B": {"2"}, "A": {m.Header.Get("X")}}, Data: []byte("\x1b[1m\n")})
	})
	r := c.TTY(80).OK("req svc x -H 'X: y'")
	if r.Out != "\\x1b[1m\n\n" || !regexp.MustCompile(`rtt \S+\n\S+ A: y\n\S+ B: 2\n\S+ \n$`).MatchString(r.Err) {
		t.Errorf("stdout %q stderr %q", r.Out, r.Err)
	}
}

func TestGathering(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	respond(t, srv, "two", "a", "b")
	respond(t, srv, "empty", "a", "", "b")
	for _, row := range []struct{ line, want, says string }{
		{"two --replies 1", "a\n", ""},
		{"two --replies 2", "a\nb\n", ""},
		{"two --replies 3 --reply-timeout 300ms", "a\nb\n", "Received 2 replies"},
		{"two --replies 0 --timeout 2s", "a\nb\n", "the time is over"},
		{"two --wait-for-empty --reply-timeout 300ms", "a\nb\n", "no other came in time"},
		{"empty --wait-for-empty --reply-timeout 20s", "a\n", "the last one was empty"},
		{"empty --replies 5 --reply-timeout 20s", "a\n", "the last one was empty"},
		{"empty --replies 0 --timeout 2s", "a\nb\n", "Received 3 replies"},
	} {
		t.Run(row.line, func(t *testing.T) {
			t.Parallel()
			if r := c.OK("req --raw " + row.line); r.Out != row.want {
				t.Errorf("stdout is %q, want %q", r.Out, row.want)
			}
			if r := c.OK("req " + row.line); !strings.Contains(r.Err, row.says) {
				t.Errorf("stderr is %q, want %q", r.Err, row.says)
			}
		})
	}
}

func TestNoReply(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	c.Fails(fail.NoAnswer, "req nosvc x", "no responders are available")
	testkit.Subscribe(t, srv.Conn(), "slow")
	c.Fails(fail.NoAnswer, "req slow x --timeout 2s", "no reply within ")
	c.Fails(fail.NoAnswer, "req slow x --timeout 2s --replies 0", "no reply within ")
	c.Fails(fail.NoAnswer, "req slow x --timeout 2s --json", `"code":5`)
	clitest.New(t, Command()).Server(testkit.Dead(t)).Fails(fail.Unreachable, "req foo x", "no servers available for connection")
	c.Fails(fail.Usage, "req 'a b' x", "invalid subject")
	c.Fails(fail.Usage, "req 'a.*' x", "invalid subject")
}

// TestDeniedFailsAtOnce: with a timeout longer than the test may take.
func TestDeniedFailsAtOnce(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	c.Server(srv.UserURL("limited")).Fails(fail.Unreachable, "req notok x --timeout 5m", `Permissions Violation for Publish to "notok"`)
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	c, srv := setup(t)
	testkit.Subscribe(t, srv.Conn(), "slow")
	r := c.Start("req slow x --timeout 5m").Says("Sending request")
	if done := r.Interrupt(); done.Code != fail.Interrupted {
		t.Errorf("exit code %d", done.Code)
	}
	respond(t, srv, "two", "a", "b")
	if done := c.Start("req two x --replies 0 --timeout 5m").Says("b\n").Interrupt(); done.Code != fail.OK {
		t.Errorf("a gathering without a number ended with %d: %s", done.Code, done.Err)
	}
}

func TestManyAreShownAndSummedUp(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	respond(t, srv, "svc", "%")
	r := c.OK("req svc x --count 25")
	if n := strings.Count(r.Out, "x\n\n\n"); n != 25 {
		t.Errorf("%d replies are shown, want 25", n)
	}
	if !strings.Contains(r.Err, "Received 25 replies to 25 requests, rtt min ") {
		t.Errorf("stderr is %q", r.Err)
	}
}

func TestPartOfTheRequestsAnswered(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	testkit.Handle(t, srv.Conn(), "odd", func(m *nats.Msg) {
		if string(m.Data) != "2" {
			_ = m.Respond(m.Data)
		}
	})
	r := c.Fails(fail.Partial, "req odd '{{Count}}' --count 3 --raw --timeout 100ms", "1 of 3 requests were not answered")
	if r.Out != "1\n3\n" {
		t.Errorf("stdout is %q", r.Out)
	}
}

func TestServiceErrorsFail(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	testkit.Handle(t, srv.Conn(), "svc", func(m *nats.Msg) {
		_ = m.RespondMsg(&nats.Msg{Header: nats.Header{"Nats-Service-Error": {"bad input"}, "Nats-Service-Error-Code": {"400"}}, Data: []byte("why")})
	})
	if r := c.Fails(fail.Failure, "req svc x", "the service on svc answered with error 400: bad input"); !strings.HasPrefix(r.Out, "why\n") {
		t.Errorf("stdout is %q", r.Out)
	}
}

func TestMachineFormats(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	respond(t, srv, "svc", "%", "\xff")
	lines := strings.Split(strings.TrimSpace(c.OK("req svc x --replies 2 --json").Out), "\n")
	var a, b asking.Answer
	for i, p := range []*asking.Answer{&a, &b} {
		if err := json.Unmarshal([]byte(lines[i]), p); err != nil {
			t.Fatal(err)
		}
	}
	if *a.Data != "x" || a.RTT <= 0 || a.Request != 1 || b.Data != nil || string(b.DataBase64) != "\xff" {
		t.Errorf("answers are %s", lines)
	}
	if r := c.OK(`req svc x --format 'line=%p|'`); r.Out != "x|" {
		t.Errorf("line: %q", r.Out)
	}
	c.Fails(fail.Usage, "req svc x --raw --json")
}

func TestTranslate(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	respond(t, srv, "svc", "%")
	c = c.Env("PATH", os.Getenv("PATH"))
	if r := c.OK("req svc hello --raw --translate 'wc -c'"); strings.TrimSpace(r.Out) != "5" {
		t.Errorf("stdout is %q", r.Out)
	}
	c.Fails(fail.Partial, "req svc hello --translate false", "Error while translating msg body")
}
