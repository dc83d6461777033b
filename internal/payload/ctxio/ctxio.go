// Package ctxio makes reads that a context can end, also on a terminal or a pipe that says nothing for hours.
package ctxio

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"time"
)

// Reader reads from another reader until its context ends.
type Reader struct {
	ctx  context.Context
	read func([]byte) (int, error)
	stop func()
}

// NewReader returns a reader over src. Its Read gives context.Cause(ctx) as soon as ctx ends, even while src keeps silent.
// Close it to release what it holds; src itself stays open.
//
// Where the system can wait for a file and for the context at once, nothing is left behind. Elsewhere one goroutine stays
// in its read of src until that returns.
func NewReader(ctx context.Context, src io.Reader) *Reader {
	r := &Reader{ctx: ctx, read: src.Read, stop: func() {}}
	if ctx.Done() == nil || inMemory(src) {
		return r
	}
	if d, ok := src.(deadliner); ok && d.SetReadDeadline(time.Time{}) == nil {
		r.stop = endByDeadline(ctx, d)
		return r
	}
	if f, ok := src.(*os.File); ok {
		if w, err := newWaiter(ctx, f); err == nil {
			r.read, r.stop = w.read, w.close
			return r
		}
	}
	p := &pump{ctx: ctx, src: src, done: make(chan result, 1)}
	r.read = p.read
	return r
}

// Read is io.Reader; its error is context.Cause once the context has ended.
func (r *Reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	n, err := r.read(p)
	if err != nil && err != io.EOF && r.ctx.Err() != nil {
		return n, context.Cause(r.ctx)
	}
	return n, err
}

// Close releases what waiting for the context takes. The reader below stays open.
func (r *Reader) Close() {
	r.stop()
	r.stop = func() {}
}

func inMemory(src io.Reader) bool {
	switch src.(type) {
	case *bytes.Reader, *bytes.Buffer, *strings.Reader:
		return true
	}
	return false
}

type deadliner interface{ SetReadDeadline(time.Time) error }

// endByDeadline ends a read by a deadline in the past. What it returns waits for that to be over, and takes it back.
func endByDeadline(ctx context.Context, d deadliner) func() {
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(fired)
		_ = d.SetReadDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-fired
			_ = d.SetReadDeadline(time.Time{})
		}
	}
}

// pump reads in a goroutine of its own, for readers that cannot be interrupted in any other way.
type pump struct {
	ctx  context.Context
	src  io.Reader
	buf  []byte
	rest []byte
	err  error
	busy bool
	done chan result
}

type result struct {
	n   int
	err error
}

func (p *pump) read(b []byte) (int, error) {
	if len(p.rest) > 0 {
		return p.take(b), nil
	}
	if p.err != nil {
		return 0, p.err
	}
	if !p.busy {
		if p.buf == nil {
			p.buf = make([]byte, 64<<10)
		}
		p.busy = true
		go func() {
			n, err := p.src.Read(p.buf)
			p.done <- result{n, err}
		}()
	}
	select {
	case <-p.ctx.Done():
		return 0, context.Cause(p.ctx)
	case r := <-p.done:
		p.busy, p.rest, p.err = false, p.buf[:r.n], r.err
		if r.n == 0 {
			return 0, r.err
		}
		return p.take(b), nil
	}
}

func (p *pump) take(b []byte) int {
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n
}
