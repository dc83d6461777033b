package stream

import (
	"context"
	"fmt"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

type gapsOptions struct {
	stream   string
	force    bool
	progress bool
	group    *group
}

func gapsVerb(g *group) command.Node {
	return command.Verb[gapsOptions]{
		Meta: command.Meta{
			Name: "gaps", Short: "Show which sequences of a stream are missing",
			Long: "Messages that were removed from between others, as runs of sequences. The server sends the sequence of each: with millions of them on a terminal a confirmation is asked for.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: []js.Gap{}, Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats stream gaps ORDERS", Says: "No deleted messages in ORDERS", About: "Look for removed messages", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *gapsOptions) {
			o.group = g
			c.Arg("stream", "The stream").StringVar(&o.stream)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
			c.Flag("progress", "Show on a terminal what is waited for").Default("true").BoolVar(&o.progress)
		},
		Run: runGaps,
	}
}

// gapList is the runs of missing sequences.
type gapList struct {
	stream string
	gaps   []js.Gap
}

// JSON is a list of pairs, first and last.
func (g gapList) JSON() any { return append([]js.Gap{}, g.gaps...) }

// View is the table of runs.
func (g gapList) View(p *render.Page) {
	if len(g.gaps) == 0 && jscmd.Wordy(p) {
		p.Line("No deleted messages in %s", g.stream)
		return
	}
	t := p.Table(fmt.Sprintf("%s gaps found in Stream %s", render.HumaneCount(uint64(len(g.gaps))), g.stream), render.Column{Name: "First Message"}, render.Column{Name: "Last Message"})
	for _, gap := range g.gaps {
		t.Row(render.Count(gap[0]), render.Count(gap[1]))
	}
}

// manyGaps is from how many deleted messages on the answer is large enough to ask first.
const manyGaps = 1_000_000

func runGaps(ctx context.Context, e *env.Env, o gapsOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := jscmd.Pick(ctx, e, c, o.group.all, o.stream)
	if err != nil {
		return err
	}
	g := gapList{stream: s.StreamInfo.Config.Name}
	n := s.State.NumDeleted
	if n == 0 {
		return e.Out.Print(g)
	}
	if n >= manyGaps && e.Prompt.Available() {
		what := fmt.Sprintf("read the sequences of %s deleted messages, about %s", render.HumaneCount(uint64(n)), render.HumaneBytes(uint64(n)*8))
		if err := prompt.Sure(ctx, e.Prompt, o.force, what); err != nil {
			return err
		}
	}
	if o.progress && e.IO.ErrTTY {
		e.Say("Reading the sequences of %s deleted messages", render.HumaneCount(uint64(n)))
	}
	if g.gaps, err = c.Gaps(ctx, g.stream); err != nil {
		return err
	}
	return e.Out.Print(g)
}
