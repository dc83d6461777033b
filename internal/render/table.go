package render

import (
	"bytes"
	"encoding/csv"
	"strings"
)

// Elide says which part of a cell may be left out where a terminal is too narrow.
type Elide int

// What may be left out. Cells of type Subject make their column Middle by themselves.
const (
	None Elide = iota
	Middle
	End
)

// Align is the side on which cells and header of a column stand.
type Align int

// The sides. The reference's tables are left-aligned but for a few columns of numbers.
const (
	Left Align = iota
	Right
	Center
)

// Column describes a column of a table.
type Column struct {
	Name  string
	Wide  bool // only in wide and in formats for programs
	Elide Elide
	Align Align
	Drop  int // columns with the highest Drop go first where a terminal is too narrow; 0 stays
}

// Table is a table being filled.
type Table struct {
	title   string
	columns []Column
	rows    []tableRow
	look    *look
	wide    bool
	scheme  string
}

type rowKind int

const (
	dataRow rowKind = iota
	footerRow
	separatorRow
)

type tableRow struct {
	kind  rowKind
	cells []shown
}

func (r tableRow) cell(i int) shown {
	if i < len(r.cells) {
		return r.cells[i]
	}
	return shown{}
}

// Table begins a table; title may be empty. A table without rows is drawn as its header: a view that wants to say more
// about an empty list draws a line instead.
func (p *Page) Table(title string, cols ...Column) *Table {
	l := *p.look
	l.flat = true
	t := &Table{title: l.clean(title), columns: cols, look: &l, wide: p.options.Wide, scheme: l.paint.Scheme}
	p.add(block{kind: tableBlock, table: t})
	return t
}

// Row adds a row; the cells may be of any type, missing ones are empty, surplus ones are not shown.
func (t *Table) Row(cells ...any) { t.addRow(dataRow, cells) }

// Footer adds a row of totals below the rows. Formats for programs leave it out.
func (t *Table) Footer(cells ...any) { t.addRow(footerRow, cells) }

// Separator draws a rule between the rows before and after it.
func (t *Table) Separator() { t.rows = append(t.rows, tableRow{kind: separatorRow}) }

func (t *Table) addRow(kind rowKind, cells []any) {
	row := tableRow{kind: kind, cells: make([]shown, min(len(cells), len(t.columns)))}
	for i := range row.cells {
		row.cells[i] = t.look.cell(cells[i])
		if _, ok := cells[i].(Subject); ok && t.columns[i].Elide == None {
			t.columns[i].Elide = Middle
		}
	}
	t.rows = append(t.rows, row)
}

// visibleColumns are the indices of the columns to show.
func (t *Table) visibleColumns(wide bool) []int {
	var out []int
	for i, c := range t.columns {
		if wide || !c.Wide {
			out = append(out, i)
		}
	}
	return out
}

func (t *Table) header(columns []int) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = t.columns[c].Name
	}
	return names
}

// records are the rows as strings, footers last and only if asked for.
func (t *Table) records(columns []int, footers bool) [][]string {
	var out, last [][]string
	for _, row := range t.rows {
		if row.kind == separatorRow || row.kind == footerRow && !footers {
			continue
		}
		rec := make([]string, len(columns))
		for i, c := range columns {
			rec[i] = row.cell(c).text
		}
		if row.kind == footerRow {
			last = append(last, rec)
			continue
		}
		out = append(out, rec)
	}
	return append(out, last...)
}

// write writes header and rows as CSV, TSV or Markdown.
func (t *Table) write(b *bytes.Buffer, kind Kind, columns []int, footers bool) {
	writeHeader(b, kind, t.header(columns), t.aligns(columns))
	writeRecords(b, kind, t.records(columns, footers))
}

func (t *Table) aligns(columns []int) []Align {
	out := make([]Align, len(columns))
	for i, c := range columns {
		out[i] = t.columns[c].Align
	}
	return out
}

// delimitedKind is the format that a value of NATS_TABLE_FORMAT names.
func delimitedKind(s string) (Kind, bool) {
	switch s {
	case "csv":
		return CSV, true
	case "tsv":
		return TSV, true
	case "md", "markdown":
		return Markdown, true
	}
	return Text, false
}

func writeHeader(b *bytes.Buffer, kind Kind, names []string, aligns []Align) {
	writeRecords(b, kind, [][]string{names})
	if kind != Markdown {
		return
	}
	for i := range names {
		switch {
		case i < len(aligns) && aligns[i] == Right:
			b.WriteString("| ---: ")
		case i < len(aligns) && aligns[i] == Center:
			b.WriteString("| :---: ")
		default:
			b.WriteString("| --- ")
		}
	}
	b.WriteString("|\n")
}

func writeRecords(b *bytes.Buffer, kind Kind, records [][]string) {
	switch kind {
	case CSV:
		w := csv.NewWriter(b)
		for _, r := range records {
			if len(r) == 1 && r[0] == "" {
				w.Flush()
				b.WriteString("\"\"\n") // readers skip a blank line
				continue
			}
			_ = w.Write(r) // a bytes.Buffer takes everything
		}
		w.Flush()
	case TSV:
		escape := strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)
		for _, r := range records {
			for i, f := range r {
				if i > 0 {
					b.WriteByte('\t')
				}
				b.WriteString(escape.Replace(f))
			}
			b.WriteByte('\n')
		}
	case Markdown:
		escape := strings.NewReplacer("|", `\|`, "\n", "<br>")
		for _, r := range records {
			for _, f := range r {
				b.WriteString("| " + escape.Replace(f) + " ")
			}
			b.WriteString("|\n")
		}
	}
}
