package render

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/term"
)

// TextAppender is a Viewer that can write its text without a Page: for items that come by the million.
type TextAppender interface {
	// AppendText appends the item as people see it. A line break is added if the text does not end with one.
	AppendText(dst []byte, o TextOptions) []byte
}

// JSONAppender is a Viewer that writes its own JSON: one compact document without a line break, with the keys that its
// JSON tags tell. It stands behind every format that is made from JSON. A Secret in it is for the type to redact.
type JSONAppender interface{ AppendJSON(dst []byte) []byte }

// TextOptions tell a TextAppender about the place it writes for.
type TextOptions struct {
	TTY      bool // show control characters: AppendVisible does it
	Wide     bool
	Raw      bool
	Width    int // columns of the terminal; 0 is a pipe
	Paint    term.Painter
	Location *time.Location // never nil
	Now      time.Time      // a few milliseconds old at most
}

// flushAfter is how long an item may wait in the buffer of a feed.
const flushAfter = 5 * time.Millisecond

var errFeedClosed = errors.New("the feed is closed")

// Feed writes a result without end, item by item. Items are collected and written when the buffer is full, when Flush is
// called, or 5 ms after the first of them. All methods are safe for concurrent use.
type Feed struct {
	r     *Renderer
	timer clock.Clock // the machine's: buffering is about real time whatever a command takes for now

	mu      sync.Mutex
	buf     []byte
	scratch bytes.Buffer
	options TextOptions
	state   feedState
	err     error
	armed   bool
	closed  bool
	stop    chan struct{}
	running sync.WaitGroup
}

// Feed begins a result of many items. It ends with Close.
func (r *Renderer) Feed() *Feed {
	f := &Feed{r: r, timer: clock.System(), buf: make([]byte, 0, bufferSize), stop: make(chan struct{})}
	f.err = r.w.Flush()
	return f
}

func (r *Renderer) textOptions(now time.Time) TextOptions {
	l := r.look()
	return TextOptions{
		TTY: r.o.TTY, Wide: r.o.Format.Kind == Wide, Raw: r.o.Raw, Width: r.o.Width, Paint: l.paint, Location: r.o.Location, Now: now,
	}
}

// Emit adds an item. An error of an earlier write is returned too, so that the source can stop: EPIPE when the reader of
// our output has gone.
func (f *Feed) Emit(v Viewer) error {
	f.mu.Lock()
	err := f.emit(v)
	f.mu.Unlock()
	return err
}

func (f *Feed) emit(v Viewer) error {
	if f.err != nil {
		return f.err
	}
	if f.closed {
		return errFeedClosed
	}
	if len(f.buf) == 0 {
		f.options = f.r.textOptions(f.r.o.Clock.Now())
	}
	if err := f.append(v); err != nil {
		return err
	}
	if len(f.buf) >= bufferSize {
		return f.write()
	}
	if !f.armed && len(f.buf) > 0 {
		f.armed = true
		f.running.Go(f.flushLater)
	}
	return nil
}

// append adds v to the buffer in the format of the renderer, by its own fast path if it has one.
func (f *Feed) append(v Viewer) error {
	start := len(f.buf)
	switch f.r.o.Format.Kind {
	case Text, Wide:
		if a, ok := v.(TextAppender); ok && !f.r.o.LLM && !f.r.o.FieldsJSON {
			f.buf = a.AppendText(f.buf, f.options)
			if n := len(f.buf); n > start && f.buf[n-1] != '\n' {
				f.buf = append(f.buf, '\n')
			}
			return nil
		}
	case JSON, NDJSON:
		if a, ok := v.(JSONAppender); ok {
			f.buf = a.AppendJSON(f.buf)
			if f.r.o.TTY && !clean(f.buf[start:], true) {
				f.buf = append(f.buf[:start], appendSafeJSON(nil, f.buf[start:])...)
			}
			f.buf = append(f.buf, '\n')
			return nil
		}
	case Line:
		if l, ok := v.(Liner); ok {
			m := l.LineItem()
			f.buf = appendLine(f.buf, f.r.line, &m, &f.options)
			return nil
		}
	}
	f.scratch.Reset()
	err := f.r.render(&f.scratch, v, &f.state)
	f.buf = append(f.buf, f.scratch.Bytes()...)
	return err
}

// flushLater runs once for each time that items begin to wait, so that an idle feed costs nothing.
func (f *Feed) flushLater() {
	select {
	case <-f.timer.After(flushAfter):
	case <-f.stop:
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = false
	_ = f.write() // kept in f.err: the next Emit or Close returns it
}

func (f *Feed) write() error {
	if f.err != nil || len(f.buf) == 0 {
		return f.err
	}
	_, f.err = f.r.o.Out.Write(f.buf)
	if cap(f.buf) > 16*bufferSize {
		f.buf = make([]byte, 0, bufferSize) // one huge item does not keep its memory
	}
	f.buf = f.buf[:0]
	return f.err
}

// Flush writes what waits: to be called when the source has nothing more for now.
func (f *Feed) Flush() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.write()
}

// Close writes what waits and ends the feed. summary may be nil. In text, wide and the formats of rows and lines it is
// text on stderr; in json, ndjson, yaml, jq and template it is one last document. Nothing of the feed runs on. A second
// call does nothing.
func (f *Feed) Close(summary Viewer) error {
	f.mu.Lock()
	if f.closed {
		defer f.mu.Unlock()
		return f.err
	}
	f.closed = true
	close(f.stop)
	f.mu.Unlock()
	f.running.Wait()

	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	switch f.r.o.Format.Kind {
	case JSON, NDJSON, YAML, JQ, Template:
		if summary != nil && f.err == nil {
			err = f.append(summary)
		}
		summary = nil
	}
	if werr := f.write(); werr != nil {
		err = werr
	}
	if summary != nil {
		if serr := f.r.summarize(summary); err == nil {
			err = serr
		}
	}
	return err
}

// summarize writes v as text to stderr, which may be a terminal whatever stdout is.
func (r *Renderer) summarize(v Viewer) error {
	l := r.look()
	l.exact, l.tty, l.paint = false, true, r.o.ErrPaint
	p := &Page{look: l, options: ViewOptions{Kind: Text, Raw: r.o.Raw, TTY: true, Location: r.o.Location, Now: l.now, Paint: l.paint}}
	v.View(p)
	var b bytes.Buffer
	(&textWriter{p: p, b: &b}).write()
	_, err := io.Copy(r.o.Err, &b)
	return err
}
