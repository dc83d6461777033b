package meter

import (
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/natskit/natskit/internal/chart"
)

const style = `:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.15rem .8rem;text-align:right;border-bottom:1px solid #8884}
td:first-child,th:first-child{text-align:left}svg{max-width:100%;height:auto;margin:.5rem 0}.bad{color:#c00}h2{margin-top:2rem}`

// WriteHTML writes the report as one page with its charts inside: it loads nothing and runs no script.
func (r *Report) WriteHTML(w io.Writer) error {
	var b strings.Builder
	title := html.EscapeString("nats bench " + r.Bench)
	b.WriteString("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + title + "</title><style>" + style + "</style></head><body>\n")
	class := ""
	if r.Outcome != Complete {
		class = ` class="bad"`
	}
	fmt.Fprintf(&b, "<h1>%s</h1>\n<p%s>%s</p>\n", title, class, html.EscapeString(r.verdict()))
	for _, svg := range r.charts() {
		b.WriteString(svg + "\n")
	}
	for _, t := range append(r.tables(), r.settings()) {
		t.html(&b)
	}
	for i, n := range r.Notes {
		if i == 0 {
			b.WriteString("<h2>Notes</h2>\n")
		}
		b.WriteString("<p>" + html.EscapeString(n) + "</p>\n")
	}
	b.WriteString("</body></html>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (t table) html(b *strings.Builder) {
	row := func(tag string, cells []string) {
		b.WriteString("<tr>")
		for _, c := range cells {
			b.WriteString("<" + tag + ">" + html.EscapeString(c) + "</" + tag + ">")
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("<h2>" + html.EscapeString(t.title) + "</h2>\n<table>\n")
	row("th", t.head)
	for _, r := range t.rows {
		row("td", r)
	}
	b.WriteString("</table>\n")
}

// charts are the rate over time, the latencies by percentile, and the clients beside each other, as far as there is
// something to show.
func (r *Report) charts() []string {
	var out []string
	if x, y := rates(r.Timeline); len(x) > 1 {
		out = append(out, chart.SVGLines([]chart.Series{{Name: "rate", X: x, Y: y}}, chart.SVGOptions{
			Title: "Rate over time", XTitle: "seconds", YTitle: "messages a second", YLabel: rate}))
	}
	var lines []chart.Series
	for _, s := range r.Sides {
		if l := s.Total.Latency; l != nil && l.Hist != nil && l.Hist.h != nil {
			lines = append(lines, percentiles(s.Label, l.Hist))
		}
	}
	if len(lines) > 0 {
		out = append(out, chart.SVGLines(lines, chart.SVGOptions{
			Title: "Latency by percentile", XTitle: "percentile", YTitle: "latency", LogY: true,
			XTicks: []float64{0, 1, 2, 3, 4, 5}, XLabel: nines,
			YLabel: func(ns float64) string { return time.Duration(ns).String() }}))
	}
	for i := range r.Sides {
		s := &r.Sides[i]
		if len(s.Clients) < 2 {
			continue
		}
		bars := make([]chart.Bar, len(s.Clients))
		for j, c := range s.Clients {
			bars[j] = chart.Bar{Label: strconv.Itoa(j + 1), Value: c.Rate, Text: rate(c.Rate) + " msgs/sec"}
		}
		out = append(out, chart.SVGBars(bars, chart.SVGOptions{Title: s.Label + ": messages a second by client", YLabel: rate}))
	}
	return out
}

// rates turns cumulative points into rates between them.
func rates(points []Point) (x, y []float64) {
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		if d := (b.At - a.At).Seconds(); d > 0 {
			x = append(x, b.At.Seconds())
			y = append(y, float64(b.Messages-a.Messages)/d)
		}
	}
	return x, y
}

// percentiles is the latency over the number of nines: 1 is 90 %, 2 is 99 %, as far as the samples reach.
func percentiles(name string, h *Hist) chart.Series {
	s := chart.Series{Name: name}
	reach := min(math.Log10(float64(h.Count())), 5)
	for n := 0.0; n <= reach+1e-9; n += 0.05 {
		s.X = append(s.X, n)
		s.Y = append(s.Y, float64(max(h.Percentile(100*(1-math.Pow(10, -n))), 1)))
	}
	return s
}

func nines(n float64) string {
	return strconv.FormatFloat(100*(1-math.Pow(10, -n)), 'f', max(int(n)-2, 0), 64) + "%"
}
