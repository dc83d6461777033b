// Package cli is the tree of commands.
package cli

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/cli/account"
	"github.com/natskit/natskit/cli/backup"
	"github.com/natskit/natskit/cli/bench"
	"github.com/natskit/natskit/cli/consumer"
	contextcmd "github.com/natskit/natskit/cli/context"
	"github.com/natskit/natskit/cli/counter"
	"github.com/natskit/natskit/cli/errors"
	"github.com/natskit/natskit/cli/events"
	"github.com/natskit/natskit/cli/fleet"
	"github.com/natskit/natskit/cli/kv"
	"github.com/natskit/natskit/cli/latency"
	"github.com/natskit/natskit/cli/meta"
	"github.com/natskit/natskit/cli/micro"
	"github.com/natskit/natskit/cli/object"
	"github.com/natskit/natskit/cli/plugins"
	"github.com/natskit/natskit/cli/pub"
	"github.com/natskit/natskit/cli/reply"
	"github.com/natskit/natskit/cli/request"
	"github.com/natskit/natskit/cli/rtt"
	"github.com/natskit/natskit/cli/schema"
	"github.com/natskit/natskit/cli/server"
	"github.com/natskit/natskit/cli/stream"
	"github.com/natskit/natskit/cli/sub"
	"github.com/natskit/natskit/cli/trace"
	"github.com/natskit/natskit/cli/traffic"
	"github.com/natskit/natskit/docs"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/docgen"
	"github.com/natskit/natskit/internal/embedded"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/shell"
)

const help = "The command line of NATS: messaging, streams, stores, services, servers"

// Tree is every command in the order of the help.
func Tree() []command.Node {
	nodes := []command.Node{
		pub.Command(),
		sub.Command(),
		request.Command(),
		reply.Command(),
		rtt.Command(),
		latency.Command(),
		trace.Command(),
		traffic.Command(),
		stream.Command(),
		consumer.Command(),
		kv.Command(),
		object.Command(),
		counter.Command(),
		backup.Command(),
		micro.Command(),
		fleet.Command(),
		bench.Command(),
		events.Command(),
		account.Command(),
		schema.Command(),
		errors.Command(),
		contextcmd.Command(),
		server.Command(),
		plugins.Command(Tree),
	}
	return append(nodes, meta.Command(model, Tree)...)
}

func model() *fisk.ApplicationModel { return Program("").Model() }

// Program is the command line as a value, for main, documentation and tests.
func Program(version string) shell.Program {
	return shell.Program{
		Name: "nats", Help: help, Build: env.BuildInfo(version), Tree: Tree, OpenEmbedded: embedded.Open, Decorate: cheats,
		Topics: shell.Topics{Names: docs.Topics, Text: docs.Topic},
	}
}

// cheats gives nats cheat its pages: the examples of every top-level command.
func cheats(app *fisk.Application) {
	source := docgen.Source{App: app.Model(), Tree: Tree()}
	for _, group := range source.Groups() {
		app.Cheat(group, source.Cheat(group))
	}
	if app.CheatCommand != nil {
		app.CheatCommand.Hidden()
	}
}

// Main runs one command line in the process's own world and returns its exit code.
func Main(ctx context.Context, version string, args []string) int {
	ctx, hold, stop := shell.Signals(ctx)
	defer stop()
	e := env.System()
	e.HoldInterrupts = hold
	return Program(version).Run(ctx, args, e)
}
