package stream

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

type lsOptions struct {
	subject string
	names   bool
	details bool
	group   *group
}

func lsVerb(g *group) command.Node {
	return command.Verb[lsOptions]{
		Meta: command.Meta{
			Name: "ls", Aliases: []string{"list", "l"}, Short: "List streams",
			Long: "Streams are sorted by size. JSON is the list of names; with --details it is the info of each. A list that lacks streams, because servers do not answer, says so and ends with code 7.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: []string{},
		Examples: []command.Example{
			{Line: "nats stream ls", Says: "ORDERS", About: "All streams", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats stream ls --names --subject orders.new", Says: "ORDERS", About: "The names of those that store a subject", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *lsOptions) {
			o.group = g
			c.Flag("subject", "Only streams whose subjects overlap with this one").StringVar(&o.subject)
			c.Flag("names", "Print the names alone, one a line").Short('n').UnNegatableBoolVar(&o.names)
			c.Flag("details", "JSON of the whole info instead of the names").UnNegatableBoolVar(&o.details)
		},
		Check: func(o *lsOptions) error { return jscmd.CheckFilter(o.subject) },
		Run:   runLs,
	}
}

// listing is the streams of an account, or those that a query selected.
type listing struct {
	title  string
	empty  string
	rows   []row
	cover  js.Coverage
	detail bool
}

// row is what a list shows of a stream.
type row struct {
	name, description string
	created           time.Time
	messages, bytes   uint64
	last, asOf        time.Time
	info              js.Stream // with --details
}

func newRow(s js.Stream, detail bool) row {
	i := s.StreamInfo
	r := row{
		name: i.Config.Name, description: i.Config.Description, created: i.Created, messages: i.State.Msgs, bytes: i.State.Bytes,
		last: i.State.LastTime, asOf: i.TimeStamp,
	}
	if detail {
		r.info = s
	}
	return r
}

func bySize(a, b row) int { return cmp.Or(cmp.Compare(a.bytes, b.bytes), cmp.Compare(a.name, b.name)) }

// JSON is the names, or with --details the info documents.
func (l listing) JSON() any {
	if l.detail {
		out := make([]js.Stream, 0, len(l.rows))
		for _, r := range l.rows {
			out = append(out, r.info)
		}
		return out
	}
	out := make([]string, 0, len(l.rows))
	for _, r := range l.rows {
		out = append(out, r.name)
	}
	slices.Sort(out)
	return out
}

// View is the table, and what is missing from it.
func (l listing) View(p *render.Page) {
	if len(l.rows) == 0 && l.empty != "" && l.cover.Complete() && jscmd.Wordy(p) {
		p.Line("%s", l.empty)
		return
	}
	t := p.Table(l.title, render.Column{Name: "Name"}, render.Column{Name: "Description", Elide: render.End, Drop: 2}, render.Column{Name: "Created", Drop: 1},
		render.Column{Name: "Messages"}, render.Column{Name: "Size"}, render.Column{Name: "Last Message"})
	for _, r := range l.rows {
		t.Row(render.Key(r.name), r.description, render.At(r.created), render.Count(r.messages), render.Bytes(r.bytes), age(p, r.last, r.asOf))
	}
	if !jscmd.Wordy(p) {
		return
	}
	jscmd.ViewMissing(p, "Stream", l.cover)
}

// age is how long ago a moment was by the server's clock; programs get the moment.
func age(p *render.Page, t, asOf time.Time) any {
	switch {
	case t.IsZero() || t.Unix() <= 0:
		return render.At{}
	case !jscmd.Wordy(p) && p.Options().Kind != render.Markdown:
		return render.At(t)
	case asOf.IsZero():
		asOf = p.Options().Now
	}
	return render.Span(max(asOf.Sub(t), 0))
}

func runLs(ctx context.Context, e *env.Env, o lsOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	if o.names {
		all, err := c.AllStreamNames(ctx, o.subject)
		if err != nil {
			return err
		}
		return e.Out.Print(jscmd.Names(slices.DeleteFunc(all, func(n string) bool { return !o.group.all && jsm.IsInternalStream(n) })))
	}
	l := listing{title: "Streams", empty: "No Streams defined", detail: o.details}
	if o.subject != "" {
		l.title = "Streams matching " + o.subject
	}
	l.cover, err = c.Streams(ctx, o.subject, func(s js.Stream) error {
		if !o.group.all && jsm.IsInternalStream(s.StreamInfo.Config.Name) {
			l.empty = "No Streams defined, pass -a to show those behind buckets and MQTT sessions"
			return nil
		}
		l.rows = append(l.rows, newRow(s, o.details))
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(l.rows, bySize)
	if err := e.Out.Print(l); err != nil {
		return err
	}
	return l.cover.Err("streams")
}
