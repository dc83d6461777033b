package consumer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

// clusterGroup is `nats consumer cluster`.
func clusterGroup(g *group) command.Node {
	return command.Group{
		Meta: command.Meta{Name: "cluster", Aliases: []string{"c"}, Short: "Manage the servers that keep a consumer"},
		Nodes: func() []command.Node {
			return []command.Node{
				stepDownVerb(g),
				balanceVerb(g),
				evacuateVerb(g),
			}
		},
	}
}

const (
	electionTime = 10 * time.Second       // how long a new leader may take
	moveTime     = time.Minute            // how long a change of peers may take
	pollEvery    = 250 * time.Millisecond // the pause between two looks at a consumer that is changing
)

// peers are the servers that keep the consumer, the leader first.
func peers(c consumers.Consumer) []string {
	var out []string
	if c.Cluster == nil {
		return nil
	}
	if c.Cluster.Leader != "" {
		out = append(out, c.Cluster.Leader)
	}
	for _, r := range c.Cluster.Replicas {
		out = append(out, r.Name)
	}
	return out
}

// clustered is the consumer that was named or chosen, which must be in a cluster.
func (t target) clustered(ctx context.Context, e *env.Env, c *js.Client) (consumers.Consumer, error) {
	i, err := t.pick(ctx, e, c)
	if err == nil && (i.Cluster == nil || i.Cluster.Name == "") {
		err = fmt.Errorf("consumer %s is not in a cluster", full(i.Stream, i.Name))
	}
	return i, err
}

// await looks at the consumer until it is as wanted. While it changes it may have no leader to answer: that is not an error.
// what says what is waited for when the time is over.
func await(ctx context.Context, e *env.Env, c *js.Client, stream, name string, within time.Duration, what string, done func(consumers.Consumer) bool) (consumers.Consumer, error) {
	begin := e.Clock.Now()
	for {
		look, cancel := context.WithTimeout(ctx, min(c.Timeout(), within))
		i, err := consumers.Info(look, c, stream, name)
		cancel()
		switch {
		case err == nil && done(i):
			return i, nil
		case ctx.Err() != nil:
			return i, context.Cause(ctx)
		case fail.CodeOf(err) == fail.NotFound:
			return i, err
		case e.Clock.Now().Sub(begin) >= within:
			return i, fail.Newf(fail.NoAnswer, "consumer %s: %s did not happen within %s", full(stream, name), what, within).
				WithHint("nats consumer info %s %s shows how far it is", stream, name)
		}
		select {
		case <-ctx.Done():
			return i, context.Cause(ctx)
		case <-e.Clock.After(pollEvery):
		}
	}
}

type stepDownOptions struct {
	target
	preferred string
	force     bool
}

