package wire

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
)

// pump moves bytes from the socket to the backlog, from one connection after the other, and returns why there are no more.
func (s *Subscriber) pump(ctx context.Context) error {
	defer s.detach()
	lost := nats.ErrDisconnected // of a first connection that failed, Run has yet to make one
	for {
		if c := s.conn; c != nil { // written by this goroutine only, now that Run has begun
			err := s.drain(ctx, c)
			s.gone = s.clock.Now()
			s.detach()
			behind := s.log.cut() || s.burst >= tooMuch
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			s.event(Event{Kind: Disconnected, URL: c.URL(), Err: err, Behind: behind})
			var v *Violation
			if errors.As(err, &v) || !s.cfg.Options.AllowReconnect {
				return err
			}
			s.d.pool.rotate(c.srv, true)
			lost = err
		}
		if err := s.reconnect(ctx, lost); err != nil {
			return err
		}
	}
}

// session is the reading of one connection.
type session struct {
	c    *Conn
	h    Handler
	last time.Time // of the latest read
}

// drain sees to it that c is read until it breaks.
func (s *Subscriber) drain(ctx context.Context, c *Conn) error {
	c.rmu.Lock()
	defer c.leave()
	disarm := c.arm(ctx)
	defer disarm()
	l := &session{c: c}
	l.h.Err = func(err error) error {
		var v *Violation
		if errors.As(err, &v) && !v.Publish {
			return err
		}
		s.event(Event{Kind: ServerError, Err: err, URL: c.URL()})
		return nil
	}
	if err := s.begin(l); err != nil {
		return err
	}
	s.log.ring() // whoever waits for a connection may read
	for {
		select {
		case err := <-s.broke:
			return err
		case <-s.dog.relief:
			if err := s.relieve(l); err != nil {
				return err
			}
		case <-ctx.Done():
			s.turn.Lock()
			s.live = nil
			s.turn.Unlock()
			return context.Cause(ctx)
		}
	}
}

// begin takes over what arrived together with the answers to our first pings, and makes l the session to read.
func (s *Subscriber) begin(l *session) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	select { // of an earlier session
	case <-s.broke:
	default:
	}
	c := l.c
	s.scan = scanner{}
	c.seen = max(c.seen, c.r)
	if err := s.feed(c, c.buf[c.r:c.seen], nil); err != nil {
		return err
	}
	if err := s.feed(c, c.buf[c.seen:c.w], &l.h); err != nil {
		return err
	}
	c.buf, c.r, c.w, c.seen = nil, 0, 0, 0
	s.burst, l.last = 0, s.clock.Now()
	s.live = l
	return nil
}

// relieve reads until the sink has caught up.
func (s *Subscriber) relieve(l *session) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	for s.live == l {
		err := s.step(l)
		if err != nil {
			s.live = nil
			return err
		}
		s.log.ring()
		if s.dog.resting.Load() {
			return nil
		}
	}
	return nil // serve met the end of the session and says why
}

// step reads once into the backlog; its caller has the turn.
func (s *Subscriber) step(l *session) error {
	n, err := l.c.receive(s.log.room(s.scan.need))
	if err != nil || n == 0 {
		return err
	}
	now := s.clock.Now()
	if now.Sub(l.last) > breather {
		s.burst = 0
	}
	s.burst += n
	l.last = now
	return s.split(l.c, n, now, &l.h)
}

// We may have fallen behind when at the end of a connection tooMuch bytes had come without a pause that let us catch up.
const (
	tooMuch  = 1 << 20
	breather = 100 * time.Millisecond
)

// feed copies bytes that were read elsewhere into the backlog; without a handler their control frames are not dealt with again.
func (s *Subscriber) feed(c *Conn, b []byte, h *Handler) error {
	for len(b) > 0 {
		n := copy(s.log.room(s.scan.need), b)
		b = b[n:]
		if err := s.split(c, n, s.clock.Now(), h); err != nil {
			return err
		}
	}
	return nil
}

// split finds the frames in the n bytes just read into the backlog's room, deals with control frames and publishes the whole ones.
func (s *Subscriber) split(c *Conn, n int, now time.Time, h *Handler) error {
	b := s.log.commit(n, now)
	var m Msg
	var msgs, payload, end int
	s.scan.reset()
	for end < len(b) {
		k, size, err := s.scan.next(b[end:], &m)
		if err == nil && k != kindMore && k != kindMsg && h != nil {
			c.scan.args = s.scan.args
			err = c.control(k, h)
		}
		if err != nil {
			s.log.publish(end, msgs)
			return err
		}
		if k == kindMore {
			break
		}
		end += size
		if k == kindMsg {
			msgs++
			payload += len(m.Header) + len(m.Payload)
		}
	}
	if end == len(b) {
		s.scan.need = 0
	}
	c.in.msgs.Add(uint64(msgs))
	c.in.payload.Add(uint64(payload))
	s.log.publish(end, msgs)
	return nil
}
