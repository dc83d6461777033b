// Package fleet is the command group for fleets of devices.
package fleet

import (
	"github.com/natskit/natskit/cli/fleet/cmd"
	"github.com/natskit/natskit/cli/fleet/config"
	devices "github.com/natskit/natskit/cli/fleet/device"
	"github.com/natskit/natskit/cli/fleet/page"
	"github.com/natskit/natskit/internal/command"
)

// Command is `nats fleet`.
func Command() command.Node {
	return command.Group{
		Meta: command.Meta{
			Name: "fleet", Short: "Ask, configure and command many devices",
			Long: "Devices are micro services that all carry the same name. They answer queries about themselves, apply the configuration that a bucket holds for them, and run commands that wait for them in a stream while they are away.",
		},
		Nodes: func() []command.Node {
			nodes := append(devices.Command(), page.Command())
			return append(nodes, lsVerb(), infoVerb(), queryVerb(), config.Command(), cmd.Command(), mirrorVerb(), sourceVerb(), moveVerb(), initVerb())
		},
	}
}
