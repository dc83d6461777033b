package contexts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
)

// Options is what a Manager is given besides the settings. The zero value is usable.
type Options struct {
	// Name is what the connection is called at the server when no --connection-name is given, such as "NATS CLI Version 1.2.3".
	Name string
	// Log gets API traffic and connection events at Debug when Resolved.Trace is on; nil drops them.
	Log *slog.Logger
	// Warn gets lines for people; they may hold text from the network, which must be made visible before a terminal gets it. nil drops them.
	Warn func(format string, args ...any)
	// OpenEmbedded starts or finds the server of an embedded:DIR URL; closeFn ends it. nil makes such URLs an error.
	OpenEmbedded func(ctx context.Context, dir string) (provider nats.InProcessConnProvider, closeFn func() error, err error)
	// OnClosed is told when the shared connection is gone for good and not by Close.
	OnClosed func(error)
}

// Manager connects with the settings it was made from, when it is first asked to. Its methods may be called by several goroutines.
type Manager struct {
	r       Resolved
	o       Options
	secrets []string

	lock     chan struct{} // guards what follows; a channel, so that waiting for it can be interrupted
	closed   bool
	prepared *nats.Options
	nc       *nats.Conn
	shut     func() error // ends the embedded server

	violations chan error
	mu         sync.Mutex
	violation  error
	watchers   map[int]context.CancelCauseFunc
	nextWatch  int
}

// NewManager does nothing yet but remember.
func NewManager(r Resolved, o Options) *Manager {
	if r.Timeout <= 0 {
		r.Timeout = DefaultTimeout
	}
	if r.URL == "" {
		r.URL = nats.DefaultURL
	}
	return &Manager{r: r, o: o, secrets: SecretsOf(r), lock: make(chan struct{}, 1), violations: make(chan error, 16), watchers: map[int]context.CancelCauseFunc{}}
}

// Effective is the settings in use.
func (m *Manager) Effective() Resolved { return m.r }

// Deadline bounds ctx by the time that answers are waited for.
func (m *Manager) Deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, m.r.Timeout)
}

func (m *Manager) acquire(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case m.lock <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if m.closed {
		m.release()
		return nats.ErrConnectionClosed
	}
	return nil
}

func (m *Manager) release() { <-m.lock }

// Options is everything that a client of these servers needs, with credentials looked up: servers, identity, TLS, proxies,
// handlers and back-off. An embedded server is started. A client that is not nats.go has to honour InProcessServer and
// CustomDialer, which is set when there is a proxy. Each caller gets its own copy.
func (m *Manager) Options(ctx context.Context) (nats.Options, error) {
	if err := m.acquire(ctx); err != nil {
		return nats.Options{}, err
	}
	defer m.release()
	return m.options(ctx)
}

func (m *Manager) options(ctx context.Context) (nats.Options, error) {
	if m.prepared == nil {
		o, err := m.prepare(ctx)
		if err != nil {
			return nats.Options{}, err
		}
		m.prepared = &o
	}
	o := *m.prepared
	o.Servers = slices.Clone(o.Servers)
	if o.TLSConfig != nil {
		o.TLSConfig = o.TLSConfig.Clone()
	}
	return o, nil
}

// Conn is the shared connection, made by the first call. A failure is not remembered: the next call tries again.
func (m *Manager) Conn(ctx context.Context) (*nats.Conn, error) {
	if err := m.acquire(ctx); err != nil {
		return nil, err
	}
	defer m.release()
	if m.nc != nil {
		return m.nc, nil
	}
	o, err := m.options(ctx)
	if err != nil {
		return nil, err
	}
	o.ClosedCB = func(nc *nats.Conn) {
		if m.o.OnClosed != nil {
			m.o.OnClosed(m.closedError(nc.LastError()))
		}
	}
	m.nc, err = m.connect(ctx, o)
	return m.nc, err
}

