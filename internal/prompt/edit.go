package prompt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/term"
)

// Edit opens $VISUAL, else $EDITOR, on a file of its own that nobody else can read and that is gone afterwards, whatever happens. A
// result that Validate refuses can be edited again. Ctrl-C belongs to the editor while it runs.
func (t *terminal) Edit(ctx context.Context, q Question, content []byte) (edited []byte, err error) {
	if why := t.missing(); why != "" {
		return nil, q.nobody(why)
	}
	argv, err := t.editor(q)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "nats-edit-") // made with 0700
	if err != nil {
		return nil, fmt.Errorf("a file to edit: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	suffix := q.Suffix
	if suffix == "" {
		suffix = ".txt"
	}
	path := filepath.Join(dir, "edit"+suffix)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return nil, fmt.Errorf("a file to edit: %w", err)
	}
	for {
		if err := t.runOnTerminal(ctx, q, append(argv, path)); err != nil {
			return nil, err
		}
		edited, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fail.Newf(fail.Failure, "editor %s: it left no file behind", argv[0])
		}
		if err != nil {
			return nil, fmt.Errorf("editor %s: %w", argv[0], err)
		}
		bad := q.check(string(edited))
		if bad == nil {
			return edited, nil
		}
		again, err := t.Confirm(ctx, Question{Flag: q.Flag, Message: term.Visible(bad.Error(), false) + "; edit again?", Default: "yes"})
		switch {
		case err != nil:
			return nil, err
		case !again:
			return nil, fail.Newf(fail.Declined, "not saved: %w", bad)
		}
	}
}

func (t *terminal) editor(q Question) ([]string, error) {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		line := t.o.Getenv(name)
		if strings.TrimSpace(line) == "" {
			continue
		}
		argv, err := shellquote.Split(line)
		if err == nil && argv[0] == "" {
			err = errors.New("the program's name is empty")
		}
		if err != nil {
			return nil, fail.Usagef("$%s %q: %w", name, line, err)
		}
		return argv, nil
	}
	err := fail.Usagef("there is no editor: set $VISUAL or $EDITOR")
	if q.Flag != "" {
		err = fail.Usagef("there is no editor: set $VISUAL or $EDITOR, or pass %s", q.flag())
	}
	return nil, err.WithHint("EDITOR=vi")
}

func (t *terminal) runOnTerminal(ctx context.Context, q Question, argv []string) error {
	asking.Lock()
	defer asking.Unlock()
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	c, err := t.o.open()
	if err != nil {
		return q.nobody(noTerminal)
	}
	defer c.close()
	if t.o.HoldInterrupts != nil {
		defer t.o.HoldInterrupts()()
	}
	// An interrupt from the keyboard reaches the editor by itself; any other end of ctx ends it.
	editing, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	unhook := context.AfterFunc(ctx, func() {
		if cause := context.Cause(ctx); !errors.Is(cause, fail.ErrInterrupted) {
			stop(cause)
		}
	})
	defer unhook()
	err = t.o.Edit(editing, argv, payload.CleanEnviron(t.o.Environ), c.in, c.out)
	switch {
	case ctx.Err() != nil:
		return interrupted(ctx)
	case err != nil:
		return fail.Newf(fail.Failure, "editor %s: %w", argv[0], err)
	}
	return nil
}

// editorGrace is how long an editor may take to end by itself when it is told to.
const editorGrace = 2 * time.Second

func runEditor(ctx context.Context, argv, env []string, in, out *os.File) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, in, out, out
	cmd.Cancel = func() error { return terminate(cmd.Process) }
	cmd.WaitDelay = editorGrace
	return cmd.Run()
}
