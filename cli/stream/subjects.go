package stream

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"unsafe"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/subjects"
)

type subjectsOptions struct {
	stream  string
	filter  string
	sort    string
	reverse bool
	names   bool
	group   *group
}

func subjectsVerb(g *group) command.Node {
	return command.Verb[subjectsOptions]{
		Meta: command.Meta{
			Name: "subjects", Aliases: []string{"subj"}, Short: "List the subjects that have messages in a stream",
			Long: "With the number of messages of each, the most first. Beyond ten thousand subjects the table gives way to a line for each. With --sort none they come as the server sends them, the first at once, and memory hardly grows with them.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: map[string]uint64{}, Names: command.Names{"stream": command.Streams, "filter": command.Subjects},
		Examples: []command.Example{
			{Line: "nats stream subjects ORDERS", Says: "orders.new", About: "All subjects", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "pub -J orders.new one"}},
			{Line: "nats stream subjects ORDERS 'orders.*' --names --sort name", Says: "orders.new", About: "The names of some, in order", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "pub -J orders.new one"}},
		},
		Bind: func(c *fisk.CmdClause, o *subjectsOptions) {
			o.group = g
			c.Arg("stream", "The stream").StringVar(&o.stream)
			c.Arg("filter", "Only subjects that match").Default(">").StringVar(&o.filter)
			c.Flag("sort", "What to sort by").Default("messages").EnumVar(&o.sort, "name", "subjects", "messages", "count", unsorted)
			c.Flag("reverse", "Turn the order round").Short('R').UnNegatableBoolVar(&o.reverse)
			c.Flag("names", "Print the subjects alone, one a line").BoolVar(&o.names)
		},
		Check: func(o *subjectsOptions) error { return jscmd.CheckFilter(o.filter) },
		Run:   runSubjects,
	}
}

// unsorted is the order in which the server lists subjects.
const unsorted = "none"

// subjectList is subjects with counts. There may be a million: their texts stand close together in blocks of memory, which do not
// move while the list grows.
type subjectList struct {
	stream, filter string
	names          bool
	block          []byte // what is being filled
	rows           []subjectRow
}

type subjectRow struct {
	subject string // in a block
	count   uint64
}

// blockSize is how much text a block holds, bytes.
const blockSize = 256 << 10

// room makes room for n rows, so that the list does not move while it grows.
func (l *subjectList) room(n int) { l.rows = slices.Grow(l.rows, n) }

// add takes a copy of the subject.
func (l *subjectList) add(subject string, n uint64) {
	if len(subject) > cap(l.block)-len(l.block) {
		l.block = make([]byte, 0, max(blockSize, len(subject)))
	}
	from := len(l.block)
	l.block = append(l.block, subject...)
	text := l.block[from:]
	l.rows = append(l.rows, subjectRow{unsafe.String(unsafe.SliceData(text), len(text)), n}) // these bytes are not written to again
}

// arrange sorts by name, or by messages with the most first; equal counts are in the order of names. A subject that is there twice
// since it changed while the list was made is left with its larger count, unless nothing is sorted.
func (l *subjectList) arrange(by string, reverse bool) {
	if by != unsorted {
		slices.SortFunc(l.rows, func(a, b subjectRow) int {
			return cmp.Or(cmp.Compare(a.subject, b.subject), cmp.Compare(b.count, a.count))
		})
		l.rows = slices.CompactFunc(l.rows, func(a, b subjectRow) bool { return a.subject == b.subject })
	}
	if by == "messages" || by == "count" {
		slices.SortStableFunc(l.rows, func(a, b subjectRow) int { return cmp.Compare(b.count, a.count) })
	}
	if reverse {
		slices.Reverse(l.rows)
	}
}

// MarshalJSON is an object of counts by subject in the order of the list, or with --names a list.
func (l *subjectList) MarshalJSON() ([]byte, error) {
	first, last := byte('{'), byte('}')
	if l.names {
		first, last = '[', ']'
	}
	dst := []byte{first}
	for i, r := range l.rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendSubject(dst, r, l.names, "")
	}
	return append(dst, last), nil
}

