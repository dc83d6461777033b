package consumer

import (
	"cmp"
	"context"
	"slices"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

type findOptions struct {
	stream string
	flags  queryFlags
	table  bool
	group  *group
}

func findVerb(g *group) command.Node {
	return command.Verb[findOptions]{
		Meta: command.Meta{
			Name: "find", Aliases: []string{"query"}, Short: "Find consumers by conditions",
			Long: "All conditions must hold. Prints names, with --table the list; JSON is the info of each. An --expression is written in the language of expr-lang.org over config, state and info, with the keys of nats consumer info --json; durations in it are words such as \"30s\".",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: []api.ConsumerInfo{},
		Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats consumer find ORDERS --pull --idle 0s", Says: "NEW", About: "Pull consumers that nobody reads", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults"}},
			{Line: "nats consumer find ORDERS --expression 'state.num_ack_pending == 0' --table", Says: "NEW", About: "Anything the info knows", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *findOptions) {
			o.group = g
			c.Arg("stream", "The stream").StringVar(&o.stream)
			o.flags.bind(c)
			c.Flag("api-level", "That need this API level or a higher one").SetValue(flagval.NewInt64(&o.flags.APILevel).Min(0))
			c.Flag("table", "Print the list instead of names").UnNegatableBoolVar(&o.table)
		},
		Check: func(o *findOptions) error { return o.flags.conditions().Check() },
		Run:   runFind,
	}
}

// found are the consumers that a query selected: names for people, everything for programs.
type found struct{ listing }

// View is one name a line, or the table.
func (f found) View(p *render.Page) {
	if f.table || !jscmd.Wordy(p) {
		f.listing.View(p)
		return
	}
	for _, c := range f.consumers {
		p.Line("%s", render.Key(c.Name))
	}
}

func runFind(ctx context.Context, e *env.Env, o findOptions) error {
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
	f := found{listing{stream: stream, details: true, table: o.table}}
	f.cover, err = consumers.List(ctx, c, stream, func(con consumers.Consumer) error {
		yes, err := selected(con)
		if err == nil && yes {
			f.consumers = append(f.consumers, con)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(f.consumers, func(a, b consumers.Consumer) int { return cmp.Compare(a.Name, b.Name) })
	if err := e.Out.Print(f); err != nil {
		return err
	}
	return f.cover.Err("consumers")
}
