//go:build unix

package prompt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/term"
)

// The test binary asks the questions, as a child with a terminal of its own, and writes the answers to its stdout, a pipe.
func TestMain(m *testing.M) {
	switch scene := os.Getenv("PROMPT_TEST_SCENE"); scene {
	case "":
		os.Exit(m.Run())
	case "editor":
		os.Exit(playEditor(os.Args[len(os.Args)-1]))
	default:
		play(scene)
	}
}

type outcome struct {
	Answer any
	Error  string
	Code   fail.Code
}

func play(scene string) {
	ctx, cancel := context.WithCancelCause(context.Background())
	sig := make(chan os.Signal, 2)
	signal.Notify(sig, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		for s := range sig {
			cancel(map[os.Signal]error{syscall.SIGINT: fail.ErrInterrupted, syscall.SIGTERM: fail.ErrTerminated}[s])
		}
	}()
	p := New(Options{Streams: term.System(os.Getenv), Getenv: os.Getenv, Environ: os.Environ(), Prefix: "[prod] "})
	answer, err := ask(ctx, p, scene)
	out := outcome{Answer: answer, Code: fail.CodeOf(err)}
	if err != nil {
		out.Error = err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(out)
	os.Exit(0)
}

func notBad(s string) error {
	if s == "bad" {
		return errors.New("bad will not do\x1b[2J")
	}
	return nil
}

func ask(ctx context.Context, p Prompter, scene string) (any, error) {
	fruit := []string{"apple", "banana", "cherry\x1b[2J", "date"}
	q := Question{Flag: "fruit", Message: "Fruit", Help: "what grows on trees", Validate: notBad}
	switch scene {
	case "input":
		q.Default = "fig"
		return p.Input(ctx, q)
	case "inputs":
		first, err := p.Input(ctx, q)
		if err != nil {
			return nil, err
		}
		second, err := p.Secret(ctx, Question{Message: "Second"})
		if err != nil {
			return nil, err
		}
		third, err := p.Input(ctx, Question{Message: "Third"})
		return []string{first, string(second), third}, err
	case "secret":
		secret, err := p.Secret(ctx, q)
		return string(secret), err
	case "confirm":
		return nil, Sure(ctx, p, false, "remove stream ORDERS")
	case "select":
		q.Default = "banana"
		return p.Select(ctx, q, fruit)
	case "multiselect":
		q.Default = "date"
		return p.MultiSelect(ctx, q, fruit)
	case "edit":
		edited, err := p.Edit(ctx, Question{Flag: "config", Suffix: ".json", Validate: notBad}, []byte("before"))
		return string(edited), err
	}
	return nil, fmt.Errorf("no scene %q", scene)
}

// playEditor is an editor that says what it sees, waits for a line, and saves it. It ends by itself on Ctrl-C.
func playEditor(path string) int {
	content, err := os.ReadFile(path)
	if err != nil {
		return 1
	}
	file, _ := os.Stat(path)
	dir, _ := os.Stat(filepath.Dir(path))
	fmt.Printf("EDITING %s %q %v %v secret=%q\n", path, content, file.Mode(), dir.Mode().Perm(), os.Getenv("NATS_PASSWORD"))
	var line string
	if _, err := fmt.Scanln(&line); err != nil {
		return 1
	}
	switch line {
	case "fail":
		return 3
	case "gone":
		_ = os.Remove(path)
		return 0
	}
	if os.WriteFile(path, []byte(line), 0o600) != nil {
		return 1
	}
	return 0
}

// patience ends a test that hangs; nothing is timed by it.
const patience = 20 * time.Second

// stage is a child on a terminal. The terminal answers the question where the cursor is, as real ones do.
type stage struct {
	t      *testing.T
	tty    *os.File
	cmd    *exec.Cmd
	stdout bytes.Buffer
	seen   []byte
	chunks chan []byte
}

func perform(t *testing.T, scene string, env ...string) *stage {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	_ = pty.Setsize(master, &pty.Winsize{Rows: 24, Cols: 80})
	s := &stage{t: t, tty: master, cmd: exec.Command(os.Args[0]), chunks: make(chan []byte, 100)}
	s.cmd.Env = slices.Concat(os.Environ(), []string{"TERM=xterm", "NO_COLOR=1", "GORACE=atexit_sleep_ms=0", "PROMPT_TEST_SCENE=" + scene}, env)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = slave, &s.stdout, os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	go func() {
		defer close(s.chunks)
		for {
			buf := make([]byte, 4096)
			n, err := master.Read(buf)
			if n > 0 {
				s.chunks <- buf[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = master.Close() })
	return s
}

// await reads until text is on the terminal, and forgets what was before and including it.
func (s *stage) await(text string) {
	s.t.Helper()
	deadline := time.After(patience)
	for {
		if _, after, ok := bytes.Cut(s.seen, []byte(text)); ok {
			s.seen = after
			return
		}
		select {
		case chunk, ok := <-s.chunks:
			if !ok {
				s.t.Fatalf("the terminal closed before %q; seen: %q", text, s.seen)
			}
			s.take(chunk)
		case <-deadline:
			s.t.Fatalf("waited for %q; seen: %q", text, s.seen)
		}
	}
}

func (s *stage) take(chunk []byte) {
	for range bytes.Count(chunk, []byte("\x1b[6n")) {
		s.types("\x1b[1;1R")
	}
	s.seen = append(s.seen, chunk...)
}

func (s *stage) types(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.tty, text); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the child and returns its answer, and what was on the terminal since the last await.
func (s *stage) end() (outcome, string) {
	s.t.Helper()
	for open, deadline := true, time.After(patience); open; {
		var chunk []byte
		select {
		case chunk, open = <-s.chunks:
			s.take(chunk)
		case <-deadline:
			s.t.Fatalf("the question did not end; seen: %q", s.seen)
		}
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Fatal(err)
	}
	var o outcome
	if err := json.Unmarshal(s.stdout.Bytes(), &o); err != nil {
		s.t.Fatalf("stdout %q: %v", s.stdout.String(), err)
	}
	return o, string(s.seen)
}

func (s *stage) wants(answer any, code fail.Code) (seen string) {
	s.t.Helper()
	got, seen := s.end()
	if fmt.Sprint(got.Answer) != fmt.Sprint(answer) || got.Code != code {
		s.t.Errorf("%+v, want %v and code %d; seen %q", got, answer, code, seen)
	}
	return seen
}
