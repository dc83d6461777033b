package prompt

import (
	"context"
	"errors"
	"unicode"
	"unicode/utf8"

	survey "github.com/AlecAivazis/survey/v2/terminal"

	"github.com/natskit/natskit/internal/term"
)

// Secret asks in the same way on every terminal: the echo is off and nothing is drawn, not even how long the answer is.
func (t *terminal) Secret(ctx context.Context, q Question) (secret []byte, err error) {
	err = t.ask(ctx, q, func(s *session) error {
		for {
			line, err := s.hiddenLine(t.message(q) + " (not shown): ")
			_, _ = s.Write([]byte("\r\n"))
			if err != nil {
				return err
			}
			if q.Help != "" && string(line) == "?" {
				_, _ = s.Write([]byte(term.Visible(q.Help, true) + "\n"))
				continue
			}
			if len(line) == 0 {
				line = []byte(q.Default)
			}
			if bad := q.check(string(line)); bad != nil {
				_, _ = s.Write([]byte(term.Visible(bad.Error(), false) + "\n"))
				clear(line)
				continue
			}
			secret = line
			return nil
		}
	})
	return secret, err
}

// hiddenLine turns the echo off, then asks, and reads keys until Enter. Backspace takes one back, Ctrl-U all of them.
func (s *session) hiddenLine(text string) ([]byte, error) {
	s.raw = true
	defer func() { s.raw = false }()
	keys := survey.NewRuneReader(s.stdio())
	if err := keys.SetTermMode(); err != nil {
		return nil, errors.New("the terminal does not let its echo be turned off")
	}
	defer func() { _ = keys.RestoreTermMode() }()
	if _, err := s.Write([]byte(text)); err != nil {
		return nil, err
	}
	var line []byte
	for {
		key, _, err := keys.ReadRune()
		switch {
		case s.stuck != nil:
			clear(line)
			return nil, s.stuck
		case err != nil:
			return nil, err
		}
		switch key {
		case survey.KeyInterrupt:
			clear(line)
			return nil, survey.InterruptErr
		case '\r', '\n', survey.KeyEndTransmission:
			return line, nil
		case survey.KeyBackspace, survey.KeyDelete:
			_, size := utf8.DecodeLastRune(line)
			line = line[:len(line)-size]
		case ctrlU:
			line = line[:0]
		default:
			if !unicode.IsControl(key) { // arrows and the like are control characters here
				line = utf8.AppendRune(line, key)
			}
		}
	}
}
