// Package prompt asks people. Questions are drawn on the terminal itself, so that stdout may be a file; each names the flag that
// answers it, so that a script is told what to pass.
package prompt

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/natskit/natskit/internal/fail"
)

// Question is one thing to ask.
type Question struct {
	Flag    string // the flag that answers it, without dashes; or an argument as <stream>
	Message string // what is asked, without a colon at the end
	Default string // what an empty answer means; for Confirm true or yes, for Select an option, for MultiSelect options parted by commas
	Help    string // shown for the answer "?"
	Suffix  string // Edit: how the file's name ends, so that the editor knows the language; .txt when empty

	// Validate judges an answer: for Select the option, for MultiSelect the options parted by commas, for Edit the whole text. An
	// answer it refuses is asked for again.
	Validate func(string) error
}

// Prompter asks. Every method fails with a usage error that names the flag when there is nobody to ask, with fail.ErrInterrupted
// on Ctrl-C, and with the cause when ctx ends. An answer that makes no sense is asked for again.
type Prompter interface {
	// Available reports whether there is a terminal to ask on.
	Available() bool
	// Input asks for a line of text.
	Input(context.Context, Question) (string, error)
	// Secret asks for a line that is not shown.
	Secret(context.Context, Question) ([]byte, error)
	// Confirm asks yes or no.
	Confirm(context.Context, Question) (bool, error)
	// Select asks for one of the options and returns its index.
	Select(context.Context, Question, []string) (int, error)
	// MultiSelect asks for any number of the options and returns their indices in order.
	MultiSelect(context.Context, Question, []string) ([]int, error)
	// Edit opens the user's editor on a text and returns what was saved.
	Edit(context.Context, Question, []byte) ([]byte, error)
}

// Need returns have, or asks for it when it is empty. What was given is validated too, as a usage error.
func Need(ctx context.Context, p Prompter, have string, q Question) (string, error) {
	if have == "" {
		return p.Input(ctx, q)
	}
	if q.Validate != nil {
		if err := q.Validate(have); err != nil {
			return "", fail.Usagef("%s: %w", q.flag(), err)
		}
	}
	return have, nil
}

// Sure asks for confirmation of what is about to be done, such as "remove stream ORDERS with 12 messages"; forced answers it. No is
// exit code 6.
func Sure(ctx context.Context, p Prompter, forced bool, what string) error {
	if forced {
		return nil
	}
	yes, err := p.Confirm(ctx, Question{Flag: "force", Message: "Really " + what + "?"})
	switch {
	case err != nil:
		return unasked(what, err)
	case !yes:
		return declined(what)
	}
	return nil
}

// SureTyped is Sure for what is protected: the name must be typed. An empty answer is a no, another name is asked for again.
func SureTyped(ctx context.Context, p Prompter, forced bool, what, name string) error {
	if forced {
		return nil
	}
	answer, err := p.Input(ctx, Question{
		Flag:    "force",
		Message: fmt.Sprintf("To %s, type %s", what, name),
		Help:    "an empty answer stops here",
		Validate: func(s string) error {
			if s == "" || s == name {
				return nil
			}
			return fmt.Errorf("that is not %s; type it exactly, or nothing to stop", name)
		},
	})
	switch {
	case err != nil:
		return unasked(what, err)
	case answer == "":
		return declined(what)
	}
	return nil
}

// unasked names what nobody could be asked about.
func unasked(what string, err error) error {
	if fail.CodeOf(err) == fail.Usage {
		return fmt.Errorf("%s: %w", what, err)
	}
	return err
}

func declined(what string) error { return fail.Newf(fail.Declined, "%s: declined", what) }

// flag is how the question's flag or argument is written.
func (q Question) flag() string {
	if q.Flag == "" || strings.HasPrefix(q.Flag, "-") || strings.HasPrefix(q.Flag, "<") {
		return q.Flag
	}
	return "--" + q.Flag
}

// nobody is the error for a question that cannot be asked.
func (q Question) nobody(why string) error {
	if q.Flag == "" {
		return fail.Usagef("cannot ask %q (%s)", q.Message, why)
	}
	return fail.Usagef("pass %s (%s)", q.flag(), why)
}

// check runs the question's own rule.
func (q Question) check(answer string) error {
	if q.Validate == nil {
		return nil
	}
	return q.Validate(answer)
}

// interrupted is what an ended context means for a question: an interrupt unless there is a better cause.
func interrupted(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return fail.ErrInterrupted
}

func isYes(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "y", "yes", "true":
		return true
	}
	return false
}
