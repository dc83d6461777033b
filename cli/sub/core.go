package sub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/wire"
)

// summary is what a subscription adds up to. It is printed where messages were dropped.
type summary struct {
	Received uint64        `json:"received"`
	Bytes    uint64        `json:"bytes"`
	Dropped  uint64        `json:"dropped"`
	Duration time.Duration `json:"duration_ns"`
}

// View is the summary for people.
func (s *summary) View(p *render.Page) {
	p.Line("Received %s messages, %s in %s", render.Count(s.Received), render.Bytes(s.Bytes), render.Span(s.Duration))
}

// core is a subscription to subjects.
type core struct {
	e       *env.Env
	o       *subOptions
	out     *printer
	sub     *wire.Subscriber
	keys    []string // subscription patterns by sid
	prefix  string   // of inboxes
	replies int      // sid of the subscription to the inboxes, with --match-replies
	matcher *matcher
	ackConn *nats.Conn
	acks    [][]byte // reply subjects of messages that are shown but not flushed

	msg     message
	style   style
	shown   uint64
	bytes   uint64
	last    time.Time // of the latest message, at first the start
	ignored func(subject []byte) bool
	expired bool // --wait is over
}

func runCore(ctx context.Context, e *env.Env, o subOptions) error {
	opts, err := e.Nats.Options(ctx)
	if err != nil {
		return err
	}
	c := &core{e: e, o: &o, ignored: ignore(o.ignore), prefix: opts.InboxPrefix}
	if c.prefix == "" {
		c.prefix = strings.TrimSuffix(nats.InboxPrefix, ".")
	}
	if c.out, err = newPrinter(ctx, e, &o); err != nil {
		return err
	}
	defer c.out.live.close()
	if o.ack {
		if c.ackConn, err = e.Nats.Conn(ctx); err != nil {
			return err
		}
	}
	memory := min(o.backlog, wire.DefaultMemory)
	disk := o.backlog - memory
	if disk == 0 {
		disk = -1 // none; 0 would be the default
	}
	c.sub, err = wire.Open(ctx, wire.Config{Options: opts, Clock: e.Clock, Event: c.event, Memory: memory, Disk: disk})
	if err != nil {
		return e.Nats.Explain(err)
	}
	defer c.sub.Close()
	if err := c.subscribe(ctx); err != nil {
		return err
	}
	c.last = e.Clock.Now()
	c.style = styleOf(&o, c.last)
	err = c.sub.Run(ctx, wire.Sink{Msg: c.receive(ctx), Idle: c.idle, Tick: c.tick(ctx), Every: c.every()})
	return c.end(ctx, err)
}

func (c *core) subscribe(ctx context.Context) error {
	subjects := c.o.subjects
	if c.o.inbox {
		inbox := c.prefix + "." + nuid.Next()
		subjects = append(subjects[:len(subjects):len(subjects)], inbox)
	}
	c.keys = []string{""}
	for _, s := range subjects {
		if _, err := c.sub.Subscribe(ctx, s, c.o.queue); err != nil {
			return fmt.Errorf("subscribing to %s: %w", s, err)
		}
		c.keys = append(c.keys, s)
	}
	if c.o.match {
		sid, err := c.sub.Subscribe(ctx, c.prefix+".>", "")
		if err != nil {
			return fmt.Errorf("subscribing to %s.>: %w", c.prefix, err)
		}
		c.keys = append(c.keys, c.prefix+".>")
		c.replies, c.matcher = sid, newMatcher(c.e.Nats.Effective().Timeout)
	}
	if (c.o.raw || c.o.dump != "") && !c.o.inbox {
		return nil
	}
	ack := ""
	if c.o.ack {
		ack = "with acknowledgement of JetStream messages "
	}
	c.e.Say("Subscribing on %s %s", strings.Join(subjects, ", "), ack)
	if len(c.o.ignore) > 0 {
		c.e.Say("Ignored subjects: %s", strings.Join(c.o.ignore, ", "))
	}
	if c.o.match {
		c.e.Say("Matching replies with inbox prefix %s.>", c.prefix)
	}
	if c.o.inbox && c.out.feed != nil && !c.e.Out.Machine() {
		return c.out.feed.Emit(inboxLine(subjects[len(subjects)-1]))
	}
	return nil
}

// inboxLine tells on stdout which inbox to publish to.
type inboxLine string

// View is the inbox alone.
func (l inboxLine) View(p *render.Page) { p.Line("%s", render.Subject(l)) }

// event tells what happens to the connection and the backlog.
func (c *core) event(e wire.Event) {
	switch e.Kind {
	case wire.Disconnected:
		c.e.Say(">>> Disconnected due to: %v, will attempt reconnect", e.Err)
		if e.Behind {
			c.e.Say(">>> The server may have closed the connection because it found this reader too slow")
		}
	case wire.Reconnected:
		c.e.Say(">>> Reconnected to %s after %s; what was published meanwhile was missed", e.URL, render.HumaneDuration(e.Away))
	case wire.ServerError:
		c.e.Say(">>> Unexpected NATS error: %v", e.Err)
	case wire.Spilling:
		c.e.Log.Debug(">>> The output is slower than the subject: messages wait on disk")
	case wire.SpillFailed:
		c.e.Say(">>> Messages that wait for the output cannot be kept on disk: %v", e.Err)
	case wire.Dropping:
		c.e.Say(">>> The output is slower than the subject: messages are being dropped")
	case wire.Dropped:
		c.e.Say(">>> %s messages were dropped", render.HumaneCount(e.Messages))
	case wire.ConnectFailed:
		c.e.Log.Debug(fmt.Sprintf(">>> Reconnect error: %v", e.Err))
	case wire.LameDuck:
		c.e.Log.Debug(fmt.Sprintf(">>> Server %s is about to shut down", e.URL))
	}
}

