package publish

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/wire"
)

const (
	// linger is how long a message may wait for others to be written with it. A sender that waits does not.
	linger = 2 * time.Millisecond
	// lastWords is how long writes may take after the end of the context.
	lastWords = 2 * time.Second
)

// line is a link with a connection of its own, renewed when it breaks.
type line struct {
	o     nats.Options
	nc    *nats.Conn // whose settings these are, nil when they are nobody's
	inbox string     // where the answers come
	clock clock.Clock
	to    receiver
	stop  context.CancelFunc
	free  func() bool
	done  chan struct{}
	alive atomic.Bool // there is a connection that nothing is wrong with
	conn  atomic.Pointer[wire.Conn]
	since time.Time // of the connection
	known []string  // servers that a server told of

	mu    sync.Mutex
	out   *wire.Writer // nil while there is no connection
	tick  *time.Timer
	armed bool
}

// dialLine connects. What is written after ctx ends must be taken within lastWords.
func dialLine(ctx context.Context, o nats.Options, nc *nats.Conn, inbox string, c clock.Clock, to receiver) (*line, error) {
	l := &line{o: o, nc: nc, inbox: inbox, clock: c, to: to, done: make(chan struct{})}
	if err := l.dial(ctx); err != nil {
		return nil, err
	}
	l.tick = time.AfterFunc(time.Hour, l.due)
	l.tick.Stop()
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.free = context.AfterFunc(ctx, func() { l.conn.Load().Hurry(lastWords) })
	go l.run(reading)
	return l, nil
}

// dial makes the connection and asks for the answers on it. The server deals with that before it takes a message.
func (l *line) dial(ctx context.Context) error {
	o := l.o
	o.Servers = append(slices.Clone(o.Servers), l.known...)
	c, err := wire.Dial(ctx, o)
	if err != nil {
		return err
	}
	c.Clock = l.clock
	if _, err := c.Subscribe(l.inbox+"*", ""); err != nil {
		_ = c.Close()
		return err
	}
	l.since = l.clock.Now()
	l.learn(c)
	l.conn.Store(c)
	l.mu.Lock()
	l.out = c.Writer()
	l.alive.Store(true)
	l.mu.Unlock()
	return nil
}

// learn remembers the other servers of the cluster, which are asked when this one is gone.
func (l *line) learn(c *wire.Conn) {
	if l.o.IgnoreDiscoveredServers || l.o.InProcessServer != nil {
		return
	}
	at, err := url.Parse(c.URL())
	if err != nil {
		return
	}
	for _, s := range append([]string{l.o.Url}, l.o.Servers...) {
		first, _, _ := strings.Cut(s, ",")
		if u, err := url.Parse(strings.TrimSpace(first)); err == nil && u.User != nil {
			at.User = u.User
			break
		}
	}
	l.known = l.known[:0]
	for _, host := range c.Info().ConnectURLs {
		at.Host = host
		l.known = append(l.known, at.String())
	}
}

// run reads answers, from one connection after the other.
func (l *line) run(ctx context.Context) {
	defer close(l.done)
	defer func() { _ = l.conn.Load().Close() }()
	for {
		c := l.conn.Load()
		err := c.Read(ctx, wire.Handler{Msg: l.msg, Err: l.told})
		_ = c.Close() // first, so that a blocked write lets go of the lock
		l.mu.Lock()
		l.away()
		l.mu.Unlock()
		if ctx.Err() != nil {
			return
		}
		if err = l.renew(ctx, err); ctx.Err() != nil {
			return
		}
		if err != nil {
			l.to.end(err)
			return
		}
		l.to.moved()
	}
}

func (l *line) msg(m *wire.Msg) error {
	nobody := false
	if len(m.Header) > 0 && len(m.Payload) == 0 {
		code, _ := wire.Status(m.Header)
		nobody = code == 503
	}
	l.to.answer(m.Subject, m.Payload, nobody, m.At)
	return nil
}

// told is what the server says besides.
func (l *line) told(err error) error {
	if l.o.AsyncErrorCB != nil {
		l.o.AsyncErrorCB(l.nc, nil, err)
	}
	if v := (*wire.Violation)(nil); errors.As(err, &v) {
		l.to.refuse(v)
	}
	return nil
}

// renew connects again under the rules of the options.
func (l *line) renew(ctx context.Context, lost error) error {
	if l.nc == nil && l.o.DisconnectedErrCB != nil { // otherwise the other connection tells of the same
		l.o.DisconnectedErrCB(nil, lost)
	}
	if !l.o.AllowReconnect {
		return lost
	}
	// A server that takes us and throws us out again must not be asked as fast as we can.
	wait := l.clock.Now().Sub(l.since) < l.o.ReconnectWait
	unwelcome := false
	for round := 1; ; round++ {
		if wait {
			select {
			case <-l.clock.After(l.pause(round)):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		wait = true
		err := l.dial(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return err
		case unwelcome && isAuth(err) && !l.o.IgnoreAuthErrorAbort:
			return err
		case l.o.MaxReconnect >= 0 && round >= l.o.MaxReconnect:
			return fmt.Errorf("%w: %w", err, lost)
		}
		unwelcome = isAuth(err)
	}
}

// pause is how long to wait before the servers are tried for the round-th time.
func (l *line) pause(round int) time.Duration {
	if l.o.CustomReconnectDelayCB != nil {
		return l.o.CustomReconnectDelayCB(round)
	}
	return max(l.o.ReconnectWait, 10*time.Millisecond) + rand.N(l.o.ReconnectJitter+1)
}

// isAuth reports errors that the same credentials meet again.
func isAuth(err error) bool {
	for _, e := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (l *line) lock() bool {
	l.mu.Lock()
	if l.out == nil {
		l.mu.Unlock()
		return false
	}
	return true
}

func (l *line) unlock() { l.mu.Unlock() }

func (l *line) put(subject, reply, header, data []byte) error {
	if err := l.out.PubBytes(subject, reply, header, data); err != nil {
		if l.out.Flush() == nil {
			return err
		}
		l.away()
		return nil
	}
	if !l.armed && l.out.Buffered() > 0 {
		l.armed = true
		l.tick.Reset(linger)
	}
	return nil
}

// away gives up the connection: its reader makes another. Lock held.
func (l *line) away() {
	l.out = nil
	l.alive.Store(false)
}

// due writes what has waited long enough.
func (l *line) due() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = false
	l.write()
}

func (l *line) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write()
}

func (l *line) write() {
	if l.out != nil && l.out.Flush() != nil {
		l.away()
	}
}

func (l *line) up() bool { return l.alive.Load() }

// ended is nil: the receiver is told.
func (l *line) ended() error { return nil }

func (l *line) close() {
	l.free()
	l.stop()
	_ = l.conn.Load().Close()
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away()
	l.tick.Stop()
}
