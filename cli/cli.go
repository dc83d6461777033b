// Package cli is the tree of commands.
package cli

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/cli/errors"
	"github.com/natskit/natskit/cli/events"
	"github.com/natskit/natskit/cli/kv"
	"github.com/natskit/natskit/cli/meta"
	"github.com/natskit/natskit/cli/micro"
	"github.com/natskit/natskit/cli/pub"
	"github.com/natskit/natskit/cli/rtt"
	"github.com/natskit/natskit/cli/schema"
	"github.com/natskit/natskit/cli/server"
	"github.com/natskit/natskit/cli/stream"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/embedded"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/shell"
)

const help = "The command line of NATS: messaging, streams, stores, services, servers"

// Tree is every command in the order of the help.
func Tree() []command.Node {
	nodes := []command.Node{
		pub.Command(),
		rtt.Command(),
		micro.Command(),
		stream.Command(),
		errors.Command(),
		schema.Command(),
		events.Command(),
		server.Command(),
		kv.Command(),
	}
	return append(nodes, meta.Command(model, Tree)...)
}

func model() *fisk.ApplicationModel { return Program("").Model() }

// Program is the command line as a value, for main, documentation and tests.
func Program(version string) shell.Program {
	return shell.Program{Name: "nats", Help: help, Build: env.BuildInfo(version), Tree: Tree, OpenEmbedded: embedded.Open}
}

// Main runs one command line in the process's own world and returns its exit code.
func Main(ctx context.Context, version string, args []string) int {
	ctx, stop := shell.Signals(ctx)
	defer stop()
	return Program(version).Run(ctx, args, env.System())
}
