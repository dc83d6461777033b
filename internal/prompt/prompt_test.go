package prompt

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/term"
)

// overPipes is a Prompter on a dumb terminal made of two pipes: what is typed is there at once, what was asked is read at the end.
func overPipes(t *testing.T, typed string, o Options) (p Prompter, asked func() string) {
	t.Helper()
	in, typing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	screen, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := typing.WriteString(typed); err != nil {
		t.Fatal(err)
	}
	_ = typing.Close()
	t.Cleanup(func() { _, _, _ = in.Close(), out.Close(), screen.Close() })
	o.Streams = &term.Streams{InTTY: true}
	o.open = func() (*console, error) { return &console{in: in, out: out, shared: true}, nil }
	if o.Getenv == nil {
		o.Getenv = func(k string) string { return map[string]string{"TERM": "dumb"}[k] }
	}
	return New(o), func() string {
		_ = out.Close()
		text, _ := io.ReadAll(screen)
		return string(text)
	}
}

func TestPlainQuestions(t *testing.T) {
	t.Parallel()
	options := []string{"one", "two", "three"}
	odd := func(s string) error {
		if s == "two" || s == "one,two" {
			return errors.New("not that")
		}
		return nil
	}
	ctx := t.Context()
	rows := []struct {
		name, typed string
		ask         func(Prompter) (any, error)
		want        any
		asked       string
	}{
		{
			"input", "?\ntwo\r\n\n",
			func(p Prompter) (any, error) {
				return p.Input(ctx, Question{Message: "Name\x1b", Default: "none", Help: "help", Validate: odd})
			},
			"none", "Name\\x1b [none]: help\nName\\x1b [none]: not that\nName\\x1b [none]: ",
		},
		{"without an end", "last", func(p Prompter) (any, error) { return p.Input(ctx, Question{Message: "Q"}) }, "last", "Q: "},
		{"long", strings.Repeat("x", 1000) + "\n", func(p Prompter) (any, error) { return p.Input(ctx, Question{Message: "Q"}) }, strings.Repeat("x", 1000), "Q: "},
		{"confirm", "\n", func(p Prompter) (any, error) { return p.Confirm(ctx, Question{Message: "Sure", Default: "yes"}) }, true, "Sure (Y/n): "},
		{
			"select", "two\n0\n4\nthree\n",
			func(p Prompter) (any, error) {
				return p.Select(ctx, Question{Message: "Which", Validate: odd}, options)
			},
			2, "  1) one\n  2) two\n  3) three\nWhich (number): not that\nWhich (number): \"0\" is not in the list: give a number from 1 to 3\n" +
				"Which (number): \"4\" is not in the list: give a number from 1 to 3\nWhich (number): ",
		},
		{
			"multiselect", "2,1\n3, 1 ,one\n",
			func(p Prompter) (any, error) {
				chosen, err := p.MultiSelect(ctx, Question{Message: "Which", Validate: odd}, options)
				return slices.Equal(chosen, []int{0, 2}), err
			},
			true, "  1) one\n  2) two\n  3) three\nWhich (numbers, parted by commas): not that\nWhich (numbers, parted by commas): ",
		},
	}
	for _, r := range rows {
		p, asked := overPipes(t, r.typed, Options{})
		got, err := r.ask(p)
		if err != nil || got != r.want {
			t.Errorf("%s: %v, %v", r.name, got, err)
		}
		if seen := asked(); seen != r.asked {
			t.Errorf("%s asked %q\nwant %q", r.name, seen, r.asked)
		}
	}
	p, _ := overPipes(t, "", Options{})
	if _, err := p.Input(ctx, Question{Message: "Q"}); fail.CodeOf(err) != fail.Interrupted {
		t.Errorf("the end of input: %v", err)
	}
	if _, err := p.Select(ctx, Question{Flag: "x"}, nil); fail.CodeOf(err) != fail.NotFound {
		t.Errorf("nothing to choose from: %v", err)
	}
	if _, err := p.MultiSelect(ctx, Question{Flag: "x"}, nil); fail.CodeOf(err) != fail.NotFound {
		t.Errorf("nothing to choose from: %v", err)
	}
}

