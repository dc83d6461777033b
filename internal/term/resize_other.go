//go:build !unix

package term

import "context"

// watchResize does nothing where the system has no signal for it: the next drawing asks for the size anyway.
func watchResize(context.Context, chan<- struct{}) (stop func()) { return func() {} }
