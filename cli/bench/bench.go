// Package bench is the group of commands that generate load and measure it.
package bench

import "github.com/natskit/natskit/internal/command"

// Command is `nats bench`.
func Command() command.Node {
	return command.Group{
		Meta: command.Meta{Name: "bench", Short: "Measure what a server and its clients can do",
			Long: `Every benchmark opens one connection for each client and reports what the connections carried: bytes are payloads and headers as the server counts them, and every latency says from where to where it was measured.

The engine wire, the default for core NATS, speaks the protocol without a client library and shows what the server can do; --engine nats.go shows what an application gets.

A run that is interrupted, that waits in vain or that meets an error reports what it has measured until then. Lost, repeated, denied or unconfirmed messages make it fail.`},
		Nodes: func() []command.Node {
			return []command.Node{pubVerb(), subVerb(), pubsubVerb(), serviceGroup(), jsGroup(), kvGroup(), oldjsGroup(), agentVerb(), compareVerb()}
		},
	}
}
