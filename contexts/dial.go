package contexts

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/natskit/natskit/contexts/internal/tunnel"
)

// route is how the servers of r are reached.
func route(r Resolved) (tunnel.Dial, error) {
	switch {
	case r.SocksProxy != "":
		u, err := proxyURL(r.SocksProxy, KeySocksProxy)
		if err != nil {
			return nil, err
		}
		return tunnel.SOCKS(u, RedactURL(r.SocksProxy))
	case r.HTTPProxy != "":
		u, err := proxyURL(r.HTTPProxy, KeyHTTPProxy)
		if err != nil {
			return nil, err
		}
		return tunnel.HTTP(u, RedactURL(r.HTTPProxy), filePath(expandReference(r.CA, r.lookup))), nil
	}
	return tunnel.Direct, nil
}

// dialer is the client's way out. While the first connection is made it obeys the caller's context; afterwards, reconnecting,
// it lives as long as the connection.
type dialer struct {
	dial    tunnel.Dial
	timeout time.Duration
	limit   bool // put a deadline on new connections; the client must clear it, as nats.go does

	mu     sync.Mutex
	ctx    context.Context
	guards []func() bool // stop closing connections when ctx ends
}

// Dial implements nats.CustomDialer. The deadline covers what nats.go does before it sets its own, such as TLS for websockets.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	d.mu.Lock()
	ctx := d.ctx
	d.mu.Unlock()
	one, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	c, err := d.dial(one, network, address)
	if err != nil {
		return nil, err
	}
	if d.limit {
		if err := c.SetDeadline(time.Now().Add(d.timeout)); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx == ctx && ctx.Done() != nil {
		d.guards = append(d.guards, context.AfterFunc(ctx, func() { _ = c.Close() }))
	}
	return c, nil
}

// settle ends the time in which the caller's context counts.
func (d *dialer) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ctx = context.Background()
	for _, stop := range d.guards {
		stop()
	}
	d.guards = nil
}
