// Package chart draws figures as text and as SVG: plots, bars, histograms, sparklines and trees. It returns lines without
// colour and knows nothing of terminals; what is printed where is the caller's business. Labels must be free of control
// characters.
package chart

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/guptarohit/asciigraph"
	"github.com/mattn/go-runewidth"
)

// PlotOptions describe a line plot.
type PlotOptions struct {
	Width, Height int                  // of the plot area in cells; at least 1 each
	Caption       string               // below the plot
	Label         func(float64) string // writes values on the axis; nil writes plain numbers
	FromZero      bool                 // the axis begins at 0
}

// Plot draws one line over evenly spaced values; none without values. Values that are not numbers leave a hole.
func Plot(values []float64, o PlotOptions) []string {
	if len(values) == 0 {
		return nil
	}
	opts := []asciigraph.Option{asciigraph.Width(max(o.Width, 1)), asciigraph.Height(max(o.Height, 1))}
	if o.Caption != "" {
		opts = append(opts, asciigraph.Caption(o.Caption))
	}
	if o.Label != nil {
		opts = append(opts, asciigraph.YAxisValueFormatter(o.Label))
	}
	if o.FromZero {
		opts = append(opts, asciigraph.LowerBound(0))
	}
	return strings.Split(asciigraph.Plot(finite(values), opts...), "\n")
}

// finite replaces infinities, which no axis can hold, by holes.
func finite(values []float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		if math.IsInf(v, 0) {
			v = math.NaN()
		}
		out[i] = v
	}
	return out
}

// Bar is one row of a bar chart.
type Bar struct {
	Label string
	Value float64
	Text  string // written behind the bar; empty writes the value
}

// Bars draws one horizontal bar a row, the longest filling what width (in cells) leaves beside labels and texts. Negative
// values and those that are not numbers have no bar.
func Bars(bars []Bar, width int) []string {
	bars = slices.Clone(bars)
	var labels, texts int
	var most float64
	for i, b := range bars {
		if b.Text == "" {
			bars[i].Text = fmt.Sprintf("%g", b.Value)
		}
		labels = max(labels, runewidth.StringWidth(b.Label))
		texts = max(texts, runewidth.StringWidth(bars[i].Text))
		if !math.IsInf(b.Value, 0) {
			most = math.Max(most, b.Value)
		}
	}
	cells := max(width-labels-texts-3, 1)
	out := make([]string, 0, len(bars))
	for _, b := range bars {
		part := 0.0
		if most > 0 && b.Value > 0 {
			part = min(b.Value/most, 1)
		}
		label := strings.Repeat(" ", labels-runewidth.StringWidth(b.Label)) + b.Label
		line := label + " " + block(part, cells)
		out = append(out, line+strings.Repeat(" ", max(labels+1+cells-runewidth.StringWidth(line), 0))+" "+b.Text)
	}
	return out
}

// block is a bar of part (0 to 1) of cells, in eighths of a cell; something above nothing always shows.
func block(part float64, cells int) string {
	eighths := int(math.Round(part * float64(cells) * 8))
	if eighths == 0 && part > 0 {
		eighths = 1
	}
	out := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		out += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return out
}

// Bucket is one class of a histogram.
type Bucket struct {
	From, To float64 // From is inside, To is not
	Count    int64
}

// Histogram draws the buckets as bars labelled with their bounds as label writes them.
func Histogram(buckets []Bucket, width int, label func(float64) string) []string {
	bars := make([]Bar, len(buckets))
	for i, b := range buckets {
		bars[i] = Bar{Label: label(b.From) + " – " + label(b.To), Value: float64(b.Count), Text: fmt.Sprint(b.Count)}
	}
	return Bars(bars, width)
}

// Spread sorts values into n buckets of equal width from the smallest to the largest; one bucket when all are the same,
// none without values.
func Spread(values []float64, n int) []Bucket {
	lo, hi := bounds(values)
	if lo > hi {
		return nil
	}
	if lo == hi {
		n = 1
	}
	n = max(n, 1)
	step := (hi - lo) / float64(n)
	out := make([]Bucket, n)
	for i := range out {
		out[i].From, out[i].To = lo+float64(i)*step, lo+float64(i+1)*step
	}
	for _, v := range finite(values) {
		if math.IsNaN(v) {
			continue
		}
		i := 0
		if step > 0 {
			i = min(int((v-lo)/step), n-1) // the largest value belongs to the last bucket
		}
		out[i].Count++
	}
	return out
}

// bounds is the smallest and largest number among values; the first is larger than the second when there is none.
func bounds(values []float64) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			lo, hi = math.Min(lo, v), math.Max(hi, v)
		}
	}
	return lo, hi
}
