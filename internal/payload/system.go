package payload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

const (
	// maxOutput bounds what a command may write: nothing larger fits a message anyway.
	maxOutput = 64 << 20
	// afterKill is how long the pipes of a killed command may stay open in its own children.
	afterKill = 2 * time.Second
)

// System is the Runner of this machine. When ctx ends, the program and what it started are killed where the system has process
// groups, else the program alone. More than 64 MiB of output is an error.
func System(ctx context.Context, argv, env []string, stdin []byte) (stdout, stderr []byte, exit int, err error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	out, errs := &bounded{}, &bounded{}
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, bytes.NewReader(stdin), out, errs
	cmd.WaitDelay = afterKill
	asGroup(cmd)
	err = cmd.Run()
	stdout, stderr = out.buf.Bytes(), errs.buf.Bytes()
	var ended *exec.ExitError
	switch {
	case out.full || errs.full:
		return stdout, stderr, -1, fmt.Errorf("wrote more than %d bytes", maxOutput)
	case ctx.Err() != nil:
		return stdout, stderr, -1, context.Cause(ctx)
	case errors.As(err, &ended) && ended.Exited():
		return stdout, stderr, ended.ExitCode(), nil
	case errors.Is(err, exec.ErrWaitDelay):
		return stdout, stderr, 0, nil
	case err != nil:
		return stdout, stderr, -1, err
	}
	return stdout, stderr, 0, nil
}

// bounded keeps what is written up to maxOutput; the write past it fails, and with it the program's pipe.
type bounded struct {
	buf  bytes.Buffer
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.buf.Len()+len(p) > maxOutput {
		b.full = true
		return 0, errors.New("too much output")
	}
	return b.buf.Write(p)
}
