package cli

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet/fleettest"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// TestExamplesWork runs the example of every verb as the help shows it, against a server of its own.
func TestExamplesWork(t *testing.T) {
	for path, d := range described() {
		for _, x := range d.Examples {
			t.Run(path+"/"+x.Line, func(t *testing.T) {
				t.Parallel()
				example(t, d, x)
			})
		}
	}
}

// stage is a CLI in the world that the example needs, its line, and what it has on standard input.
func stage(t *testing.T, d command.Doc, x command.Example) (c *clitest.CLI, line, stdin string) {
	t.Helper()
	c = clitest.New(t, Tree()...)
	if d.Scope != command.Local || len(x.Needs) > 0 {
		options := []testkit.Option{testkit.WithAccounts()}
		if d.Command() == "account tls" {
			options = append(options, testkit.WithTLS())
		}
		srv := testkit.Server(t, options...)
		if d.Command() == "account tls" {
			c = c.Env("NATS_CA", srv.CAFile())
		}
		switch {
		case d.Command() == "fleet mirror", d.Command() == "fleet source":
			srv, _ = fleettest.Edge(t)
		case d.Path[0] == "fleet":
			fleettest.Populate(t, srv)
		}
		if d.Scope == command.System {
			c = c.Server(srv.SysURL())
		} else {
			c = c.Server(srv.URL())
		}
	}
	if d.Path[0] == "plugins" {
		tool := []byte("#!/bin/sh\necho '{\"name\":\"tool\",\"help\":\"Work on orders\"}'\n")
		if err := os.WriteFile(c.Path("orders-tool"), tool, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	line, stdin = pipe(t, x.Line)
	for _, need := range x.Needs {
		if beside, ok := strings.CutPrefix(need, "& "); ok {
			begin(t, c, beside)
			continue
		}
		need, in := pipe(t, commandLine(need))
		c.Stdin(in).OK(need)
	}
	return c, line, stdin
}

func example(t *testing.T, d command.Doc, x command.Example) {
	c, line, stdin := stage(t, d, x)
	run := c.Stdin(stdin).Start(line)
	if x.Says != "" {
		run.Says(x.Says)
	}
	if d.Output == command.Feed || d.Output == command.Screen || strings.HasPrefix(line, "server run") {
		if x.Says == "" {
			t.Fatalf("the example of a command without an end must say what it waits for")
		}
		if !run.Ends(100 * time.Millisecond) { // a feed may have an end, such as --count
			run.Interrupt()
		}
		if r := run.Wait(); r.Code != fail.OK {
			t.Fatalf("%s: exit code %d after an interrupt\nstdout: %s\nstderr: %s", x.Line, r.Code, r.Out, r.Err)
		}
		return
	}
	if r := run.Wait(); r.Code != fail.OK {
		t.Fatalf("%s: exit code %d\nstdout: %s\nstderr: %s", x.Line, r.Code, r.Out, r.Err)
	}
}

// begin starts a line beside the example; a line that listens is waited for until it does.
func begin(t *testing.T, c *clitest.CLI, line string) {
	t.Helper()
	line, stdin := pipe(t, commandLine(line))
	r := c.Stdin(stdin).Start(line)
	for word, sign := range map[string]string{"reply": "Listening on", "sub": "Subscribing on", "serve": "waiting for requests"} {
		if strings.Contains(" "+line+" ", " "+word+" ") {
			r.Says(sign)
		}
	}
}

// commandLine is a need as it would be typed: those that do not begin with a pipe leave the name of the program out.
func commandLine(need string) string {
	if strings.Contains(need, " | nats ") {
		return need
	}
	return "nats " + need
}

// pipe splits "printf 'text' | nats line" into the line and its standard input, and "nats line" into the line.
func pipe(t *testing.T, text string) (line, stdin string) {
	t.Helper()
	if left, right, ok := strings.Cut(text, " | nats "); ok {
		body := strings.TrimPrefix(strings.TrimPrefix(left, "printf "), "echo ")
		body = strings.NewReplacer(`\n`, "\n").Replace(strings.Trim(body, `'"`))
		if strings.HasPrefix(left, "echo ") {
			body += "\n"
		}
		return right, body
	}
	rest, ok := strings.CutPrefix(text, "nats ")
	if !ok {
		t.Fatalf("example %q does not begin with nats", text)
	}
	return rest, ""
}

func TestNeedsWithPipes(t *testing.T) {
	t.Parallel()
	for need, want := range map[string][2]string{
		"kv add CFG": {"kv add CFG", ""},
		"printf 'hello' | nats object put FILES --name a.txt": {"object put FILES --name a.txt", "hello"},
		`printf 'a\nb' | nats kv put CFG a`:                   {"kv put CFG a", "a\nb"},
		`echo '{"key":"a"}' | nats kv import CFG`:             {"kv import CFG", `{"key":"a"}` + "\n"},
	} {
		if line, stdin := pipe(t, commandLine(need)); line != want[0] || stdin != want[1] {
			t.Errorf("%s: %q with %q", need, line, stdin)
		}
	}
}
