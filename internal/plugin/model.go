package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// deepest is how far commands may be nested.
const deepest = 16

// Read understands a description: what the parser would choke on is an error, what it does for every program itself, such
// as --help, is left out.
func Read(def []byte) (*Model, error) {
	var m Model
	if err := json.Unmarshal(def, &m); err != nil {
		return nil, fmt.Errorf("the description cannot be read: %w", err)
	}
	if m.Name == "" || m.Help == "" {
		return nil, errors.New("the description has no name or no help")
	}
	if len(m.Args) > 0 && len(m.Commands) > 0 {
		return nil, errors.New("the description has both arguments and commands at the top")
	}
	m.Help = clean(m.Help)
	var err error
	if m.Flags, err = flags(m.Flags, nil); err != nil {
		return nil, err
	}
	if err := args(m.Args); err != nil {
		return nil, err
	}
	m.Commands, err = commands(m.Commands, m.Flags, 1)
	return &m, err
}

func commands(list []Command, above []Flag, depth int) ([]Command, error) {
	if depth > deepest {
		return nil, errors.New("commands are nested too deep")
	}
	var out []Command
	words := map[string]bool{}
	for _, c := range list {
		if depth == 1 && (c.Name == "help" || c.Name == "help_long" || c.Name == "cheat") {
			continue
		}
		for _, w := range append([]string{c.Name}, c.Aliases...) {
			if !word(w) || words[w] {
				return nil, fmt.Errorf("command %q: its name or an alias is not a word, or is there twice", w)
			}
			words[w] = true
		}
		if len(c.Args) > 0 && len(c.Commands) > 0 {
			return nil, fmt.Errorf("command %s has both arguments and commands", c.Name)
		}
		c.Help, c.HelpLong = clean(c.Help), clean(c.HelpLong)
		if err := args(c.Args); err != nil {
			return nil, fmt.Errorf("command %s: %w", c.Name, err)
		}
		var err error
		if c.Flags, err = flags(c.Flags, above); err != nil {
			return nil, fmt.Errorf("command %s: %w", c.Name, err)
		}
		if c.Commands, err = commands(c.Commands, append(above[:len(above):len(above)], c.Flags...), depth+1); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// flags are those that are the program's own; a name or letter that is taken above is refused.
func flags(list, above []Flag) ([]Flag, error) {
	names, letters := map[string]bool{}, map[rune]bool{}
	for _, f := range above {
		names[f.Name] = true
		if f.Short != 0 {
			letters[f.Short] = true
		}
	}
	var out []Flag
	for _, f := range list {
		switch {
		case f.Name == "help", f.Name == "version", strings.HasPrefix(f.Name, "help-"), strings.HasPrefix(f.Name, "completion-"), strings.HasPrefix(f.Name, "fisk-"):
			continue
		case !word(f.Name) || names[f.Name]:
			return nil, fmt.Errorf("flag %q is not a word, or is there twice", f.Name)
		case f.Short != 0 && (letters[f.Short] || !unicode.IsPrint(f.Short) || f.Short == '-'):
			return nil, fmt.Errorf("flag %s: its letter is taken, or none", f.Name)
		}
		names[f.Name] = true
		if f.Short != 0 {
			letters[f.Short] = true
		}
		f.Help = clean(f.Help)
		out = append(out, f)
	}
	return out, nil
}

func args(list []Arg) error {
	names := map[string]bool{}
	for i := range list {
		a := &list[i]
		switch {
		case !word(a.Name) || names[a.Name]:
			return fmt.Errorf("argument %q is not a word, or is there twice", a.Name)
		case a.Cumulative && i < len(list)-1:
			return fmt.Errorf("argument %s takes all, and another follows it", a.Name)
		case a.Required && i > 0 && !list[i-1].Required:
			return fmt.Errorf("argument %s is required and follows one that is not", a.Name)
		}
		names[a.Name] = true
		a.Help = clean(a.Help)
	}
	return nil
}

// word tells what can stand on a command line as one word.
func word(s string) bool {
	return s != "" && s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune("='\"\\", r)
	})
}

// clean takes out what could drive a terminal; line breaks stay.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}
