package crew

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/wire"
)

func randomBelow(d time.Duration) time.Duration { return rand.N(d) }

// slot waits for the turn of a client to connect: hundreds at once would only time out.
func (g *Group) slot(ctx context.Context) (release func(), err error) {
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// DialWire connects a client with the wire engine.
func (g *Group) DialWire(ctx context.Context) (*wire.Conn, error) {
	release, err := g.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	o, err := g.World.Options(ctx)
	if err != nil {
		return nil, err
	}
	if o.InProcessServer != nil {
		return nil, fail.Usagef("the wire engine needs a server with a socket: use --engine nats.go for an embedded one")
	}
	o.FlusherTimeout = g.World.Timeout // a server that does not read for so long is dead
	c, err := wire.Dial(ctx, o)
	switch {
	case err == nil:
		context.AfterFunc(ctx, func() { c.Hurry(g.World.Timeout) }) // the run is over, and the last words must not wait for ever
	case g.World.Explain != nil:
		err = g.World.Explain(err)
	}
	return c, err
}

// Client is a connection of nats.go that does not come back: a benchmark of a lost connection is over.
type Client struct {
	*nats.Conn
	mu      sync.Mutex
	err     error
	Broken  chan struct{} // closed with the first error that comes by itself
	Down    chan struct{} // closed with the connection
	Refused atomic.Int64  // publishes denied
	report  func(error)   // called with each error that comes by itself; may be nil
}

// DialNats connects a client with nats.go.
func (g *Group) DialNats(ctx context.Context, report func(error)) (*Client, error) {
	release, err := g.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	c := &Client{Broken: make(chan struct{}), Down: make(chan struct{}), report: report}
	called := func(o *nats.Options) error { // shut waits for the handlers
		o.NoCallbacksAfterClientClose = false
		return nil
	}
	c.Conn, err = g.World.Dial(ctx, nats.NoReconnect(), nats.FlusherTimeout(g.World.Timeout), called,
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				c.Refused.Add(1) // here alone: the connection tells its last error again when it closes
			}
			c.fail(err)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { c.fail(lost(err)) }),
		nats.ClosedHandler(func(nc *nats.Conn) {
			if err := nc.LastError(); err != nil {
				c.fail(lost(err))
			}
			close(c.Down)
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

func (c *Client) fail(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	if c.err == nil {
		c.err = err
		close(c.Broken)
		if c.report != nil {
			c.report(err)
		}
	}
	c.mu.Unlock()
}

// Failed is the first error of the connection that came by itself, nil while there is none.
func (c *Client) Failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Bound is ctx until the first error of the connection that comes by itself, such as a denial: a request that the server never saw
// has no answer to wait for. Known tells that error from the end of the context.
func (c *Client) Bound(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		defer cancel(nil)
		select {
		case <-c.Broken:
			cancel(c.Failed())
		case <-c.Down:
		case <-ctx.Done():
		}
	}()
	return ctx
}

// Free closes the connection when the first error comes by itself: that ends waits which know no context. The returned function ends
// the watch.
func (c *Client) Free(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(c.Bound(ctx), func() {
		if c.Failed() != nil {
			c.Close()
		}
	})
}

// goodbye is how long the connections of a server may outlive its streams when it shuts down.
const goodbye = 300 * time.Millisecond

// Known is err, or why the connection ended if that is behind it: requests to a server that shuts down find nobody for a moment,
// before the connection ends.
func (c *Client) Known(err error) error {
	if parting(err) {
		select {
		case <-c.Down:
		case <-time.After(goodbye):
		}
	}
	if told := c.Failed(); told != nil {
		return told
	}
	return err
}

// Known is what Client.Known is, for a connection of the wire engine that nobody else reads any more.
func Known(ctx context.Context, c *wire.Conn, err error) error {
	if !parting(err) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, goodbye)
	defer cancel()
	if gone := c.Read(ctx, wire.Handler{}); ctx.Err() == nil && gone != nil {
		return gone
	}
	return err
}

// parting reports an error with which a server that shuts down may answer until it ends the connections: its streams and batches go
// first.
func parting(err error) bool {
	var api jetstream.JetStreamError
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) || errors.As(err, &api) && api.APIError() != nil
}

// Settle waits until the server has processed what was written, and returns the error it had with that.
func (c *Client) Settle(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := c.FlushWithContext(ctx); err != nil {
		return errors.Join(c.Failed(), err)
	}
	return c.Failed()
}

// Shut closes the connection and waits until its handlers have run.
func (c *Client) Shut() {
	c.Close()
	<-c.Down
}

// WireBytes is what went over the connection in both directions.
func (c *Client) WireBytes() int64 {
	s := c.Stats()
	return int64(s.InBytes + s.OutBytes)
}

// NewInbox is a subject for replies that begins with prefix, the usual one when that is empty.
func NewInbox(prefix string) string {
	if prefix == "" {
		return nats.NewInbox()
	}
	return prefix + strings.TrimPrefix(nats.NewInbox(), nats.InboxPrefix[:len(nats.InboxPrefix)-1])
}