// receive is the handler of messages.
func (c *core) receive(ctx context.Context) func(*wire.Msg) error {
	m := &c.msg
	m.style = &c.style
	return func(w *wire.Msg) error {
		c.last = w.At
		if c.matcher != nil {
			return c.matched(ctx, w)
		}
		if c.ignored(w.Subject) {
			m.lost += w.Lost
			return nil
		}
		c.fill(m, w)
		return c.show(ctx, m, w.Sid)
	}
}

func (c *core) fill(m *message, w *wire.Msg) {
	m.subject, m.reply, m.block, m.data, m.at = w.Subject, w.Reply, w.Header, w.Payload, w.At
	m.header, m.unread = nil, w.Header != nil
	m.lost += w.Lost
}

// show numbers and writes a message, and ends the run with the last one that was asked for.
func (c *core) show(ctx context.Context, m *message, sid int) error {
	c.shown++
	c.bytes += uint64(len(m.block) + len(m.data))
	m.number = c.shown
	if err := c.out.show(ctx, m, c.keys[sid]); err != nil {
		return err
	}
	m.lost = 0
	if c.ackConn != nil && bytes.HasPrefix(m.reply, []byte("$JS.ACK.")) {
		c.acks = append(c.acks, bytes.Clone(m.reply))
		if len(c.acks) >= 256 {
			if err := c.idle(); err != nil {
				return err
			}
		}
	}
	if c.shown == c.o.count {
		return wire.ErrStop
	}
	return nil
}

// idle writes what waits; only what was written is acknowledged.
func (c *core) idle() error {
	if err := c.out.flush(); err != nil {
		return err
	}
	for _, reply := range c.acks {
		if err := c.ackConn.Publish(string(reply), []byte("+ACK")); err != nil {
			return err
		}
	}
	c.acks = c.acks[:0]
	return nil
}

// every is how often the clock has to be looked at.
func (c *core) every() time.Duration {
	switch {
	case c.o.wait > 0:
		return min(max(c.o.wait/20, time.Millisecond), time.Second)
	case c.matcher != nil:
		return min(max(c.matcher.timeout/20, time.Millisecond), 100*time.Millisecond)
	case c.out.live != nil:
		return time.Second
	}
	return 0
}

func (c *core) tick(ctx context.Context) func() error {
	var drawn time.Time
	return func() error {
		now := c.e.Clock.Now()
		if c.matcher != nil {
			if err := c.overdue(ctx, now); err != nil {
				return err
			}
		}
		if pending, _ := c.sub.Pending(); pending == 0 && c.o.wait > 0 && now.Sub(c.last) >= c.o.wait {
			c.expired = true
			return wire.ErrStop
		}
		if c.out.live != nil && now.Sub(drawn) >= time.Second-time.Millisecond {
			drawn = now
			return c.out.live.draw()
		}
		return nil
	}
}

// end writes what is left, says what it adds up to and decides how the command ends.
func (c *core) end(ctx context.Context, err error) error {
	if c.matcher != nil && (err == nil || ctx.Err() != nil) {
		if merr := c.leftover(context.WithoutCancel(ctx)); err == nil {
			err = merr
		}
	}
	flushed := c.idle()
	if flushed == nil && c.ackConn != nil {
		tail, cancel := c.e.Nats.Deadline(context.WithoutCancel(ctx))
		defer cancel()
		flushed = c.ackConn.FlushWithContext(tail)
	}
	s := &summary{Received: c.shown, Bytes: c.bytes, Dropped: c.sub.Dropped(), Duration: c.e.Clock.Now().Sub(c.style.start)}
	return conclude(ctx, c.e, c.o, c.out, s, errors.Join(err, flushed), c.expired)
}

// conclude is the end of every kind of subscription.
func conclude(ctx context.Context, e *env.Env, o *subOptions, out *printer, s *summary, err error, expired bool) error {
	interrupted := ctx.Err() != nil
	if cerr := out.close(s); err == nil {
		err = cerr
	}
	if interrupted && e.IO.ErrTTY {
		e.Say("Received %s messages, %s in %s", render.HumaneCount(s.Received), render.HumaneBytes(s.Bytes), render.HumaneDuration(s.Duration))
	}
	err = fail.Ended(ctx, err)
	switch {
	case err != nil:
		return err
	case s.Dropped > 0:
		return fail.Partialf("%s messages were dropped, because the output was slower than the subject", render.HumaneCount(s.Dropped))
	case expired && o.count > 0 && s.Received == 0:
		return fail.Newf(fail.NoAnswer, "no message came within %s", o.wait)
	case expired && s.Received < o.count:
		return fail.Partialf("%d of %d messages came; the last %s were silent", s.Received, o.count, o.wait)
	}
	return out.verdict()
}
