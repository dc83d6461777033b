package context

import (
	"context"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/env"
)

// show prints the info screen, after trying to connect if that was asked for. The error is that of the connection.
func show(ctx context.Context, e *env.Env, st *contexts.Stored, connect bool) error {
	d, err := describe(e, st)
	if err != nil {
		return err
	}
	var failed error
	if connect {
		failed = d.connect(ctx, e, st)
		if ctx.Err() != nil {
			return failed
		}
	}
	if err := e.Out.Print(d); err != nil {
		return err
	}
	return failed
}