// JSON is the list itself.
func (l *subjectList) JSON() any { return l }

// tableLimit is the length from which on a table is of no use, and too large to lay out.
const tableLimit = 10_000

// View is a table of up to three pairs of columns, filled column by column.
func (l *subjectList) View(p *render.Page) {
	switch {
	case !jscmd.Wordy(p):
		t := p.Table("", render.Column{Name: "Subject"}, render.Column{Name: "Count"})
		for _, r := range l.rows {
			t.Row(render.Subject(r.subject), render.Count(r.count))
		}
		return
	case len(l.rows) == 0:
		p.Line("No subjects found matching %s", l.filter)
		return
	case l.names:
		for _, r := range l.rows {
			p.Line("%s", render.Subject(r.subject))
		}
		return
	}
	pairs := l.pairs(p.Options().Width)
	var cols []render.Column
	for range pairs {
		cols = append(cols, render.Column{Name: "Subject"}, render.Column{Name: "Count"})
	}
	t := p.Table(fmt.Sprintf("%s Subjects in stream %s", render.HumaneCount(uint64(len(l.rows))), l.stream), cols...)
	depth := (len(l.rows) + pairs - 1) / pairs
	for i := range depth {
		var cells []any
		for c := range pairs {
			if at := c*depth + i; at < len(l.rows) {
				cells = append(cells, render.Subject(l.rows[at].subject), render.Count(l.rows[at].count))
			}
		}
		t.Row(cells...)
	}
}

// pairs is how many pairs of columns fit side by side, on a terminal of the width if that is not 0.
func (l *subjectList) pairs(width int) int {
	widest, subject, count := 0, len("Subject"), len("Count")
	for _, r := range l.rows {
		s, n := len(r.subject), len(render.HumaneCount(r.count))
		widest, subject, count = max(widest, s+n), max(subject, s), max(count, n)
	}
	n := 1
	switch {
	case widest < 20:
		n = 3
	case widest < 30:
		n = 2
	}
	if width > 0 {
		n = min(n, max((width-1)/(subject+count+6), 1)) // a cell has a blank on each side and a line before it
	}
	return min(n, len(l.rows))
}

func runSubjects(ctx context.Context, e *env.Env, o subjectsOptions) error {
	s, err := e.Nats.JetStream(ctx)
	if err != nil {
		return err
	}
	c := js.New(s)
	name, err := jscmd.NameStream(ctx, e, c, o.group.all, o.stream)
	if err != nil {
		return err
	}
	lister := &subjects.Lister{Client: c, JetStream: s, Allowed: e.Nats.Allowed, Names: o.names, Twice: o.sort != unsorted}
	l := &subjectList{stream: name, filter: o.filter, names: o.names}
	var out *subjectWriter
	switch kind := e.Out.Format().Kind; {
	case kind == render.Text, kind == render.Wide, kind == render.JSON && !e.IO.OutTTY:
		out = &subjectWriter{out: e.Out, names: o.names, json: kind == render.JSON, visible: e.IO.OutTTY}
	}
	if o.sort == unsorted && !o.reverse && out != nil {
		return l.pass(ctx, e, lister, out)
	}
	if err := lister.Each(ctx, name, o.filter, l.room, func(subject string, n uint64) error {
		l.add(subject, n)
		return nil
	}); err != nil {
		return err
	}
	by := o.sort
	if o.names && by == "messages" {
		by = "name" // without counts to be seen, names are in their own order
	}
	l.arrange(by, o.reverse)
	if len(l.rows) <= tableLimit || out == nil {
		return e.Out.Print(l)
	}
	for _, r := range l.rows {
		if err := out.add(r); err != nil {
			return err
		}
	}
	return out.end()
}

// pass writes subjects as they come.
func (l *subjectList) pass(ctx context.Context, e *env.Env, from *subjects.Lister, out *subjectWriter) error {
	err := from.Each(ctx, l.stream, l.filter, nil, func(subject string, n uint64) error { return out.add(subjectRow{subject, n}) })
	switch {
	case err != nil:
		return err
	case out.rows == 0:
		return e.Out.Print(l)
	}
	return out.end()
}
