package shell

import (
	"context"
	"sync"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/contexts"
)

// connector is the way to the network of one command line: settings are resolved when first needed, so that commands that
// need no server read no context, and a broken one does not stop them.
type connector struct {
	settings func(context.Context) (contexts.Resolved, error)
	options  contexts.Options
	warn     func(format string, args ...any)

	mu      sync.Mutex
	manager *contexts.Manager
}

func (c *connector) resolve(ctx context.Context) error {
	_, err := c.get(ctx)
	return err
}

func (c *connector) get(ctx context.Context) (*contexts.Manager, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.manager != nil {
		return c.manager, nil
	}
	resolved, err := c.settings(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range resolved.Warnings {
		c.warn("%s", w)
	}
	c.manager = contexts.NewManager(resolved, c.options)
	return c.manager, nil
}

func (c *connector) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.manager != nil {
		_ = c.manager.Close()
	}
}

func (c *connector) Conn(ctx context.Context) (*nats.Conn, error) {
	m, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	return m.Conn(ctx)
}

func (c *connector) JetStream(ctx context.Context) (jetstream.JetStream, error) {
	m, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	return m.JetStream(ctx)
}

func (c *connector) Manager(ctx context.Context) (*jsm.Manager, error) {
	m, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	return m.Manager(ctx)
}

func (c *connector) Dial(ctx context.Context, opts ...nats.Option) (*nats.Conn, error) {
	m, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	return m.Dial(ctx, opts...)
}

func (c *connector) Options(ctx context.Context) (nats.Options, error) {
	m, err := c.get(ctx)
	if err != nil {
		return nats.Options{}, err
	}
	return m.Options(ctx)
}

func (c *connector) Deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	m, err := c.get(ctx)
	if err != nil {
		return context.WithCancel(ctx)
	}
	return m.Deadline(ctx)
}

func (c *connector) Explain(err error) error {
	m, rerr := c.get(context.Background())
	if rerr != nil {
		return err
	}
	return m.Explain(err)
}

func (c *connector) Allowed(ctx context.Context) (context.Context, context.CancelFunc) {
	m, err := c.get(ctx)
	if err != nil {
		return context.WithCancel(ctx)
	}
	return m.Allowed(ctx)
}

func (c *connector) Effective() contexts.Resolved {
	m, err := c.get(context.Background())
	if err != nil {
		return contexts.Resolved{}
	}
	return m.Effective()
}
