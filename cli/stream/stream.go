// Package stream is the commands about JetStream streams.
package stream

import (
	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/cli/stream/cluster"
	"github.com/natskit/natskit/internal/backupcmd"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/streamcmd"
)

// Command is `nats stream`.
func Command() command.Node {
	return command.Each(tree)
}

func tree() command.Node {
	g := &group{}
	return command.Group{
		Meta: command.Meta{
			Name: "stream", Aliases: []string{"str", "st", "ms", "s"}, Short: "Manage streams and the messages in them",
			Long: "A stream stores the messages of its subjects. Streams that back buckets and MQTT sessions (KV_, OBJ_, $MQTT_) are left out of lists and of questions unless --all is given.",
		},
		Bind: func(c *fisk.CmdClause) {
			c.Flag("all", "Show the streams behind buckets and MQTT sessions too").Short('a').UnNegatableBoolVar(&g.all)
		},
		Nodes: func() []command.Node {
			return []command.Node{
				addVerb(),
				editVerb(g),
				copyVerb(),
				lsVerb(g),
				infoVerb(g),
				stateVerb(g),
				rmVerb(g),
				purgeVerb(g),
				rmmVerb(g),
				viewVerb(g),
				getVerb(g),
				catVerb(g),
				grepVerb(),
				graphVerb(g),
				sealVerb(),
				gapsVerb(g),
				subjectsVerb(g),
				findVerb(),
				reportVerb(),
				backupcmd.Stream(command.Meta{Name: "backup", Aliases: []string{"snapshot"}, Hidden: true, Instead: "backup stream"}),
				backupcmd.RestoreStream(command.Meta{Name: "restore", Hidden: true, Instead: "backup restore stream"}),
				cluster.Command(&g.all, streamcmd.On),
			}
		},
	}
}

// group is what the verbs share: the flags of the group.
type group struct{ all bool }
