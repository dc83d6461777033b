// Package apply puts configurations into force on a device: into a file, and by a command that is told of it.
package apply

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/natskit/natskit/internal/payload"
)

// Target is where configurations go. The zero value takes everything and does nothing.
type Target struct {
	File string       // holds the configuration, mode 0600; there is no such file when there is no configuration
	Hook []string     // run after the file has changed, the configuration on its standard input, null for none
	Exec payload.Exec // how the hook is run
	Last string       // a file in which to remember what was applied, so that a restart does not run the hook for nothing
	Say  func(format string, args ...any)
}

// ParseHook cuts a command line into arguments as a shell would; no shell ever sees it.
func ParseHook(line string) ([]string, error) {
	argv, err := shellquote.Split(line)
	switch {
	case err != nil:
		return nil, err
	case len(argv) == 0 || strings.TrimSpace(argv[0]) == "":
		return nil, errors.New("it names no program")
	}
	return argv, nil
}

// Apply puts a configuration into force, null for none. When the hook fails the file is again what it was before.
func (t *Target) Apply(ctx context.Context, config json.RawMessage) error {
	if t.current(config) {
		return nil
	}
	if t.File == "" && len(t.Hook) == 0 {
		return nil
	}
	undo := func() error { return nil }
	if t.File != "" {
		var err error
		if undo, err = exchange(t.File, fileText(config)); err != nil {
			return err
		}
	}
	if len(t.Hook) > 0 {
		if err := t.hook(ctx, config); err != nil {
			if t.Last != "" {
				_ = os.Remove(t.Last) // what the hook has done is not known: the next one is run in any case
			}
			return errors.Join(err, undo())
		}
	}
	if t.Last != "" {
		return write(t.Last, config)
	}
	return nil
}

// current reports whether the configuration is in force already, as far as can be seen.
func (t *Target) current(config json.RawMessage) bool {
	if t.Last == "" {
		return false
	}
	last, err := os.ReadFile(t.Last)
	if err != nil || !bytes.Equal(last, config) {
		return false
	}
	if t.File == "" {
		return true
	}
	now, err := os.ReadFile(t.File)
	if want := fileText(config); want == nil {
		return os.IsNotExist(err)
	} else if err != nil || !bytes.Equal(now, want) {
		return false
	}
	return true
}

// fileText is what the file holds; nil for no file.
func fileText(config json.RawMessage) []byte {
	if len(config) == 0 || bytes.Equal(config, []byte("null")) {
		return nil
	}
	return append(bytes.Clone(config), '\n')
}

func (t *Target) hook(ctx context.Context, config json.RawMessage) error {
	name := filepath.Base(t.Hook[0])
	_, stderr, exit, err := t.Exec.Run(ctx, t.Hook, payload.CleanEnviron(t.Exec.Environ, t.Exec.Secrets...), append(bytes.Clone(config), '\n'))
	if text := strings.TrimSpace(string(stderr)); text != "" && t.Say != nil {
		t.Say("%s: %s", name, text)
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("hook %s: %w", name, context.Cause(ctx))
	case err != nil:
		return fmt.Errorf("hook %s: %w", name, err)
	case exit != 0:
		return fmt.Errorf("hook %s ended with exit status %d", name, exit)
	}
	return nil
}

// exchange replaces a file, or removes it when text is nil. undo brings the earlier one back.
func exchange(path string, text []byte) (undo func() error, err error) {
	before, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	if os.IsNotExist(err) {
		before = nil
	} else if before == nil {
		before = []byte{}
	}
	put := func(text []byte) error {
		if text != nil {
			return write(path, text)
		}
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return err
		}
		return nil
	}
	return func() error { return put(before) }, put(text)
}

// write replaces a file in one step, mode 0600.
func write(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err = f.Chmod(0o600); err != nil {
		return err
	}
	if _, err = f.Write(text); err != nil {
		return err
	}
	if err = errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
