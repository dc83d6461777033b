package wire

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
)

// Run serves the sink until one of its functions returns an error (ErrStop: Run returns nil), ctx ends (its cause, at once: what is
// pending stays so), a subscription is denied, or there is no connection and no more hope of one; in the last two cases the
// backlog is handled first. It may be called once.
func (s *Subscriber) Run(ctx context.Context, sink Sink) error {
	pumping, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.log.finish(s.pump(pumping))
	}()
	free := context.AfterFunc(ctx, func() { s.halt.Store(true) })
	err := s.serve(ctx, &sink)
	free()
	stop()
	<-done
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// serve hands the backlog to the sink.
func (s *Subscriber) serve(ctx context.Context, sink *Sink) error {
	var tick <-chan time.Time
	if sink.Every > 0 && sink.Tick != nil {
		t := s.clock.NewTicker(sink.Every)
		defer t.Stop()
		tick = t.C()
	}
	scan := scanner{marks: true}
	var m Msg
	for {
		frames, lost, end, err := s.log.take()
		m.Lost += lost
		if frames != nil {
			if err := s.hand(ctx, &scan, &m, frames, sink, tick); err != nil {
				return err
			}
			continue
		}
		s.flush()
		if sink.Idle != nil {
			if err := sink.Idle(); err != nil {
				return err
			}
		}
		if end {
			return err
		}
		select {
		case <-s.log.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick:
			if err := sink.Tick(); err != nil {
				return err
			}
		}
	}
}

// ticksPer is after how many messages the ticker is looked at.
const ticksPer = 64

// hand gives the messages in frames to the sink.
func (s *Subscriber) hand(ctx context.Context, scan *scanner, m *Msg, frames []byte, sink *Sink, tick <-chan time.Time) (err error) {
	n, msgs := 0, 0
	defer func() { s.log.done(n, msgs) }()
	scan.reset()
	for n < len(frames) {
		k, size, err := scan.next(frames[n:], m)
		if err != nil {
			return err
		}
		n += size
		if k != kindMsg {
			continue
		}
		msgs++
		if sink.Msg != nil {
			if err := sink.Msg(m); err != nil {
				return err
			}
		}
		m.Lost = 0
		if s.halt.Load() {
			return context.Cause(ctx)
		}
		if msgs%ticksPer == 0 && tick != nil {
			select {
			case <-tick:
				if err := sink.Tick(); err != nil {
					return err
				}
			default:
			}
		}
	}
	return nil
}

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

// drain reads c until it breaks.
func (s *Subscriber) drain(ctx context.Context, c *Conn) error {
	c.rmu.Lock()
	defer c.leave()
	disarm := c.arm(ctx)
	defer disarm()
	h := Handler{Err: func(err error) error {
		var v *Violation
		if errors.As(err, &v) && !v.Publish {
			return err
		}
		s.event(Event{Kind: ServerError, Err: err, URL: c.URL()})
		return nil
	}}
	s.scan = scanner{}
	// What arrived together with the answers to our first pings.
	c.seen = max(c.seen, c.r)
	if err := s.feed(c, c.buf[c.r:c.seen], nil); err != nil {
		return err
	}
	if err := s.feed(c, c.buf[c.seen:c.w], &h); err != nil {
		return err
	}
	c.buf, c.r, c.w, c.seen = nil, 0, 0, 0
	s.burst = 0
	for last := s.clock.Now(); ; {
		n, err := c.receive(s.log.room(s.scan.need))
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		now := s.clock.Now()
		if now.Sub(last) > breather {
			s.burst = 0
		}
		s.burst += n
		last = now
		if err := s.split(c, n, now, &h); err != nil {
			return err
		}
	}
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

// reconnect tries the servers in turn until one takes us and our subscriptions.
func (s *Subscriber) reconnect(ctx context.Context, lost error) error {
	o, pool := &s.d.o, s.d.pool
	// A server that takes us and throws us out again must not be asked as fast as we can.
	wait := s.clock.Now().Sub(s.since) < o.ReconnectWait
	for round := 1; ; round++ {
		if wait {
			select {
			case <-s.clock.After(s.pause(round)):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		wait = true
		for _, srv := range append([]*server(nil), pool.list...) {
			before := srv.auth
			err := s.renew(ctx, srv)
			if err == nil {
				return nil
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			s.event(Event{Kind: ConnectFailed, URL: srv.name(), Err: err})
			var v *Violation
			if errors.As(err, &v) {
				return err
			}
			if isAuth(err) && before != nil && before.Error() == err.Error() && !o.IgnoreAuthErrorAbort {
				return err
			}
			lost = err
			pool.failed(srv)
		}
		if len(pool.list) == 0 {
			return errors.Join(nats.ErrNoServers, lost)
		}
	}
}

// renew connects to srv and subscribes again.
func (s *Subscriber) renew(ctx context.Context, srv *server) error {
	c, err := s.d.open(ctx, srv)
	if err != nil {
		return err
	}
	s.mu.Lock()
	subs := slices.Clone(s.subs)
	s.mu.Unlock()
	var b []byte
	for _, sub := range subs {
		b = appendSub(b, sub.subject, sub.queue, sub.sid)
	}
	limited, stop := context.WithTimeout(ctx, s.d.o.Timeout)
	defer stop()
	if err = c.write(b); err == nil {
		err = c.Ping(limited)
	}
	if err != nil {
		_ = c.Close()
		return err
	}
	s.attach(c, subs)
	s.event(Event{Kind: Reconnected, URL: c.URL(), Away: s.since.Sub(s.gone)})
	return nil
}

// pause is how long to wait before the servers are tried for the round-th time.
func (s *Subscriber) pause(round int) time.Duration {
	o := &s.d.o
	if o.CustomReconnectDelayCB != nil {
		return o.CustomReconnectDelayCB(round)
	}
	jitter := o.ReconnectJitter
	if s.d.pool.secure || o.TLSConfig != nil {
		jitter = o.ReconnectJitterTLS
	}
	d := max(o.ReconnectWait, 10*time.Millisecond)
	if jitter > 0 {
		d += rand.N(jitter)
	}
	return d
}
