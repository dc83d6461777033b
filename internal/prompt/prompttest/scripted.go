// Package prompttest answers questions in tests.
package prompttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/prompt"
)

// Answer is what a script says to one question.
type Answer struct {
	// Flag, when set, must be the question's.
	Flag string
	// Value is, by the kind of question: Input a string; Secret a string or []byte; Confirm a bool; Select an option or its index;
	// MultiSelect options or their indices; Edit a string, []byte or func([]byte) []byte. nil takes the question's default. An error is
	// what the question fails with, such as fail.ErrInterrupted.
	Value any
}

// Asked is a question that came.
type Asked struct {
	Kind     string // input, secret, confirm, select, multiselect, edit
	Question prompt.Question
	Options  []string
	Content  string // edit: what was to be edited
}

// Script is a Prompter that answers in order. It fails the test on a question without an answer, on one of another kind or flag,
// and, when the test ends, on answers that were not asked for.
type Script struct {
	t       testing.TB
	answers []Answer
	asked   []Asked
}

// Scripted returns a Prompter that gives the answers in order. Each is an Answer, or the Value of one.
func Scripted(t testing.TB, answers ...any) *Script {
	t.Helper()
	s := &Script{t: t}
	for _, a := range answers {
		if whole, ok := a.(Answer); ok {
			s.answers = append(s.answers, whole)
		} else {
			s.answers = append(s.answers, Answer{Value: a})
		}
	}
	t.Cleanup(func() {
		if len(s.answers) > 0 {
			t.Errorf("prompt: %d answers were not asked for, the next is %v", len(s.answers), s.answers[0])
		}
	})
	return s
}

// None is a Prompter without a terminal: every question is the usage error that a script would see.
func None() prompt.Prompter { return prompt.New(prompt.Options{}) }

// Asked are the questions that came, in order.
func (s *Script) Asked() []Asked { return slices.Clone(s.asked) }

// Flags are the flags of the questions that came, in order.
func (s *Script) Flags() []string {
	flags := make([]string, len(s.asked))
	for i, a := range s.asked {
		flags[i] = a.Question.Flag
	}
	return flags
}

// Available is true: a script is there to answer.
func (s *Script) Available() bool { return true }

var errScript = errors.New("the test has no answer to this question")

// next takes answers until the question's own rule accepts one, as a terminal would ask again.
func (s *Script) next(ctx context.Context, a Asked, take func(value any) (string, error)) error {
	s.t.Helper()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.asked = append(s.asked, a)
	for {
		if len(s.answers) == 0 {
			s.t.Errorf("prompt: unexpected %s %q (--%s)", a.Kind, a.Question.Message, a.Question.Flag)
			return errScript
		}
		answer := s.answers[0]
		s.answers = s.answers[1:]
		if answer.Flag != "" && answer.Flag != a.Question.Flag {
			s.t.Errorf("prompt: %s %q is for --%s, the answer for --%s", a.Kind, a.Question.Message, a.Question.Flag, answer.Flag)
			return errScript
		}
		if err, ok := answer.Value.(error); ok {
			return err
		}
		text, err := take(answer.Value)
		if err != nil {
			s.t.Errorf("prompt: %s %q (--%s): %v", a.Kind, a.Question.Message, a.Question.Flag, err)
			return errScript
		}
		if a.Question.Validate == nil || a.Question.Validate(text) == nil {
			return nil
		}
	}
}

func wrongKind(value any) error { return fmt.Errorf("an answer of type %T does not fit", value) }

// Input takes a string.
func (s *Script) Input(ctx context.Context, q prompt.Question) (answer string, err error) {
	s.t.Helper()
	err = s.next(ctx, Asked{Kind: "input", Question: q}, func(value any) (string, error) {
		switch v := value.(type) {
		case nil:
			answer = q.Default
		case string:
			answer = v
			if v == "" {
				answer = q.Default
			}
		default:
			return "", wrongKind(value)
		}
		return answer, nil
	})
	return answer, err
}

// Secret takes a string or bytes.
func (s *Script) Secret(ctx context.Context, q prompt.Question) (secret []byte, err error) {
	s.t.Helper()
	err = s.next(ctx, Asked{Kind: "secret", Question: q}, func(value any) (string, error) {
		switch v := value.(type) {
		case nil:
			secret = []byte(q.Default)
		case string:
			secret = []byte(v)
		case []byte:
			secret = slices.Clone(v)
		default:
			return "", wrongKind(value)
		}
		return string(secret), nil
	})
	return secret, err
}

// Confirm takes a bool.
func (s *Script) Confirm(ctx context.Context, q prompt.Question) (yes bool, err error) {
	s.t.Helper()
	q.Validate = nil
	err = s.next(ctx, Asked{Kind: "confirm", Question: q}, func(value any) (string, error) {
		switch v := value.(type) {
		case nil:
			yes = q.Default == "true" || q.Default == "yes" || q.Default == "y"
		case bool:
			yes = v
		default:
			return "", wrongKind(value)
		}
		return "", nil
	})
	return yes, err
}

// Select takes an option or its index.
func (s *Script) Select(ctx context.Context, q prompt.Question, options []string) (index int, err error) {
	s.t.Helper()
	err = s.next(ctx, Asked{Kind: "select", Question: q, Options: options}, func(value any) (string, error) {
		if value == nil {
			value = q.Default
			if q.Default == "" {
				value = 0
			}
		}
		index, err = indexOf(value, options)
		if err != nil {
			return "", err
		}
		return options[index], nil
	})
	return index, err
}

// MultiSelect takes options or their indices.
func (s *Script) MultiSelect(ctx context.Context, q prompt.Question, options []string) (chosen []int, err error) {
	s.t.Helper()
	err = s.next(ctx, Asked{Kind: "multiselect", Question: q, Options: options}, func(value any) (string, error) {
		var list []any
		switch v := value.(type) {
		case nil:
			for _, name := range strings.FieldsFunc(q.Default, func(r rune) bool { return r == ',' }) {
				list = append(list, strings.TrimSpace(name))
			}
		case []string:
			for _, name := range v {
				list = append(list, name)
			}
		case []int:
			for _, i := range v {
				list = append(list, i)
			}
		default:
			return "", wrongKind(value)
		}
		chosen = nil
		for _, v := range list {
			i, err := indexOf(v, options)
			if err != nil {
				return "", err
			}
			chosen = append(chosen, i)
		}
		slices.Sort(chosen)
		names := make([]string, len(chosen))
		for i, c := range chosen {
			names[i] = options[c]
		}
		return strings.Join(names, ","), nil
	})
	return chosen, err
}

func indexOf(value any, options []string) (int, error) {
	switch v := value.(type) {
	case int:
		if v >= 0 && v < len(options) {
			return v, nil
		}
	case string:
		if i := slices.Index(options, v); i >= 0 {
			return i, nil
		}
	default:
		return 0, wrongKind(value)
	}
	return 0, fmt.Errorf("%v is not one of %q", value, options)
}

// Edit takes the new text, or a function that makes it from the old one.
func (s *Script) Edit(ctx context.Context, q prompt.Question, content []byte) (edited []byte, err error) {
	s.t.Helper()
	err = s.next(ctx, Asked{Kind: "edit", Question: q, Content: string(content)}, func(value any) (string, error) {
		switch v := value.(type) {
		case nil:
			edited = content
		case string:
			edited = []byte(v)
		case []byte:
			edited = v
		case func([]byte) []byte:
			edited = v(slices.Clone(content))
		default:
			return "", wrongKind(value)
		}
		return string(edited), nil
	})
	return edited, err
}
