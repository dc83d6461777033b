// Package plugins is the command group for programs that become commands.
package plugins

import (
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/plugin"
)

// Command is `nats plugins`; tree gives it the commands whose names are taken, which only cli knows.
func Command(tree func() []command.Node) command.Node {
	return command.Group{
		Meta: command.Meta{
			Name: "plugins", Short: "Add programs as commands", Hidden: true,
			Long: "A program that describes its commands when it is run with --fisk-introspect, as programs built with the fisk library do, can become a command of nats. It gets its arguments as they were typed, the environment and the terminal; its exit code is ours. This is an experiment.",
		},
		Nodes: func() []command.Node {
			return []command.Node{registerVerb(tree), lsVerb(), rmVerb()}
		},
	}
}

func open(e *env.Env) (plugin.Store, error) {
	dir, err := plugin.Dir(e.Getenv)
	return plugin.Open(dir), err
}
