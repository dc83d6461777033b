package shell

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/natskit/natskit/internal/fail"
)

// Signals cancels the returned context when the process is asked to end, with the reason as its cause; a second request
// ends the process at once. SIGPIPE goes to a channel that nobody reads, so that writes to a closed pipe return an error
// and deferred work runs; it is not ignored, since children would inherit that.
//
// hold makes SIGINT somebody else's, an editor's say, until the function that it returns is called.
func Signals(parent context.Context) (ctx context.Context, hold func() (release func()), stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	var held atomic.Int32
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
				if s == os.Interrupt && held.Load() > 0 {
					n--
					continue
				}
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
	hold = func() func() {
		held.Add(1)
		return sync.OnceFunc(func() { held.Add(-1) })
	}
	return ctx, hold, func() { signal.Stop(c); close(done); cancel(nil) }
}
