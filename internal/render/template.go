package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/term"
)

// parseTemplate reads a Go template. Beside those of text/template it has the functions json, bytes, ago, join and color.
func (r *Renderer) parseTemplate(text string) (*template.Template, error) {
	t, err := template.New("format").Funcs(template.FuncMap{
		"json":  templateJSON,
		"bytes": templateBytes,
		"ago":   r.templateAgo,
		"join":  templateJoin,
		"color": r.templateColor,
	}).Parse(text)
	if err != nil {
		return nil, fail.Usagef("template %q: %s", text, plainError(err))
	}
	return t, nil
}

func plainError(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "template: "), "format:")
}

// renderTemplate runs the template over the JSON tree of v; nothing is written when it fails. The text ends with a line
// break even if the template does not.
func (r *Renderer) renderTemplate(b *bytes.Buffer, v Viewer) error {
	t, err := r.tree(v)
	if err != nil {
		return err
	}
	start := b.Len()
	if err := r.template.Execute(b, r.templateValue(t)); err != nil {
		b.Truncate(start)
		return fmt.Errorf("template %q: %s", r.o.Format.Arg, plainError(err))
	}
	if text := b.Bytes()[start:]; len(text) > 0 && text[len(text)-1] != '\n' {
		b.WriteByte('\n')
	}
	return nil
}

// decimal is a number with a fraction: templates can compare it, and print it as JSON has it.
type decimal float64

// String is the number as encoding/json writes it, up to the size at which that turns to exponents.
func (d decimal) String() string { return strconv.FormatFloat(float64(d), 'f', -1, 64) }

// templateValue makes numbers of the tree comparable without losing digits, and its strings safe for a terminal.
func (r *Renderer) templateValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = r.templateValue(e)
		}
	case []any:
		for i, e := range v {
			v[i] = r.templateValue(e)
		}
	case string:
		if r.o.TTY {
			return term.Visible(v, true)
		}
	case json.Number:
		if i, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return i
		}
		if u, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return u
		}
		if f, err := v.Float64(); err == nil && decimal(f).String() == v.String() {
			return decimal(f)
		}
	}
	return v
}

func templateJSON(v any) (string, error) {
	doc, err := marshal(v)
	return string(doc), err
}

// MarshalJSON is the number as String writes it.
func (d decimal) MarshalJSON() ([]byte, error) { return []byte(d.String()), nil }

func templateBytes(v any) (string, error) {
	n, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	switch {
	case err != nil:
		return "", fmt.Errorf("bytes wants a number, got %q", fmt.Sprint(v))
	case n < 0:
		return "unlimited", nil
	case n >= 1<<64:
		return "", fmt.Errorf("bytes: %v is too large", v)
	}
	return HumaneBytes(uint64(n)), nil
}

func (r *Renderer) templateAgo(v any) (string, error) {
	s := fmt.Sprint(v)
	if v == nil || s == "" {
		return "never", nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return "", fmt.Errorf("ago wants an RFC 3339 time, got %q", s)
	}
	text, _ := Since(t).show(r.look())
	return text, nil
}

// templateJoin takes the list last, so that {{.subjects | join ", "}} reads well; null is an empty list.
func templateJoin(sep string, list any) (string, error) {
	if list == nil {
		return "", nil
	}
	items, ok := list.([]any)
	if !ok {
		return "", fmt.Errorf("join wants a list, got %T", list)
	}
	words := make([]string, len(items))
	for i, e := range items {
		words[i] = fmt.Sprint(e)
	}
	return strings.Join(words, sep), nil
}

var templateStyles = map[string]term.Style{
	"good": term.Good, "warn": term.Warn, "bad": term.Bad, "key": term.Key, "muted": term.Muted, "accent": term.Accent,
	"green": term.Good, "yellow": term.Warn, "red": term.Bad, "bold": term.Key, "dim": term.Muted,
}

// templateColor paints by meaning (good, warn, bad, key, muted, accent) or by the plain word for it (green, yellow, red, bold, dim).
func (r *Renderer) templateColor(style string, v any) (string, error) {
	s, ok := templateStyles[style]
	if !ok {
		return "", fmt.Errorf("color %q is not known: good, warn, bad, key, muted or accent", style)
	}
	return r.o.Paint.Paint(s, fmt.Sprint(v)), nil
}
