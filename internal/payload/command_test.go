package payload

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
)

// The test binary is also the program that the commands run.
func TestMain(m *testing.M) {
	switch os.Getenv("PAYLOAD_TEST_CHILD") {
	case "":
		os.Exit(m.Run())
	case "args":
		_, _ = os.Stdout.WriteString(strings.Join(os.Args[1:], "\x00"))
	case "env":
		_, _ = os.Stdout.WriteString(strings.Join(os.Environ(), "\x00"))
	case "fail":
		_, _ = os.Stdout.WriteString("half an answer")
		_, _ = os.Stderr.WriteString("secret path /x")
		os.Exit(3)
	case "wait":
		r, w, _ := os.Pipe()
		_, _ = r.Read(make([]byte, 1)) // nobody writes
		_ = w.Close()
	}
	os.Exit(0)
}

func child(mode string, more ...string) Exec {
	return Exec{Run: System, Environ: append([]string{"GORACE=atexit_sleep_ms=0", "PAYLOAD_TEST_CHILD=" + mode}, more...)}
}

func self(t *testing.T, args string) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return "'" + path + "' " + args
}

func TestArgumentsAreCutBeforeMessagesAreSeen(t *testing.T) {
	t.Parallel()
	hostile := []string{"a.$(id)", "a.'", `a."`, "a.{{ID}}", "a.`id`", "a.;rm", "a.x\ty", "a.|cat", `a.\`, "a.&", "a.>x", "a.{{0}}"}
	for _, subject := range hostile {
		c, err := ParseResponder(self(t, `{{1}} pre-{{Subject}}-post "{{Request}}" '{{Header "K"}}'`))
		if err != nil {
			t.Fatal(err)
		}
		v := &Values{Subject: subject, Request: "x' y $(id) {{ID}}", Header: nats.Header{"K": {"h {{Count}}"}}}
		out, err := c.Run(t.Context(), child("args"), v, []byte(v.Request))
		want := []string{token(subject, 1), "pre-" + subject + "-post", v.Request, "h {{Count}}"}
		if err != nil || !slices.Equal(strings.Split(string(out.Stdout), "\x00"), want) {
			t.Errorf("%s: %q, %v", subject, out.Stdout, err)
		}
	}
}

func TestCommandArguments(t *testing.T) {
	t.Parallel()
	rows := []struct {
		line string
		want []string
	}{
		{"echo {{1}} {{Request}}", []string{"echo", "london", "ping"}},
		{"echo {{ 1 }} {{ .Request }} {{9}}", []string{"echo", "london", "ping", ""}},
		{`x 'a b' "c {{0}}" d\ e`, []string{"x", "a b", "c w", "d e"}},
		{"x {{printf \"%s-%d\" Subject 5}}", []string{"x", "w.london.uk-5"}},
		{`x "{{Header "K"}}"`, []string{"x", "v"}},
		{"x ''", []string{"x", ""}},
	}
	for _, r := range rows {
		c, err := ParseResponder(r.line)
		if err != nil {
			t.Errorf("%s: %v", r.line, err)
			continue
		}
		if got, err := c.Argv(at(1)); err != nil || !slices.Equal(got, r.want) {
			t.Errorf("%s: %q, %v", r.line, got, err)
		}
	}
	c, err := ParseTranslate("x {{Subject}} {{0}}")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Argv(at(1)); err != nil || !slices.Equal(got, []string{"x", "w.london.uk", "0"}) {
		t.Errorf("translate: %q, %v", got, err)
	}
}

func TestCommandsThatAreRefused(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                                 "the reply command is blank",
		"  \t":                             "the reply command is blank",
		"''":                               "the reply command is blank",
		"'' x":                             "the reply command is blank",
		"echo 'open":                       "reply command",
		"echo {{\x00":                      "no argument can hold a NUL byte",
		"echo {{Bogus}}":                   "argument 1 template",
		"echo {{Request":                   "argument 1 template",
		"{{0}} x":                          "may not come from a message",
		"sh -c 'echo {{Request}}'":         "part of code for sh",
		"/bin/bash -lc {{1}}":              "part of code for bash",
		"bash -o pipefail -c {{1}}":        "part of code for bash",
		"env A=1 sh -c {{Request}}":        "part of code for sh",
		"sh {{1}}":                         "part of code for sh",
		"python3 -c 'print(\"{{1}}\")'":    "part of code for python3",
		"perl -e 'x' -e {{1}}":             "part of code for perl",
		"node --eval={{1}}":                "part of code for node",
		"ssh -c aes host ls {{1}}":         "part of code for ssh",
		"cmd.exe /c echo {{1}}":            "part of code for cmd",
		`C:\\tools\\run.bat {{1}}`:         "part of code for cmd",
		"powershell.exe -Command {{1}}":    "part of code for powershell",
		"sh -c 'echo ${{printf Subject}}'": "part of code for sh",
	} {
		_, err := ParseResponder(line)
		if err == nil || !strings.Contains(err.Error(), want) || fail.CodeOf(err) != fail.Usage {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
	for _, line := range []string{
		"sh -c 'echo \"$1\"' _ {{1}}", "python3 script.py {{1}}", "python3 -u script.py --name {{1}}", "bash -o pipefail x.sh {{1}}", "wc -c {{1}}", "jq .", "echo -e {{1}}",
	} {
		if _, err := ParseResponder(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestMessagesMakeNoOptions(t *testing.T) {
	t.Parallel()
	v := &Values{Subject: "a.-rf", Request: "a\x00b"}
	for line, ok := range map[string]bool{
		"rm {{1}}": false, "rm -- {{1}}": true, "x --name={{1}}": true, "x -{{0}}": true, "x {{Request}}": false, "x p{{1}}": true,
	} {
		c, err := ParseResponder(line)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Argv(v); (err == nil) != ok {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
}

func TestEnvironmentOfAChild(t *testing.T) {
	t.Parallel()
	base := []string{
		"PATH=/bin", "NATS_PASSWORD=s3cret", "NATS_TOKEN=s3cret", "NATS_CREDS=s3cret", "NATS_NKEY=s3cret", "NATS_JWT=s3cret", "NATS_SEED=s3cret",
		"NATS_USER=s3cret", "nats_password=s3cret", "MY_PASS=s3cret", "NATS_URL=nats://u:s3cret@h", "NATS_CONTEXT=dev", "EMPTY",
	}
	x := child("env", base...)
	x.Secrets = []string{"MY_PASS"}
	v := &Values{Subject: "a.b", Reply: "_INBOX.1", Header: nats.Header{"X-Trace id": {"1"}, "Nul": {"a\x00b"}}}
	body := "line\nbody"
	for name, parse := range map[string]func(string) (*Command, error){"translate": ParseTranslate, "respond": ParseResponder} {
		c, err := parse(self(t, ""))
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.Run(t.Context(), x, v, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(string(out.Stdout), "\x00")
		want := []string{"PATH=/bin", "NATS_CONTEXT=dev", "NATS_SUBJECT=a.b", "NATS_REPLY=_INBOX.1", "NATS_HEADER_X_TRACE_ID=1"}
		if name == "respond" {
			want = append(want, "NATS_REQUEST_SUBJECT=a.b", "NATS_REQUEST_BODY="+body)
		} else if strings.Contains(string(out.Stdout), "NATS_REQUEST") {
			t.Errorf("translate has the variables of requests: %q", got)
		}
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("%s: %s is missing in %q", name, w, got)
			}
		}
		if strings.Contains(string(out.Stdout), "s3cret") || strings.Contains(string(out.Stdout), "HEADER_NUL") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := CleanEnviron([]string{"NATS_URL=nats://h:4222", "A=1"}); !slices.Equal(got, []string{"NATS_URL=nats://h:4222", "A=1"}) {
		t.Errorf("%q", got)
	}
	c, err := ParseResponder(self(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Run(t.Context(), child("env"), v, make([]byte, 1<<20))
	if err != nil || strings.Contains(string(out.Stdout), "NATS_REQUEST_BODY") {
		t.Errorf("a large binary body: %v", err)
	}
}

func TestFailureOfACommand(t *testing.T) {
	t.Parallel()
	c, err := ParseTranslate(self(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Run(t.Context(), child("fail"), at(1), nil)
	if err == nil || !strings.Contains(err.Error(), "failed to run: exit status 3") || strings.Contains(err.Error(), "secret") || out.Exit != 3 {
		t.Errorf("%+v, %v", out, err)
	}
	if string(out.Stderr) != "secret path /x" || string(out.Stdout) != "half an answer" {
		t.Errorf("%+v", out)
	}
	c, err = ParseTranslate("no-such-program-anywhere")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Run(t.Context(), child("args"), at(1), nil); !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "no-such-program-anywhere") {
		t.Error(err)
	}
}

func TestCommandsAreTimeBoxed(t *testing.T) {
	t.Parallel()
	c, err := ParseTranslate(self(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Run(ctx, child("wait"), at(1), nil); fail.CodeOf(err) != fail.NoAnswer || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a deadline: %v", err)
	}
	stopped, stop := context.WithCancelCause(t.Context())
	stop(fail.ErrInterrupted)
	if _, err := c.Run(stopped, child("wait"), at(1), nil); fail.CodeOf(err) != fail.Interrupted {
		t.Errorf("an interrupt: %v", err)
	}
}

func TestStdinOfAChild(t *testing.T) {
	t.Parallel()
	wc, err := exec.LookPath("wc")
	if err != nil {
		t.Skip("there is no wc here to count what it is given")
	}
	c, err := ParseTranslate("'" + wc + "' -c")
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Run(t.Context(), Exec{Run: System}, at(1), []byte("hello"))
	if err != nil || strings.TrimSpace(string(out.Stdout)) != "5" {
		t.Errorf("%q, %v", out.Stdout, err)
	}
}