// Dial makes a connection of its own with the same settings, changed by opts. The caller closes it. An option that sets a
// CustomDialer should wrap the one it finds, or proxies and interrupts are lost.
func (m *Manager) Dial(ctx context.Context, opts ...nats.Option) (*nats.Conn, error) {
	o, err := m.Options(ctx)
	if err != nil {
		return nil, err
	}
	return m.connect(ctx, o, opts...)
}

func (m *Manager) connect(ctx context.Context, o nats.Options, opts ...nats.Option) (*nats.Conn, error) {
	out, err := route(m.r)
	if err != nil {
		return nil, err
	}
	d := &dialer{dial: out, timeout: o.Timeout, limit: true, ctx: ctx}
	o.CustomDialer, o.SkipHostLookup = d, true
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return nil, fail.Newf(fail.Failure, "connection options: %w", err)
		}
	}
	nc, err := o.Connect()
	d.settle()
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, m.interrupted(ctx)
	case err != nil:
		return nil, m.connectError(err)
	case ctx.Err() != nil: // it may have been closed under us
		nc.Close()
		return nil, m.interrupted(ctx)
	}
	m.debug(">>> Connected to %s (%s)", nc.ConnectedUrlRedacted(), nc.ConnectedAddr())
	return nc, nil
}

func (m *Manager) interrupted(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.DeadlineExceeded) {
		return m.connectError(cause)
	}
	return cause
}

// JetStream is a handle on the shared connection for the domain or prefix in effect; requests without a deadline have the timeout's.
func (m *Manager) JetStream(ctx context.Context) (jetstream.JetStream, error) {
	nc, err := m.Conn(ctx)
	if err != nil {
		return nil, err
	}
	opts := []jetstream.JetStreamOpt{jetstream.WithDefaultTimeout(m.r.Timeout)}
	if m.tracing() {
		opts = append(opts, jetstream.WithClientTrace(m.clientTrace()))
	}
	switch {
	case m.r.JSDomain != "":
		return jetstream.NewWithDomain(nc, m.r.JSDomain, opts...)
	case m.r.JSAPIPrefix != "":
		return jetstream.NewWithAPIPrefix(nc, m.r.JSAPIPrefix, opts...)
	}
	return jetstream.New(nc, opts...)
}

// Manager is jsm.go's manager on the shared connection with the same settings. It waits half a second at least.
func (m *Manager) Manager(ctx context.Context) (*jsm.Manager, error) {
	nc, err := m.Conn(ctx)
	if err != nil {
		return nil, err
	}
	opts := []jsm.Option{
		jsm.WithTimeout(m.r.Timeout), jsm.WithDomain(m.r.JSDomain), jsm.WithAPIPrefix(m.r.JSAPIPrefix), jsm.WithEventPrefix(m.r.JSEventPrefix),
	}
	if m.tracing() {
		traceLibrary(m)
		opts = append(opts, jsm.WithTrace())
	}
	mgr, err := jsm.New(nc, opts...)
	if err != nil {
		return nil, fail.Usagef("JetStream settings: %w", err)
	}
	return mgr, nil
}

// Close closes the shared connection at once, without draining, and ends an embedded server. Connections from Dial are their
// callers' and should be closed before.
func (m *Manager) Close() error {
	m.lock <- struct{}{}
	defer m.release()
	if m.closed {
		return nil
	}
	m.closed = true
	untraceLibrary(m)
	if m.nc != nil {
		m.nc.Close()
	}
	if m.shut == nil {
		return nil
	}
	if err := m.shut(); err != nil {
		return fmt.Errorf("%s: %w", m.r.URL, err)
	}
	return nil
}

// patience is how long one server may take to let us in: the client's own two seconds, or what the user said.
func (m *Manager) patience() time.Duration {
	if m.r.Origin(KeyTimeout).Kind == FromDefault {
		return min(nats.DefaultTimeout, m.r.Timeout)
	}
	return m.r.Timeout
}
