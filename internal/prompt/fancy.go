package prompt

import (
	"errors"
	"runtime"
	"slices"
	"strings"

	"github.com/AlecAivazis/survey/v2"
	"github.com/AlecAivazis/survey/v2/core"

	"github.com/natskit/natskit/internal/term"
)

// errorText replaces survey's own: what is wrong, and no more.
const errorText = `{{color .Icon.Format}}{{.Icon.Text}} {{.Error.Error}}{{color "reset"}}{{"\n"}}`

// tries bounds how often a question is put again after survey gave up by itself.
const tries = 10

// run puts a survey prompt on the terminal. Where survey trips over its own menu, a new prompt takes its place.
func (t *terminal) run(s *session, fresh func() survey.Prompt, answer any, check survey.Validator) (err error) {
	core.DisableColor = t.o.Getenv("NO_COLOR") != ""
	survey.ErrorTemplate = errorText
	opts := []survey.AskOpt{survey.WithStdio(input{s}, output{s}, output{s}), survey.WithShowCursor(true)}
	if check != nil {
		opts = append(opts, survey.WithValidator(func(a any) error {
			if err := check(a); err != nil {
				return errors.New(term.Visible(err.Error(), false))
			}
			return nil
		}))
	}
	for range tries {
		err = s.askOnce(fresh(), answer, opts)
		if s.stuck != nil {
			return s.stuck
		}
		if !errors.Is(err, errTripped) {
			return err
		}
		_, _ = s.Write([]byte("\r\n"))
	}
	return err
}

var errTripped = errors.New("the terminal sends keys that make no sense")

func (s *session) askOnce(p survey.Prompt, answer any, opts []survey.AskOpt) (err error) {
	s.raw = true
	defer func() {
		s.raw = false
		// survey uses a cursor position it was not told, and moves above the first line of a menu filtered to nothing.
		if r := recover(); r != nil {
			if _, ok := r.(runtime.Error); !ok {
				panic(r)
			}
			err = errTripped
		}
	}()
	return survey.AskOne(p, answer, opts...)
}

func (t *terminal) fancyInput(s *session, q Question) (string, error) {
	shown := term.Visible(q.Default, false)
	original := func(answer string) string {
		if answer == shown {
			return q.Default
		}
		return answer
	}
	answer := ""
	fresh := func() survey.Prompt { return &survey.Input{Message: t.message(q), Default: shown, Help: q.Help} }
	err := t.run(s, fresh, &answer, func(a any) error { return q.check(original(a.(string))) })
	return original(answer), err
}

func (t *terminal) fancyConfirm(s *session, q Question) (yes bool, err error) {
	fresh := func() survey.Prompt {
		return &survey.Confirm{Message: t.message(q), Default: isYes(q.Default), Help: q.Help}
	}
	err = t.run(s, fresh, &yes, nil)
	return yes, err
}

func (t *terminal) fancySelect(s *session, q Question, options []string) (int, error) {
	fresh := func() survey.Prompt {
		p := &survey.Select{Message: t.message(q), Options: visible(options), Help: q.Help, PageSize: pageSize}
		if i := slices.Index(options, q.Default); i >= 0 {
			p.Default = i
		}
		return p
	}
	s.eofEnds = true
	defer func() { s.eofEnds = false }()
	index := 0
	err := t.run(s, fresh, &index, func(a any) error { return q.check(options[a.(core.OptionAnswer).Index]) })
	return index, err
}

func (t *terminal) fancyMultiSelect(s *session, q Question, options []string) ([]int, error) {
	fresh := func() survey.Prompt {
		return &survey.MultiSelect{Message: t.message(q), Options: visible(options), Help: q.Help, PageSize: pageSize, Default: defaults(q, options)}
	}
	s.eofEnds = true
	defer func() { s.eofEnds = false }()
	var chosen []int
	err := t.run(s, fresh, &chosen, func(a any) error {
		var names []string
		for _, o := range a.([]core.OptionAnswer) {
			names = append(names, options[o.Index])
		}
		return q.check(strings.Join(names, ","))
	})
	slices.Sort(chosen)
	return chosen, err
}

const pageSize = 12

func visible(options []string) []string {
	shown := make([]string, len(options))
	for i, o := range options {
		shown[i] = term.Visible(o, false)
	}
	return shown
}

// defaults are the indices of the options that the question's default names.
func defaults(q Question, options []string) []int {
	var list []int
	for _, name := range strings.Split(q.Default, ",") {
		if i := slices.Index(options, strings.TrimSpace(name)); i >= 0 {
			list = append(list, i)
		}
	}
	return list
}
