package shell

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/natskit/natskit/internal/fail"
)

// Signals cancels the returned context when the process is asked to end, with the reason as its cause; a second request
// ends the process at once. SIGPIPE goes to a channel that nobody reads, so that writes to a closed pipe return an error
// and deferred work runs; it is not ignored, since children would inherit that.
func Signals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	done := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case s := <-c:
				cause := fail.ErrTerminated
				if s == os.Interrupt || s == syscall.SIGQUIT {
					cause = fail.ErrInterrupted
				}
				if n > 0 {
					os.Exit(int(cause.Code))
				}
				cancel(cause)
			}
		}
	}()
	return ctx, func() { signal.Stop(c); close(done); cancel(nil) }
}
