package asking

import (
	"context"
	"sync"
)

// flight runs so many requests beside each other and ends all of them at the first error. Its methods are called by one
// goroutine.
type flight struct {
	above  context.Context
	ctx    context.Context
	cancel context.CancelFunc
	slots  chan struct{}
	wg     sync.WaitGroup
	once   sync.Once
	err    error // the first
}

func newFlight(ctx context.Context, most int) *flight {
	below, cancel := context.WithCancel(ctx)
	return &flight{above: ctx, ctx: below, cancel: cancel, slots: make(chan struct{}, most)}
}

// room waits until another one may begin, and reports false when none may any more.
func (f *flight) room() bool {
	select {
	case f.slots <- struct{}{}:
		<-f.slots
		return f.ctx.Err() == nil
	case <-f.ctx.Done():
		return false
	}
}

// begin starts a request; there must be room.
func (f *flight) begin(request func(context.Context) error) {
	f.slots <- struct{}{}
	f.wg.Add(1)
	go func() {
		defer f.wg.Done()
		if err := request(f.ctx); err != nil {
			f.fail(err)
		}
		<-f.slots
	}()
}

func (f *flight) fail(err error) {
	f.once.Do(func() {
		f.err = err
		f.cancel()
	})
}

// land ends the flight with err, or when err is nil waits for what is under way; it returns the first error of all,
// or why the context above has ended.
func (f *flight) land(err error) error {
	if err != nil {
		f.fail(err)
	}
	f.wg.Wait()
	f.cancel()
	if f.err == nil {
		return context.Cause(f.above)
	}
	return f.err
}
