//go:build unix

package term

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// watchResize forwards window changes to c until stop is called; c holds one, so a slow reader sees the last.
func watchResize(ctx context.Context, c chan<- struct{}) (stop func()) {
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGWINCH)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-sig:
				select {
				case c <- struct{}{}:
				default:
				}
			}
		}
	}()
	return func() { signal.Stop(sig); cancel() }
}
