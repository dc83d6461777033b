package wire

import (
	"context"
	"errors"
	"time"
)

// Tally is what Count has counted. Bytes are those of headers and bodies; Wire is every byte of the messages' frames.
type Tally struct {
	Msgs, Bytes, Wire uint64
	First, Last       time.Time // when the reads that brought the first and the latest message returned
	Sid               []uint64  // messages of each subscription, indexed by sid
}

// Count reads as Read does but only counts, the fastest way to receive: bodies are passed over, not looked at. It returns when until
// messages were counted (0 for no end), when progress returns an error (nil for ErrStop), and when the connection or ctx ends; a
// message of which it had passed over a part by then is lost to a later Read.
// progress, which may be nil, is called after each read from the socket that brought a message.
func (c *Conn) Count(ctx context.Context, until uint64, progress func(*Tally) error) (Tally, error) {
	t := Tally{Sid: make([]uint64, c.sids.Load()+1)}
	if !c.rmu.TryLock() {
		return t, ErrBusy
	}
	defer c.leave()
	disarm := c.arm(ctx)
	defer disarm()
	now := c.Clock.Now()
	for {
		before := t
		err := c.count(&t, until)
		if t.Msgs != before.Msgs {
			if before.Msgs == 0 {
				t.First = now
			}
			t.Last = now
			c.in.msgs.Add(t.Msgs - before.Msgs)
			c.in.payload.Add(t.Bytes - before.Bytes)
			if err == nil && progress != nil {
				err = progress(&t)
			}
		}
		if err == nil && until > 0 && t.Msgs >= until {
			return t, nil
		}
		if err == nil {
			if ctx.Err() != nil {
				return t, context.Cause(ctx)
			}
			err = c.fill()
			now = c.Clock.Now()
		}
		if errors.Is(err, ErrStop) {
			return t, nil
		}
		if err != nil {
			return t, err
		}
	}
}

// count counts the messages in the buffer. Of a large one that only begins there the rest will be passed over.
func (c *Conn) count(t *Tally, until uint64) error {
	c.pass(t)
	for c.r < c.w && (until == 0 || t.Msgs < until) {
		if c.run(t, until) {
			continue
		}
		k, n, err := c.scan.next(c.buf[c.r:c.w], &c.msg)
		if err != nil {
			c.ruin(err)
			return err
		}
		at := c.r
		c.r += n
		switch k {
		case kindMsg:
			c.tally(t, 1, len(c.msg.Header)+len(c.msg.Payload), n, c.msg.Sid)
		case kindMore:
			c.owe()
			return nil
		default:
			if at < c.seen {
				continue
			}
			if err := c.control(k, &Handler{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// owed is a message of which Count has still to see the end.
type owed struct{ sid, size, wire int }

// skipFrom is the size of a frame, in bytes, from which on its body is passed over as it arrives.
const skipFrom = 64 << 10

// owe takes what there is of a large frame out of the buffer.
func (c *Conn) owe() {
	have := c.w - c.r
	if c.scan.need < skipFrom || c.scan.need <= have {
		return
	}
	c.owed = owed{c.scan.sid, c.scan.size, c.scan.need}
	c.skip = c.scan.need - have
	c.r = c.w
}

// pass goes over the bytes of a body that Count began to pass over, and counts the message at its end.
func (c *Conn) pass(t *Tally) {
	n := min(c.skip, c.w-c.r)
	c.r += n
	c.skip -= n
	if c.skip == 0 && c.owed.wire > 0 {
		if t != nil {
			c.tally(t, 1, c.owed.size, c.owed.wire, c.owed.sid)
		}
		c.owed = owed{}
	}
}

// run counts a run of messages with the control line of the message before.
func (c *Conn) run(t *Tally, until uint64) bool {
	line, total := c.scan.prev, c.scan.total
	if len(line) == 0 {
		return false
	}
	b := c.buf[c.r:c.w]
	most := len(b) / total
	if until > 0 && uint64(most) > until-t.Msgs {
		most = int(until - t.Msgs)
	}
	n := 0
	for n < most && string(b[:len(line)]) == string(line) && b[total-2] == '\r' && b[total-1] == '\n' {
		b = b[total:]
		n++
	}
	c.r += n * total
	c.tally(t, n, n*(total-2-len(line)), n*total, c.msg.Sid)
	return n > 0
}

func (c *Conn) tally(t *Tally, msgs, payload, wire, sid int) {
	t.Msgs += uint64(msgs)
	t.Bytes += uint64(payload)
	t.Wire += uint64(wire)
	for sid >= len(t.Sid) {
		t.Sid = append(t.Sid, 0)
	}
	t.Sid[sid] += uint64(msgs)
}
