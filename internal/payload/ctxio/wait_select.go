//go:build unix

package ctxio

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// maxFD is what a select set holds; poll would take more, but macOS refuses terminals to it.
const maxFD = 1024

// waiter sleeps in select on a file and on a pipe that the end of the context writes to.
type waiter struct {
	ctx        context.Context
	file       *os.File
	fd, wakeFD int
	set        unix.FdSet
	close      func()
}

func newWaiter(ctx context.Context, f *os.File) (*waiter, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	wt := &waiter{ctx: ctx, file: f}
	err = errors.Join(fdOf(f, &wt.fd), fdOf(r, &wt.wakeFD))
	if err == nil && (wt.fd >= maxFD || wt.wakeFD >= maxFD) {
		err = errors.New("too many open files to wait for one")
	}
	if err != nil {
		_, _ = r.Close(), w.Close()
		return nil, err
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(fired)
		_, _ = w.Write([]byte{0})
	})
	wt.close = func() {
		if !stop() {
			<-fired
		}
		_, _ = r.Close(), w.Close()
	}
	return wt, nil
}

// fdOf takes the descriptor without switching the file to blocking mode, as File.Fd may.
func fdOf(f *os.File, to *int) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return c.Control(func(fd uintptr) { *to = int(fd) })
}

func (w *waiter) read(p []byte) (int, error) {
	for {
		w.set.Zero()
		w.set.Set(w.fd)
		w.set.Set(w.wakeFD)
		_, err := unix.Select(max(w.fd, w.wakeFD)+1, &w.set, nil, nil, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, os.NewSyscallError("select", err)
		}
		if w.set.IsSet(w.wakeFD) {
			return 0, context.Cause(w.ctx)
		}
		return w.file.Read(p)
	}
}