func stepDownVerb(g *group) command.Node {
	return command.Verb[stepDownOptions]{
		Meta: command.Meta{
			Name: "step-down", Aliases: []string{"elect", "down", "d"}, Short: "Have another server lead a consumer",
			Long: "The leader hands over, to the preferred server if one is named. The command ends when the new leader is known, with an error after ten seconds. --force asks for an election even where there seems to be no leader.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: api.ConsumerInfo{},
		Names: command.Names{"stream": command.Streams, "consumer": command.Consumers},
		Examples: []command.Example{
			{Line: "nats consumer cluster step-down --help", Says: "preferred", About: "On a cluster: nats consumer cluster step-down ORDERS NEW --preferred n2"},
		},
		Bind: func(c *fisk.CmdClause, o *stepDownOptions) {
			o.bind(c, g)
			c.Flag("preferred", "The server that should lead").StringVar(&o.preferred)
			c.Flag("force", "Ask for an election although there is no leader").Short('f').UnNegatableBoolVar(&o.force)
		},
		Check: func(o *stepDownOptions) error { return o.check() },
		Run:   runStepDown,
	}
}

func runStepDown(ctx context.Context, e *env.Env, o stepDownOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	i, err := o.clustered(ctx, e, c)
	if err != nil {
		return err
	}
	name, leader := full(i.Stream, i.Name), i.Cluster.Leader
	switch {
	case len(i.Cluster.Replicas) == 0:
		return fmt.Errorf("consumer %s has a single replica: there is nobody else to lead it", name)
	case leader == "" && !o.force:
		return fail.Hint(fmt.Errorf("consumer %s has no leader", name), "pass --force to ask for an election all the same")
	case o.preferred != "" && o.preferred == leader:
		return fmt.Errorf("consumer %s is led by %s already (10005)", name, leader)
	}
	e.Say("Requesting leader step down of %q in a %d peer RAFT group", leader, len(peers(i)))
	if err := consumers.StepDown(ctx, c, i.Stream, i.Name, o.preferred); err != nil {
		return err
	}
	i, err = await(ctx, e, c, i.Stream, i.Name, electionTime, "the election of a new leader", func(i consumers.Consumer) bool {
		if i.Cluster == nil || i.Cluster.Leader == "" {
			return false
		}
		if o.preferred != "" {
			return i.Cluster.Leader == o.preferred
		}
		return i.Cluster.Leader != leader
	})
	if err != nil {
		return err
	}
	e.Say("New leader elected %q", i.Cluster.Leader)
	return e.Out.Print(screen{Consumer: i})
}

type balanceOptions struct {
	stream string
	flags  queryFlags
	dryRun bool
	group  *group
}

func balanceVerb(g *group) command.Node {
	return command.Verb[balanceOptions]{
		Meta: command.Meta{
			Name: "balance", Short: "Spread the leaders of consumers over the servers",
			Long: "Leaders are moved until no server leads two consumers more than another that could lead them. Only the consumers that the conditions select are counted and moved; those on a single server are left alone.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: balanced{},
		Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats consumer cluster balance ORDERS", Says: "No consumers on ORDERS", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *balanceOptions) {
			o.group = g
			c.Arg("stream", "The stream").StringVar(&o.stream)
			o.flags.bind(c)
			c.Flag("dry-run", "Show what would be moved").UnNegatableBoolVar(&o.dryRun)
		},
		Check: func(o *balanceOptions) error { return o.flags.conditions().Check() },
		Run:   runBalance,
	}
}

// balanced is what was moved, or would be.
type balanced struct {
	Stream    string    `json:"stream"`
	DryRun    bool      `json:"dry_run"`
	Consumers int       `json:"consumers"` // that were selected
	Single    int       `json:"single"`    // of these, those that have nobody else to lead them
	Moves     []js.Move `json:"moves"`
}

// View counts the moves; a dry run lists them.
func (b balanced) View(p *render.Page) {
	if len(b.Moves) > 0 && (b.DryRun || !jscmd.Wordy(p)) {
		t := p.Table("Leaders to move", render.Column{Name: "Consumer"}, render.Column{Name: "From"}, render.Column{Name: "To"})
		for _, m := range b.Moves {
			t.Row(render.Key(m.Name), m.From, m.To)
		}
		p.Gap()
	}
	switch {
	case b.Consumers == 0:
		p.Line("No consumers on %s", b.Stream)
	case b.DryRun:
		p.Line("Would balance %s consumers on %s", render.Count(len(b.Moves)), b.Stream)
	default:
		p.Line("Balanced %s consumers on %s", render.Count(len(b.Moves)), b.Stream)
	}
}

func runBalance(ctx context.Context, e *env.Env, o balanceOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	stream, err := jscmd.NameStream(ctx, e, c, o.group.all, o.stream)
	if err != nil {
		return err
	}
	selected, err := o.flags.conditions().Compile(e.Clock.Now())
	if err != nil {
		return err
	}
	b := balanced{Stream: stream, DryRun: o.dryRun, Moves: []js.Move{}}
	var led []js.Led
	cover, err := consumers.List(ctx, c, stream, func(i consumers.Consumer) error {
		yes, err := selected(i)
		if err != nil || !yes {
			return err
		}
		b.Consumers++
		if l, ok := js.LedOf(i.Name, i.Cluster); ok {
			led = append(led, l)
		} else {
			b.Single++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if b.Single > 0 {
		e.Say("%d of %d consumers have no second server that could lead them", b.Single, b.Consumers)
	}
	b.Moves = append(b.Moves, js.Balance(led)...)
	if !o.dryRun {
		if err := carryOut(ctx, e, c, &b); err != nil {
			return err
		}
	}
	if err := e.Out.Print(b); err != nil {
		return err
	}
	return cover.Err("consumers")
}

// carryOut makes the moves one after the other; after an error what was moved so far is printed.
func carryOut(ctx context.Context, e *env.Env, c *js.Client, b *balanced) error {
	for n, m := range b.Moves {
		e.Say("Moving the leader of consumer %q from %q to %q", m.Name, m.From, m.To)
		err := consumers.StepDown(ctx, c, b.Stream, m.Name, m.To)
		if err == nil {
			_, err = await(ctx, e, c, b.Stream, m.Name, electionTime, "the move of the leader to "+m.To, func(i consumers.Consumer) bool { return i.Cluster != nil && i.Cluster.Leader == m.To })
		}
		if err == nil {
			continue
		}
		total := len(b.Moves)
		if b.Moves = b.Moves[:n]; n == 0 || ctx.Err() != nil {
			return err
		}
		if perr := e.Out.Print(*b); perr != nil {
			return perr
		}
		return fail.Partialf("%d of %d consumers were moved: %w", n, total, err)
	}
	return nil
}

type evacuateOptions struct {
	target
	peer  string
	force bool
}

func evacuateVerb(g *group) command.Node {
	return command.Verb[evacuateOptions]{
		Meta: command.Meta{
			Name: "evacuate", Short: "Move a consumer off a server",
			Long: "Another server of the stream takes the place of the peer; servers from 2.15 on do that. The command waits up to a minute.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: peerSet{},
		Names: command.Names{"stream": command.Streams, "consumer": command.Consumers},
		Examples: []command.Example{
			{Line: "nats consumer cluster evacuate --help", Says: "peer", About: "On a cluster: nats consumer cluster evacuate ORDERS NEW n3 --force"},
		},
		Bind: func(c *fisk.CmdClause, o *evacuateOptions) {
			o.bind(c, g)
			c.Arg("peer", "The server to leave").StringVar(&o.peer)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
		},
		Check: func(o *evacuateOptions) error { return o.check() },
		Run:   runEvacuate,
	}
}

// peerSet is who keeps the consumer now.
type peerSet struct {
	Stream   string   `json:"stream"`
	Consumer string   `json:"consumer"`
	Left     string   `json:"left"`
	Peers    []string `json:"peers"`
}

// View names the peers.
func (s peerSet) View(p *render.Page) {
	p.Line("Consumer peers are now: %s", strings.Join(s.Peers, ", "))
}

// onPeer reports whether the server, by its name or id, keeps the consumer.
func onPeer(i consumers.Consumer, peer string) bool {
	return slices.Contains(peers(i), peer) || i.Cluster != nil && slices.ContainsFunc(i.Cluster.Replicas, func(r *api.PeerInfo) bool { return r.Peer == peer })
}

func runEvacuate(ctx context.Context, e *env.Env, o evacuateOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	i, err := o.clustered(ctx, e, c)
	if err != nil {
		return err
	}
	name, list := full(i.Stream, i.Name), peers(i)
	switch {
	case o.peer != "" && !onPeer(i, o.peer):
		return fail.NotFoundf("consumer %s has no peer %s (10040)", name, o.peer).WithHint("its peers are %s", strings.Join(list, ", "))
	case o.peer == "" && len(list) == 0:
		return fail.NotFoundf("consumer %s has no peers", name)
	case o.peer == "":
		n, err := e.Prompt.Select(ctx, prompt.Question{Flag: jscmd.Argument("peer"), Message: "Select a Peer"}, list)
		if err != nil {
			return err
		}
		o.peer = list[n]
	}
	if err := jscmd.Sure(ctx, e, o.force, "move Consumer "+name+" off "+o.peer, i.Name); err != nil {
		return err
	}
	e.Say("Evacuating consumer from peer %q", o.peer)
	if err := consumers.Evacuate(ctx, c, i.Stream, i.Name, o.peer); err != nil {
		return err
	}
	e.Say("Waiting up to 1 minute for peer state to change")
	i, err = await(ctx, e, c, i.Stream, i.Name, moveTime, "the evacuation of "+o.peer, func(i consumers.Consumer) bool {
		return i.Cluster != nil && i.Cluster.Leader != "" && i.Cluster.Desired == nil && !onPeer(i, o.peer)
	})
	if err != nil {
		return err
	}
	return e.Out.Print(peerSet{Stream: i.Stream, Consumer: i.Name, Left: o.peer, Peers: peers(i)})
}
