// Package clitest runs command lines inside the test's process: real parser, real verbs, real server, buffers for streams.
package clitest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	shellquote "github.com/kballard/go-shellquote"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/embedded"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/shell"
	"github.com/natskit/natskit/internal/term"
)

// Version is what the program under test calls itself.
const Version = "0.0.0-test"

// CLI is a command tree in a world of its own: its own home, working directory and environment. The methods that change
// something return a copy, so that one CLI can serve several runs.
type CLI struct {
	t      testing.TB
	nodes  []command.Node
	env    map[string]string
	dir    string
	stdin  io.Reader
	tty    bool
	width  int
	clock  clock.Clock
	prompt prompt.Prompter
}

// New prepares a CLI of the given nodes, with an empty home below the test's temporary directory.
func New(t testing.TB, nodes ...command.Node) *CLI {
	t.Helper()
	home := t.TempDir()
	work := filepath.Join(home, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	return &CLI{t: t, nodes: nodes, dir: work, clock: clock.System(), stdin: strings.NewReader(""), env: map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, "config"), "XDG_DATA_HOME": filepath.Join(home, "data"),
		"PATH": os.Getenv("PATH"), "TERM": "xterm",
	}}
}

func (c *CLI) with(change func(*CLI)) *CLI {
	n := *c
	n.env = map[string]string{}
	for k, v := range c.env {
		n.env[k] = v
	}
	change(&n)
	return &n
}

// Server points the CLI at a server by $NATS_URL.
func (c *CLI) Server(url string) *CLI { return c.Env("NATS_URL", url) }

// Env sets a variable.
func (c *CLI) Env(name, value string) *CLI { return c.with(func(n *CLI) { n.env[name] = value }) }

// Stdin gives the next runs this standard input; it is no terminal.
func (c *CLI) Stdin(text string) *CLI { return c.StdinFrom(strings.NewReader(text)) }

// StdinFrom gives the next run this reader as standard input.
func (c *CLI) StdinFrom(r io.Reader) *CLI { return c.with(func(n *CLI) { n.stdin = r }) }

// TTY makes stdout and stderr look like terminals of the given width, so that colour, hints and elision can be seen.
func (c *CLI) TTY(width int) *CLI { return c.with(func(n *CLI) { n.tty, n.width = true, width }) }

// Clock replaces the clock.
func (c *CLI) Clock(k clock.Clock) *CLI { return c.with(func(n *CLI) { n.clock = k }) }

// Answers replaces the person at the terminal.
func (c *CLI) Answers(p prompt.Prompter) *CLI { return c.with(func(n *CLI) { n.prompt = p }) }

// Dir is the working directory of the runs.
func (c *CLI) Dir() string { return c.dir }

// Path is a file below the working directory.
func (c *CLI) Path(name string) string { return filepath.Join(c.dir, name) }

// Result is how a run ended.
type Result struct {
	Line     string
	Code     fail.Code
	Out, Err string
}

// Run splits line as a shell would, without a leading "nats", and waits for its end, at most 30 seconds.
func (c *CLI) Run(line string) Result {
	c.t.Helper()
	return c.Start(line).Wait()
}

// Args runs the given arguments.
func (c *CLI) Args(args ...string) Result {
	c.t.Helper()
	return c.start(strings.Join(args, " "), args).Wait()
}

// OK runs line and fails the test when it does not end with 0.
func (c *CLI) OK(line string) Result {
	c.t.Helper()
	r := c.Run(line)
	if r.Code != fail.OK {
		c.t.Fatalf("nats %s\nexit code %d, want 0\nstdout: %s\nstderr: %s", line, r.Code, r.Out, r.Err)
	}
	return r
}

// Fails runs line and fails the test when it does not end with code, or when stderr does not hold each of the texts.
func (c *CLI) Fails(code fail.Code, line string, says ...string) Result {
	c.t.Helper()
	r := c.Run(line)
	if r.Code != code {
		c.t.Fatalf("nats %s\nexit code %d, want %d\nstdout: %s\nstderr: %s", line, r.Code, code, r.Out, r.Err)
	}
	for _, s := range says {
		if !strings.Contains(r.Err, s) {
			c.t.Fatalf("nats %s\nstderr does not say %q\nstderr: %s", line, s, r.Err)
		}
	}
	return r
}

// Parse is the options that line gives the verb, or the usage error.
func Parse[O any](t testing.TB, node command.Node, line string) (O, error) {
	t.Helper()
	var none O
	sel, err := program([]command.Node{node}).Parse(split(t, line))
	if err != nil {
		return none, err
	}
	o, ok := sel.Options.(*O)
	if !ok {
		t.Fatalf("nats %s: options are %T, want %T", line, sel.Options, &none)
	}
	return *o, nil
}

