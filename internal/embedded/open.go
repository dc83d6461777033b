package embedded

import (
	"context"
	"log/slog"

	"github.com/nats-io/nats.go"
)

// Open is the server of an embedded:DIR URL: JetStream in dir, no port, connections within the process. The returned
// function stops it.
func Open(ctx context.Context, dir string, log *slog.Logger) (nats.InProcessConnProvider, func() error, error) {
	s, err := Start(ctx, Options{DontListen: true, JetStream: true, Store: dir, Log: log})
	if err != nil {
		return nil, nil, err
	}
	return s, func() error { return s.Stop(context.WithoutCancel(ctx)) }, nil
}
