package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
)

// longAgo is the deadline that wakes up a blocked read.
var longAgo = time.Unix(1, 0)

var (
	pingLine = []byte("PING\r\n")
	pongLine = []byte("PONG\r\n")
)

// Conn is one connection to one server. One goroutine at a time reads it; any number may write, as whole frames.
// Its memory is the read buffer, 32 to 256 KiB unless one message is larger, and that of its Writers.
type Conn struct {
	// Clock stamps messages; it may be replaced before the first read.
	Clock clock.Clock

	nc        net.Conn
	o         *nats.Options
	srv       *server
	encrypted bool
	info      atomic.Pointer[Info]
	learned   func() // called by the reader after each INFO
	sids      atomic.Int64
	in, out   traffic
	closed    atomic.Bool
	hurry     atomic.Int64 // unix nanoseconds after which writes fail, 0 for none
	until     atomic.Int64 // unix nanoseconds: the deadline of writes otherwise

	rmu     sync.Mutex    // held by the reader
	freed   chan struct{} // a token when the reader left
	once    sync.Once
	ctx     context.Context // of the reader
	buf     []byte
	r, w    int // unread bytes are buf[r:w]
	seen    int // the frames of control in buf[r:seen] have been dealt with
	scan    scanner
	msg     Msg
	skip    int         // bytes of a body that Count still has to pass over
	owed    owed        // the message they belong to
	heard   bool        // something was read since the deadline was set
	silent  int         // keepalive pings without an answer
	nudged  atomic.Bool // the next read that times out returns nothing
	drained bool        // the last read did not fill the buffer

	pingMu sync.Mutex // orders pings on the wire as in pongs
	pongMu sync.Mutex
	pongs  []func(error) // what to do when the next PONG arrives; nil elements for keepalives
	dead   error         // why the connection is no more
}

type traffic struct{ msgs, bytes, payload atomic.Uint64 }

func (t *traffic) reset() {
	t.msgs.Store(0)
	t.bytes.Store(0)
	t.payload.Store(0)
}

// Info is the latest INFO of the server.
func (c *Conn) Info() *Info { return c.info.Load() }

// URL is the server's scheme, host and port, without credentials.
func (c *Conn) URL() string { return c.srv.name() }

// Encrypted reports whether TLS protects the connection.
func (c *Conn) Encrypted() bool { return c.encrypted }

// LocalAddr is our end of the socket.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// Stats may be called at any time by any goroutine. Writers count when they write, readers at the end of each buffer.
func (c *Conn) Stats() Stats {
	return Stats{
		InMsgs: c.in.msgs.Load(), InBytes: c.in.bytes.Load(), InPayload: c.in.payload.Load(),
		OutMsgs: c.out.msgs.Load(), OutBytes: c.out.bytes.Load(), OutPayload: c.out.payload.Load(),
	}
}

// Close closes the socket; readers and writers end with nats.ErrConnectionClosed. What Writers still hold is not sent.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	err := c.nc.Close()
	c.die(nats.ErrConnectionClosed)
	return err
}

// Hurry lets every write, also one that blocks now, fail when it is not done in d: what an interrupted command does before its last words.
func (c *Conn) Hurry(d time.Duration) {
	t := time.Now().Add(d)
	c.hurry.Store(t.UnixNano())
	_ = c.nc.SetWriteDeadline(t)
}

// Subscribe asks for the messages of subject, shared with the queue group if queue is not empty. The sid is in each Msg.
// It does not wait for the server: Ping does, and returns the error of a denied subscription.
func (c *Conn) Subscribe(subject, queue string) (sid int, err error) {
	if err := CheckSubject(subject); err != nil {
		return 0, err
	}
	if queue != "" && CheckSubject(queue) != nil {
		return 0, fmt.Errorf("%w: %q", nats.ErrBadQueueName, queue)
	}
	sid = int(c.sids.Add(1))
	return sid, c.write(appendSub(nil, subject, queue, sid))
}

func appendSub(b []byte, subject, queue string, sid int) []byte {
	b = append(b, "SUB "...)
	b = append(b, subject...)
	if queue != "" {
		b = append(b, ' ')
		b = append(b, queue...)
	}
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(sid), 10)
	return append(b, '\r', '\n')
}

// Unsubscribe ends a subscription after max messages of it in all, or at once when max is 0.
func (c *Conn) Unsubscribe(sid, max int) error {
	b := strconv.AppendInt([]byte("UNSUB "), int64(sid), 10)
	if max > 0 {
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(max), 10)
	}
	return c.write(append(b, '\r', '\n'))
}

// extend gives a write at least seven eighths of d. To set the deadline anew for each one would cost more than a small write.
func (c *Conn) extend(d time.Duration) {
	now := time.Now()
	if until := c.until.Load(); until-now.UnixNano() < int64(d-d/8) {
		until := now.Add(d)
		c.until.Store(until.UnixNano())
		_ = c.nc.SetWriteDeadline(until)
	}
}

