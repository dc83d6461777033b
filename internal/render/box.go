package render

import (
	"strings"

	"github.com/natskit/natskit/internal/term"
)

// box is a set of border characters.
type box struct {
	topLeft, topRight, bottomLeft, bottomRight string
	left, right, top, bottom, middle           string
	across, down                               string
}

var (
	rounded = box{"╭", "╮", "╰", "╯", "├", "┤", "┬", "┴", "┼", "─", "│"}
	double  = box{"╔", "╗", "╚", "╝", "╠", "╣", "╦", "╩", "╬", "═", "║"}
)

// layout is a table cut to the terminal.
type layout struct {
	t       *Table
	columns []int
	widths  []int
	box     box
	lines   []string
}

// draw is the table as lines, at most room columns wide; 0 is no limit. It reports false where it cannot be that narrow.
func (t *Table) draw(room int) ([]string, bool) {
	l := &layout{t: t, box: rounded}
	if t.scheme == "double" {
		l.box = double
	}
	if !l.fit(room) {
		return nil, false
	}
	title := l.title(room)
	b := l.box
	if len(title) > 0 {
		l.rule(b.topLeft, b.across, b.topRight)
		for _, s := range title {
			l.lines = append(l.lines, l.accent(b.down)+" "+align(s, s, l.interior()-2, Center)+" "+l.accent(b.down))
		}
		l.rule(b.left, b.top, b.right)
	} else {
		l.rule(b.topLeft, b.top, b.topRight)
	}
	body := false
	if strings.Join(t.header(l.columns), "") != "" {
		head := make([]shown, len(t.columns))
		for i, c := range t.columns {
			head[i] = shown{text: c.Name}
		}
		l.row(tableRow{cells: head})
		body = true
	}
	l.body(body)
	l.rule(b.bottomLeft, b.bottom, b.bottomRight)
	return l.lines, true
}

// body draws rows and footers; below says that there is a header above them.
func (l *layout) body(below bool) {
	b := l.box
	ruled := below // a rule goes before the next row
	for _, kind := range []rowKind{dataRow, footerRow} {
		for _, row := range l.t.rows {
			switch {
			case row.kind == separatorRow && kind == dataRow:
				ruled = below
			case row.kind == kind:
				if ruled {
					l.rule(b.left, b.middle, b.right)
				}
				l.row(row)
				below, ruled = true, false
			}
		}
		ruled = below
	}
}

// interior is the width between the outer borders.
func (l *layout) interior() int {
	n := len(l.widths) - 1
	for _, w := range l.widths {
		n += w + 2
	}
	return n
}

// leastElided is the width below which what is left of an elided cell says nothing.
const leastElided = 12

// fit chooses columns and their widths.
func (l *layout) fit(room int) bool {
	t := l.t
	l.columns = t.visibleColumns(t.wide)
	l.measure()
	for room > 0 && l.interior()+2 > room && l.drop() {
		l.measure()
	}
	if room == 0 || l.interior()+2 <= room {
		return true
	}
	for over := l.interior() + 2 - room; over > 0; over-- {
		widest := -1
		for i, c := range l.columns {
			if t.columns[c].Elide != None && l.widths[i] > max(leastElided, width(t.columns[c].Name)) && (widest < 0 || l.widths[i] > l.widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return false
		}
		l.widths[widest]--
	}
	return true
}

func (l *layout) measure() {
	l.widths = make([]int, len(l.columns))
	for i, c := range l.columns {
		l.widths[i] = width(l.t.columns[c].Name)
		for _, row := range l.t.rows {
			for s := range strings.SplitSeq(row.cell(c).text, "\n") {
				l.widths[i] = max(l.widths[i], width(s))
			}
		}
	}
}

// drop leaves out the column with the highest Drop, of several the last.
func (l *layout) drop() bool {
	at := -1
	for i, c := range l.columns {
		if d := l.t.columns[c].Drop; d > 0 && (at < 0 || d >= l.t.columns[l.columns[at]].Drop) {
			at = i
		}
	}
	if at < 0 || len(l.columns) == 1 {
		return false
	}
	l.columns = append(append([]int(nil), l.columns[:at]...), l.columns[at+1:]...)
	return true
}

// title is the title as lines. The last column grows for it where there is room; else it is broken between words.
func (l *layout) title(room int) []string {
	if l.t.title == "" || len(l.widths) == 0 {
		return nil
	}
	grow := width(l.t.title) + 2 - l.interior()
	if room > 0 {
		grow = min(grow, room-2-l.interior())
	}
	if grow > 0 {
		l.widths[len(l.widths)-1] += grow
	}
	inside := l.interior() - 2
	var lines []string
	for _, word := range strings.Fields(l.t.title) {
		word = elide(word, inside, Middle)
		if n := len(lines); n > 0 && width(lines[n-1])+1+width(word) <= inside {
			lines[n-1] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	if len(lines) == 1 {
		return []string{elide(l.t.title, inside, Middle)}
	}
	return lines
}

func (l *layout) accent(s string) string { return l.t.look.paint.Paint(term.Accent, s) }

func (l *layout) rule(left, cross, right string) {
	var b strings.Builder
	b.WriteString(left)
	for i, w := range l.widths {
		if i > 0 {
			b.WriteString(cross)
		}
		b.WriteString(strings.Repeat(l.box.across, w+2))
	}
	b.WriteString(right)
	l.lines = append(l.lines, l.accent(b.String()))
}

// row draws one row, of several lines if a cell has them.
func (l *layout) row(row tableRow) {
	height := 1
	parts := make([][]string, len(l.columns))
	for i, c := range l.columns {
		parts[i] = strings.Split(row.cell(c).text, "\n")
		height = max(height, len(parts[i]))
	}
	down := l.accent(l.box.down)
	for h := range height {
		var b strings.Builder
		b.WriteString(down)
		for i, c := range l.columns {
			cell := row.cell(c)
			text, painted := "", ""
			if h < len(parts[i]) {
				text = elide(parts[i][h], l.widths[i], l.t.columns[c].Elide)
				painted = shown{text: text, style: cell.style}.paint(l.t.look.paint)
				if cell.painted != "" && len(parts[i]) == 1 && text == parts[i][h] {
					painted = cell.painted
				}
			}
			b.WriteString(" " + align(text, painted, l.widths[i], l.t.columns[c].Align) + " " + down)
		}
		l.lines = append(l.lines, b.String())
	}
}

// align pads painted, which looks as wide as text, to n columns.
func align(text, painted string, n int, a Align) string {
	pad := n - width(text)
	switch {
	case pad <= 0:
		return painted
	case a == Right:
		return spaces(pad) + painted
	case a == Center:
		return spaces(pad-pad/2) + painted + spaces(pad/2)
	}
	return painted + spaces(pad)
}
