package render

import (
	"strings"
	"time"

	"github.com/natskit/natskit/internal/term"
)

// Page is what a View draws on: a list of blocks, laid out when the View has returned.
type Page struct {
	look    *look
	options ViewOptions
	blocks  []block
	depth   int
}

// ViewOptions tell a View about the place it draws for. Most views need none of it.
type ViewOptions struct {
	Width    int  // columns of the terminal; 0 is a pipe
	Kind     Kind // the format
	Wide     bool // every column is wanted: wide and the formats for programs
	Raw      bool // exact numbers also for people
	TTY      bool
	Location *time.Location // never nil
	Now      time.Time
	Paint    term.Painter
}

type blockKind int

const (
	headingBlock blockKind = iota
	sectionBlock
	fieldBlock
	lineBlock
	gapBlock
	textBlock
	drawnBlock
	treeBlock
	tableBlock
)

type block struct {
	kind  blockKind
	depth int
	label string // fields; the title of headings and sections
	value shown  // fields and trees' first line
	text  string // lines and text, painted
	lines []string
	tree  *TreeNode
	table *Table
}

// Options describe the place the page is drawn for.
func (p *Page) Options() ViewOptions { return p.options }

func (p *Page) add(b block) {
	b.depth = p.depth
	p.blocks = append(p.blocks, b)
}

// Heading is the first line of an info screen; a blank line follows.
func (p *Page) Heading(format string, args ...any) {
	p.add(block{kind: headingBlock, label: p.look.sprintf(format, args)})
}

// Section begins a part of an info screen: the title with a colon, blank lines around it.
func (p *Page) Section(title string) {
	p.add(block{kind: sectionBlock, label: strings.TrimSuffix(p.look.clean(title), ":")})
}

// Field is a row "Label: value", right-aligned at the colon over the whole page. The value may be any cell. An empty
// label continues the row above; so do further lines of a value.
func (p *Page) Field(label string, value any) {
	p.add(block{kind: fieldBlock, label: p.look.clean(label), value: p.look.cell(value)})
}

// FieldIf is Field if cond holds.
func (p *Page) FieldIf(cond bool, label string, value any) {
	if cond {
		p.Field(label, value)
	}
}

// Indent draws what f draws one level deeper: sections and fields of a part within a part.
func (p *Page) Indent(f func()) {
	p.depth++
	defer func() { p.depth-- }()
	f()
}

// Line is one line of plain text. The arguments may be cells.
func (p *Page) Line(format string, args ...any) {
	p.add(block{kind: lineBlock, text: p.look.sprintf(format, args)})
}

// Note is a muted line.
func (p *Page) Note(format string, args ...any) {
	plain := *p.look
	plain.paint = term.Painter{}
	p.add(block{kind: lineBlock, text: p.look.paint.Paint(term.Muted, plain.sprintf(format, args))})
}

// Gap is one blank line between blocks, whatever stands around it.
func (p *Page) Gap() { p.add(block{kind: gapBlock}) }

// Text is preformatted text, such as the body of a message: never cut, ended with a line break, its control characters
// shown on a terminal.
func (p *Page) Text(s string) { p.add(block{kind: textBlock, text: p.look.clean(s)}) }

// Block is a picture that was drawn elsewhere: its lines are written as they are.
func (p *Page) Block(lines []string) { p.add(block{kind: drawnBlock, lines: lines}) }

// TreeNode is a thing and the things below it. The label may be any cell.
type TreeNode struct {
	Label    any
	Children []*TreeNode
}

// Tree draws root and what is below it.
func (p *Page) Tree(root *TreeNode) { p.add(block{kind: treeBlock, tree: root}) }

// treeLines are the lines of the picture of a tree. bare leaves the branches out and indents by two for each level.
func (p *Page) treeLines(root *TreeNode, bare bool) []string {
	var lines []string
	var walk func(n *TreeNode, first, rest string)
	walk = func(n *TreeNode, first, rest string) {
		for i, l := range strings.Split(p.look.cell(n.Label).paint(p.look.paint), "\n") {
			if i == 0 {
				lines = append(lines, first+l)
			} else {
				lines = append(lines, rest+l)
			}
		}
		for i, c := range n.Children {
			switch {
			case bare:
				walk(c, rest+"  ", rest+"  ")
			case i == len(n.Children)-1:
				walk(c, rest+p.accent("└── "), rest+"    ")
			default:
				walk(c, rest+p.accent("├── "), rest+p.accent("│   "))
			}
		}
	}
	if root != nil {
		walk(root, "", "")
	}
	return lines
}

func (p *Page) accent(s string) string { return p.look.paint.Paint(term.Accent, s) }

// firstTable is the table that csv, tsv, md and names print, or nil.
func (p *Page) firstTable() *Table {
	for _, b := range p.blocks {
		if b.kind == tableBlock {
			return b.table
		}
	}
	return nil
}

// isScreen reports whether the page is an info screen: it has a heading or fields.
func (p *Page) isScreen() bool {
	for _, b := range p.blocks {
		if b.kind == headingBlock || b.kind == fieldBlock {
			return true
		}
	}
	return false
}