func TestEndedContexts(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{nil, fail.ErrTerminated, context.DeadlineExceeded} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		want := fail.CodeOf(cause)
		if cause == nil {
			want = fail.Interrupted
		}
		p, _ := overPipes(t, "y\n", Options{})
		if _, err := p.Confirm(ctx, Question{Message: "Q"}); fail.CodeOf(err) != want || err == nil {
			t.Errorf("%v: %v", cause, err)
		}
	}
}

func TestNobodyToAsk(t *testing.T) {
	t.Parallel()
	there := func() (*console, error) { return nil, errors.New("no device") }
	rows := []struct {
		name string
		o    Options
		want string
	}{
		{"nothing", Options{}, "there is no terminal to ask on"},
		{"a pipe", Options{Streams: &term.Streams{OutTTY: true, ErrTTY: true}}, "there is no terminal to ask on"},
		{"no device", Options{Streams: &term.Streams{InTTY: true}, open: there}, "there is no terminal to ask on"},
		{"no prompt", Options{Streams: &term.Streams{InTTY: true}, NoPrompt: true, open: there}, "--no-prompt is set"},
	}
	ctx := t.Context()
	for _, r := range rows {
		p := New(r.o)
		if p.Available() {
			t.Errorf("%s: available", r.name)
		}
		q := Question{Flag: "subjects", Message: "Subjects"}
		for kind, ask := range map[string]func() error{
			"input":       func() error { _, err := p.Input(ctx, q); return err },
			"secret":      func() error { _, err := p.Secret(ctx, q); return err },
			"confirm":     func() error { _, err := p.Confirm(ctx, q); return err },
			"select":      func() error { _, err := p.Select(ctx, q, []string{"a"}); return err },
			"multiselect": func() error { _, err := p.MultiSelect(ctx, q, []string{"a"}); return err },
			"edit":        func() error { _, err := p.Edit(ctx, q, nil); return err },
			"need":        func() error { _, err := Need(ctx, p, "", q); return err },
		} {
			if err := ask(); err == nil || err.Error() != "pass --subjects ("+r.want+")" || fail.CodeOf(err) != fail.Usage {
				t.Errorf("%s, %s: %v", r.name, kind, err)
			}
		}
		for _, err := range []error{Sure(ctx, p, false, "remove x"), SureTyped(ctx, p, false, "remove x", "x")} {
			if err == nil || err.Error() != "remove x: pass --force ("+r.want+")" || fail.CodeOf(err) != fail.Usage {
				t.Errorf("%s: %v", r.name, err)
			}
		}
	}
	p := New(Options{})
	for flag, want := range map[string]string{"<stream>": "pass <stream> (", "--x": "pass --x (", "": `cannot ask "Which" (`} {
		if _, err := p.Input(ctx, Question{Flag: flag, Message: "Which"}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", flag, err)
		}
	}
}

func TestNeedTakesWhatIsThere(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	q := Question{Flag: "name", Validate: func(s string) error {
		if s != "good" {
			return errors.New("must be good")
		}
		return nil
	}}
	if got, err := Need(t.Context(), p, "good", q); got != "good" || err != nil {
		t.Error(got, err)
	}
	if _, err := Need(t.Context(), p, "bad", q); err == nil || err.Error() != "--name: must be good" || fail.CodeOf(err) != fail.Usage {
		t.Error(err)
	}
	if got, err := Need(t.Context(), p, "any", Question{}); got != "any" || err != nil {
		t.Error(got, err)
	}
}

