// Package server is the command group for servers.
package server

import "github.com/natskit/natskit/internal/command"

// Command is `nats server`.
func Command() command.Node {
	return command.Group{
		Meta: command.Meta{
			Name: "server", Aliases: []string{"srv", "sys", "system"}, Short: "Run a server",
			Long: "A real nats-server runs inside this program, with JetStream, for development, tests, demonstrations and edge machines.",
		},
		Nodes: func() []command.Node { return []command.Node{runVerb()} },
	}
}
