// Package errors is the command group for the catalogue of server errors.
package errors

import (
	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
)

// Command is `nats errors`.
func Command() command.Node {
	return command.Each(tree)
}

func tree() command.Node {
	file := new(string)
	return command.Group{
		Meta: command.Meta{
			Name: "errors", Aliases: []string{"err", "error"}, Short: "Look up the errors of the server",
			Long: "The list of JetStream API errors is part of this program; --errors reads another one from a file of the same form.",
		},
		Bind: func(c *fisk.CmdClause) {
			c.Flag("errors", "Use the list in this file instead of the built-in one").PlaceHolder("FILE").StringVar(file)
		},
		Nodes: func() []command.Node {
			return []command.Node{lsVerb(file), lookupVerb(file), editVerb(), validateVerb(file)}
		},
	}
}
