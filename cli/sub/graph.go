package sub

import (
	"fmt"
	"strings"

	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
)

// graph keeps the rates of up to four subscriptions, a sample each second.
type graph struct {
	patterns []string
	before   []uint64
	samples  [][]uint64
}

func newGraph(patterns []string) *graph {
	return &graph{patterns: patterns, before: make([]uint64, len(patterns)), samples: make([][]uint64, len(patterns))}
}

// draw takes a sample of the counts and draws one plot for each subscription, one below the other.
func (g *graph) draw(t *tally, width, height int) string {
	var b strings.Builder
	rows := max(height/max(len(g.patterns), 1)-3, 3)
	for i, p := range g.patterns {
		var total uint64
		if r := t.rows[p]; r != nil {
			total = r.Messages
		}
		g.samples[i] = append(g.samples[i], total-g.before[i])
		g.before[i] = total
		if over := len(g.samples[i]) - max(width-14, 1); over > 0 {
			g.samples[i] = g.samples[i][over:]
		}
		plot(&b, g.samples[i], rows)
		fmt.Fprintf(&b, "%13s %s / second\n\n", "", term.Visible(p, false))
	}
	return b.String()
}

// plot draws columns of eighths of a block, scaled to the largest sample.
func plot(b *strings.Builder, samples []uint64, rows int) {
	const blocks = " ▁▂▃▄▅▆▇█"
	steps := []rune(blocks)
	var top uint64 = 1
	for _, s := range samples {
		top = max(top, s)
	}
	for r := rows - 1; r >= 0; r-- {
		label := ""
		switch r {
		case rows - 1:
			label = render.HumaneCount(top)
		case 0:
			label = "0"
		}
		fmt.Fprintf(b, "%11s ┤", label)
		for _, s := range samples {
			eighths := int(float64(s) / float64(top) * float64(rows*8))
			b.WriteRune(steps[min(max(eighths-r*8, 0), 8)])
		}
		b.WriteByte('\n')
	}
}
