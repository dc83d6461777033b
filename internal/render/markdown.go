package render

import (
	"bytes"
	"strings"
)

// markdown writes a page for language models: headings, lists of fields, tables and fenced text.
func (p *Page) markdown(b *bytes.Buffer) {
	w := &textWriter{p: p, b: b}
	headed := false
	for _, k := range p.blocks {
		switch k.kind {
		case headingBlock:
			headed = true
			w.headline(1, k.label)
		case sectionBlock:
			w.headline(2+k.depth, k.label)
		case fieldBlock:
			w.item(k)
		case lineBlock:
			w.line(k.text)
		case gapBlock:
			w.gap()
		case textBlock:
			w.fence(strings.Split(strings.TrimSuffix(k.text, "\n"), "\n"))
		case drawnBlock:
			w.fence(k.lines)
		case treeBlock:
			for _, l := range p.treeLines(k.tree, true) {
				item := strings.TrimLeft(l, " ")
				w.line(l[:len(l)-len(item)] + "- " + item)
			}
		case tableBlock:
			w.gap()
			if k.table.title != "" && headed {
				w.headline(2+k.depth, k.table.title)
			} else if k.table.title != "" {
				w.headline(1, k.table.title)
			}
			var t bytes.Buffer
			k.table.write(&t, Markdown, k.table.visibleColumns(p.options.Wide), true)
			w.lines("", strings.Split(strings.TrimSuffix(t.String(), "\n"), "\n"))
			w.gap()
		}
	}
}

func (w *textWriter) headline(level int, title string) {
	w.gap()
	w.line(strings.Repeat("#", min(level, 6)) + " " + title)
	w.pending = true
}

func (w *textWriter) item(k block) {
	for i, l := range strings.Split(k.value.text, "\n") {
		switch {
		case k.label == "" || i > 0:
			w.line("  - " + l)
		default:
			w.line(strings.TrimRight("- **"+k.label+":** "+l, " "))
		}
	}
}

// fence quotes lines as they are; the fence is longer than any in the text.
func (w *textWriter) fence(lines []string) {
	fence := "```"
	for _, l := range lines {
		for strings.HasPrefix(strings.TrimLeft(l, " "), fence) {
			fence += "`"
		}
	}
	w.gap()
	w.line(fence)
	w.lines("", lines)
	w.line(fence)
	w.pending = true
}
