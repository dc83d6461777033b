package publish

import (
	"context"
	"errors"
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
	to    receiver
	stop  context.CancelFunc
	free  func() bool
	done  chan struct{}
	alive atomic.Bool // there is a connection that nothing is wrong with
	conn  atomic.Pointer[wire.Conn]
	dial  *wire.Redialer

	mu    sync.Mutex
	out   *wire.Writer // nil while there is no connection
	tick  *time.Timer
	armed bool
}

// dialLine connects. What is written after ctx ends must be taken within lastWords.
func dialLine(ctx context.Context, o nats.Options, nc *nats.Conn, inbox string, c clock.Clock, to receiver) (*line, error) {
	l := &line{o: o, nc: nc, inbox: inbox, to: to, done: make(chan struct{})}
	var err error
	if l.dial, err = wire.NewRedialer(o, c); err != nil {
		return nil, err
	}
	conn, err := l.dial.Dial(ctx, l.prepare)
	if err != nil {
		return nil, err
	}
	l.use(conn)
	l.tick = time.AfterFunc(time.Hour, l.due)
	l.tick.Stop()
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.free = context.AfterFunc(ctx, func() { l.conn.Load().Hurry(lastWords) })
	go l.run(reading)
	return l, nil
}

// prepare asks for the answers. The server deals with that before it takes a message.
func (l *line) prepare(c *wire.Conn) error {
	_, err := c.Subscribe(l.inbox+"*", "")
	return err
}

func (l *line) use(c *wire.Conn) {
	l.conn.Store(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = c.Writer()
	l.alive.Store(true)
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
		if l.nc == nil && l.o.DisconnectedErrCB != nil { // otherwise the other connection tells of the same
			l.o.DisconnectedErrCB(nil, err)
		}
		c, err = l.dial.Redial(ctx, err, l.prepare)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = c.Close()
			}
			return
		case err != nil:
			l.to.end(err)
			return
		}
		l.use(c)
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
