package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
)

// ErrLost says that the connection was lost during a transfer.
var ErrLost = errors.New("the connection was lost")

// connected ends the returned context when the connection is lost: a transfer does not survive that, whoever reconnects.
func connected(ctx context.Context, nc *nats.Conn) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	changes := nc.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	over := make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-changes:
			cancel(ErrLost)
		case <-ctx.Done():
		}
	}()
	if !nc.IsConnected() {
		cancel(ErrLost)
	}
	return ctx, func() {
		cancel(context.Canceled)
		<-over
		nc.RemoveStatusListener(changes)
	}
}

// lost names the loss of the connection as the reason, where it was that.
func lost(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), ErrLost) {
		return fail.Newf(fail.Unreachable, "%w during the transfer", ErrLost)
	}
	return err
}

// Reconnected waits until the connection is there, as long as patience.
func Reconnected(ctx context.Context, nc *nats.Conn, patience time.Duration) error {
	changes := nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer nc.RemoveStatusListener(changes)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for !nc.IsConnected() {
		if nc.IsClosed() {
			return nats.ErrConnectionClosed
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
			return fmt.Errorf("%w and did not come back in %v", ErrLost, patience)
		case <-changes:
		}
	}
	return nil
}
