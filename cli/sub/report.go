package sub

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
)

// tally counts messages by subject or subscription.
type tally struct {
	rows map[string]*row
}

// row is one line of a report.
type row struct {
	Subject  string `json:"subject"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
}

// report is who sent how much, busiest first. Totals count all subjects.
type report struct {
	Subjects []row  `json:"subjects"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`

	title, column string
}

func newTally() *tally { return &tally{rows: map[string]*row{}} }

func (t *tally) add(subject []byte, size int) {
	r := t.rows[string(subject)]
	if r == nil {
		t.addKey(string(subject), size)
		return
	}
	r.Messages++
	r.Bytes += uint64(size)
}

func (t *tally) addKey(key string, size int) {
	r := t.rows[key]
	if r == nil {
		r = &row{Subject: key}
		t.rows[key] = r
	}
	r.Messages++
	r.Bytes += uint64(size)
}

// report is the counts so far, top rows of them or all when top is 0.
func (t *tally) report(o *subOptions, top int) report {
	out := report{Subjects: []row{}, column: "Subject"}
	for _, r := range t.rows {
		out.Subjects = append(out.Subjects, *r)
		out.Messages += r.Messages
		out.Bytes += r.Bytes
	}
	slices.SortFunc(out.Subjects, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), strings.Compare(a.Subject, b.Subject))
	})
	what := "Subject"
	if o.reportSubs {
		what, out.column = "Subscription", "Subscription"
	}
	switch {
	case top == 1:
		out.title = fmt.Sprintf("Top %s Report", what)
	case top > 0:
		out.title = fmt.Sprintf("Top %d Active %ss Report", top, what)
	default:
		out.title = fmt.Sprintf("Active %ss Report", what)
	}
	if top > 0 && len(out.Subjects) > top {
		out.Subjects = out.Subjects[:top]
	}
	return out
}

// View is the table with the totals below.
func (r report) View(p *render.Page) {
	t := p.Table(r.title, render.Column{Name: r.column}, render.Column{Name: "Message Count"}, render.Column{Name: "Bytes"})
	for _, s := range r.Subjects {
		t.Row(render.Subject(s.Subject), render.Count(s.Messages), render.Bytes(s.Bytes))
	}
	t.Footer("Totals", render.Count(r.Messages), render.Bytes(r.Bytes))
}

// live is the picture of a report or graph that is redrawn each second on a terminal; nil elsewhere.
type live struct {
	p      *printer
	screen *term.Screen
	graph  *graph
}

func openLive(ctx context.Context, p *printer) (*live, error) {
	if !p.o.graph && (!p.e.IO.OutTTY || p.e.Out.Machine()) {
		return nil, nil
	}
	if p.o.graph && (!p.e.IO.OutTTY || p.e.IO.Width < 20 || p.e.IO.Height < 20) {
		return nil, fail.Usagef("--graph needs a terminal of 20 columns and 20 rows at least").WithHint("use --report-subjects --json in a pipe")
	}
	screen, err := p.e.IO.OpenScreen(ctx)
	if errors.Is(err, term.ErrNoTerminal) && !p.o.graph {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l := &live{p: p, screen: screen}
	if p.o.graph {
		l.graph = newGraph(p.o.subjects)
	}
	return l, nil
}

func (l *live) close() {
	if l != nil {
		l.screen.Close()
	}
}

// draw shows the counts as they are now.
func (l *live) draw() error {
	width, height := l.screen.Size()
	if l.graph != nil {
		return l.screen.Draw(l.graph.draw(l.p.tally, width, height))
	}
	var b bytes.Buffer
	r, err := render.New(render.Options{Out: &b, Width: width, TTY: true, Paint: l.p.e.IO.Painter(), Clock: l.p.e.Clock})
	if err != nil {
		return err
	}
	if err := r.Print(l.p.tally.report(l.p.o, int(l.p.o.reportTop))); err != nil {
		return err
	}
	return l.screen.Draw(b.String())
}
