package storecmd

import (
	"context"
	"errors"
	"time"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

// Limits say when a watch ends by itself: after Count changes, after Wait; 0 is never.
type Limits struct {
	Count uint64
	Wait  time.Duration
}

var errEnough = errors.New("enough was shown")

// Watching is a watch that runs.
type Watching struct {
	Feed  *render.Feed
	Shown uint64
	limit uint64
}

// Emit shows one change; its error ends the watch, also when that was the last one wanted.
func (w *Watching) Emit(v render.Viewer) error {
	if err := w.Feed.Emit(v); err != nil {
		return err
	}
	if w.Shown++; w.Shown == w.limit {
		return errEnough
	}
	return nil
}

// Watch runs run until it ends, the limits are reached or ctx is interrupted, which all are good ends.
func Watch(ctx context.Context, e *env.Env, l Limits, run func(context.Context, *Watching) error) error {
	limited := ctx
	if l.Wait > 0 {
		var stop context.CancelFunc
		limited, stop = context.WithTimeoutCause(ctx, l.Wait, errEnough)
		defer stop()
	}
	w := &Watching{Feed: e.Out.Feed(), limit: l.Count}
	err := run(limited, w)
	if closeErr := w.Feed.Close(nil); err == nil {
		err = closeErr
	}
	// A request that the end of the time cut off tells of the deadline and not of its cause.
	if errors.Is(err, errEnough) || errors.Is(err, context.DeadlineExceeded) && errors.Is(context.Cause(limited), errEnough) {
		return nil
	}
	return fail.Ended(ctx, err)
}
