package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/publish"
)

// Import says how the lines of an export are written to a bucket.
type Import struct {
	IfMissing   bool // only keys that have never been written
	IfUnchanged bool // only keys whose latest revision is the one in the file
	KeepTTL     bool // give an entry the whole of its TTL, not what was left of it at Now
	Now         time.Time
	DryRun      bool // read and check the file, write nothing
}

// Imported tells what an import did.
type Imported struct {
	Tally
	Removed  uint64   `json:"removed"`  // markers written
	Expired  uint64   `json:"expired"`  // entries whose TTL has run out since the export
	Failures Failures `json:"failures"` // lines that were not stored
}

// Import writes the lines of an export, each acknowledged by the server, without waiting for one before the next. Lines
// that cannot be read and writes that are refused are listed; the error tells that the work stopped before its end.
func (b *Bucket) Import(ctx context.Context, x Import, r io.Reader) (Imported, error) {
	im := &importer{b: b, x: x}
	if !x.DryRun {
		var err error
		if im.window, err = publish.Beside(ctx, b.c.nc, publish.Config[pendingLine]{Idle: b.c.timeout, Done: im.outcome}); err != nil {
			return im.out, err
		}
		defer im.window.Close()
	}
	err := im.lines(ctx, r)
	if !x.DryRun {
		if waitErr := im.window.Wait(ctx); err == nil {
			err = waitErr
		}
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	return im.out, err
}

// lines sends what r holds, up to its end.
func (im *importer) lines(ctx context.Context, r io.Reader) (err error) {
	in := bufio.NewReaderSize(r, 256<<10)
	for line := uint64(1); err == nil; line++ {
		var text []byte
		text, err = readLine(in)
		if len(bytes.TrimSpace(text)) > 0 {
			if sendErr := im.line(ctx, line, text); sendErr != nil {
				err = sendErr
			}
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// readLine reads a line of any length without its end. The slice is valid until the next call.
func readLine(in *bufio.Reader) ([]byte, error) {
	text, err := in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return bytes.TrimSuffix(text, []byte("\n")), err
	}
	long := bytes.Clone(text)
	for errors.Is(err, bufio.ErrBufferFull) {
		text, err = in.ReadSlice('\n')
		long = append(long, text...)
	}
	return bytes.TrimSuffix(long, []byte("\n")), err
}

type pendingLine struct {
	key  string
	line uint64
	size int
	op   Op
}

type importer struct {
	b       *Bucket
	x       Import
	reader  recordReader
	window  *publish.Window[pendingLine] // nil for a dry run
	subject []byte

	mu  sync.Mutex
	out Imported
}

func (im *importer) fail(line uint64, key string, err error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.out.Failures.add(Failed{Key: key, Line: line, Error: err.Error()})
}

func (im *importer) outcome(p pendingLine, _ publish.Ack, err error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.count(p, err)
}

func (im *importer) count(p pendingLine, err error) {
	switch {
	case err != nil:
		im.out.Failures.add(Failed{Key: p.key, Line: p.line, Error: unstored(err).Error()})
	case p.op == Put:
		im.out.Keys++
		im.out.Bytes += uint64(p.size)
	default:
		im.out.Removed++
	}
}

// line sends one line; the error ends the import.
func (im *importer) line(ctx context.Context, n uint64, text []byte) error {
	rec, value, err := im.reader.read(text)
	if err != nil {
		im.fail(n, rec.Key, err)
		return nil
	}
	o, expired, err := im.options(rec)
	switch {
	case err != nil:
		im.fail(n, rec.Key, err)
		return nil
	case expired:
		im.mu.Lock()
		im.out.Expired++
		im.mu.Unlock()
		return nil
	}
	one := pendingLine{key: rec.Key, line: n, size: len(value), op: rec.Op}
	if im.x.DryRun {
		im.outcome(one, publish.Ack{}, nil)
		return nil
	}
	if err := im.send(ctx, one, rec, value, o); !errors.Is(err, nats.ErrMaxPayload) {
		return err
	}
	return nil // it is among the failures, and the next may be smaller
}

func (im *importer) send(ctx context.Context, one pendingLine, rec record, value []byte, o WriteOptions) error {
	if rec.Op == Put && o == (WriteOptions{}) && len(rec.Headers) == 0 {
		im.subject = append(append(im.subject[:0], im.b.write...), rec.Key...)
		return im.window.SendBytes(ctx, one, im.subject, nil, value)
	}
	m := im.b.message(rec.Key, rec.Op, value, o)
	for k, v := range OwnHeaders(rec.Headers) {
		if m.Header == nil {
			m.Header = nats.Header{}
		}
		m.Header[k] = v
	}
	return im.window.Send(ctx, one, m)
}

// options is how a record is written; expired tells that its TTL has run out.
func (im *importer) options(rec record) (o WriteOptions, expired bool, err error) {
	if rec.TTL != "" && rec.TTL != "never" {
		if o.TTL, err = time.ParseDuration(rec.TTL); err != nil {
			return o, false, fmt.Errorf("ttl %q: %w", rec.TTL, err)
		}
		if !im.x.KeepTTL && !rec.Created.IsZero() {
			o.TTL = (o.TTL - im.x.Now.Sub(rec.Created)).Round(time.Second)
			if o.TTL < time.Second {
				return o, true, nil
			}
		}
	}
	switch {
	case im.x.IfMissing:
		o.Expect = new(uint64)
	case im.x.IfUnchanged:
		o.Expect = &rec.Revision
	}
	return o, false, nil
}