func TestSure(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	nobody := New(Options{})
	if err := errors.Join(Sure(ctx, nobody, true, "x"), SureTyped(ctx, nobody, true, "x", "y")); err != nil {
		t.Errorf("forced: %v", err)
	}
	for typed, code := range map[string]fail.Code{"y\n": 0, "n\n": fail.Declined, "\n": fail.Declined, "": fail.Interrupted, "what\nyes\n": 0} {
		p, asked := overPipes(t, typed, Options{Prefix: "[prod] "})
		err := Sure(ctx, p, false, "remove stream A")
		if fail.CodeOf(err) != code || (code == fail.Declined && err.Error() != "remove stream A: declined") {
			t.Errorf("%q: %v", typed, err)
		}
		if seen := asked(); !strings.HasPrefix(seen, "[prod] Really remove stream A? (y/N): ") {
			t.Errorf("%q asked %q", typed, seen)
		}
	}
	rows := []struct {
		typed string
		code  fail.Code
		again bool
	}{
		{"A\n", 0, false}, {"a\nA\n", 0, true}, {"\n", fail.Declined, false}, {"y\n\n", fail.Declined, true}, {"yes\n", fail.Interrupted, true},
	}
	for _, r := range rows {
		p, asked := overPipes(t, r.typed, Options{})
		if err := SureTyped(ctx, p, false, "remove stream A", "A"); fail.CodeOf(err) != r.code {
			t.Errorf("%q: %v", r.typed, err)
		}
		seen := asked()
		if !strings.HasPrefix(seen, "To remove stream A, type A: ") || r.again != strings.Contains(seen, "that is not A; type it exactly") {
			t.Errorf("%q asked %q", r.typed, seen)
		}
	}
}

func TestEditorsAreHeldFromInterrupts(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var events []string
	p, _ := overPipes(t, "", Options{
		Getenv:  func(k string) string { return map[string]string{"TERM": "dumb", "EDITOR": "ed -s"}[k] },
		Environ: []string{"HOME=/h", "NATS_TOKEN=s3cret"},
		Edit: func(ctx context.Context, argv, env []string, in, out *os.File) error {
			events = append(events, "edit")
			if !slices.Equal(argv[:2], []string{"ed", "-s"}) || !strings.HasSuffix(argv[2], ".txt") || !slices.Equal(env, []string{"HOME=/h"}) || in == nil || out == nil {
				t.Errorf("editor called as %q with %q", argv, env)
			}
			cancel(fail.ErrInterrupted)
			if ctx.Err() != nil {
				t.Error("an interrupt ended the editor")
			}
			return os.WriteFile(argv[2], []byte("late"), 0o600)
		},
		HoldInterrupts: func() func() {
			events = append(events, "hold")
			return func() { events = append(events, "release") }
		},
	})
	if _, err := p.Edit(ctx, Question{}, []byte("x")); fail.CodeOf(err) != fail.Interrupted {
		t.Errorf("after an interrupt: %v", err)
	}
	if got := strings.Join(events, " "); got != "hold edit release" {
		t.Errorf("events: %s", got)
	}
}

func TestKeysThatSurveyDoesNotKnow(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain": "plain", "\x1b": "\x1b", "a\x1b[A\x1bOB\x1b[3~b": "a\x1b[A\x1bOB\x1b[3~b", "\x1b[Z\x1b[5~\x1b[1;5Cx": "x", "\x1b[200~pasted\x1b[201~": "pasted",
		"\x1bxy": "y", "\x1b\ry": "\ry", "\x1b\x1b[A": "\x1b[A", "x\x1b[": "x\x1b[", "x\x1b[1;": "x\x1b[1;", "\x1bé!": "!", "\x1b[12;40R": "",
	} {
		pending := []byte(in)
		s := &session{pending: &pending}
		s.clean()
		if string(pending) != want {
			t.Errorf("%q: %q, want %q", in, pending, want)
		}
	}
	pending := []byte("\x1b[12;40R\x1b[Z")
	s := &session{pending: &pending, queries: 1}
	if s.clean(); string(pending) != "\x1b[12;40R" {
		t.Errorf("an awaited answer: %q", pending)
	}
}
