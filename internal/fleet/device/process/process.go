// Package process runs a program for a device: an argument vector, a limit on what is kept of its output, and an end to the
// program and what it started.
package process

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"sync"
	"time"
)

// afterKill is how long the pipes of a program that was ended may stay open in its own children.
const afterKill = 2 * time.Second

// Outcome is how a program ended.
type Outcome struct {
	Exit           int // its exit code; -1 when a signal ended it
	Stdout, Stderr []byte
	Lost           int64  // bytes of both beyond the limits
	Signal         string // what ended it, when Exit is -1 and it was not us
}

// Run starts argv[0] with the arguments behind it and the whole environment env, nothing on standard input, and waits for its
// end. Of each output the first limit bytes are kept. When ctx ends the program is killed, with its process group where there
// are such, and the cause returned; other errors mean that it did not start.
func Run(ctx context.Context, argv, env []string, limit int) (Outcome, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	out, errs := &kept{limit: limit}, &kept{limit: limit}
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = env, out, errs, afterKill
	asGroup(cmd)
	err := cmd.Run()
	o := Outcome{Stdout: out.bytes(), Stderr: errs.bytes(), Lost: out.over() + errs.over(), Exit: -1}
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil && (err != nil || cmd.ProcessState == nil):
		return o, context.Cause(ctx)
	case errors.As(err, &ended):
		if o.Exit = ended.ExitCode(); !ended.Exited() {
			o.Signal = ended.Error()
		}
		return o, nil
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return o, err
	}
	o.Exit = cmd.ProcessState.ExitCode()
	return o, nil
}

// kept keeps the first bytes written to it and counts the rest.
type kept struct {
	mu    sync.Mutex // a child that outlives the program may still write
	limit int
	buf   bytes.Buffer
	lost  int64
}

// Write implements io.Writer; it always takes everything.
func (k *kept) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	room := min(max(k.limit-k.buf.Len(), 0), len(p))
	k.buf.Write(p[:room])
	k.lost += int64(len(p) - room)
	return len(p), nil
}

func (k *kept) bytes() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return bytes.Clone(k.buf.Bytes())
}

func (k *kept) over() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lost
}
