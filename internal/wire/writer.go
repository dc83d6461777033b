package wire

import (
	"bytes"
	"fmt"

	"github.com/nats-io/nats.go"
)

// writeSize is how many bytes are collected before they are written, unless one message is larger.
const writeSize = 64 << 10

// Writer collects frames and writes them in large pieces. A write blocks for as long as the server takes nothing, FlusherTimeout of
// the options at most. A Writer belongs to one goroutine; several may share a Conn. After an error every call returns it.
type Writer struct {
	c       *Conn
	buf     []byte
	msgs    uint64 // in buf
	payload uint64
	err     error

	prefix         []byte // of the last control line
	subject, reply string // which it is of
	headers        bool
	known          bool

	frame []byte // what block repeats
	block []byte
	body  int // bytes of headers and payload in frame
}

// Writer returns a new writer on c.
func (c *Conn) Writer() *Writer { return &Writer{c: c} }

// Pub adds one message; hdr is a block as AppendHeader makes it, an empty reply is none. It refuses, with nothing written, invalid
// subjects (nats.ErrBadSubject), what the server would close the connection for (nats.ErrMaxPayload) and headers it does not
// take (nats.ErrHeadersNotSupported).
func (w *Writer) Pub(subject, reply string, hdr, payload []byte) error {
	if !w.known || subject != w.subject || reply != w.reply || len(hdr) > 0 != w.headers {
		if err := checkSubjects(subject, reply); err != nil {
			return err
		}
		w.subject, w.reply, w.headers, w.known = subject, reply, len(hdr) > 0, true
		w.prefix = appendPrefix(w.prefix[:0], subject, reply, w.headers)
	}
	if err := w.admit(hdr, payload); err != nil {
		return err
	}
	w.buf = append(w.buf, w.prefix...)
	w.buf = appendBody(w.buf, hdr, payload)
	return w.added(len(hdr) + len(payload))
}

// PubBytes is Pub for subjects that are put together in a buffer.
func (w *Writer) PubBytes(subject, reply, hdr, payload []byte) error {
	if err := checkSubjects(subject, reply); err != nil {
		return err
	}
	if err := w.admit(hdr, payload); err != nil {
		return err
	}
	w.buf = appendPub(w.buf, subject, reply, hdr, payload)
	return w.added(len(hdr) + len(payload))
}

func checkSubjects[S string | []byte](subject, reply S) error {
	if err := CheckSubject(subject); err != nil {
		return err
	}
	if len(reply) > 0 {
		if err := CheckSubject(reply); err != nil {
			return fmt.Errorf("reply subject: %w", err)
		}
	}
	return nil
}

// admit checks a message against the server's limits and makes room for it.
func (w *Writer) admit(hdr, payload []byte) error {
	if w.err != nil {
		return w.err
	}
	info := w.c.Info()
	if len(hdr) > 0 && !info.Headers {
		return nats.ErrHeadersNotSupported
	}
	size := len(hdr) + len(payload)
	if limit := info.MaxPayload; limit > 0 && int64(size) > limit {
		return fmt.Errorf("%w: %d bytes, the server takes %d", nats.ErrMaxPayload, size, limit)
	}
	if len(w.buf) > 0 && len(w.buf)+size > writeSize {
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if w.buf == nil {
		w.buf = make([]byte, 0, writeSize+writeSize/16)
	}
	return nil
}

func (w *Writer) added(payload int) error {
	w.msgs++
	w.payload += uint64(payload)
	if len(w.buf) >= writeSize {
		return w.Flush()
	}
	return nil
}

// Frames adds n frames that were encoded before, payload bytes of headers and bodies in all, and writes them.
// Nothing is checked: they must come from EncodePub with subjects that passed CheckSubject, and be within the server's limits.
func (w *Writer) Frames(frames []byte, n, payload int) error {
	if err := w.Flush(); err != nil {
		return err
	}
	return w.send(frames, uint64(n), uint64(payload))
}

// Repeat writes the frame, as EncodePub makes it, n times, unchecked like Frames. Equal frames in consecutive calls are copied
// together once.
func (w *Writer) Repeat(frame []byte, n int) error {
	if err := w.Flush(); err != nil {
		return err
	}
	if len(frame) > writeSize/2 { // one to a write: looking at it again would only push it out of the cache
		body := len(frame) - bytes.IndexByte(frame, '\n') - len("\n\r\n")
		for range n {
			if err := w.send(frame, 1, uint64(body)); err != nil {
				return err
			}
		}
		return nil
	}
	if !bytes.Equal(frame, w.frame) {
		w.frame = append(w.frame[:0], frame...)
		w.block = w.block[:0]
		w.body = len(frame) - bytes.IndexByte(frame, '\n') - len("\n\r\n")
	}
	per := max(writeSize/len(frame), 1)
	for have := len(w.block) / len(frame); have < min(per, n); have++ {
		w.block = append(w.block, frame...)
	}
	for n > 0 {
		k := min(n, per)
		if err := w.send(w.block[:k*len(frame)], uint64(k), uint64(k*w.body)); err != nil {
			return err
		}
		n -= k
	}
	return nil
}

// Flush writes what was collected. It does not wait for the server to process it: Conn.Ping does.
func (w *Writer) Flush() error {
	if w.err != nil || len(w.buf) == 0 {
		return w.err
	}
	err := w.send(w.buf, w.msgs, w.payload)
	w.emptied()
	return err
}

func (w *Writer) emptied() {
	w.buf, w.msgs, w.payload = w.buf[:0], 0, 0
}

// Buffered is how many bytes are collected and not written.
func (w *Writer) Buffered() int { return len(w.buf) }

func (w *Writer) send(b []byte, msgs, payload uint64) error {
	if err := w.c.write(b); err != nil {
		w.err = err
		return err
	}
	w.c.out.msgs.Add(msgs)
	w.c.out.payload.Add(payload)
	return nil
}

// Mark flushes with a PING at the end. f is called once, by the goroutine that reads the connection: with nil when the server has
// processed all that was written before, or with why that will never be known. It must not wait for the connection.
func (w *Writer) Mark(f func(error)) error {
	if w.err != nil {
		return w.err
	}
	if w.err = w.c.ping(w.buf, f); w.err != nil {
		return w.err
	}
	w.c.out.msgs.Add(w.msgs)
	w.c.out.payload.Add(w.payload)
	w.emptied()
	return nil
}
