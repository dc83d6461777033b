package render

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/natskit/natskit/internal/term"
)

// look says how cells are to be shown.
type look struct {
	exact   bool // the form for programs
	raw     bool // numbers are exact also for people
	tty     bool // the text goes to a terminal
	flat    bool // the text must stay on one line: tables
	paint   term.Painter
	loc     *time.Location
	now     time.Time
	secrets bool
}

// shown is a cell as it will be seen: control characters are already visible, colour is not yet on.
type shown struct {
	text    string
	style   term.Style
	painted string // set when parts of the text have colours of their own
}

func (s shown) paint(p term.Painter) string {
	if s.painted != "" {
		return s.painted
	}
	return p.Paint(s.style, s.text)
}

func (l *look) numbers() bool { return l.exact || l.raw }

// cleans reports whether text of strangers is changed before it is shown.
func (l *look) cleans() bool { return !l.exact && (l.tty || l.flat) }

func (l *look) clean(text string) string {
	if l.cleans() {
		return term.Visible(text, !l.flat)
	}
	return text
}

// cell shows any value: the cells of this package by their own rules, Go's numbers, times, durations and lists by those
// of the nearest cell, everything else as fmt prints it.
func (l *look) cell(v any) shown {
	switch v := v.(type) {
	case composed:
		text, _ := v.show(l)
		s := shown{text: text}
		if l.paint.On {
			s.painted = l.sprintf(v.format, v.args)
		}
		return s
	case Lines:
		text, _ := v.show(l)
		return shown{text: text}
	}
	text, style := l.value(v)
	return shown{text: l.clean(text), style: style}
}

func (l *look) value(v any) (string, term.Style) {
	switch v := v.(type) {
	case nil:
		return "", term.Plain
	case Cell:
		return v.show(l)
	case string:
		return v, term.Plain
	case []byte:
		return string(v), term.Plain
	case bool:
		return strconv.FormatBool(v), term.Plain
	case time.Time:
		return At(v).show(l)
	case time.Duration:
		return Span(v).show(l)
	case []string:
		return strings.Join(v, ", "), term.Plain
	case error, fmt.Stringer:
		if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
			return "", term.Plain
		}
		return fmt.Sprint(v), term.Plain
	}
	return l.reflected(reflect.ValueOf(v))
}

func (l *look) reflected(v reflect.Value) (string, term.Style) {
	switch {
	case v.CanInt():
		return Signed(v.Int()).show(l)
	case v.CanUint():
		return Count(v.Uint()).show(l)
	case v.CanFloat() && l.numbers():
		return exactFloat(v.Float()), term.Plain
	case v.CanFloat():
		return humaneFloat(v.Float(), 3), term.Plain
	case v.Kind() == reflect.Pointer && v.IsNil():
		return "", term.Plain
	case v.Kind() == reflect.Pointer:
		return l.value(v.Elem().Interface())
	}
	return fmt.Sprint(v.Interface()), term.Plain
}

// sprintf is fmt.Sprintf with cells as arguments. Arguments that may hold text of strangers are cleaned.
func (l *look) sprintf(format string, args []any) string {
	wrapped := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case Cell:
			wrapped[i] = cellArg{l.cell(v), l.paint}
		case time.Time:
			wrapped[i] = plainArg{l, v, At(v)}
		case time.Duration:
			wrapped[i] = plainArg{l, v, Span(v)}
		default:
			wrapped[i] = a
			if l.cleans() && mayHoldText(a) {
				wrapped[i] = plainArg{l, a, nil}
			}
		}
	}
	return fmt.Sprintf(format, wrapped...)
}

func mayHoldText(a any) bool {
	switch a.(type) {
	case nil:
		return false
	case fmt.Stringer, error, fmt.Formatter:
		return true
	}
	k := reflect.TypeOf(a).Kind()
	return k < reflect.Bool || k > reflect.Complex128
}

// cellArg is a shown cell as an argument of fmt: padded by what is seen, then painted.
type cellArg struct {
	shown
	painter term.Painter
}

// Format writes the cell for any verb; %q quotes it, width, precision and the flag - mean what they mean for strings.
func (a cellArg) Format(s fmt.State, verb rune) {
	if verb == 'q' {
		a.text, a.painted = strconv.Quote(a.text), ""
	}
	if n, ok := s.Precision(); ok && width(a.text) > n {
		a.text, a.painted = cutTo(a.text, n), ""
	}
	pad := ""
	if n, ok := s.Width(); ok {
		pad = spaces(n - width(a.text))
	}
	text := a.paint(a.painter)
	if s.Flag('-') {
		text += pad
	} else {
		text = pad + text
	}
	_, _ = s.Write([]byte(text))
}

// plainArg is a value that is no cell as an argument of fmt.
type plainArg struct {
	l *look
	v any
	c Cell // its form for %s and %v, if it has one
}

// Format writes what fmt would write, cleaned.
func (a plainArg) Format(s fmt.State, verb rune) {
	if a.c != nil && (verb == 's' || verb == 'v') {
		cellArg{a.l.cell(a.c), term.Painter{}}.Format(s, verb)
		return
	}
	_, _ = s.Write([]byte(a.l.clean(fmt.Sprintf(fmt.FormatString(s, verb), a.v))))
}
