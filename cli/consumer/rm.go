package consumer

import (
	"context"
	"fmt"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

type rmOptions struct {
	target
	force  bool
	dryRun bool
}

func rmVerb(g *group) command.Node {
	return command.Verb[rmOptions]{
		Meta: command.Meta{
			Name: "rm", Aliases: []string{"delete", "del"}, Short: "Remove a consumer",
			Long: "What it knows of deliveries and acknowledgements is lost; the messages of the stream stay. --dry-run shows what would go.",
		},
		Scope: command.User, Effect: command.Destroys, Output: command.Value, Result: removal{},
		Names: command.Names{"stream": command.Streams, "consumer": command.Consumers},
		Examples: []command.Example{
			{Line: "nats consumer rm ORDERS NEW --force", About: "Remove it without a question", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *rmOptions) {
			o.bind(c, g)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
			c.Flag("dry-run", "Show what would be removed").UnNegatableBoolVar(&o.dryRun)
		},
		Check: func(o *rmOptions) error {
			if o.force {
				if err := needNames(o.target); err != nil {
					return err
				}
			}
			return o.check()
		},
		Run: runRm,
	}
}

// removal is what was removed, or would be. Counts are known only where the consumer was looked at first.
type removal struct {
	DryRun      bool   `json:"dry_run"`
	Stream      string `json:"stream"`
	Consumer    string `json:"consumer"`
	Unprocessed uint64 `json:"num_pending"`
	AckPending  int    `json:"num_ack_pending"`
	Counted     bool   `json:"counted"`
}

// View is silent about what was done, as scripts expect.
func (r removal) View(p *render.Page) {
	if !r.DryRun && jscmd.Wordy(p) {
		return
	}
	t := p.Table("Consumer that would be removed", render.Column{Name: "Stream"}, render.Column{Name: "Consumer"}, render.Column{Name: "Unprocessed"}, render.Column{Name: "Ack Pending"})
	t.Row(r.Stream, render.Key(r.Consumer), render.Count(r.Unprocessed), render.Count(r.AckPending))
}

func runRm(ctx context.Context, e *env.Env, o rmOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	r := removal{DryRun: o.dryRun, Stream: o.stream, Consumer: o.consumer}
	// A broken consumer is removed all the same: forced, its state is not asked for.
	if !o.force || o.dryRun {
		i, err := o.pick(ctx, e, c)
		if err != nil {
			return err
		}
		r.Stream, r.Consumer, r.Unprocessed, r.AckPending, r.Counted = i.Stream, i.Name, i.NumPending, i.NumAckPending, true
	}
	if o.dryRun {
		return e.Out.Print(r)
	}
	what := "delete Consumer " + full(r.Stream, r.Consumer)
	if r.AckPending > 0 {
		what += fmt.Sprintf(" with %s messages under way", render.HumaneCount(uint64(r.AckPending)))
	}
	if err := jscmd.Sure(ctx, e, o.force, what, r.Consumer); err != nil {
		return err
	}
	if err := consumers.Delete(ctx, c, r.Stream, r.Consumer); err != nil {
		return err
	}
	return e.Out.Print(r)
}
