package cluster

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

type peerOptions struct {
	stream string
	peer   string
	force  bool
	dryRun bool
	all    *bool
}

// moveTime is how long the servers may take to change the peers of a stream.
const moveTime = time.Minute

func evacuateVerb(all *bool) command.Node {
	return command.Verb[peerOptions]{
		Meta: command.Meta{
			Name: "evacuate", Short: "Move a stream and its consumers off a server",
			Long: "Another server takes the place of the peer, and the messages are copied to it first. The cluster needs a server to spare, and servers from 2.15 on. The command waits up to a minute.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: peerSet{}, Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats stream cluster evacuate --help", Says: "peer", About: "On a cluster: nats stream cluster evacuate ORDERS n3 --force"},
		},
		Bind: func(c *fisk.CmdClause, o *peerOptions) {
			o.all = all
			c.Arg("stream", "The stream").StringVar(&o.stream)
			c.Arg("peer", "The server to leave").StringVar(&o.peer)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
		},
		Run: runEvacuate,
	}
}

// peerSet is who keeps the stream now.
type peerSet struct {
	Stream string   `json:"stream"`
	Left   string   `json:"left,omitempty"`
	Peers  []string `json:"peers"`

	DryRun   bool   `json:"dry_run,omitempty"`
	Messages uint64 `json:"messages,omitempty"` // of the copy that would be lost, in a dry run
	Bytes    uint64 `json:"bytes,omitempty"`
}

// View names the peers.
func (s peerSet) View(p *render.Page) {
	if s.DryRun {
		p.Line("Would remove the copy of Stream %s on %s: %s messages (%s)", s.Stream, s.Left, render.Count(s.Messages), render.Bytes(s.Bytes))
		p.Line("Stream peers would be: %s", strings.Join(s.Peers, ", "))
		return
	}
	p.Line("Stream peers are now: %s", strings.Join(s.Peers, ", "))
}

// choosePeer is the peer that was named, or one of those there are.
func choosePeer(ctx context.Context, e *env.Env, s js.Stream, name string) (string, error) {
	if name != "" {
		return name, checkPeer(s, name)
	}
	list := peers(s)
	if len(list) == 0 {
		return "", fail.NotFoundf("stream %s has no peers", s.StreamInfo.Config.Name)
	}
	i, err := e.Prompt.Select(ctx, prompt.Question{Flag: jscmd.Argument("peer"), Message: "Select a Peer"}, list)
	if err != nil {
		return "", err
	}
	return list[i], nil
}

func runEvacuate(ctx context.Context, e *env.Env, o peerOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := clustered(ctx, e, c, *o.all, o.stream)
	if err != nil {
		return err
	}
	peer, err := choosePeer(ctx, e, s, o.peer)
	if err != nil {
		return err
	}
	name := s.StreamInfo.Config.Name
	if err := jscmd.Sure(ctx, e, o.force, "move Stream "+name+" off "+peer, name); err != nil {
		return err
	}
	e.Say("Evacuating stream from peer %q", peer)
	if err := c.Evacuate(ctx, name, peer); err != nil {
		return err
	}
	e.Say("Requested evacuation of peer %q", peer)
	e.Say("Waiting up to %s for peer state to change", "1 minute")
	s, err = await(ctx, e, c, name, moveTime, "the evacuation of "+peer, func(s js.Stream) bool {
		return s.Cluster != nil && s.Cluster.Leader != "" && s.Cluster.Desired == nil && !slices.Contains(peers(s), peer) && !peerID(s, peer)
	})
	if err != nil {
		return err
	}
	return e.Out.Print(peerSet{Stream: name, Left: peer, Peers: peers(s)})
}

func peerRemoveVerb(all *bool) command.Node {
	return command.Verb[peerOptions]{
		Meta: command.Meta{
			Name: "peer-remove", Aliases: []string{"pr"}, Short: "Take a server out of the group that keeps a stream", Hidden: true,
			Long: "The copy on the server is given up at once, before another server has one: nats stream cluster evacuate is the safer way.",
		},
		Scope: command.User, Effect: command.Destroys, Output: command.Value, Result: peerSet{}, Names: command.Names{"stream": command.Streams},
		Bind: func(c *fisk.CmdClause, o *peerOptions) {
			o.all = all
			c.Arg("stream", "The stream").StringVar(&o.stream)
			c.Arg("peer", "The server to take out").StringVar(&o.peer)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
			c.Flag("dry-run", "Show what would be given up").UnNegatableBoolVar(&o.dryRun)
		},
		Run: runPeerRemove,
	}
}

func runPeerRemove(ctx context.Context, e *env.Env, o peerOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := clustered(ctx, e, c, *o.all, o.stream)
	if err != nil {
		return err
	}
	peer, err := choosePeer(ctx, e, s, o.peer)
	if err != nil {
		return err
	}
	name := s.StreamInfo.Config.Name
	if o.dryRun {
		left := slices.DeleteFunc(peers(s), func(p string) bool { return p == peer })
		return e.Out.Print(peerSet{Stream: name, Left: peer, Peers: left, DryRun: true, Messages: s.State.Msgs, Bytes: s.State.Bytes})
	}
	e.IO.Warn("removing a peer gives up its copy before there is another: nats stream cluster evacuate keeps it until then")
	if err := jscmd.Sure(ctx, e, o.force, "remove peer "+peer+" from Stream "+name, name); err != nil {
		return err
	}
	if err := c.RemovePeer(ctx, name, peer); err != nil {
		return err
	}
	s, err = await(ctx, e, c, name, moveTime, "the removal of "+peer, func(s js.Stream) bool {
		return s.Cluster != nil && s.Cluster.Leader != "" && !slices.Contains(peers(s), peer) && !peerID(s, peer)
	})
	if err != nil {
		return err
	}
	return e.Out.Print(peerSet{Stream: name, Left: peer, Peers: peers(s)})
}
