package contexts

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
)

// handlers tell people what happens to the connection: a disconnect and unexpected errors always, the rest when tracing.
func (m *Manager) handlers(o *nats.Options) {
	o.CustomReconnectDelayCB = func(attempts int) time.Duration {
		d := backoff(attempts)
		m.debug(">>> Setting reconnect delay to %v", d.Round(time.Millisecond))
		return d
	}
	o.DisconnectedErrCB = func(_ *nats.Conn, err error) {
		if err != nil {
			m.warn(">>> Disconnected due to: %v, will attempt reconnect", err)
		}
	}
	o.ReconnectedCB = func(nc *nats.Conn) { m.debug(">>> Reconnected to %s", nc.ConnectedUrlRedacted()) }
	o.ReconnectErrCB = func(_ *nats.Conn, err error) { m.debug(">>> Reconnect error: %v", err) }
	o.DiscoveredServersCB = func(nc *nats.Conn) { m.debug(">>> Discovered new servers, known servers are now %v", nc.Servers()) }
	o.LameDuckModeHandler = func(nc *nats.Conn) { m.debug(">>> Server %s is about to shut down", nc.ConnectedUrlRedacted()) }
	o.AsyncErrorCB = func(_ *nats.Conn, sub *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrSlowConsumer) && sub != nil {
			m.debug(">>> Unexpected NATS error: %v, on subject %q", err, sub.Subject)
			return
		}
		m.warn(">>> Unexpected NATS error: %v", err)
		if errors.Is(err, nats.ErrPermissionViolation) {
			m.refused(err)
		}
	}
}

// backoff is the wait before the next round of reconnect attempts: half a second at first, growing by half each time up to
// twenty, spread over a fifth so that many clients of one server do not return at once.
func backoff(attempts int) time.Duration {
	const first, most = 500 * time.Millisecond, 20 * time.Second
	d := first
	for i := 1; i < attempts && d < most; i++ {
		d += d / 2
	}
	d += rand.N(d/5 + 1)
	return min(d, most)
}

func (m *Manager) warn(format string, args ...any) {
	if m.o.Warn == nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	m.o.Warn("%s", scrub(text, m.secrets))
}

// refused records a permission violation and wakes up who waits for something that will not come now.
func (m *Manager) refused(err error) {
	v := m.notAllowed(err)
	m.mu.Lock()
	if m.violation == nil {
		m.violation = v
	}
	for _, cancel := range m.watchers {
		cancel(v)
	}
	m.mu.Unlock()
	select {
	case m.violations <- v:
	default: // nobody listens; the first one is remembered
	}
}

// Violation is the first permission violation on any connection of this manager, nil so far. Its code is fail.Unreachable.
func (m *Manager) Violation() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.violation
}

// Violations delivers permission violations as they come, each to one receiver; what nobody receives is dropped after sixteen.
func (m *Manager) Violations() <-chan error { return m.violations }

// Allowed returns a context that ends, with the violation as its cause, when the server refuses something from now on. Requests
// made with it fail at once instead of waiting for an answer that the server does not let through; Refusal then gives the reason.
func (m *Manager) Allowed(ctx context.Context) (context.Context, context.CancelFunc) {
	watched, cancel := context.WithCancelCause(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	id := m.nextWatch
	m.nextWatch++
	m.watchers[id] = cancel
	return watched, func() {
		m.mu.Lock()
		delete(m.watchers, id)
		m.mu.Unlock()
		cancel(nil)
	}
}

// Refusal replaces err, which an operation with a context from Allowed returned, by the violation that ended it, if one did.
func Refusal(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, nats.ErrPermissionViolation) {
		return cause
	}
	return err
}

// Flush waits until the server has taken everything sent on nc and returns the permission violation it answered with, if any.
// Without it the word of a refusal may come after a publisher has said that all went well.
func (m *Manager) Flush(ctx context.Context, nc *nats.Conn) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = m.Deadline(ctx)
		defer cancel()
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		return err
	}
	// The client notes the error before it sees the answer to the flush, but reports it later, on another goroutine.
	if err := nc.LastError(); errors.Is(err, nats.ErrPermissionViolation) {
		return m.notAllowed(err)
	}
	return nil
}

func (m *Manager) notAllowed(err error) error {
	return fail.Newf(fail.Unreachable, "not allowed for %s: %w", m.r.Who(), scrubError(err, m.secrets))
}

func (m *Manager) closedError(err error) error {
	if err == nil {
		err = nats.ErrConnectionClosed
	}
	return fail.Newf(fail.Unreachable, ">>> Connection is closed: %w", scrubError(err, m.secrets))
}
