package shell

import (
	"errors"
	"fmt"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/fail"
)

// explain turns a parser error into a usage error that names the flag or argument at fault and the nearest word to what
// was typed. fresh builds the same application again: finding the culprit sets values a second time.
func explain(err error, args []string, fresh func() *fisk.Application) error {
	var own *fail.Error
	if errors.As(err, &own) && own.Code != fail.Usage {
		return err
	}
	app := fresh()
	text := err.Error()
	if named := culprit(app, args, text); named != "" {
		text = named
	}
	out := fail.Usagef("%s", text)
	path, at := commandAt(app.Model(), args)
	switch {
	case errors.Is(err, fisk.ErrUnknownLongFlag):
		out.Hint = fail.DidYouMean("--", quoted(text, "--"), flagNames(app.Model(), at))
	case errors.Is(err, fisk.ErrExpectedKnownCommand):
		out.Hint = fail.DidYouMean("", quoted(text, ""), commandNames(app.Model(), at))
	}
	if out.Hint == "" {
		out.Hint = strings.TrimSpace("see nats "+path) + " --help"
	}
	return out
}

// culprit sets each value again, one by one, until one fails with the same text: the parser itself does not say which it was.
func culprit(app *fisk.Application, args []string, text string) string {
	pc, err := app.ParseContext(args)
	if pc == nil || (err != nil && err.Error() == text) {
		return ""
	}
	for _, el := range pc.Elements {
		if el.Value == nil {
			continue
		}
		switch c := el.Clause.(type) {
		case *fisk.FlagClause:
			m := c.Model()
			if err := m.Value.Set(*el.Value); err != nil && strings.HasSuffix(text, err.Error()) {
				return fmt.Sprintf("--%s: %s", m.Name, err)
			}
			// Validators name the flag bare: "count: too small".
			if rest, ok := strings.CutPrefix(text, m.Name+": "); ok {
				return fmt.Sprintf("--%s: %s", m.Name, rest)
			}
		case *fisk.ArgClause:
			m := c.Model()
			if err := m.Value.Set(*el.Value); err != nil && strings.HasSuffix(text, err.Error()) {
				return fmt.Sprintf("%s: %s", m.Name, err)
			}
		}
	}
	return ""
}

// quoted takes what the parser put in quotes out of its message.
func quoted(text, prefix string) string {
	for _, q := range []string{"'", `"`} {
		if _, rest, ok := strings.Cut(text, q); ok {
			word, _, _ := strings.Cut(rest, q)
			return strings.TrimPrefix(word, prefix)
		}
	}
	return ""
}

// commandAt is the commands that args name, from the top; none when they name no command.
func commandAt(m *fisk.ApplicationModel, args []string) (string, []*fisk.CmdModel) {
	var at []*fisk.CmdModel
	var path []string
	commands := m.Commands
next:
	for _, a := range args {
		for _, c := range commands {
			if c.Name == a {
				at, commands, path = append(at, c), c.Commands, append(path, a)
				continue next
			}
		}
		break
	}
	return strings.Join(path, " "), at
}

// flagNames are the flags that may stand behind the commands at.
func flagNames(app *fisk.ApplicationModel, at []*fisk.CmdModel) []string {
	var out []string
	add := func(flags []*fisk.FlagModel) {
		for _, f := range flags {
			if f.Hidden {
				continue
			}
			out = append(out, f.Name)
			if f.IsNegatable() {
				out = append(out, "no-"+f.Name)
			}
		}
	}
	add(app.Flags)
	for _, c := range at {
		add(c.Flags)
	}
	return out
}

func commandNames(app *fisk.ApplicationModel, at []*fisk.CmdModel) []string {
	commands := app.Commands
	if len(at) > 0 {
		commands = at[len(at)-1].Commands
	}
	var out []string
	for _, c := range commands {
		if !c.Hidden {
			out = append(append(out, c.Name), c.Aliases...)
		}
	}
	return out
}

// newApp builds the application for a command line, with more commands behind its own: nothing of it runs.
func (p Program) newApp(g *globals, s *command.Selection, more ...command.Node) *fisk.Application {
	app := fisk.New(p.Name, p.Help)
	app.Version(p.Build.Version)
	app.HelpFlag.Short('h')
	app.UsageTemplate(usageTemplate())
	g.bind(app)
	for _, n := range append(p.Tree(), more...) {
		n.Attach(app, s)
	}
	if p.Decorate != nil && s.Whole() {
		p.Decorate(app)
	}
	return app
}

func usageTemplate() string {
	return fisk.CompactMainUsageTemplate
}