// Running is a command line that has not ended.
type Running struct {
	t      testing.TB
	line   string
	cancel context.CancelCauseFunc
	out    *safeBuffer
	err    *safeBuffer
	done   chan struct{}
	code   fail.Code
}

// Start runs line beside the test; it is interrupted at the test's end at the latest.
func (c *CLI) Start(line string) *Running {
	c.t.Helper()
	return c.start(line, split(c.t, line))
}

func (c *CLI) start(line string, args []string) *Running {
	ctx, cancel := context.WithCancelCause(context.Background())
	r := &Running{t: c.t, line: line, cancel: cancel, out: &safeBuffer{}, err: &safeBuffer{}, done: make(chan struct{})}
	e := c.world(r.out, r.err)
	go func() {
		defer close(r.done)
		r.code = fail.Code(program(c.nodes).Run(ctx, args, e))
	}()
	c.t.Cleanup(func() { cancel(fail.ErrInterrupted); <-r.done })
	return r
}

func (c *CLI) world(out, errs io.Writer) *env.Env {
	getenv := func(k string) string { return c.env[k] }
	return &env.Env{
		IO: &term.Streams{
			In: c.stdin, Out: out, Err: errs, OutTTY: c.tty, ErrTTY: c.tty, Width: c.width,
			Color: c.env["CLICOLOR_FORCE"] != "", ErrColor: c.env["CLICOLOR_FORCE"] != "",
		},
		Clock: c.clock, Prompt: c.prompt, Getenv: getenv, Exec: payload.System, Files: env.Files{Dir: c.dir, Stdin: c.stdin},
		Environ: func() []string {
			var all []string
			for k, v := range c.env {
				all = append(all, k+"="+v)
			}
			return all
		},
	}
}

// Program is the program that the runs execute, for tests that need more of it.
func Program(nodes ...command.Node) shell.Program { return program(nodes) }

func program(nodes []command.Node) shell.Program {
	return shell.Program{
		Name: "nats", Help: "NATS command line", Build: env.Build{Version: Version},
		Tree: func() []command.Node { return nodes }, OpenEmbedded: embedded.Open,
	}
}

// Out is what stdout holds so far.
func (r *Running) Out() string { return r.out.String() }

// Err is what stderr holds so far.
func (r *Running) Err() string { return r.err.String() }

// Says waits until text appears on stdout or stderr.
func (r *Running) Says(text string) *Running {
	r.t.Helper()
	seen := func() bool { return strings.Contains(r.Out(), text) || strings.Contains(r.Err(), text) }
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for {
		more := r.out.changed(r.err)
		if seen() {
			return r
		}
		select {
		case <-more:
		case <-r.done:
			if seen() {
				return r
			}
			r.t.Fatalf("nats %s ended with %d without saying %q\nstdout: %s\nstderr: %s", r.line, r.code, text, r.Out(), r.Err())
		case <-limit.C:
			r.t.Fatalf("nats %s has not said %q\nstdout: %s\nstderr: %s", r.line, text, r.Out(), r.Err())
		}
	}
}

// Ends reports whether the run ends by itself within d.
func (r *Running) Ends(d time.Duration) bool {
	select {
	case <-r.done:
		return true
	case <-time.After(d):
		return false
	}
}

// Interrupt is ^C, and waits for the end.
func (r *Running) Interrupt() Result {
	r.t.Helper()
	r.cancel(fail.ErrInterrupted)
	return r.Wait()
}

// Terminate is SIGTERM, and waits for the end.
func (r *Running) Terminate() Result {
	r.t.Helper()
	r.cancel(fail.ErrTerminated)
	return r.Wait()
}

// Wait waits for the end.
func (r *Running) Wait() Result {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(time.Minute):
		r.t.Fatalf("nats %s has not ended\nstdout: %s\nstderr: %s", r.line, r.Out(), r.Err())
	}
	return Result{Line: r.line, Code: r.code, Out: r.Out(), Err: r.Err()}
}

func split(t testing.TB, line string) []string {
	t.Helper()
	args, err := shellquote.Split(line)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", line, err))
	}
	return args
}

// safeBuffer is a buffer that can be read while it is written, and tells when it changes.
type safeBuffer struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	waiters []chan struct{}
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.waiters {
		select {
		case w <- struct{}{}:
		default:
		}
	}
	b.waiters = nil
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// changed delivers after the next write to b or other.
func (b *safeBuffer) changed(other *safeBuffer) <-chan struct{} {
	c := make(chan struct{}, 1)
	for _, x := range []*safeBuffer{b, other} {
		x.mu.Lock()
		x.waiters = append(x.waiters, c)
		x.mu.Unlock()
	}
	return c
}
