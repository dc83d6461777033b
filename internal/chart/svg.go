package chart

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// Series is one line of an SVG chart. X and Y have the same length; points that are not numbers are left out.
type Series struct {
	Name string
	X, Y []float64
}

// SVGOptions describe an SVG chart.
type SVGOptions struct {
	Title          string
	Width, Height  int                  // in pixels; 720 by 300 when 0
	XTitle, YTitle string               // of the axes
	XLabel, YLabel func(float64) string // write values on the axes; nil writes plain numbers
	XTicks         []float64            // where the X axis has labels; nil chooses
	LogY           bool                 // logarithmic Y axis; values of 0 and below are left out
}

// The room around the plot area, in pixels, and the colours of the lines: distinguishable without colour vision and on
// both light and dark ground.
const (
	left, right, top, bottom = 92, 16, 34, 48
	palette                  = "#0072b2 #d55e00 #009e73 #cc79a7 #e69f00 #56b4e9"
)

func (o SVGOptions) size() (w, h int) {
	w, h = o.Width, o.Height
	if w <= 0 {
		w = 720
	}
	if h <= 0 {
		h = 300
	}
	return max(w, 2*(left+right)), max(h, 2*(top+bottom))
}

// axis maps values to pixels.
type axis struct {
	lo, hi   float64
	from, to float64 // pixels
	log      bool
}

func (a axis) at(v float64) float64 {
	if a.log {
		v = math.Log10(v)
	}
	if a.hi == a.lo {
		return (a.from + a.to) / 2
	}
	return a.from + (v-a.lo)/(a.hi-a.lo)*(a.to-a.from)
}

// ticks are round values along the axis, about n of them.
func (a axis) ticks(n int) []float64 {
	if a.hi <= a.lo {
		v := a.lo
		if a.log {
			v = math.Pow(10, v)
		}
		return []float64{v}
	}
	var out []float64
	if a.log {
		for e := math.Floor(a.lo); e <= math.Ceil(a.hi); e++ {
			if e >= a.lo-1e-9 && e <= a.hi+1e-9 {
				out = append(out, math.Pow(10, e))
			}
		}
		return out
	}
	step := round((a.hi - a.lo) / float64(n))
	for v := math.Ceil(a.lo/step) * step; v <= a.hi+step*1e-9; v += step {
		out = append(out, v)
	}
	return out
}

// round is the next 1, 2 or 5 times a power of ten.
func round(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*p*(1+1e-9) {
			return m * p
		}
	}
	return 10 * p
}

func px(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func plain(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// SVGLines draws lines over a common X axis as an <svg> element that needs nothing else. It says so when there is no point
// to draw.
func SVGLines(series []Series, o SVGOptions) string {
	w, h := o.size()
	var xs, ys []float64
	for _, s := range series {
		for i := range min(len(s.X), len(s.Y)) {
			if drawable(s.X[i], s.Y[i], o.LogY) {
				xs, ys = append(xs, s.X[i]), append(ys, s.Y[i])
			}
		}
	}
	var b strings.Builder
	open(&b, o, w, h)
	if len(xs) == 0 {
		return empty(&b, w, h)
	}
	x, y := axes(xs, ys, o.LogY, w, h)
	frame(&b, o, x, y, w, h)
	colours := strings.Fields(palette)
	for i, s := range series {
		c := colours[i%len(colours)]
		path := points(s, x, y)
		if !strings.Contains(path, " ") && path != "" {
			cx, cy, _ := strings.Cut(path, ",")
			fmt.Fprintf(&b, `<circle cx="%s" cy="%s" r="3" fill="%s"/>`, cx, cy, c)
		}
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>`, c, path)
		if len(series) > 1 {
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="10" height="10" fill="%s"/><text x="%d" y="%d">%s</text>`,
				left+8, top+6+i*16, c, left+22, top+15+i*16, html.EscapeString(s.Name))
		}
	}
	b.WriteString("</svg>")
	return b.String()
}

func drawable(x, y float64, log bool) bool {
	return !math.IsNaN(x+y) && !math.IsInf(x+y, 0) && (!log || y > 0)
}

