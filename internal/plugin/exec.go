package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/natskit/natskit/internal/fail"
)

// Streams are what a plugin reads and writes: files are handed over as they are, so that it finds the terminal.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Exec runs the plugin with an argument vector, never through a shell, and returns its exit status as an error that says
// nothing, since the plugin has spoken for itself. When ctx ends it is asked to end too.
func (p *Plugin) Exec(ctx context.Context, dir string, args, environ []string, s Streams) error {
	cmd := exec.CommandContext(ctx, p.Command, args...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, environ, s.In, s.Out, s.Err
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	var status *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &status):
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return ended(p.Name, status)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission):
		return p.gone(err)
	}
	return fmt.Errorf("plugin %s: %w", p.Name, err)
}

func (p *Plugin) gone(err error) error {
	return fail.Newf(fail.NotFound, "plugin %s: %s cannot be run: %w", p.Name, p.Command, reason(err)).
		WithHint("nats plugins register %s PATH --force, or nats plugins rm %s", p.Name, p.Name)
}

func reason(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// ended is the status of the plugin as ours; one that a signal ended has 128 and its number, as in a shell.
func ended(name string, status *exec.ExitError) error {
	if w, ok := status.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return fail.Newf(fail.Code(128+int(w.Signal())), "plugin %s was ended by a signal: %s", name, w.Signal())
	}
	return fail.Silently(fail.Code(status.ExitCode()))
}

// Runnable reports why the program of the plugin cannot be run, nil when it is there.
func (p *Plugin) Runnable() error {
	info, err := os.Stat(p.Command)
	switch {
	case err != nil:
		return p.gone(err)
	case info.IsDir():
		return p.gone(errors.New("it is a directory"))
	}
	return nil
}
