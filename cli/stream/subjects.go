package stream

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unsafe"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
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
			Long: "With the number of messages of each, the most first. Beyond ten thousand subjects the table gives way to a line for each.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: map[string]uint64{},
		Names: command.Names{"stream": command.Streams, "filter": command.Subjects},
		Examples: []command.Example{
			{Line: "nats stream subjects ORDERS", Says: "orders.new", About: "All subjects", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "pub -J orders.new one"}},
			{Line: "nats stream subjects ORDERS 'orders.*' --names --sort name", Says: "orders.new", About: "The names of some, in order", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "pub -J orders.new one"}},
		},
		Bind: func(c *fisk.CmdClause, o *subjectsOptions) {
			o.group = g
			c.Arg("stream", "The stream").StringVar(&o.stream)
			c.Arg("filter", "Only subjects that match").Default(">").StringVar(&o.filter)
			c.Flag("sort", "What to sort by").Default("messages").EnumVar(&o.sort, "name", "subjects", "messages", "count")
			c.Flag("reverse", "Turn the order round").Short('R').UnNegatableBoolVar(&o.reverse)
			c.Flag("names", "Print the subjects alone, one a line").BoolVar(&o.names)
		},
		Check: func(o *subjectsOptions) error { return jscmd.CheckFilter(o.filter) },
		Run:   runSubjects,
	}
}

// subjectList is subjects with counts. There may be a million: their texts stand in one piece of memory.
type subjectList struct {
	stream, filter string
	names          bool
	text           []byte
	rows           []subjectRow
}

type subjectRow struct {
	from  int
	size  int32
	count uint64
}

// room makes room for n rows, so that the list does not move while it grows.
func (l *subjectList) room(n int) { l.rows = slices.Grow(l.rows, n) }

func (l *subjectList) add(subject string, n uint64) {
	l.rows = append(l.rows, subjectRow{len(l.text), int32(len(subject)), n})
	l.text = append(l.text, subject...)
}

// subject is the text of a row; it shares the list's memory, which is not written to any more.
func (l *subjectList) subject(r subjectRow) string {
	b := l.text[r.from : r.from+int(r.size)]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// arrange sorts by name, or by messages with the most first; equal counts are in the order of names.
func (l *subjectList) arrange(by string, reverse bool) {
	byName := func(a, b subjectRow) int { return cmp.Compare(l.subject(a), l.subject(b)) }
	order := byName
	if by == "messages" || by == "count" {
		order = func(a, b subjectRow) int { return cmp.Or(cmp.Compare(b.count, a.count), byName(a, b)) }
	}
	slices.SortFunc(l.rows, order)
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
		dst = l.appendEntry(dst, r, "")
	}
	return append(dst, last), nil
}

func (l *subjectList) appendEntry(dst []byte, r subjectRow, space string) []byte {
	dst = render.AppendJSONString(dst, l.subject(r))
	if l.names {
		return dst
	}
	return strconv.AppendUint(append(append(dst, ':'), space...), r.count, 10)
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
			t.Row(render.Subject(l.subject(r)), render.Count(r.count))
		}
		return
	case len(l.rows) == 0:
		p.Line("No subjects found matching %s", l.filter)
		return
	case l.names:
		for _, r := range l.rows {
			p.Line("%s", render.Subject(l.subject(r)))
		}
		return
	}
	pairs := l.pairs()
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
				cells = append(cells, render.Subject(l.subject(l.rows[at])), render.Count(l.rows[at].count))
			}
		}
		t.Row(cells...)
	}
}

// pairs is how many pairs of columns fit side by side.
func (l *subjectList) pairs() int {
	widest := 0
	for _, r := range l.rows {
		widest = max(widest, int(r.size)+len(render.HumaneCount(r.count)))
	}
	switch {
	case widest < 20:
		return min(3, len(l.rows))
	case widest < 30:
		return min(2, len(l.rows))
	}
	return 1
}

func runSubjects(ctx context.Context, e *env.Env, o subjectsOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	name, err := jscmd.NameStream(ctx, e, c, o.group.all, o.stream)
	if err != nil {
		return err
	}
	l := &subjectList{stream: name, filter: o.filter, names: o.names}
	if err := c.Subjects(ctx, name, o.filter, l.room, func(subject string, n uint64) error {
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
	if len(l.rows) > tableLimit && !e.IO.OutTTY {
		switch e.Out.Format().Kind {
		case render.JSON:
			return l.writeLong(e, true)
		case render.Text, render.Wide:
			return l.writeLong(e, false)
		}
	}
	return e.Out.Print(l)
}

// writeLong writes a long list row by row.
func (l *subjectList) writeLong(e *env.Env, asJSON bool) error {
	w := bufio.NewWriterSize(e.Out.Bytes(), 64<<10)
	if asJSON {
		if err := l.writeJSON(w); err != nil {
			return err
		}
		return w.Flush()
	}
	line := []byte(nil)
	for _, r := range l.rows {
		line = append(line[:0], l.subject(r)...)
		if !l.names {
			line = append(append(line, ": "...), render.HumaneCount(r.count)...)
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (l *subjectList) writeJSON(w io.Writer) error {
	head, tail := "{", "\n}\n"
	if l.names {
		head, tail = "[", "\n]\n"
	}
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	line := []byte(nil)
	for i, r := range l.rows {
		line = line[:0]
		if i > 0 {
			line = append(line, ',')
		}
		if _, err := w.Write(l.appendEntry(append(line, "\n  "...), r, " ")); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, tail)
	return err
}
