package env

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Files is the file system as commands see it: relative paths are below Dir, and "-" is standard input.
type Files struct {
	Dir   string // the working directory; empty is the process's own
	Stdin io.Reader
}

// Path makes name absolute below Dir; an absolute name stays as it is.
func (f Files) Path(name string) string {
	if f.Dir == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(f.Dir, name)
}

// ReadFile reads the whole file; "-" reads standard input to its end.
func (f Files) ReadFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(f.Stdin)
	}
	return os.ReadFile(f.Path(name))
}

// Open opens a file for reading; "-" is standard input, which Close leaves open.
func (f Files) Open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(f.Stdin), nil
	}
	return os.Open(f.Path(name))
}

// WriteFile writes data with mode 0600 beside the target and renames it there, so that the target is never half-written.
func (f Files) WriteFile(name string, data []byte) error {
	w, err := f.Create(name)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		w.Discard()
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return w.Commit()
}

// Create begins a file that appears under its name only when it is whole. The caller must end with Commit or Discard.
func (f Files) Create(name string) (*Draft, error) {
	target := f.Path(name)
	if info, err := os.Stat(target); err == nil && info.IsDir() { // said before the work, not after it
		return nil, &os.PathError{Op: "create", Path: target, Err: syscall.EISDIR}
	}
	tmp, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if err != nil {
		return nil, about(target, "create", err)
	}
	return &Draft{Flow: NewFlow(tmp, 0), target: target}, nil
}

// TempDir makes a private directory (0700); the caller removes it.
func (f Files) TempDir() (string, error) { return os.MkdirTemp("", "nats-") }

// Draft is a file under a temporary name beside its target, mode 0600.
type Draft struct {
	*Flow
	target string
	ended  bool
}

// about lets an error speak of the file that is wanted: the name of its draft means nothing to anybody.
func about(target, op string, err error) error {
	var told *os.PathError
	if errors.As(err, &told) {
		return &os.PathError{Op: op, Path: target, Err: told.Err}
	}
	return err
}

// Write writes p at the end of the draft. An error may be about bytes of an earlier Write.
func (d *Draft) Write(p []byte) (int, error) {
	n, err := d.Flow.Write(p)
	return n, about(d.target, "write", err)
}

// Commit syncs the draft and gives it its name. An earlier file of that name is replaced in one step.
func (d *Draft) Commit() error {
	if d.ended {
		return nil
	}
	if err := d.Sync(); err != nil {
		d.Discard()
		return about(d.target, "sync", err)
	}
	d.ended = true
	if err := d.Close(); err != nil {
		_ = os.Remove(d.Name())
		return err
	}
	if err := os.Rename(d.Name(), d.target); err != nil {
		_ = os.Remove(d.Name())
		return err
	}
	return nil
}

// Discard removes the draft. After Commit it does nothing, so it may be deferred.
func (d *Draft) Discard() {
	if d.ended {
		return
	}
	d.ended = true
	_ = d.Close()
	_ = os.Remove(d.Name())
}
