package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/wire"
)

func randomBelow(d time.Duration) time.Duration { return rand.N(d) }

// slot waits for the turn of a client to connect: hundreds at once would only time out.
func (g *group) slot(ctx context.Context) (release func(), err error) {
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// dialWire connects a client with the wire engine.
func (g *group) dialWire(ctx context.Context) (*wire.Conn, error) {
	release, err := g.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	o, err := g.w.Options(ctx)
	if err != nil {
		return nil, err
	}
	if o.InProcessServer != nil {
		return nil, fail.Usagef("the wire engine needs a server with a socket: use --engine nats.go for an embedded one")
	}
	return wire.Dial(ctx, o)
}

// client is a connection of nats.go that does not come back: a benchmark of a lost connection is over.
type client struct {
	*nats.Conn
	mu     sync.Mutex
	err    error
	down   chan struct{} // closed with the connection
	refuse atomic.Int64  // publishes denied
	report func(error)   // called with each error that comes by itself; may be nil
}

// dialNats connects a client with nats.go.
func (g *group) dialNats(ctx context.Context, report func(error)) (*client, error) {
	release, err := g.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	c := &client{down: make(chan struct{}), report: report}
	called := func(o *nats.Options) error { // shut waits for the handlers
		o.NoCallbacksAfterClientClose = false
		return nil
	}
	c.Conn, err = g.w.Dial(ctx, nats.NoReconnect(), called,
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				c.refuse.Add(1) // here alone: the connection tells its last error again when it closes
			}
			c.fail(err)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { c.fail(lost(err)) }),
		nats.ClosedHandler(func(nc *nats.Conn) {
			if err := nc.LastError(); err != nil {
				c.fail(lost(err))
			}
			close(c.down)
		}))
	if err != nil {
		return nil, err
	}
	return c, nil
}

func lost(err error) error {
	if err == nil || errors.Is(err, nats.ErrPermissionViolation) {
		return err
	}
	return fmt.Errorf("%w: %w", nats.ErrDisconnected, err)
}

func (c *client) fail(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	if c.err == nil {
		c.err = err
		if c.report != nil {
			c.report(err)
		}
	}
	c.mu.Unlock()
}

func (c *client) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// settle waits until the server has processed what was written, and returns the error it had with that.
func (c *client) settle(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := c.FlushWithContext(ctx); err != nil {
		return errors.Join(c.failed(), err)
	}
	return c.failed()
}

// shut closes the connection and waits until its handlers have run.
func (c *client) shut() {
	c.Close()
	<-c.down
}

func (c *client) wireBytes() int64 {
	s := c.Stats()
	return int64(s.InBytes + s.OutBytes)
}

func dialOutlet(ctx context.Context, g *group, w *worker) (outlet, error) {
	header, err := wire.AppendHeader(nil, g.spec.Header)
	if err != nil {
		return nil, err
	}
	if len(g.spec.Header) == 0 {
		header = nil
	}
	if g.spec.Engine == NatsGo {
		c, err := g.dialNats(ctx, nil)
		if err != nil {
			return nil, err
		}
		return &natsOutlet{client: c, header: g.spec.Header}, nil
	}
	conn, err := g.dialWire(ctx)
	if err != nil {
		return nil, err
	}
	o := &wireOutlet{conn: conn, pub: wire.NewPublisher(context.WithoutCancel(ctx), conn, false), w: conn.Writer(), header: header}
	if _, err := o.pub.Confirm(ctx); err != nil { // with the answer its reader is known to be at work: PINGs beside it are safe
		o.close()
		return nil, err
	}
	return o, nil
}

// wireOutlet publishes with the wire engine.
type wireOutlet struct {
	conn   *wire.Conn
	pub    *wire.Publisher // reads the connection
	w      *wire.Writer
	header []byte
	frame  []byte
}

func (o *wireOutlet) put(subject, body []byte, _ time.Duration, _ int) error {
	return o.known(o.w.PubBytes(subject, nil, o.header, body))
}

// repeat checks the first message like any other and encodes the rest once.
func (o *wireOutlet) repeat(subject, body []byte, n int) error {
	if o.frame == nil {
		if err := o.put(subject, body, 0, -1); err != nil {
			return err
		}
		n--
		o.frame = wire.EncodePub(nil, string(subject), "", o.header, body)
		if err := o.flush(); err != nil {
			return err
		}
	}
	if n == 0 {
		return nil
	}
	return o.known(o.w.Repeat(o.frame, n))
}

func (o *wireOutlet) flush() error { return o.known(o.w.Flush()) }

// known prefers what the server said to the error of a write.
func (o *wireOutlet) known(err error) error {
	if err == nil || !errors.Is(err, nats.ErrDisconnected) {
		return err
	}
	_, told := o.pub.Confirm(context.Background()) // ends at once: the connection is gone
	if told != nil {
		return told
	}
	return err
}

func (o *wireOutlet) ping(ctx context.Context) error { return o.conn.Ping(ctx) }

func (o *wireOutlet) failed() error { return o.pub.Err() }

func (o *wireOutlet) denied() int64 { return int64(o.pub.Receipt().Denied) }

func (o *wireOutlet) wireBytes() int64 {
	s := o.conn.Stats()
	return int64(s.InBytes + s.OutBytes)
}

func (o *wireOutlet) close() {
	o.pub.Close()
	_ = o.conn.Close()
}

// natsOutlet publishes with nats.go.
type natsOutlet struct {
	*client
	header nats.Header
}

func (o *natsOutlet) put(subject, body []byte, _ time.Duration, _ int) error {
	if o.header == nil {
		return o.Publish(string(subject), body)
	}
	return o.PublishMsg(&nats.Msg{Subject: string(subject), Data: body, Header: o.header})
}

func (o *natsOutlet) repeat(subject, body []byte, n int) error {
	name := string(subject)
	for range n {
		var err error
		if o.header == nil {
			err = o.Publish(name, body)
		} else {
			err = o.PublishMsg(&nats.Msg{Subject: name, Data: body, Header: o.header})
		}
		if err != nil {
			return o.known(err)
		}
	}
	return nil
}

func (o *natsOutlet) known(err error) error {
	if told := o.failed(); told != nil {
		return told
	}
	return err
}

// flush leaves the writing to nats.go's own goroutine, as an application does.
func (o *natsOutlet) flush() error { return o.failed() }

func (o *natsOutlet) ping(ctx context.Context) error {
	if err := o.FlushWithContext(ctx); err != nil {
		return o.known(err)
	}
	return nil
}

func (o *natsOutlet) denied() int64 { return o.refuse.Load() }

func (o *natsOutlet) close() { o.shut() }
