//go:build !unix

package ctxio

import (
	"context"
	"errors"
	"os"
)

type waiter struct{ close func() }

// newWaiter always fails here: the system has no wait for any file and a context at once.
func newWaiter(context.Context, *os.File) (*waiter, error) {
	return nil, errors.New("no way to wait for a file")
}

func (w *waiter) read([]byte) (int, error) { return 0, os.ErrInvalid }
