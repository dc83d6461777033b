package render

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/natskit/natskit/internal/fail"
)

// Liner is a result that can be shown by a line format: a message.
type Liner interface{ LineItem() LineItem }

// LineItem are the parts of a message that a line format can name. Header may be nil; it gives the first value.
type LineItem struct {
	Subject, Reply string
	Header         func(name string) string
	Payload        []byte
	Number         uint64
	Time           time.Time
	Size           int // bytes of headers and payload
}

// lineToken is a piece of a line format: text, or a part of the message.
type lineToken struct {
	part byte   // one of s r h p n t S, or 0 for text
	text string // the text, or the name of the header
}

const lineParts = `%s subject, %r reply, %h{Name} header, %p payload, %n number, %t time, %S size, %% and \n \t \r \0 \\ \xHH`

// parseLine reads a line format once; errors are usage errors that name what was not understood.
func parseLine(format string) ([]lineToken, error) {
	var tokens []lineToken
	var text []byte
	add := func(t lineToken) {
		if len(text) > 0 {
			tokens = append(tokens, lineToken{text: string(text)})
			text = nil
		}
		tokens = append(tokens, t)
	}
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c != '%' && c != '\\' {
			text = append(text, c)
			continue
		}
		if i++; i == len(format) {
			return nil, badLine(format, "%c stands at its end", c)
		}
		switch {
		case c == '\\':
			value, size, err := lineEscape(format, i)
			if err != nil {
				return nil, err
			}
			text, i = append(text, value), i+size-1
		case format[i] == '%':
			text = append(text, '%')
		case format[i] == 'h':
			name, _, ok := strings.Cut(format[i+1:], "}")
			if !ok || len(name) < 2 || name[0] != '{' {
				return nil, badLine(format, "%%h wants the name of a header: %%h{Name}")
			}
			add(lineToken{part: 'h', text: name[1:]})
			i += len(name) + 1
		case strings.IndexByte("srpntS", format[i]) >= 0:
			add(lineToken{part: format[i]})
		default:
			return nil, badLine(format, "unknown %%%c", firstRune(format[i:]))
		}
	}
	if len(text) > 0 {
		tokens = append(tokens, lineToken{text: string(text)})
	}
	return tokens, nil
}

// lineEscape is the byte for the escape at format[i], and how many bytes of the format it takes.
func lineEscape(format string, i int) (value byte, size int, err error) {
	switch format[i] {
	case 'n':
		return '\n', 1, nil
	case 't':
		return '\t', 1, nil
	case 'r':
		return '\r', 1, nil
	case '0':
		return 0, 1, nil
	case '\\':
		return '\\', 1, nil
	case 'x':
		if i+3 <= len(format) {
			if n, err := strconv.ParseUint(format[i+1:i+3], 16, 8); err == nil {
				return byte(n), 3, nil
			}
		}
		return 0, 0, badLine(format, `\x wants two hexadecimal digits`)
	}
	return 0, 0, badLine(format, `unknown \%c`, firstRune(format[i:]))
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

func badLine(format, why string, args ...any) error {
	return fail.Usagef("line format %q: "+why, append([]any{format}, args...)...).WithHint("it knows %s", strings.ReplaceAll(lineParts, "%", "%%"))
}

// appendLine appends the message as the tokens say; nothing is added, also no line break.
func appendLine(dst []byte, tokens []lineToken, m *LineItem, o *TextOptions) []byte {
	for _, t := range tokens {
		switch t.part {
		case 0:
			dst = append(dst, t.text...)
		case 's':
			dst = appendPart(dst, m.Subject, o, false)
		case 'r':
			dst = appendPart(dst, m.Reply, o, false)
		case 'h':
			if m.Header != nil {
				dst = appendPart(dst, m.Header(t.text), o, false)
			}
		case 'p':
			dst = appendPart(dst, m.Payload, o, true)
		case 'n':
			dst = strconv.AppendUint(dst, m.Number, 10)
		case 't':
			if !m.Time.IsZero() {
				dst = m.Time.In(o.Location).AppendFormat(dst, time.RFC3339Nano)
			}
		case 'S':
			dst = strconv.AppendInt(dst, int64(m.Size), 10)
		}
	}
	return dst
}

func appendPart[T ~string | ~[]byte](dst []byte, text T, o *TextOptions, keepLayout bool) []byte {
	if o.TTY {
		return AppendVisible(dst, text, keepLayout)
	}
	return append(dst, text...)
}

// renderLines writes a message, or each of a list of messages, by the line format.
func (r *Renderer) renderLines(b *bytes.Buffer, v Viewer) error {
	items, ok := liners(v)
	if !ok {
		return r.noSuch("messages")
	}
	o := r.textOptions(r.o.Clock.Now())
	for _, l := range items {
		m := l.LineItem()
		b.Write(appendLine(b.AvailableBuffer(), r.line, &m, &o))
	}
	return nil
}

func liners(v any) ([]Liner, bool) {
	if l, ok := v.(Liner); ok {
		return []Liner{l}, true
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		rv = rv.Elem()
	}
	if rv.Kind() != reflect.Slice {
		return nil, false
	}
	out := make([]Liner, rv.Len())
	for i := range out {
		e := rv.Index(i)
		l, ok := e.Interface().(Liner)
		if !ok {
			l, ok = e.Addr().Interface().(Liner)
		}
		if !ok {
			return nil, false
		}
		out[i] = l
	}
	return out, true
}
