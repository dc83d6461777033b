package render

import (
	"bytes"
	"strings"
)

// renderText writes a page for people: as text, as Markdown for language models, or as the JSON object of info screens.
func (r *Renderer) renderText(b *bytes.Buffer, p *Page) {
	switch {
	case r.o.FieldsJSON && p.isScreen():
		p.fieldsJSON(b)
	case r.o.LLM:
		p.markdown(b)
	default:
		(&textWriter{p: p, b: b, fit: r.fit(), tables: r.o.TableFormat}).write()
	}
}

// fit is the width that tables must keep to; 0 is none.
func (r *Renderer) fit() int {
	if r.o.Format.Kind == Wide {
		return 0
	}
	return r.o.Width
}

// textWriter lays a page out. Blank lines asked for by two neighbours become one.
type textWriter struct {
	p      *Page
	b      *bytes.Buffer
	fit    int
	tables string // the format of tables that NATS_TABLE_FORMAT asked for

	started bool
	blank   bool // the last line was blank
	pending bool // a blank line goes before whatever comes next
	labels  int  // columns of the widest label, plus 2
}

func (w *textWriter) write() {
	for _, b := range w.p.blocks {
		if b.kind == fieldBlock {
			w.labels = max(w.labels, width(b.label)+2)
		}
	}
	for _, b := range w.p.blocks {
		w.block(b)
	}
}

func (w *textWriter) block(b block) {
	indent := spaces(2 * b.depth)
	switch b.kind {
	case headingBlock:
		w.gap()
		w.line(indent + b.label)
		w.pending = true
	case sectionBlock:
		w.gap()
		w.line(indent + b.label + ":")
		w.pending = true
	case fieldBlock:
		w.field(b.label, b.value, indent, w.labels)
	case lineBlock:
		w.line(indent + b.text)
	case gapBlock:
		w.gap()
	case textBlock:
		if b.depth == 0 {
			w.line(strings.TrimSuffix(b.text, "\n"))
			return
		}
		for l := range strings.SplitSeq(strings.TrimSuffix(b.text, "\n"), "\n") {
			w.line(indent + l)
		}
	case drawnBlock:
		w.lines(indent, b.lines)
	case treeBlock:
		w.lines(indent, w.p.treeLines(b.tree, false))
	case tableBlock:
		w.table(b.table, indent)
		w.gap()
	}
}

func (w *textWriter) line(s string) {
	if w.pending {
		w.b.WriteByte('\n')
		w.pending = false
	}
	w.b.WriteString(s)
	w.b.WriteByte('\n')
	w.started, w.blank = true, s == ""
}

func (w *textWriter) lines(indent string, lines []string) {
	for _, l := range lines {
		w.line(indent + l)
	}
}

func (w *textWriter) gap() {
	if w.started && !w.blank {
		w.b.WriteByte('\n')
		w.blank = true
	}
	w.pending = false
}

// field writes one row of an info screen; labels is the column in which labels end.
func (w *textWriter) field(label string, value shown, indent string, labels int) {
	head := indent + spaces(labels-width(label)) + label
	if label == "" {
		head += "  "
	} else {
		head += w.p.accent(":") + " "
	}
	if !strings.Contains(value.text, "\n") {
		w.line(head + value.paint(w.p.look.paint))
		return
	}
	for l := range strings.SplitSeq(value.text, "\n") {
		w.line(head + w.p.look.paint.Paint(value.style, l))
		head = indent + spaces(labels+2)
	}
}

func (w *textWriter) table(t *Table, indent string) {
	if kind, ok := delimitedKind(w.tables); ok {
		var b bytes.Buffer
		if kind == Markdown && t.title != "" {
			b.WriteString("# " + t.title + "\n")
		}
		t.write(&b, kind, t.visibleColumns(w.p.options.Wide), true)
		w.lines("", strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n"))
		return
	}
	room := w.fit
	if room > 0 {
		room = max(1, room-len(indent))
	}
	drawn, ok := t.draw(room)
	if !ok {
		w.cards(t, indent)
		return
	}
	w.lines(indent, drawn)
}

// cards is a table for a terminal too narrow for it: the fields of each row below each other.
func (w *textWriter) cards(t *Table, indent string) {
	columns := t.visibleColumns(w.p.options.Wide)
	labels := 0
	for _, i := range columns {
		labels = max(labels, width(t.columns[i].Name)+2)
	}
	if t.title != "" {
		w.line(indent + t.title)
		w.gap()
	}
	for _, row := range t.rows {
		if row.kind == separatorRow {
			continue
		}
		for _, i := range columns {
			c := row.cell(i)
			if row.kind == footerRow && c.text == "" {
				continue
			}
			w.field(t.columns[i].Name, c, indent, labels)
		}
		w.gap()
	}
}
