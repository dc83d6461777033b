package js

import (
	"fmt"
	"html"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Edge is one stream that copies from another.
type Edge struct {
	Stream    string // the copy
	Source    string // the stream it copies from
	APIPrefix string // where that is, when it is in another account or domain
	Mirror    bool
}

// Diagram draws who copies from whom as dot, mermaid or svg; other forms draw nothing.
func Diagram(form string, edges []Edge) string {
	switch form {
	case "dot":
		return dotDiagram(edges)
	case "mermaid":
		return mermaidDiagram(edges)
	case "svg":
		return svgDiagram(edges)
	}
	return ""
}

// origin of an edge: another account's or domain's stream is another node than ours of the same name.
func (e Edge) from() string {
	if e.APIPrefix != "" {
		return e.Source + " (" + e.APIPrefix + ")"
	}
	return e.Source
}

func (e Edge) word() string {
	if e.Mirror {
		return "mirror"
	}
	return "source"
}

// nodes are all streams that take part, sorted.
func nodes(edges []Edge) []string {
	all := map[string]bool{}
	for _, e := range edges {
		all[e.from()], all[e.Stream] = true, true
	}
	return slices.Sorted(maps.Keys(all))
}

func dotDiagram(edges []Edge) string {
	var b strings.Builder
	b.WriteString("digraph streams {\n  label=\"Stream Replication Structure\"\n  rankdir=LR\n  node [shape=box]\n")
	for _, n := range nodes(edges) {
		fmt.Fprintf(&b, "  %s\n", strconv.Quote(n))
	}
	for _, e := range edges {
		style := "color=green"
		if e.Mirror {
			style = "color=blue label=\"Mirror\""
		}
		fmt.Fprintf(&b, "  %s -> %s [%s]\n", strconv.Quote(e.from()), strconv.Quote(e.Stream), style)
	}
	b.WriteString("}\n")
	return b.String()
}

func mermaidDiagram(edges []Edge) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	ids := map[string]string{}
	for i, n := range nodes(edges) {
		ids[n] = n
		if strings.ContainsFunc(n, func(r rune) bool {
			return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}) || n == "end" {
			ids[n] = "n" + strconv.Itoa(i)
			fmt.Fprintf(&b, "  %s[\"%s\"]\n", ids[n], strings.ReplaceAll(n, `"`, "#quot;"))
		}
	}
	for _, e := range edges {
		fmt.Fprintf(&b, "  %s -->|%s| %s\n", ids[e.from()], e.word(), ids[e.Stream])
	}
	return b.String()
}

// The measures of the picture, in its own units.
const (
	boxHeight, boxGap, layerGap, letter, margin = 30, 18, 90, 8, 20
)

// svgDiagram places each stream one column to the right of the furthest it copies from.
func svgDiagram(edges []Edge) string {
	all := nodes(edges)
	depth := depths(all, edges)
	type place struct{ x, y, w int }
	at := map[string]place{}
	x, height := margin, 0
	for layer := 0; ; layer++ {
		y, width, any := margin, 0, false
		for _, n := range all {
			if depth[n] == layer {
				width = max(width, len(n)*letter+20)
			}
		}
		for _, n := range all {
			if depth[n] == layer {
				at[n] = place{x, y, width}
				y += boxHeight + boxGap
				any = true
			}
		}
		if !any {
			break
		}
		height = max(height, y)
		x += width + layerGap
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"13\">\n", max(x-layerGap+margin, 2*margin), max(height, 2*margin))
	b.WriteString("<title>Stream Replication Structure</title>\n<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n")
	for _, e := range edges {
		f, t := at[e.from()], at[e.Stream]
		colour := "green"
		if e.Mirror {
			colour = "blue"
		}
		fmt.Fprintf(&b, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"%s\" marker-end=\"url(#a)\"/>\n", f.x+f.w, f.y+boxHeight/2, t.x, t.y+boxHeight/2, colour)
	}
	for _, n := range all {
		p := at[n]
		fmt.Fprintf(&b, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\" fill=\"white\" stroke=\"black\"/>\n", p.x, p.y, p.w, boxHeight)
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", p.x+p.w/2, p.y+boxHeight/2+5, html.EscapeString(n))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// depths are the columns: the longest way from an origin, streams that copy in a circle counted once round.
func depths(all []string, edges []Edge) map[string]int {
	out := map[string]int{}
	for range all {
		moved := false
		for _, e := range edges {
			if d := out[e.from()] + 1; e.from() != e.Stream && out[e.Stream] < d && d < len(all) {
				out[e.Stream] = d
				moved = true
			}
		}
		if !moved {
			break
		}
	}
	// A circle may leave columns empty: close them up.
	used := slices.Sorted(maps.Values(out))
	used = slices.Compact(append([]int{0}, used...))
	for n, d := range out {
		out[n], _ = slices.BinarySearch(used, d)
	}
	return out
}
