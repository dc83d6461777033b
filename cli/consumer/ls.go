package consumer

import (
	"cmp"
	"context"
	"slices"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

type lsOptions struct {
	stream   string
	names    bool
	details  bool
	noSelect bool
	group    *group
}

func lsVerb(g *group) command.Node {
	return command.Verb[lsOptions]{
		Meta: command.Meta{
			Name: "ls", Aliases: []string{"list"}, Short: "List the consumers of a stream",
			Long: "JSON is the list of names; with --details it is the info of each. A list that lacks consumers, because servers do not answer, says so and ends with code 7.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: []string{},
		Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats consumer ls ORDERS", Says: "NEW", About: "All consumers", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults"}},
			{Line: "nats consumer ls ORDERS --names", Says: "NEW", About: "Their names", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *lsOptions) {
			o.group = g
			c.Arg("stream", "The stream").StringVar(&o.stream)
			c.Flag("names", "Print the names alone, one a line").Short('n').UnNegatableBoolVar(&o.names)
			c.Flag("details", "JSON of the whole info instead of the names").UnNegatableBoolVar(&o.details)
			c.Flag("no-select", "Do not offer a choice when the name is missing").Default("false").UnNegatableBoolVar(&o.noSelect)
		},
		Check: func(o *lsOptions) error {
			if o.noSelect && o.stream == "" {
				return fail.Usagef("pass <stream>")
			}
			return nil
		},
		Run: runLs,
	}
}

// listing is the consumers of a stream, or those that a query selected.
type listing struct {
	stream    string
	consumers []consumers.Consumer
	cover     js.Coverage
	details   bool
	table     bool // the table is wanted even when it is empty
}

// JSON is the names, or with --details the info documents.
func (l listing) JSON() any {
	if l.details {
		return append([]consumers.Consumer{}, l.consumers...)
	}
	out := make([]string, 0, len(l.consumers))
	for _, c := range l.consumers {
		out = append(out, c.Name)
	}
	return out
}

// View is the table, and what is missing from it.
func (l listing) View(p *render.Page) {
	if len(l.consumers) == 0 && l.cover.Complete() && !l.table && jscmd.Wordy(p) {
		p.Line("No Consumers defined")
		return
	}
	t := p.Table("Consumers", render.Column{Name: "Name"}, render.Column{Name: "Description", Elide: render.End, Drop: 2}, render.Column{Name: "Created", Drop: 1},
		render.Column{Name: "Ack Pending", Align: render.Right}, render.Column{Name: "Unprocessed", Align: render.Right}, render.Column{Name: "Last Delivery"})
	for _, c := range l.consumers {
		t.Row(render.Key(c.Name), c.ConsumerInfo.Config.Description, render.At(c.Created), render.Count(c.NumAckPending), render.Count(c.NumPending), lastDelivery(p, c))
	}
	if jscmd.Wordy(p) {
		jscmd.ViewMissing(p, "Consumer", l.cover)
	}
}

// lastDelivery is how long ago, by the server's clock; programs get the moment.
func lastDelivery(p *render.Page, c consumers.Consumer) any {
	switch last := c.Delivered.Last; {
	case last == nil:
		return render.At{}
	case !jscmd.Wordy(p) && p.Options().Kind != render.Markdown:
		return render.At(*last)
	default:
		return render.Span(max(asOf(p, c.ConsumerInfo).Sub(*last), 0))
	}
}

func runLs(ctx context.Context, e *env.Env, o lsOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	stream, err := jscmd.NameStream(ctx, e, c, o.group.all, o.stream)
	if err != nil {
		return err
	}
	if o.names {
		names, err := consumers.Names(ctx, c, stream)
		if err != nil {
			return err
		}
		return e.Out.Print(jscmd.Names(names))
	}
	l := listing{stream: stream, details: o.details}
	l.cover, err = consumers.List(ctx, c, stream, func(con consumers.Consumer) error {
		l.consumers = append(l.consumers, con)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(l.consumers, func(a, b consumers.Consumer) int { return cmp.Compare(a.Name, b.Name) })
	if err := e.Out.Print(l); err != nil {
		return err
	}
	return l.cover.Err("consumers")
}
