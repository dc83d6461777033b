//go:build unix

package ptytest

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// drainWait is how long output may still come after the command has ended: what it started may hold the terminal open.
const drainWait = 5 * time.Second

// Terminal is a command on a pseudo terminal. Its methods are called from the goroutine of the test.
type Terminal struct {
	t    testing.TB
	cmd  *exec.Cmd
	tty  *os.File // our end
	gone chan struct{}
	read chan struct{} // closed when there is no more output

	mu      sync.Mutex
	screen  *screen
	changed chan struct{} // closed and replaced at each output
	seen    int           // what Expect has passed, in bytes of the transcript
}

// Start runs cmd on a terminal of the size, as the leader of a session with that controlling terminal. TERM is xterm-256color
// unless cmd.Env sets it. What the terminal is asked, it answers. The command is killed when the test ends.
func Start(t testing.TB, cmd *exec.Cmd, cols, rows int) *Terminal {
	t.Helper()
	if cmd.Env == nil {
		cmd.Env = slices.DeleteFunc(os.Environ(), isTerm)
	}
	if !slices.ContainsFunc(cmd.Env, isTerm) {
		cmd.Env = append(slices.Clone(cmd.Env), "TERM=xterm-256color")
	}
	tty, err := pty.StartWithSize(cmd, winsize(cols, rows))
	if err != nil {
		t.Fatalf("%s on a terminal: %v", cmd.Path, err)
	}
	p := &Terminal{
		t: t, cmd: cmd, tty: tty, screen: newScreen(cols, rows),
		gone: make(chan struct{}), read: make(chan struct{}), changed: make(chan struct{}),
	}
	go p.follow()
	go func() {
		_ = cmd.Wait() // the state tells
		close(p.gone)
	}()
	t.Cleanup(p.end)
	return p
}

func isTerm(entry string) bool { return strings.HasPrefix(entry, "TERM=") }

func winsize(cols, rows int) *pty.Winsize {
	return &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)}
}

// follow draws what the command writes, and answers what it asks.
func (p *Terminal) follow() {
	defer close(p.read)
	buf := make([]byte, 32<<10)
	for {
		n, err := p.tty.Read(buf)
		p.mu.Lock()
		answers := p.screen.write(buf[:n])
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
		if len(answers) > 0 {
			_, _ = p.tty.Write(answers) // a command that is gone wants no answer
		}
		if err != nil {
			return // Linux says EIO when the last one has closed its end
		}
	}
}

func (p *Terminal) end() {
	select {
	case <-p.gone:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // its session; it may just have ended
		<-p.gone
	}
	_ = p.tty.Close()
	<-p.read
}

// Send types the text: \r is the enter key, \x03 is Ctrl-C, \x1b[A is the up arrow.
func (p *Terminal) Send(text string) {
	p.t.Helper()
	if _, err := p.tty.WriteString(text); err != nil {
		p.t.Fatalf("typing %q: %v\n%s", text, err, p.report())
	}
}

// Expect waits until the command has written the text, after what earlier calls found; escape sequences and carriage returns
// are left out of what it wrote. It fails the test, showing the screen and all output, when that does not happen in time
// or cannot happen any more.
func (p *Terminal) Expect(text string, within time.Duration) {
	p.t.Helper()
	p.await(fmt.Sprintf("output of %q", text), within, func() bool {
		rest := p.screen.plain.String()[p.seen:]
		at := strings.Index(rest, text)
		if at < 0 {
			return false
		}
		p.seen += at + len(text)
		return true
	})
}

// ExpectScreen waits until the text is on the screen as it is drawn, in one line; it fails as Expect does.
func (p *Terminal) ExpectScreen(text string, within time.Duration) {
	p.t.Helper()
	p.await(fmt.Sprintf("%q on the screen", text), within, func() bool { return strings.Contains(p.screen.text(), text) })
}

// ExpectGone waits until the text is not on the screen any more; it fails as Expect does.
func (p *Terminal) ExpectGone(text string, within time.Duration) {
	p.t.Helper()
	p.await(fmt.Sprintf("a screen without %q", text), within, func() bool { return !strings.Contains(p.screen.text(), text) })
}

// await calls cond with the lock held, after each output.
func (p *Terminal) await(what string, within time.Duration, cond func() bool) {
	p.t.Helper()
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for ended := false; ; {
		p.mu.Lock()
		ok, changed := cond(), p.changed
		p.mu.Unlock()
		switch {
		case ok:
			return
		case ended:
			p.t.Fatalf("the command ended without %s\n%s", what, p.report())
		}
		select {
		case <-changed:
		case <-p.read:
			ended = true
		case <-timeout.C:
			p.t.Fatalf("not within %s: %s\n%s", within, what, p.report())
		}
	}
}

// Resize changes the size of the terminal, of which the command is told by SIGWINCH.
func (p *Terminal) Resize(cols, rows int) {
	p.t.Helper()
	p.mu.Lock()
	p.screen.resize(cols, rows)
	p.mu.Unlock()
	if err := pty.Setsize(p.tty, winsize(cols, rows)); err != nil {
		p.t.Fatalf("resizing to %d×%d: %v", cols, rows, err)
	}
}

// Signal sends the signal to the command alone; Ctrl-C for all that runs on the terminal is Send("\x03").
func (p *Terminal) Signal(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatalf("sending %s: %v\n%s", sig, err, p.report())
	}
}

// Wait waits until the command has ended and its output is read, and returns its exit code: 128 and the number for one that
// a signal ended, as a shell has it. It fails the test when that does not happen in time.
func (p *Terminal) Wait(within time.Duration) int {
	p.t.Helper()
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	select {
	case <-p.gone:
	case <-timeout.C:
		p.t.Fatalf("the command does not end within %s\n%s", within, p.report())
	}
	drain := time.NewTimer(drainWait)
	defer drain.Stop()
	select {
	case <-p.read:
	case <-drain.C:
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// Transcript is all that the command has written, and the terminal echoed, without escape sequences and carriage returns.
func (p *Terminal) Transcript() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.plain.String()
}

// Raw is all that the command has written, and the terminal echoed, as it came.
func (p *Terminal) Raw() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.raw.String()
}

// Screen is what is on the screen now, without blanks at the ends of its lines and empty lines at its end.
func (p *Terminal) Screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.text()
}

// Alternate tells whether the alternate screen is on, which full-screen programs use and leave when they end.
func (p *Terminal) Alternate() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.saved != nil
}

func (p *Terminal) report() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("--- screen\n%s\n--- transcript\n%s\n---", p.screen.text(), p.screen.plain.String())
}
