package wire

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
)

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
