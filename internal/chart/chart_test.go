package chart_test

import (
	"encoding/xml"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/natskit/natskit/internal/chart"
)

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func TestBars(t *testing.T) {
	t.Parallel()
	got := chart.Bars([]chart.Bar{{"a", 4, ""}, {"long", 2, "two"}, {"none", 0, ""}, {"least", 0.001, "x"}, {"minus", -3, ""}}, 21)
	for i, line := range got {
		if n := utf8.RuneCountInString(line); n > 21 {
			t.Errorf("line %d is %d wide", i, n)
		}
	}
	blocks := func(s string) int { return strings.Count(s, "█") }
	if blocks(got[0]) != 2*blocks(got[1]) || blocks(got[0]) == 0 || strings.ContainsAny(got[2]+got[4], "█▏") || !strings.Contains(got[3], "▏") {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
	if got := chart.Bars([]chart.Bar{{"x", 1, ""}}, 0); len(got) != 1 || !strings.Contains(got[0], "█") {
		t.Errorf("%q", got)
	}
	if len(chart.Bars(nil, 10)) != 0 {
		t.Error("nothing to draw")
	}
}

func TestSpreadAndHistogram(t *testing.T) {
	t.Parallel()
	got := chart.Spread([]float64{0, 1, 2, 10, math.NaN()}, 2)
	if len(got) != 2 || got[0] != (chart.Bucket{From: 0, To: 5, Count: 3}) || got[1] != (chart.Bucket{From: 5, To: 10, Count: 1}) {
		t.Errorf("%+v", got)
	}
	if got := chart.Spread([]float64{3, 3}, 5); len(got) != 1 || got[0].Count != 2 {
		t.Errorf("%+v", got)
	}
	if chart.Spread(nil, 5) != nil {
		t.Error("no values, no buckets")
	}
	lines := chart.Histogram(got, 30, number)
	if len(lines) != 2 || !strings.Contains(lines[0], "0 – 5") || !strings.HasSuffix(lines[1], " 1") {
		t.Errorf("%q", lines)
	}
}

func TestPlot(t *testing.T) {
	t.Parallel()
	got := chart.Plot([]float64{1, 2, 3, 2}, chart.PlotOptions{Width: 20, Height: 4, Caption: "rate", Label: func(f float64) string { return number(math.Round(f)) + "/s" }, FromZero: true})
	text := strings.Join(got, "\n")
	if !strings.Contains(text, "0/s") || !strings.Contains(text, "3/s") || !strings.Contains(text, "rate") || strings.Contains(text, "\x1b") {
		t.Errorf("%s", text)
	}
	if chart.Plot(nil, chart.PlotOptions{}) != nil {
		t.Error("nothing to plot")
	}
	for _, odd := range [][]float64{{math.NaN()}, {math.Inf(1), 1}, {0}, {1e308, -1e308}} {
		chart.Plot(odd, chart.PlotOptions{}) // must not panic
	}
}

func wellFormed(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
}

func TestSVG(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	lines := map[string][]chart.Series{
		"none":     nil,
		"empty":    {{Name: "x"}},
		"holes":    {{Name: "x", X: []float64{nan, 1}, Y: []float64{1, nan}}},
		"one":      {{Name: "x", X: []float64{1}, Y: []float64{5}}},
		"same":     {{Name: "x", X: []float64{1, 1}, Y: []float64{5, 5}}},
		"two":      {{Name: "<a>", X: []float64{0, 1, 2}, Y: []float64{0, 10, 20}}, {Name: "b&c", X: []float64{0, 1}, Y: []float64{-3, 7}}},
		"unequal":  {{Name: "x", X: []float64{0, 1, 2}, Y: []float64{1}}},
		"infinite": {{Name: "x", X: []float64{0, 1}, Y: []float64{math.Inf(1), 2}}},
	}
	for name, s := range lines {
		for _, log := range []bool{false, true} {
			svg := chart.SVGLines(s, chart.SVGOptions{Title: "a < b & c", XTitle: "x", YTitle: "y", LogY: log})
			wellFormed(t, svg)
			if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
				t.Errorf("%s (log %t): %s", name, log, svg)
			}
		}
	}
	svg := chart.SVGLines(lines["two"], chart.SVGOptions{})
	if !strings.Contains(svg, "&lt;a&gt;") || strings.Count(svg, "<polyline") != 2 {
		t.Errorf("%s", svg)
	}
	svg = chart.SVGLines(lines["two"], chart.SVGOptions{XTicks: []float64{0, 2}, XLabel: func(float64) string { return "99.9999%" }})
	if strings.Count(svg, `text-anchor="middle">99.9999%`) != 1 || strings.Count(svg, `text-anchor="end">99.9999%`) != 1 {
		t.Errorf("the label at the edge is cut off: %s", svg)
	}
	if !strings.Contains(chart.SVGLines(nil, chart.SVGOptions{}), "nothing was measured") {
		t.Error("an empty chart says so")
	}
	var many []chart.Bar
	for i := range 100 {
		many = append(many, chart.Bar{Label: "<" + strconv.Itoa(i), Value: float64(i - 1), Text: "\"t\""})
	}
	svg = chart.SVGBars(many, chart.SVGOptions{Title: "bars"})
	wellFormed(t, svg)
	if got := strings.Count(svg, "<rect"); got != 98 {
		t.Errorf("%d bars", got)
	}
	wellFormed(t, chart.SVGBars(nil, chart.SVGOptions{}))
}
