package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"
)

// Sizes of the read buffer, in bytes. It doubles when a read fills it.
const (
	minBuffer = 32 << 10
	maxBuffer = 256 << 10
	minRead   = 4 << 10
)

// arm lets the end of ctx interrupt reads until disarm, and starts the keepalive.
func (c *Conn) arm(ctx context.Context) (disarm func()) {
	c.ctx = ctx
	c.restart()
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.nc.SetReadDeadline(longAgo)
		close(done)
	})
	return func() {
		if !stop() {
			<-done
		}
		c.ctx = nil
		_ = c.nc.SetReadDeadline(time.Time{})
	}
}

// restart gives the server another PingInterval to be heard of.
func (c *Conn) restart() {
	if d := c.o.PingInterval; d > 0 {
		_ = c.nc.SetReadDeadline(time.Now().Add(d))
	} else {
		_ = c.nc.SetReadDeadline(time.Time{})
	}
}

// nudge makes a blocked receive return with nothing, or the next one.
func (c *Conn) nudge() {
	c.nudged.Store(true)
	_ = c.nc.SetReadDeadline(longAgo)
}

// receive reads once from the socket, with keepalives while nothing comes. It returns no bytes and no error after a nudge.
func (c *Conn) receive(p []byte) (int, error) {
	for {
		n, err := c.nc.Read(p)
		if n > 0 {
			c.in.bytes.Add(uint64(n))
			c.heard = true
			return n, nil
		}
		switch {
		case err == nil:
			continue
		case c.ctx == nil: // the handshake, whose deadline is final
			if timeout(err) {
				return 0, fmt.Errorf("%w: the server does not answer", nats.ErrTimeout)
			}
			return 0, c.lost(err)
		case !timeout(err):
			if c.r != c.w && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			err = c.lost(err)
			c.die(err)
			return 0, err
		case c.ctx.Err() != nil:
			return 0, context.Cause(c.ctx)
		case c.nudged.Swap(false):
			c.restart()
			if c.ctx.Err() != nil {
				return 0, context.Cause(c.ctx)
			}
			return 0, nil
		}
		if err := c.keepalive(); err != nil {
			return 0, err
		}
	}
}

// keepalive asks a server that has been silent for a PingInterval whether it is still there.
func (c *Conn) keepalive() error {
	if c.heard {
		c.heard, c.silent = false, 0
	} else {
		c.silent++
	}
	if c.silent > c.o.MaxPingsOut {
		_ = c.nc.Close()
		c.die(nats.ErrStaleConnection)
		return nats.ErrStaleConnection
	}
	c.restart()
	if c.ctx.Err() != nil { // its own deadline may just have been overwritten
		return context.Cause(c.ctx)
	}
	// Whoever holds the lock is writing to the server at this moment, which is as good as a ping.
	if c.silent > 0 && c.pingMu.TryLock() {
		c.pongMu.Lock()
		c.pongs = append(c.pongs, nil)
		c.pongMu.Unlock()
		_ = c.write(pingLine)
		c.pingMu.Unlock()
	}
	return nil
}

// fill reads once into the buffer, after making room.
func (c *Conn) fill() error {
	if c.w-c.r <= minRead || len(c.buf)-c.w < len(c.buf)/4 {
		c.shift()
	}
	// A message larger than the buffer gets memory as it arrives, not as it announces itself.
	if len(c.buf)-c.w < minRead {
		c.resize(max(2*len(c.buf), minBuffer))
	}
	free := len(c.buf) - c.w
	n, err := c.receive(c.buf[c.w:])
	c.w += n
	c.drained = n < free
	return err
}

// shift moves the unread bytes to the start of the buffer. A full buffer shows a sender faster than our reads: larger ones cost
// fewer calls.
func (c *Conn) shift() {
	copy(c.buf, c.buf[c.r:c.w])
	c.w -= c.r
	c.seen = max(c.seen-c.r, 0)
	c.r = 0
	c.scan.reset()
	if !c.drained && len(c.buf) > 0 && len(c.buf) < maxBuffer {
		c.resize(2 * len(c.buf))
	}
}

func (c *Conn) resize(size int) {
	buf := make([]byte, size)
	copy(buf, c.buf[:c.w])
	c.buf = buf
	c.scan.reset()
}

// Read hands every message to h until h returns an error, the connection ends or ctx does, and returns why: nil for ErrStop, else
// the error of the handler, of the server, of the socket (nats.ErrDisconnected) or the cause of ctx. After ErrStop and after the
// end of ctx the next Read goes on with the message that follows. It answers the server's pings.
func (c *Conn) Read(ctx context.Context, h Handler) error {
	if !c.rmu.TryLock() {
		return ErrBusy
	}
	return c.read(ctx, h)
}

// read is Read for a caller that is the reader already; it is not any more when read returns.
func (c *Conn) read(ctx context.Context, h Handler) error {
	defer c.leave()
	disarm := c.arm(ctx)
	defer disarm()
	c.msg.At = c.Clock.Now()
	for {
		if err := c.deliver(&h); err != nil {
			if errors.Is(err, ErrStop) {
				return nil
			}
			return err
		}
		if c.drained && h.Idle != nil {
			if err := h.Idle(); err != nil {
				if errors.Is(err, ErrStop) {
					return nil
				}
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := c.fill(); err != nil {
			return err
		}
		c.msg.At = c.Clock.Now()
	}
}

// deliver handles the whole frames in the buffer.
func (c *Conn) deliver(h *Handler) error {
	var msgs, payload int
	defer func() {
		c.in.msgs.Add(uint64(msgs))
		c.in.payload.Add(uint64(payload))
	}()
	c.pass(nil)
	for c.r < c.w {
		k, n, err := c.scan.next(c.buf[c.r:c.w], &c.msg)
		if err != nil {
			c.ruin(err)
			return err
		}
		at := c.r
		c.r += n
		switch k {
		case kindMsg:
			msgs++
			payload += len(c.msg.Header) + len(c.msg.Payload)
			if h.Msg == nil {
				continue
			}
			if err := h.Msg(&c.msg); err != nil {
				return err
			}
		case kindMore:
			return nil
		default:
			if at < c.seen {
				continue
			}
			if err := c.control(k, h); err != nil {
				return err
			}
		}
	}
	return nil
}

// ruin closes a connection whose stream makes no sense.
func (c *Conn) ruin(err error) {
	_ = c.nc.Close()
	c.die(err)
}