func axes(xs, ys []float64, log bool, w, h int) (x, y axis) {
	x.lo, x.hi = bounds(xs)
	y.lo, y.hi = bounds(ys)
	if y.log = log; log {
		y.lo, y.hi = math.Floor(math.Log10(y.lo)), math.Ceil(math.Log10(y.hi))
	} else {
		y.lo = math.Min(y.lo, 0)
	}
	x.from, x.to = left, float64(w-right)
	y.from, y.to = float64(h-bottom), top
	return x, y
}

func points(s Series, x, y axis) string {
	var out []string
	for i := range min(len(s.X), len(s.Y)) {
		if drawable(s.X[i], s.Y[i], y.log) {
			out = append(out, px(x.at(s.X[i]))+","+px(y.at(s.Y[i])))
		}
	}
	return strings.Join(out, " ")
}

func open(b *strings.Builder, o SVGOptions, w, h int) {
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" font-family="system-ui,sans-serif" font-size="12" fill="currentColor">`, w, h, w, h)
	if o.Title != "" {
		t := html.EscapeString(o.Title)
		fmt.Fprintf(b, `<title>%s</title><text x="%d" y="20" font-size="14" font-weight="600">%s</text>`, t, left, t)
	}
}

func empty(b *strings.Builder, w, h int) string {
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">nothing was measured</text></svg>`, w/2, h/2)
	return b.String()
}

// frame draws the axes with their labels.
func frame(b *strings.Builder, o SVGOptions, x, y axis, w, h int) {
	label := func(f func(float64) string, v float64) string {
		if f == nil {
			f = plain
		}
		return html.EscapeString(f(v))
	}
	for _, v := range y.ticks(5) {
		at := px(y.at(v))
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%s" y2="%s" stroke="currentColor" stroke-opacity=".15"/><text x="%d" y="%s" text-anchor="end" dy=".35em">%s</text>`,
			left, w-right, at, at, left-6, at, label(o.YLabel, v))
	}
	ticks := o.XTicks
	if ticks == nil {
		ticks = x.ticks(6)
	}
	for _, v := range ticks {
		text, at, anchor := label(o.XLabel, v), x.at(v), "middle"
		if half := float64(len([]rune(text))) * 3.5; at+half > float64(w) { // it would be cut off
			at, anchor = float64(w), "end"
		}
		fmt.Fprintf(b, `<text x="%s" y="%d" text-anchor="%s">%s</text>`, px(at), h-bottom+16, anchor, text)
	}
	fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%d" y2="%d" stroke="currentColor" stroke-opacity=".5"/>`, left, w-right, h-bottom, h-bottom)
	if o.XTitle != "" {
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`, (left+w-right)/2, h-10, html.EscapeString(o.XTitle))
	}
	if o.YTitle != "" {
		mid := (top + h - bottom) / 2
		fmt.Fprintf(b, `<text x="14" y="%d" text-anchor="middle" transform="rotate(-90 14 %d)">%s</text>`, mid, mid, html.EscapeString(o.YTitle))
	}
}

// SVGBars draws one vertical bar for each value as an <svg> element that needs nothing else; negative values have none.
func SVGBars(bars []Bar, o SVGOptions) string {
	w, h := o.size()
	var b strings.Builder
	open(&b, o, w, h)
	if len(bars) == 0 {
		return empty(&b, w, h)
	}
	ys := []float64{0}
	for _, bar := range bars {
		ys = append(ys, bar.Value)
	}
	_, y := axes([]float64{0}, ys, false, w, h)
	y.lo = 0
	o.XTicks = []float64{}
	frame(&b, o, axis{from: left, to: float64(w - right)}, y, w, h)
	slot := float64(w-left-right) / float64(len(bars))
	every := (len(bars) + 23) / 24 // labels would overlap
	for i, bar := range bars {
		x := left + slot*float64(i)
		if bar.Value > 0 && !math.IsInf(bar.Value, 0) {
			at := y.at(bar.Value)
			fmt.Fprintf(&b, `<rect x="%s" y="%s" width="%s" height="%s" fill="#0072b2"><title>%s</title></rect>`,
				px(x+slot*0.1), px(at), px(slot*0.8), px(float64(h-bottom)-at), html.EscapeString(bar.Label+": "+bar.Text))
		}
		if i%every == 0 {
			fmt.Fprintf(&b, `<text x="%s" y="%d" text-anchor="middle">%s</text>`, px(x+slot/2), h-bottom+16, html.EscapeString(bar.Label))
		}
	}
	b.WriteString("</svg>")
	return b.String()
}
