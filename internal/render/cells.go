package render

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/natskit/natskit/internal/term"
)

// The cells: values that know a form for people and an exact form for programs. Text and wide, Markdown and screens use
// the first, csv, tsv and names the second. JSON, YAML, jq and templates never see them: they read the result itself.
type (
	// Count is a number of things: 12,345 | 12345.
	Count uint64
	// Signed is a number that may be negative: -12,345 | -12345.
	Signed int64
	// Bytes is a size: 34 KiB | 34816.
	Bytes uint64
	// Limit is a Count with a word for none: below zero is "unlimited" | -1.
	Limit int64
	// BytesLimit is a Bytes with a word for none: below zero is "unlimited" | -1.
	BytesLimit int64
	// Percent is a share of 100, not of 1: 92.4% | 92.38.
	Percent float64
	// Rate is a number per second; the label or column says of what: 1,234 | 1234.2.
	Rate float64
	// Since is a moment told by its distance: "3m2s ago", "in 5.00s" | RFC 3339. The zero time is "never" | empty.
	Since time.Time
	// At is a moment: 2006-01-02 15:04:05 in the user's zone | RFC 3339. The zero time is "never" | empty.
	At time.Time
	// Span is a duration: 1h30m0s, 3.70s | as Go writes it.
	Span time.Duration
	// SpanLimit is a Span with words for none: zero or less is "unlimited", the longest duration "never" | as Span.
	SpanLimit time.Duration
	// Subject is a subject; where a table is too wide its middle is left out.
	Subject string
	// Good is text about something healthy, done or present.
	Good string
	// Warn is text about something worth a look.
	Warn string
	// Bad is text about something failed, missing or lost.
	Bad string
	// Key is the name of the thing that the line is about.
	Key string
	// Muted is text for those who look for it.
	Muted string
	// Lines is a value of several lines: one below the other | joined by ", ".
	Lines []string
)

// Cell is a value made by Sprintf.
type Cell interface {
	show(l *look) (string, term.Style)
}

// Sprintf makes a cell out of cells: each argument is shown in the form that the format asks for.
func Sprintf(format string, args ...any) Cell { return composed{format, args} }

type composed struct {
	format string
	args   []any
}

func (c composed) show(l *look) (string, term.Style) {
	plain := *l
	plain.paint = term.Painter{}
	return plain.sprintf(c.format, c.args), term.Plain
}

func (c Count) show(l *look) (string, term.Style) {
	if l.numbers() {
		return strconv.FormatUint(uint64(c), 10), term.Plain
	}
	return HumaneCount(uint64(c)), term.Plain
}

func (c Signed) show(l *look) (string, term.Style) {
	if l.numbers() {
		return strconv.FormatInt(int64(c), 10), term.Plain
	}
	return humaneSigned(int64(c)), term.Plain
}

func (c Bytes) show(l *look) (string, term.Style) {
	if l.numbers() {
		return strconv.FormatUint(uint64(c), 10), term.Plain
	}
	return HumaneBytes(uint64(c)), term.Plain
}

func (c Limit) show(l *look) (string, term.Style) {
	switch {
	case c < 0 && l.exact:
		return "-1", term.Plain
	case c < 0:
		return "unlimited", term.Plain
	}
	return Count(c).show(l)
}

func (c BytesLimit) show(l *look) (string, term.Style) {
	if c < 0 {
		return Limit(c).show(l)
	}
	return Bytes(c).show(l)
}

func (c Percent) show(l *look) (string, term.Style) {
	switch {
	case l.exact:
		return exactFloat(float64(c)), term.Plain
	case l.raw:
		return exactFloat(float64(c)) + "%", term.Plain
	}
	return humaneFloat(float64(c), 1) + "%", term.Plain
}

func (c Rate) show(l *look) (string, term.Style) {
	if l.numbers() {
		return exactFloat(float64(c)), term.Plain
	}
	decimals := 2
	if a := math.Abs(float64(c)); a >= 100 {
		decimals = 0
	} else if a >= 10 {
		decimals = 1
	}
	return humaneFloat(float64(c), decimals), term.Plain
}

func (c Since) show(l *look) (string, term.Style) {
	t := time.Time(c)
	if l.exact || t.IsZero() {
		return At(c).show(l)
	}
	d := l.now.Sub(t)
	if d < 0 {
		return "in " + HumaneDuration(-d), term.Plain
	}
	return HumaneDuration(d) + " ago", term.Plain
}

func (c At) show(l *look) (string, term.Style) {
	t := time.Time(c)
	switch {
	case t.IsZero() && l.exact:
		return "", term.Plain
	case t.IsZero():
		return "never", term.Plain
	case l.exact:
		return t.In(l.loc).Format(time.RFC3339Nano), term.Plain
	}
	return t.In(l.loc).Format(time.DateTime), term.Plain
}

func (c Span) show(l *look) (string, term.Style) {
	if l.numbers() {
		return time.Duration(c).String(), term.Plain
	}
	return HumaneDuration(time.Duration(c)), term.Plain
}

func (c SpanLimit) show(l *look) (string, term.Style) {
	switch {
	case l.exact:
	case c <= 0:
		return "unlimited", term.Plain
	case c == math.MaxInt64:
		return "never", term.Plain
	}
	return Span(c).show(l)
}

func (c Subject) show(*look) (string, term.Style) { return string(c), term.Plain }
func (c Good) show(*look) (string, term.Style)    { return string(c), term.Good }
func (c Warn) show(*look) (string, term.Style)    { return string(c), term.Warn }
func (c Bad) show(*look) (string, term.Style)     { return string(c), term.Bad }
func (c Key) show(*look) (string, term.Style)     { return string(c), term.Key }
func (c Muted) show(*look) (string, term.Style)   { return string(c), term.Muted }

func (c Lines) show(l *look) (string, term.Style) {
	if l.exact {
		return strings.Join(c, ", "), term.Plain
	}
	seen := make([]string, len(c))
	for i, line := range c {
		seen[i] = l.clean(line)
	}
	return strings.Join(seen, "\n"), term.Plain
}
