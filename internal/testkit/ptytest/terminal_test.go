//go:build unix

package ptytest_test

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/ptytest"
)

const wait = time.Minute

func sh(t testing.TB, script string) *ptytest.Terminal {
	t.Helper()
	return ptytest.Start(t, exec.Command("sh", "-c", script), 40, 10)
}

func TestPromptAndExitCode(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	p := sh(t, `printf 'name: '; read n; printf '\033[1mhello \033[0m%s\n' "$n"; exit 7`)
	p.Expect("name: ", wait)
	p.Send("ada\r")
	p.Expect("hello ada\n", wait)
	if code := p.Wait(wait); code != 7 {
		t.Errorf("exit code %d", code)
	}
	if got := p.Transcript(); got != "name: ada\nhello ada\n" {
		t.Errorf("transcript %q", got)
	}
	if !strings.Contains(p.Raw(), "\x1b[1mhello") {
		t.Errorf("raw %q", p.Raw())
	}
	if got := p.Screen(); got != "name: ada\nhello ada" {
		t.Errorf("screen %q", got)
	}
}

func TestExpectPassesWhatItFound(t *testing.T) {
	t.Parallel()
	p := sh(t, `echo one; read x; echo one`)
	p.Expect("one", wait)
	p.Send("\r")
	p.Expect("one", wait)
	p.Wait(wait)
}

func TestCursorPosition(t *testing.T) {
	t.Parallel()
	p := sh(t, `stty raw -echo; printf 'a\r\nabc\033[6n'; a=$(dd bs=1 count=6 2>/dev/null | tr '\033' E); printf '\r\n<%s>\r\n' "$a"`)
	p.Expect("<E[2;4R>", wait)
	p.Wait(wait)
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	p := sh(t, `test -t 0 && test -t 1 && test -t 2 && test "$(tty)" != "not a tty" && echo "yes $TERM"`)
	p.Expect("yes xterm-256color", wait)
	if code := p.Wait(wait); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestResize(t *testing.T) {
	t.Parallel()
	p := sh(t, `trap 'stty size; exit 3' WINCH; stty size; while :; do read x; done`)
	p.Expect("10 40\n", wait)
	p.Resize(100, 30)
	p.Expect("30 100\n", wait)
	if code := p.Wait(wait); code != 3 {
		t.Errorf("exit code %d", code)
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	p := sh(t, `trap 'echo interrupted; exit 4' INT; echo ready; while :; do read x; done`)
	p.Expect("ready", wait)
	p.Send("\x03")
	p.Expect("interrupted", wait)
	if code := p.Wait(wait); code != 4 {
		t.Errorf("exit code %d", code)
	}
	q := sh(t, `echo ready; read x`)
	q.Expect("ready", wait)
	q.Signal(syscall.SIGTERM)
	if code := q.Wait(wait); code != 128+15 {
		t.Errorf("exit code %d", code)
	}
}

func TestScreen(t *testing.T) {
	t.Parallel()
	p := sh(t, `printf 'before\n'; printf '\033[?1049h\033[2J\033[3;5Hdeep\033[H\033]0;title\007top\033[K'; read x
printf '\033[3;1H\033[2K\033[5;1H%s' 'été'; read x; printf '\033[?1049l'; printf 'after\n'; read x`)
	p.ExpectScreen("top\n\n    deep", wait)
	if !p.Alternate() {
		t.Error("the alternate screen is off")
	}
	p.Send("\r")
	p.ExpectScreen("été", wait)
	p.ExpectGone("deep", wait)
	p.Send("\r")
	p.ExpectScreen("after", wait)
	if got := p.Screen(); p.Alternate() || !strings.HasPrefix(got, "before\nafter") {
		t.Errorf("screen %q", got)
	}
	p.Send("\r")
	p.Wait(wait)
}

func TestScreenWrapsAndScrolls(t *testing.T) {
	t.Parallel()
	p := sh(t, `for i in 1 2 3 4 5 6 7 8 9 10 11; do echo line $i; done; printf '%045d' 0`)
	p.Wait(wait)
	lines := strings.Split(p.Screen(), "\n")
	if len(lines) != 10 || lines[0] != "line 4" || lines[8] != strings.Repeat("0", 40) || lines[9] != "00000" {
		t.Errorf("screen %q", lines)
	}
}

// recorder is a test whose failure is observed.
type recorder struct {
	testing.TB
	said string
}

type stopped struct{}

func (r *recorder) Helper() {}
func (r *recorder) Fatalf(format string, v ...any) {
	r.said = fmt.Sprintf(format, v...)
	panic(stopped{})
}

func failure(t *testing.T, script string, do func(p *ptytest.Terminal)) string {
	t.Helper()
	r := &recorder{TB: t}
	func() {
		defer func() {
			if v := recover(); v != nil && v != (stopped{}) {
				panic(v)
			}
		}()
		do(sh(r, script))
	}()
	if r.said == "" {
		t.Fatal("no failure")
	}
	return r.said
}

func TestFailuresShowTheScreen(t *testing.T) {
	t.Parallel()
	said := failure(t, `echo something else`, func(p *ptytest.Terminal) { p.Expect("hello", wait) })
	if !strings.Contains(said, "hello") || !strings.Contains(said, "something else") || !strings.Contains(said, "ended") {
		t.Errorf("said %q", said)
	}
	said = failure(t, `echo waiting; read x`, func(p *ptytest.Terminal) {
		p.Expect("waiting", wait)
		p.Expect("hello", 20*time.Millisecond)
	})
	if !strings.Contains(said, "hello") || !strings.Contains(said, "waiting") || !strings.Contains(said, "not within") {
		t.Errorf("said %q", said)
	}
	said = failure(t, `echo waiting; read x`, func(p *ptytest.Terminal) {
		p.Expect("waiting", wait)
		p.Wait(20 * time.Millisecond)
	})
	if !strings.Contains(said, "does not end") || !strings.Contains(said, "waiting") {
		t.Errorf("said %q", said)
	}
}

// A command that ignores the hang-up, and what it started, end with the test.
func TestKilledAtTheEnd(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	p := sh(t, `trap '' HUP INT TERM; echo ready; while :; do read x; done`)
	p.Expect("ready", wait)
}
