package wire

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// confirmEvery is after how many bytes a Publisher asks the server for its word. It bounds what is in doubt when a connection dies.
const confirmEvery = 1 << 20

// lastWords is how long after the end of its context a Publisher's writes may still take.
const lastWords = 2 * time.Second

// Receipt says what became of published messages.
type Receipt struct {
	Sent      uint64 // accepted by Publish and Repeat
	Confirmed uint64 // of these: processed by the server, which sent no error for them
	Denied    uint64 // of these: refused by the permissions
}

// InDoubt is how many messages the server has given no word about; they may or may not have been processed.
func (r Receipt) InDoubt() uint64 { return r.Sent - r.Confirmed - r.Denied }

// Publisher publishes in bulk on one connection and learns from the server what became of it. Delivery is at most once: when the
// connection dies it does not reconnect, its Receipt says what is certain. The methods but Receipt belong to one goroutine.
type Publisher struct {
	c         *Conn
	w         *Writer
	keepGoing bool
	sent      atomic.Uint64
	confirmed atomic.Uint64
	denied    atomic.Uint64
	due       uint64 // OutBytes from which on to ask again

	failed atomic.Bool // there is an err

	mu   sync.Mutex
	err  error
	stop context.CancelFunc
	free func() bool
	done chan struct{}
}

// NewPublisher takes over the reading of c. When ctx ends, Publish and Repeat return its cause and a blocked write fails after two
// seconds; Confirm still works. With keepGoing a denied publish is counted, else it ends the publishing.
// Close it, then the Conn.
func NewPublisher(ctx context.Context, c *Conn, keepGoing bool) *Publisher {
	p := &Publisher{c: c, w: c.Writer(), keepGoing: keepGoing, due: confirmEvery, done: make(chan struct{})}
	p.free = context.AfterFunc(ctx, func() {
		p.fail(context.Cause(ctx))
		c.Hurry(lastWords)
	})
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	if !c.rmu.TryLock() { // at once, so that no Ping comes in between
		p.fail(ErrBusy)
		close(p.done)
		return p
	}
	go func() {
		defer close(p.done)
		if err := c.read(reading, Handler{Err: p.refused}); reading.Err() == nil {
			p.fail(err)
		}
	}()
	return p
}

// refused takes an error that the server sent.
func (p *Publisher) refused(err error) error {
	var v *Violation
	if errors.As(err, &v) && v.Publish {
		p.denied.Add(1)
		if p.keepGoing {
			return nil
		}
	}
	p.fail(err)
	return nil
}

// fail records the first error.
func (p *Publisher) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
		p.failed.Store(true)
	}
}

// Err is why publishing ended, nil while it has not.
func (p *Publisher) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Publish adds a message, as Writer.Pub does with the same checks, whose errors concern this message alone. Any other error ends the
// publishing: that of an earlier message that was denied, of the connection, or the cause of the context.
func (p *Publisher) Publish(subject, reply string, hdr, payload []byte) error {
	if p.failed.Load() {
		return p.Err()
	}
	if err := p.w.Pub(subject, reply, hdr, payload); err != nil {
		if p.w.err != nil { // it was taken, and what became of it is not known
			p.sent.Add(1)
		}
		return p.reason(err)
	}
	p.sent.Add(1)
	return p.ask()
}

// Repeat publishes the frame, as EncodePub makes it, n times; subject and size are not checked.
func (p *Publisher) Repeat(frame []byte, n int) error {
	per := max(confirmEvery/len(frame), 1)
	for n > 0 {
		if p.failed.Load() {
			return p.Err()
		}
		k := min(n, per)
		p.sent.Add(uint64(k))
		if err := p.w.Repeat(frame, k); err != nil {
			return p.reason(err)
		}
		if err := p.ask(); err != nil {
			return err
		}
		n -= k
	}
	return nil
}

// ask sends a PING when there is enough to confirm.
func (p *Publisher) ask() error {
	if out := p.c.out.bytes.Load(); out >= p.due {
		p.due = out + confirmEvery
		return p.mark(nil)
	}
	return nil
}

// mark flushes and has the messages so far confirmed when the PONG comes. The server answers in order: the errors of these messages
// have come by then, and no others.
func (p *Publisher) mark(done chan<- error) error {
	upTo := p.sent.Load()
	err := p.w.Mark(func(err error) {
		if err == nil {
			p.confirmed.Store(upTo - p.denied.Load())
		}
		if done != nil {
			done <- err
		}
	})
	return p.reason(err)
}

// reason prefers what the reader knows to the error of a write: the server says why before it closes the connection.
func (p *Publisher) reason(err error) error {
	if err == nil || !errors.Is(err, nats.ErrDisconnected) {
		return err
	}
	<-p.done // the socket is closed: the reader gets to its end
	if known := p.Err(); known != nil {
		return known
	}
	return err
}

// Flush writes what was collected, for a source that falls silent. It does not wait for the server's word.
func (p *Publisher) Flush() error { return p.reason(p.w.Flush()) }

// Confirm waits until the server has processed all that was published. Without an error and without denials everything is confirmed.
// An error that ended the publishing before is returned, also when what was sent until then could be confirmed.
func (p *Publisher) Confirm(ctx context.Context) (Receipt, error) {
	done := make(chan error, 1)
	if err := p.mark(done); err != nil {
		return p.Receipt(), err
	}
	select {
	case err := <-done:
		if err != nil {
			<-p.done
		}
		if known := p.Err(); known != nil {
			err = known
		}
		return p.Receipt(), err
	case <-ctx.Done():
		return p.Receipt(), context.Cause(ctx)
	}
}

// Receipt is what is known now.
func (p *Publisher) Receipt() Receipt {
	r := Receipt{Confirmed: p.confirmed.Load(), Denied: p.denied.Load()}
	r.Sent = p.sent.Load()
	return r
}

// Close ends the reading of the connection, which stays open. What was not flushed is not sent.
func (p *Publisher) Close() {
	p.free()
	p.stop()
	<-p.done
}
