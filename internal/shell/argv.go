package shell

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/choria-io/fisk"
)

// canonical rewrites a command line so that the parser cannot misread it: the command words first, then every flag as
// --name=value, then "--" and the positional arguments. A lone "-", an argument such as "-5" and a flag whose value is
// "-" keep their meaning; what is unknown stays as typed, for the parser to name in its error.
func canonical(m *fisk.ApplicationModel, args []string) []string {
	w := walker{commands: m.Commands, long: map[string]*fisk.FlagModel{}, short: map[string]*fisk.FlagModel{}}
	w.learn(m.Flags)
	for len(args) > 0 {
		args = args[w.take(args):]
	}
	if len(w.lacking) > 0 {
		// It comes last, where nothing can be taken for its value.
		return append(append(append(w.path, w.positional...), w.flags...), w.lacking...)
	}
	if len(w.positional) > 0 && len(w.commands) > 0 {
		// An unknown command comes first, so that it is what the parser complains of, and not a flag of what was meant.
		return append(append(w.path, w.positional...), w.flags...)
	}
	out := append(w.path, w.flags...)
	if len(w.positional) == 0 {
		return out
	}
	return append(append(out, "--"), w.positional...)
}

type walker struct {
	commands    []*fisk.CmdModel
	long, short map[string]*fisk.FlagModel

	path, flags, positional []string
	lacking                 []string // a flag without its value
	ended                   bool     // "--" was seen
}

func (w *walker) learn(flags []*fisk.FlagModel) {
	for _, f := range flags {
		w.long[f.Name] = f
		if f.Short != 0 {
			w.short[string(f.Short)] = f
		}
	}
}

// take consumes the first argument, and the second where it is a flag's value; it returns how many.
func (w *walker) take(args []string) int {
	arg := args[0]
	switch {
	case w.ended, arg == "-", arg == "", !strings.HasPrefix(arg, "-"):
		if !w.ended && w.descend(arg) {
			return 1
		}
		w.positional = append(w.positional, arg)
		return 1
	case arg == "--":
		w.ended = true
		return 1
	case strings.HasPrefix(arg, "--"):
		return w.takeLong(arg, args[1:])
	}
	return w.takeShort(arg, args[1:])
}

func (w *walker) descend(word string) bool {
	for _, c := range w.commands {
		if c.Name == word || slices.Contains(c.Aliases, word) {
			w.path = append(w.path, c.Name)
			w.learn(c.Flags)
			w.commands = c.Commands
			return true
		}
	}
	if word == "help" && len(w.path) == 0 && len(w.positional) == 0 {
		// help is the parser's own command, made after the model was read; what follows it is its argument.
		w.path, w.commands = append(w.path, word), nil
		return true
	}
	return false
}

func (w *walker) takeLong(arg string, rest []string) int {
	name, _, hasValue := strings.Cut(arg[2:], "=")
	f := w.long[name]
	switch {
	case hasValue || f == nil || f.IsBoolFlag():
		w.flags = append(w.flags, arg)
		return 1
	case !isValue(rest):
		w.lacking = append(w.lacking, arg)
		return 1
	}
	w.flags = append(w.flags, arg+"="+rest[0])
	return 2
}

// takeShort spells a bundle such as -rt or -n5 out as long flags.
func (w *walker) takeShort(arg string, rest []string) int {
	var spelled []string
	for body := arg[1:]; body != ""; {
		r, n := utf8.DecodeRuneInString(body)
		f := w.short[string(r)]
		switch {
		case f == nil && len(spelled) == 0 && isNumber(arg) && len(w.commands) == 0:
			w.positional = append(w.positional, arg)
			return 1
		case f == nil:
			w.flags = append(append(w.flags, spelled...), "-"+body)
			return 1
		case f.IsBoolFlag():
			spelled, body = append(spelled, "--"+f.Name), body[n:]
			continue
		case len(body) > n:
			w.flags = append(append(w.flags, spelled...), "--"+f.Name+"="+strings.TrimPrefix(body[n:], "="))
			return 1
		case isValue(rest):
			w.flags = append(append(w.flags, spelled...), "--"+f.Name+"="+rest[0])
			return 2
		}
		w.flags = append(w.flags, spelled...)
		w.lacking = append(w.lacking, "--"+f.Name)
		return 1
	}
	w.flags = append(w.flags, spelled...)
	return 1
}

// isValue reports whether the next word can be a flag's value: a word that looks like a flag was more likely meant as one.
func isValue(rest []string) bool {
	return len(rest) > 0 && (!strings.HasPrefix(rest[0], "-") || rest[0] == "-" || isNumber(rest[0]))
}

func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	return s != "" && s[0] >= '0' && s[0] <= '9'
}
