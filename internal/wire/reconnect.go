package wire

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
)

// Redialer makes one connection after the other for who goes on when one is lost, under the rules of the options that Config names.
// Its methods belong to one goroutine.
type Redialer struct {
	d     *dialer
	since time.Time // of the present connection
}

// NewRedialer prepares connections with o; clk, nil for the system's, stamps their messages and paces the attempts.
func NewRedialer(o nats.Options, clk clock.Clock) (*Redialer, error) {
	if clk == nil {
		clk = clock.System()
	}
	d, err := newDialer(o, clk)
	if err != nil {
		return nil, err
	}
	return &Redialer{d: d}, nil
}

// Dial makes the first connection, as the function Dial does. prepare makes it ready for use.
func (r *Redialer) Dial(ctx context.Context, prepare func(*Conn) error) (*Conn, error) {
	c, err := r.d.any(ctx)
	if err != nil {
		return nil, err
	}
	if err := prepare(c); err != nil {
		_ = c.Close()
		return nil, err
	}
	return r.use(c), nil
}

// Redial makes the next one after an error ended the last. It tries the servers, also those that the cluster told of, until one takes
// us; its error is that of the last attempt when the options say that it is enough, or the cause of ctx.
func (r *Redialer) Redial(ctx context.Context, lost error, prepare func(*Conn) error) (*Conn, error) {
	if !r.d.o.AllowReconnect {
		return nil, lost
	}
	var c *Conn
	err := r.d.again(ctx, r.since, lost, func(ctx context.Context, srv *server) (err error) {
		if c, err = r.d.open(ctx, srv); err != nil {
			return err
		}
		if err = prepare(c); err != nil {
			_ = c.Close()
		}
		return err
	}, func(*server, error) {})
	if err != nil {
		return nil, err
	}
	return r.use(c), nil
}

// use follows what the server of c tells of its cluster.
func (r *Redialer) use(c *Conn) *Conn {
	r.since = r.d.clock.Now()
	r.d.pool.learn(c.Info(), c.srv)
	c.learned = func() { r.d.pool.learn(c.Info(), c.srv) }
	return c
}

// reconnect tries the servers in turn until one takes us and our subscriptions.
func (s *Subscriber) reconnect(ctx context.Context, lost error) error {
	return s.d.again(ctx, s.since, lost, s.renew, func(srv *server, err error) {
		s.event(Event{Kind: ConnectFailed, URL: srv.name(), Err: err})
	})
}

// again tries the servers in turn until open has what it needs from one. since is when the connection began that was lost.
func (d *dialer) again(ctx context.Context, since time.Time, lost error, open func(context.Context, *server) error, failed func(*server, error)) error {
	// A server that takes us and throws us out again must not be asked as fast as we can.
	wait := d.clock.Now().Sub(since) < d.o.ReconnectWait
	for round := 1; ; round++ {
		if wait {
			select {
			case <-d.clock.After(d.pause(round)):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		wait = true
		for _, srv := range append([]*server(nil), d.pool.list...) {
			before := srv.auth
			err := open(ctx, srv)
			if err == nil {
				return nil
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			failed(srv, err)
			var v *Violation
			if errors.As(err, &v) {
				return err
			}
			if isAuth(err) && before != nil && before.Error() == err.Error() && !d.o.IgnoreAuthErrorAbort {
				return err
			}
			lost = err
			d.pool.failed(srv)
		}
		if len(d.pool.list) == 0 {
			return fmt.Errorf("%w: %w", nats.ErrNoServers, lost)
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
func (d *dialer) pause(round int) time.Duration {
	o := &d.o
	if o.CustomReconnectDelayCB != nil {
		return o.CustomReconnectDelayCB(round)
	}
	jitter := o.ReconnectJitter
	if d.pool.secure || o.TLSConfig != nil {
		jitter = o.ReconnectJitterTLS
	}
	wait := max(o.ReconnectWait, 10*time.Millisecond)
	if jitter > 0 {
		wait += rand.N(jitter)
	}
	return wait
}
