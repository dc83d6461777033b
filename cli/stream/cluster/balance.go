package cluster

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

type balanceOptions struct {
	query  func() (js.Query, error)
	dryRun bool
}

func balanceVerb(query func(*fisk.CmdClause) func() (js.Query, error)) command.Node {
	return command.Verb[balanceOptions]{
		Meta: command.Meta{
			Name: "balance", Short: "Spread the leaders of streams over the servers",
			Long: "Leaders are moved until no server of a cluster leads two streams more than another that could lead them. Only the streams that the conditions select are counted and moved; streams on a single server are left alone.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: balanced{},
		Examples: []command.Example{
			{Line: "nats stream cluster balance", Says: "Balanced 0 streams.", About: "All streams"},
			{Line: "nats stream cluster balance --subject 'orders.>' --dry-run", Says: "Would balance 0 streams.", About: "See what would move"},
		},
		Bind: func(c *fisk.CmdClause, o *balanceOptions) {
			o.query = query(c)
			c.Flag("dry-run", "Show what would be moved").UnNegatableBoolVar(&o.dryRun)
		},
		Check: func(o *balanceOptions) error {
			_, err := o.query()
			return err
		},
		Run: runBalance,
	}
}

// balanced is what was moved, or would be.
type balanced struct {
	DryRun  bool      `json:"dry_run"`
	Streams int       `json:"streams"` // that were selected
	Single  int       `json:"single"`  // of these, those that have nobody else to lead them
	Moves   []js.Move `json:"moves"`
}

// View counts the moves; a dry run lists them.
func (b balanced) View(p *render.Page) {
	word := "Balanced"
	if b.DryRun {
		word = "Would balance"
	}
	if len(b.Moves) > 0 && (b.DryRun || !jscmd.Wordy(p)) {
		t := p.Table("Leaders to move", render.Column{Name: "Stream"}, render.Column{Name: "From"}, render.Column{Name: "To"})
		for _, m := range b.Moves {
			t.Row(render.Key(m.Name), m.From, m.To)
		}
		p.Gap()
	}
	p.Line("%s %d streams.", word, len(b.Moves))
}

func runBalance(ctx context.Context, e *env.Env, o balanceOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	q, err := o.query()
	if err != nil {
		return err
	}
	selected, err := q.Compile(e.Clock.Now())
	if err != nil {
		return err
	}
	b := balanced{DryRun: o.dryRun, Moves: []js.Move{}}
	var led []js.Led
	cover, err := c.Streams(ctx, q.Narrow(), func(s js.Stream) error {
		yes, err := selected(s.StreamInfo)
		if err != nil || !yes {
			return err
		}
		b.Streams++
		if l, ok := js.LedOf(s.StreamInfo.Config.Name, s.Cluster); ok {
			led = append(led, l)
		} else {
			b.Single++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if b.Streams > 0 && len(led) == 0 {
		e.Say("None of the %d streams has a second server that could lead it", b.Streams)
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
	return cover.Err("streams")
}

// carryOut makes the moves one after the other; after an error what was moved so far is printed.
func carryOut(ctx context.Context, e *env.Env, c *js.Client, b *balanced) error {
	for i, m := range b.Moves {
		e.Say("Moving the leader of stream %q from %q to %q", m.Name, m.From, m.To)
		err := c.StepDown(ctx, m.Name, m.To)
		if err == nil {
			_, err = await(ctx, e, c, m.Name, electionTime, "the move of the leader to "+m.To, func(s js.Stream) bool { return s.Cluster != nil && s.Cluster.Leader == m.To })
		}
		if err != nil {
			total := len(b.Moves)
			b.Moves = b.Moves[:i]
			if i == 0 || ctx.Err() != nil {
				return err
			}
			if perr := e.Out.Print(*b); perr != nil {
				return perr
			}
			return fail.Partialf("%d of %d streams were moved: %w", i, total, err)
		}
	}
	return nil
}
