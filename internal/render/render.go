// Package render turns the one result of a command into what the user asked for: text for people, and JSON, YAML, CSV,
// templates and the like for scripts. A result says once what it holds (its JSON tags) and once how it looks (View).
package render

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"text/template"
	"time"

	"github.com/itchyny/gojq"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/term"
)

// Viewer is a result: View is how people see it, the JSON tags of the same value are the contract with scripts.
type Viewer interface{ View(p *Page) }

// JSONer is a Viewer whose wire shape differs from the value itself; what JSON returns is encoded in its place.
type JSONer interface{ JSON() any }

// Options are what a Renderer needs to know of the world.
type Options struct {
	Out         io.Writer
	Err         io.Writer // text summaries of feeds go here; nil drops them
	Width       int       // columns of the terminal behind Out; 0 is a pipe, which is never cut
	TTY         bool      // Out is a terminal: control characters of strangers are shown, not obeyed
	Paint       term.Painter
	ErrPaint    term.Painter // for summaries on Err; the zero value paints nothing
	Format      Format
	Clock       clock.Clock    // nil is the machine's own
	Location    *time.Location // of the times people read; nil is time.Local
	ShowSecrets bool           // values of type Secret are shown in every format
	Raw         bool           // counts and bytes are exact also in text
	TableFormat string         // NATS_TABLE_FORMAT: md, markdown, csv or tsv re-render every table of the text format; other values are ignored
	LLM         bool           // the text format is Markdown
	FieldsJSON  bool           // info screens of the text format are a JSON object {"Header": …, "<Section>": {"<Label>": "<text>"}}
}

// Renderer writes the result of one command.
type Renderer struct {
	o       Options
	w       *bufio.Writer
	printed bool

	template *template.Template
	jq       *gojq.Code
	line     []lineToken
}

const bufferSize = 64 << 10

// New prepares for one result. A template, jq expression or line format that cannot be understood is a usage error here,
// before anything was connected or done.
func New(o Options) (*Renderer, error) {
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	if o.Location == nil {
		o.Location = time.Local
	}
	if o.Err == nil {
		o.Err = io.Discard
	}
	r := &Renderer{o: o, w: bufio.NewWriterSize(o.Out, bufferSize)}
	var err error
	switch o.Format.Kind {
	case Template:
		r.template, err = r.parseTemplate(o.Format.Arg)
	case JQ:
		r.jq, err = compileJQ(o.Format.Arg)
	case Line:
		r.line, err = parseLine(o.Format.Arg)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Format is the format that was asked for.
func (r *Renderer) Format() Format { return r.o.Format }

// Machine reports whether the reader is a program: every format but text and wide.
func (r *Renderer) Machine() bool { return r.o.Format.Kind.machine() }

// Print writes v. A command has one result: a second call is an error.
func (r *Renderer) Print(v Viewer) error {
	if r.printed {
		return errors.New("a second result was printed by the same command")
	}
	r.printed = true
	var b bytes.Buffer
	err := r.render(&b, v, nil)
	if _, werr := r.w.Write(b.Bytes()); err == nil {
		err = werr
	}
	if ferr := r.w.Flush(); err == nil {
		err = ferr
	}
	return err
}

// Bytes is stdout for content that must not be touched, such as a value or an object. It is buffered: end with Flush.
func (r *Renderer) Bytes() io.Writer { return r.w }

// Flush writes what Bytes still holds.
func (r *Renderer) Flush() error { return r.w.Flush() }

// render appends v to b in the format of r. feed is nil for a single result; else it remembers what earlier items wrote.
func (r *Renderer) render(b *bytes.Buffer, v Viewer, feed *feedState) error {
	switch r.o.Format.Kind {
	case Text, Wide:
		r.renderText(b, r.page(v, r.look()))
		return nil
	case JSON:
		return r.terminalSafe(b, func() error { return r.renderJSON(b, v, feed != nil) })
	case NDJSON:
		return r.terminalSafe(b, func() error { return r.renderNDJSON(b, v) })
	case YAML:
		return r.terminalSafe(b, func() error { return r.renderYAML(b, v, feed) })
	case CSV, TSV, Markdown:
		return r.terminalSafe(b, func() error { return r.renderRows(b, v, feed) })
	case Names:
		return r.terminalSafe(b, func() error { return r.renderNames(b, v) })
	case Template:
		return r.renderTemplate(b, v)
	case JQ:
		return r.terminalSafe(b, func() error { return r.renderJQ(b, v) })
	case Line:
		return r.renderLines(b, v)
	}
	return fmt.Errorf("format %d is not known", r.o.Format.Kind)
}

// terminalSafe runs write and, on a terminal, makes visible what it appended to b.
func (r *Renderer) terminalSafe(b *bytes.Buffer, write func() error) error {
	start := b.Len()
	err := write()
	if !r.o.TTY {
		return err
	}
	added := b.Bytes()[start:]
	if clean(added, true) {
		return err
	}
	safe := bytes.Clone(added)
	b.Truncate(start)
	switch r.o.Format.Kind {
	case JSON, NDJSON:
		b.Write(appendSafeJSON(nil, safe))
	default:
		b.WriteString(term.Visible(string(safe), true))
	}
	return err
}

// page has v drawn by its own View.
func (r *Renderer) page(v Viewer, l *look) *Page {
	p := &Page{look: l, options: ViewOptions{
		Width: r.o.Width, Kind: r.o.Format.Kind, Wide: r.o.Format.Kind != Text, Raw: r.o.Raw, TTY: r.o.TTY,
		Location: r.o.Location, Now: l.now, Paint: l.paint,
	}}
	v.View(p)
	return p
}

// look is how cells of this renderer's format look.
func (r *Renderer) look() *look {
	l := &look{tty: r.o.TTY, loc: r.o.Location, now: r.o.Clock.Now(), secrets: r.o.ShowSecrets, raw: r.o.Raw}
	switch r.o.Format.Kind {
	case Text, Wide:
		if !r.o.LLM && !r.o.FieldsJSON {
			l.paint = r.o.Paint
		}
	case CSV, TSV, Names:
		l.exact = true
	}
	return l
}

// noSuch is the error for a format that this result cannot be shown in.
func (r *Renderer) noSuch(what string) error {
	return fail.Usagef("format %s: this result has no %s", r.o.Format.Kind, what).WithHint("try --format json")
}
