package sub

import (
	"strings"

	"github.com/natskit/natskit/internal/chart"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
)

// graph keeps the rates of up to four subscriptions, a sample each second.
type graph struct {
	patterns []string
	before   []uint64
	samples  [][]float64
}

func newGraph(patterns []string) *graph {
	return &graph{patterns: patterns, before: make([]uint64, len(patterns)), samples: make([][]float64, len(patterns))}
}

// draw takes a sample of the counts and draws one plot for each subscription, one below the other.
func (g *graph) draw(t *tally, width, height int) string {
	var lines []string
	rows := max(height/len(g.patterns)-3, 3)
	columns := max(width-14, 1)
	for i, p := range g.patterns {
		var total uint64
		if r := t.rows[p]; r != nil {
			total = r.Messages
		}
		g.samples[i] = append(g.samples[i], float64(total-g.before[i]))
		g.before[i] = total
		if over := len(g.samples[i]) - columns; over > 0 {
			g.samples[i] = g.samples[i][over:]
		}
		lines = append(lines, chart.Plot(g.samples[i], chart.PlotOptions{
			Width: columns, Height: rows, FromZero: true, Caption: term.Visible(p, false) + " / second",
			Label: func(v float64) string { return render.HumaneCount(uint64(v)) },
		})...)
		lines = append(lines, "")
	}
	return strings.Join(lines, "\n")
}
