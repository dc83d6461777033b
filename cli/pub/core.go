package pub

import (
	"context"
	"time"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
	"github.com/natskit/natskit/internal/wire"
)

// narrated is up to how many messages each gets a line of its own; beyond it a progress line and a summary stand for them.
const narrated = 20

// core publishes on the plain protocol. Nothing is reported before the server has processed it.
type core struct {
	e        *env.Env
	conn     *wire.Conn
	pub      *wire.Publisher
	receipt  *receipt
	each     bool // a line for each message
	silent   bool
	pending  []sent
	header   []byte
	progress *term.Progress
	began    time.Time
	closed   bool
}

// sent is a message that waits for the server's word.
type sent struct {
	subject string
	bytes   int
}

func newCore(ctx context.Context, e *env.Env, o pubOptions, r *receipt) (*core, error) {
	opts, err := e.Nats.Options(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := wire.Dial(ctx, opts)
	if err != nil {
		return nil, e.Nats.Explain(err)
	}
	c := &core{e: e, conn: conn, pub: wire.NewPublisher(ctx, conn, false), receipt: r, began: e.Clock.Now()}
	c.silent = o.quiet || e.Out.Machine()
	c.each = !c.silent && o.count <= narrated && o.from == ""
	if !c.each && o.sendOn != "newline" && !c.silent {
		c.progress = e.IO.Progress(e.Clock, "Publishing", o.count, func(n int64) string { return render.HumaneCount(uint64(n)) })
	}
	return c, nil
}

func (c *core) send(ctx context.Context, m message) error {
	var err error
	if c.header, err = wire.AppendHeader(c.header[:0], m.header); err != nil {
		return err
	}
	if err := c.pub.Publish(m.subject, m.reply, c.header, m.body); err != nil {
		if c.pub.Err() != nil {
			return err
		}
		return c.reject(m, err)
	}
	c.receipt.Bytes += uint64(len(m.body))
	if c.progress != nil {
		c.progress.Add(1)
	}
	if c.each {
		c.pending = append(c.pending, sent{m.subject, len(m.body)})
		if len(c.pending) >= 4096 {
			return c.idle(ctx)
		}
	}
	return nil
}

// reject notes a message that cannot be published; the next ones may be.
func (c *core) reject(m message, err error) error {
	c.receipt.fail(m, err)
	if !c.silent && (c.each || m.raw != nil) {
		c.e.Say("Could not publish %s: %s", m.where(), err)
	}
	return nil
}

// repeat sends one message that is always the same o.count times: encoded once, written in large pieces.
func (c *core) repeat(ctx context.Context, from *composer, body payload.Body, o pubOptions) error {
	text, err := from.input.Text(body, payload.ForPublish)
	if err != nil {
		return err
	}
	m, err := from.compose(text, 1, body.Line, o.reply)
	if err != nil {
		return err
	}
	// The first goes through the checks that the rest is spared.
	if err := c.send(ctx, m); err != nil || c.receipt.Failures > 0 {
		return err
	}
	frame := wire.EncodePub(nil, m.subject, m.reply, c.header, m.body)
	const piece = 10_000
	for left := int(o.count) - 1; left > 0; left -= piece {
		n := min(left, piece)
		if err := c.pub.Repeat(frame, n); err != nil {
			return err
		}
		c.receipt.Bytes += uint64(n * len(m.body))
		if c.progress != nil {
			c.progress.Add(int64(n))
		}
		if c.each {
			for range n {
				c.pending = append(c.pending, sent{m.subject, len(m.body)})
			}
		}
	}
	return nil
}

// idle sends what was collected; messages that are to be reported one by one are confirmed first.
func (c *core) idle(ctx context.Context) error {
	if len(c.pending) == 0 {
		return c.pub.Flush()
	}
	ctx, cancel := c.e.Nats.Deadline(ctx)
	defer cancel()
	if _, err := c.pub.Confirm(ctx); err != nil {
		return err
	}
	for _, s := range c.pending {
		c.e.Say("Published %d bytes to %q", s.bytes, s.subject)
	}
	c.pending = c.pending[:0]
	return nil
}

func (c *core) close(ctx context.Context) error {
	if c.closed {
		return nil
	}
	c.closed = true
	err := c.pub.Err()
	got, cerr := c.pub.Confirm(ctx)
	if err == nil {
		err = cerr
	}
	c.pub.Close()
	_ = c.conn.Close()
	c.receipt.Published = got.Confirmed
	if c.progress != nil {
		c.progress.Close()
	}
	if err != nil {
		c.receipt.fail(message{number: int(got.Confirmed) + 1}, err)
		return err
	}
	for _, s := range c.pending {
		c.e.Say("Published %d bytes to %q", s.bytes, s.subject)
	}
	c.pending = nil
	if !c.each && !c.silent && got.Confirmed > 0 {
		took := c.e.Clock.Now().Sub(c.began)
		c.e.Say("Published %s messages, %s to %q in %s, %s a second", render.HumaneCount(got.Confirmed), render.HumaneBytes(c.receipt.Bytes),
			c.receipt.Subject, render.HumaneDuration(took), render.HumaneCount(uint64(float64(got.Confirmed)/max(took.Seconds(), 1e-9))))
	}
	return nil
}
