package prompt

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"

	survey "github.com/AlecAivazis/survey/v2/terminal"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/term"
)

// Options are what a Prompter of New needs. The zero value never asks.
type Options struct {
	Streams  *term.Streams       // nothing is asked unless its stdin is a terminal
	NoPrompt bool                // --no-prompt
	Getenv   func(string) string // TERM, NO_COLOR, VISUAL, EDITOR; nil is an empty environment
	Environ  []string            // what the editor gets, as os.Environ gives it; our secrets are taken out
	Prefix   string              // before every question, such as "[prod] " in a protected context

	// Edit runs the editor argv with the environment env on the terminal and returns when it has ended; nil is the system's way.
	Edit func(ctx context.Context, argv, env []string, in, out *os.File) error
	// HoldInterrupts, if set, makes Ctrl-C the editor's own until release is called.
	HoldInterrupts func() (release func())

	open func() (*console, error) // for tests; nil is the terminal device
}

// New returns a Prompter on the terminal device of the process: with menus and line editing where the terminal can do that, as a
// plain line reader where TERM is dumb or unset. Nothing is opened before something is asked.
func New(o Options) Prompter {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.open == nil {
		o.open = openConsole
	}
	if o.Edit == nil {
		o.Edit = runEditor
	}
	return &terminal{o: o}
}

// terminal is the Prompter of New.
type terminal struct {
	o       Options
	pending []byte // typed ahead of the next question
}

// asking is held while a question stands on the terminal: there is only one, and survey keeps settings in package variables.
var asking sync.Mutex

const noTerminal = "there is no terminal to ask on"

// Available reports whether stdin is a terminal, its device opens, and --no-prompt was not given.
func (t *terminal) Available() bool { return t.missing() == "" }

// missing is why nothing can be asked, or empty.
func (t *terminal) missing() string {
	switch {
	case t.o.NoPrompt:
		return "--no-prompt is set"
	case t.o.Streams == nil || !t.o.Streams.InTTY:
		return noTerminal
	}
	c, err := t.o.open()
	if err != nil {
		return noTerminal
	}
	c.close()
	return ""
}

// plain reports whether the terminal knows no escape sequences, or nothing is known of it.
func (t *terminal) plain() bool {
	name := t.o.Getenv("TERM")
	return name == "dumb" || (name == "" && runtime.GOOS != "windows")
}

// ask runs one question on the terminal and spells its errors.
func (t *terminal) ask(ctx context.Context, q Question, run func(*session) error) error {
	if why := t.missing(); why != "" {
		return q.nobody(why)
	}
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
	s := newSession(ctx, c, &t.pending)
	defer s.end()
	err = run(s)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		_, _ = s.Write([]byte("\r\n"))
		return interrupted(ctx)
	case errors.Is(err, survey.InterruptErr), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fail.ErrInterrupted
	}
	return err
}

// message is the question as it may be shown: its parts can come from a server.
func (t *terminal) message(q Question) string {
	return term.Visible(t.o.Prefix+q.Message, false)
}

func (t *terminal) Input(ctx context.Context, q Question) (answer string, err error) {
	err = t.ask(ctx, q, func(s *session) error {
		if t.plain() {
			answer, err = t.plainInput(s, q)
		} else {
			answer, err = t.fancyInput(s, q)
		}
		return err
	})
	return answer, err
}

func (t *terminal) Confirm(ctx context.Context, q Question) (yes bool, err error) {
	err = t.ask(ctx, q, func(s *session) error {
		if t.plain() {
			yes, err = t.plainConfirm(s, q)
		} else {
			yes, err = t.fancyConfirm(s, q)
		}
		return err
	})
	return yes, err
}

func (t *terminal) Select(ctx context.Context, q Question, options []string) (index int, err error) {
	if len(options) == 0 {
		return 0, fail.NotFoundf("%s: there is nothing to choose from", q.flag())
	}
	err = t.ask(ctx, q, func(s *session) error {
		if t.plain() {
			index, err = t.plainSelect(s, q, options)
		} else {
			index, err = t.fancySelect(s, q, options)
		}
		return err
	})
	return index, err
}

func (t *terminal) MultiSelect(ctx context.Context, q Question, options []string) (chosen []int, err error) {
	if len(options) == 0 {
		return nil, fail.NotFoundf("%s: there is nothing to choose from", q.flag())
	}
	err = t.ask(ctx, q, func(s *session) error {
		if t.plain() {
			chosen, err = t.plainMultiSelect(s, q, options)
		} else {
			chosen, err = t.fancyMultiSelect(s, q, options)
		}
		return err
	})
	return chosen, err
}
