package shell

import (
	"slices"
	"strings"

	"github.com/natskit/natskit/internal/fail"
)

// Topics are texts that `nats help NAME` shows beside the help of commands.
type Topics struct {
	Names func() []string
	Text  func(name string) (string, bool)
}

// topic shows a topic when the command line asks for one that is no command.
func (r *run) topic() (bool, error) {
	t := r.p.Topics
	if t.Text == nil || len(r.args) != 2 || r.args[0] != "help" {
		return false, nil
	}
	name := r.args[1]
	if name == "topics" {
		return true, r.write(strings.Join(t.Names(), "\n") + "\n")
	}
	if text, ok := t.Text(name); ok {
		return true, r.write(text)
	}
	app := r.newApp(&globals{}, r.sel)
	names := commandNames(app.Model(), nil)
	if slices.Contains(names, name) {
		return false, nil
	}
	e := fail.Usagef("there is no help on %q", name)
	if e.Hint = fail.DidYouMean("", name, append(names, t.Names()...)); e.Hint == "" {
		e.Hint = "nats --help lists the commands, nats help topics the topics"
	}
	return true, e
}

func (r *run) write(text string) error {
	_, err := r.e.IO.Out.Write([]byte(text))
	return err
}
