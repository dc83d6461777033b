package prompt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/natskit/natskit/internal/term"
)

// line is the next line that was typed, without its end. The end of input without a line is io.EOF.
func (s *session) line() (string, error) {
	var line []byte
	buf := make([]byte, 256)
	for {
		n, err := s.Read(buf)
		line = append(line, buf[:n]...)
		if bytes.HasSuffix(line, []byte("\n")) || bytes.HasSuffix(line, []byte("\r")) {
			return strings.TrimRight(string(line), "\r\n"), nil
		}
		if err != nil {
			if errors.Is(err, io.EOF) && len(line) > 0 {
				return string(line), nil
			}
			return "", err
		}
	}
}

// plainLine asks until take is content with the answer. What take refuses is said, and asked again.
func (t *terminal) plainLine(s *session, q Question, hint string, take func(answer string) error) error {
	for {
		text := t.message(q)
		if hint != "" {
			text += " " + hint
		}
		if _, err := s.Write([]byte(text + ": ")); err != nil {
			return err
		}
		answer, err := s.line()
		if err != nil {
			return err
		}
		if answer == "?" && q.Help != "" {
			_, _ = s.Write([]byte(term.Visible(q.Help, true) + "\n"))
			continue
		}
		if err = take(answer); err == nil {
			return nil
		}
		_, _ = s.Write([]byte(term.Visible(err.Error(), false) + "\n"))
	}
}

func (t *terminal) plainInput(s *session, q Question) (answer string, err error) {
	hint := ""
	if q.Default != "" {
		hint = "[" + term.Visible(q.Default, false) + "]"
	}
	err = t.plainLine(s, q, hint, func(text string) error {
		answer = text
		if text == "" {
			answer = q.Default
		}
		return q.check(answer)
	})
	return answer, err
}

func (t *terminal) plainConfirm(s *session, q Question) (yes bool, err error) {
	hint := "(y/N)"
	if isYes(q.Default) {
		hint = "(Y/n)"
	}
	err = t.plainLine(s, q, hint, func(text string) error {
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "":
			yes = isYes(q.Default)
		case "y", "yes":
			yes = true
		case "n", "no":
			yes = false
		default:
			return fmt.Errorf("%q is neither yes nor no", text)
		}
		return nil
	})
	return yes, err
}

func (t *terminal) plainSelect(s *session, q Question, options []string) (index int, err error) {
	hint := "(number)"
	if slices.Contains(options, q.Default) {
		hint = "(number) [" + term.Visible(q.Default, false) + "]"
	}
	if err := writeOptions(s, options); err != nil {
		return 0, err
	}
	err = t.plainLine(s, q, hint, func(text string) error {
		if strings.TrimSpace(text) == "" {
			text = q.Default
		}
		if index, err = pick(text, options); err != nil {
			return err
		}
		return q.check(options[index])
	})
	return index, err
}

func (t *terminal) plainMultiSelect(s *session, q Question, options []string) (chosen []int, err error) {
	hint := "(numbers, parted by commas)"
	if q.Default != "" {
		hint += " [" + term.Visible(q.Default, false) + "]"
	}
	if err := writeOptions(s, options); err != nil {
		return nil, err
	}
	err = t.plainLine(s, q, hint, func(text string) error {
		if strings.TrimSpace(text) == "" {
			chosen = defaults(q, options)
		} else if chosen, err = pickSome(text, options); err != nil {
			return err
		}
		slices.Sort(chosen)
		chosen = slices.Compact(chosen)
		var names []string
		for _, i := range chosen {
			names = append(names, options[i])
		}
		return q.check(strings.Join(names, ","))
	})
	return chosen, err
}

func writeOptions(s *session, options []string) error {
	var b strings.Builder
	for i, o := range visible(options) {
		fmt.Fprintf(&b, "%3d) %s\n", i+1, o)
	}
	_, err := s.Write([]byte(b.String()))
	return err
}

func pickSome(text string, options []string) (list []int, err error) {
	for _, word := range strings.Split(text, ",") {
		i, err := pick(word, options)
		if err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, nil
}

// pick finds an option by itself or by its number in the list.
func pick(text string, options []string) (int, error) {
	text = strings.TrimSpace(text)
	if i := slices.Index(options, text); i >= 0 {
		return i, nil
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(options) {
		return n - 1, nil
	}
	return 0, fmt.Errorf("%q is not in the list: give a number from 1 to %d", text, len(options))
}
