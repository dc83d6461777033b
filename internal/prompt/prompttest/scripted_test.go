package prompttest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt"
)

// recorder is a test that only notes what is reported.
type recorder struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) end() []string {
	for _, f := range r.cleanups {
		f()
	}
	return r.errors
}

func TestAnswersInOrder(t *testing.T) {
	t.Parallel()
	ctx, options := t.Context(), []string{"a", "b", "c"}
	odd := func(s string) error {
		if s == "bad" {
			return errors.New("bad")
		}
		return nil
	}
	r := &recorder{}
	s := Scripted(r, "bad", "name", Answer{Flag: "pw", Value: "secret"}, true, "b", 2, nil, []string{"c", "a"}, func(b []byte) []byte { return append(b, '!') }, fail.ErrInterrupted, nil)
	var got []any
	add := func(v any, err error) {
		if err != nil {
			v = err
		}
		got = append(got, v)
	}
	name, err := s.Input(ctx, prompt.Question{Flag: "name", Validate: odd})
	add(name, err)
	secret, err := s.Secret(ctx, prompt.Question{Flag: "pw"})
	add(string(secret), err)
	add(nil, prompt.Sure(ctx, s, false, "go"))
	for _, q := range []prompt.Question{{}, {}, {Default: "c"}} {
		i, err := s.Select(ctx, q, options)
		add(i, err)
	}
	chosen, err := s.MultiSelect(ctx, prompt.Question{}, options)
	add(fmt.Sprint(chosen), err)
	edited, err := s.Edit(ctx, prompt.Question{}, []byte("text"))
	add(string(edited), err)
	_, err = s.Input(ctx, prompt.Question{})
	add("", err)
	last, err := s.Input(ctx, prompt.Question{Default: "default"})
	add(last, err)
	want := []any{"name", "secret", nil, 1, 2, 2, "[0 2]", "text!", error(fail.ErrInterrupted), "default"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	if flags := strings.Join(s.Flags(), ","); flags != "name,pw,force,,,,,,," {
		t.Errorf("flags %s", flags)
	}
	if a := s.Asked(); a[2].Kind != "confirm" || a[2].Question.Message != "Really go?" || !reflect.DeepEqual(a[3].Options, options) || a[7].Content != "text" {
		t.Errorf("%+v", a)
	}
	if bad := r.end(); bad != nil {
		t.Errorf("%q", bad)
	}
}

func TestScriptsThatDoNotFit(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rows := []struct {
		name    string
		answers []any
		ask     func(*Script) error
		want    string
	}{
		{"unused", []any{"x"}, func(*Script) error { return nil }, "1 answers were not asked for"},
		{"unexpected", nil, func(s *Script) error { _, err := s.Input(ctx, prompt.Question{Flag: "f", Message: "M"}); return err }, `unexpected input "M" (--f)`},
		{"another flag", []any{Answer{Flag: "a", Value: "x"}}, func(s *Script) error { _, err := s.Input(ctx, prompt.Question{Flag: "b"}); return err }, "is for --b, the answer for --a"},
		{"another kind", []any{"yes"}, func(s *Script) error { _, err := s.Confirm(ctx, prompt.Question{}); return err }, "an answer of type string does not fit"},
		{"no such option", []any{"z"}, func(s *Script) error { _, err := s.Select(ctx, prompt.Question{}, []string{"a"}); return err }, `z is not one of ["a"]`},
		{"no such options", []any{[]int{5}}, func(s *Script) error { _, err := s.MultiSelect(ctx, prompt.Question{}, []string{"a"}); return err }, "5 is not one of"},
		{"refused to the end", []any{"x"}, func(s *Script) error {
			_, err := s.Input(ctx, prompt.Question{Validate: func(string) error { return errors.New("no") }})
			return err
		}, "unexpected input"},
	}
	for _, row := range rows {
		r := &recorder{}
		err := row.ask(Scripted(r, row.answers...))
		if bad := r.end(); len(bad) != 1 || !strings.Contains(bad[0], row.want) || (err == nil) != (row.name == "unused") {
			t.Errorf("%s: %q, %v", row.name, bad, err)
		}
	}
}

func TestEndedContextAndNone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fail.ErrTerminated)
	if _, err := Scripted(t).Input(ctx, prompt.Question{}); !errors.Is(err, fail.ErrTerminated) {
		t.Error(err)
	}
	if None().Available() {
		t.Error("available")
	}
}