// write sends whole frames.
func (c *Conn) write(b []byte) error {
	if at := c.hurry.Load(); at != 0 {
		_ = c.nc.SetWriteDeadline(time.Unix(0, at))
	} else if d := c.o.FlusherTimeout; d > 0 {
		c.extend(d)
	}
	n, err := c.nc.Write(b)
	c.out.bytes.Add(uint64(n))
	if err == nil {
		return nil
	}
	if timeout(err) {
		// A part of a frame may have been sent: nobody would understand what came after it.
		err = fmt.Errorf("%w: connection to %s: the server takes no more: %w", nats.ErrDisconnected, c.srv.name(), nats.ErrTimeout)
		_ = c.nc.Close()
		c.die(err)
	}
	// Otherwise the other end is gone. The socket stays open for the reader, who may find the server's reason in it.
	return c.lost(err)
}

// lost says why the connection broke: the server's own words if there were any, else err.
func (c *Conn) lost(err error) error {
	c.pongMu.Lock()
	dead := c.dead
	c.pongMu.Unlock()
	if dead != nil {
		return dead
	}
	if c.closed.Load() {
		return nats.ErrConnectionClosed
	}
	return fmt.Errorf("%w: connection to %s: %w", nats.ErrDisconnected, c.srv.name(), err)
}

// die records why the connection is no more and tells those who wait for a PONG.
func (c *Conn) die(err error) {
	c.pongMu.Lock()
	if c.dead == nil {
		c.dead = err
	}
	pongs := c.pongs
	c.pongs = nil
	c.pongMu.Unlock()
	for _, f := range pongs {
		if f != nil {
			f(err)
		}
	}
}

// ping writes frames and a PING after them in one piece; f is called with nil when the PONG arrives, or with why it never will.
func (c *Conn) ping(frames []byte, f func(error)) error {
	c.pingMu.Lock()
	defer c.pingMu.Unlock()
	c.pongMu.Lock()
	if dead := c.dead; dead != nil {
		c.pongMu.Unlock()
		return dead
	}
	c.pongs = append(c.pongs, f)
	c.pongMu.Unlock()
	return c.write(append(frames, pingLine...))
}

func (c *Conn) pong() {
	c.pongMu.Lock()
	var f func(error)
	if len(c.pongs) > 0 {
		f = c.pongs[0]
		c.pongs = append(c.pongs[:0], c.pongs[1:]...)
	}
	c.pongMu.Unlock()
	if f != nil {
		f(nil)
	}
}

// Ping makes a round trip: when it returns nil, the server has processed all that was written before. An error the server sent
// meanwhile, a denied subscription say, is returned unless another goroutine is reading, whose Handler gets it.
// Messages that arrive meanwhile wait for the next Read. What a Writer holds must be flushed first.
func (c *Conn) Ping(ctx context.Context) error {
	done := make(chan error, 1)
	if err := c.ping(nil, func(err error) { done <- err }); err != nil {
		return err
	}
	for {
		if c.rmu.TryLock() {
			err := c.await(ctx, done)
			c.leave()
			return err
		}
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.token():
		}
	}
}

// token delivers when the reader has left.
func (c *Conn) token() chan struct{} {
	c.once.Do(func() { c.freed = make(chan struct{}, 1) })
	return c.freed
}

// leave ends the reader's turn.
func (c *Conn) leave() {
	c.rmu.Unlock()
	select {
	case c.token() <- struct{}{}:
	default:
	}
}

// await reads, without consuming messages, until done has the answer.
func (c *Conn) await(ctx context.Context, done <-chan error) error {
	disarm := c.arm(ctx)
	defer disarm()
	var told error
	h := Handler{Err: func(err error) error {
		if told == nil {
			told = err
		}
		return nil
	}}
	for {
		if err := c.lookAhead(&h); err != nil {
			return err
		}
		select {
		case err := <-done:
			return errors.Join(told, err)
		default:
		}
		if c.w-c.r > maxAhead {
			return fmt.Errorf("%d bytes of messages arrived before the answer to PING", c.w-c.r)
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// maxAhead bounds the messages that Ping keeps for a later Read, in bytes.
const maxAhead = 64 << 20

// lookAhead deals with the control frames in the buffer and leaves everything there.
func (c *Conn) lookAhead(h *Handler) error {
	c.seen = max(c.seen, c.r+c.skip)
	scan := scanner{}
	var m Msg
	for c.seen < c.w {
		k, n, err := scan.next(c.buf[c.seen:c.w], &m)
		if err != nil {
			return err
		}
		c.seen += n
		if k == kindMore {
			c.scan.need = scan.need
			return nil
		}
		if k == kindMsg {
			continue
		}
		c.scan.args = scan.args
		if err := c.control(k, h); err != nil {
			return err
		}
	}
	return nil
}

// control deals with a frame that is no message.
func (c *Conn) control(k kind, h *Handler) error {
	switch k {
	case kindPing:
		// An error shows in the reading, with the server's reason if it gave one.
		_ = c.write(pongLine)
	case kindPong:
		c.silent = 0
		c.pong()
	case kindInfo:
		if err := c.takeInfo(c.scan.args); err != nil {
			return err
		}
		if c.learned != nil {
			c.learned()
		}
	case kindErr:
		err, fatal := serverError(c.scan.args)
		if fatal {
			_ = c.nc.Close()
			c.die(err)
			return err
		}
		if h.Err == nil {
			return err
		}
		return h.Err(err)
	}
	return nil
}

func timeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
