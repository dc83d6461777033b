package contexts

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/jsm.go/natscontext"

	"github.com/natskit/natskit/internal/fail"
)

func (s *Store) selector() *natscontext.FileSelector { return natscontext.NewFileSelectorAt(s.root) }

// Selected is the name of the context to use when none is named, empty when there is none: that of the first trusted directory
// whose context.txt names one, else the user's own selection.
func (s *Store) Selected(ctx context.Context) (string, error) {
	name, _, err := s.selection(ctx)
	return name, err
}

// Pinned is the context.txt that goes before the user's own selection here, empty when none does. Select changes nothing then
// for commands that run in the same place.
func (s *Store) Pinned(ctx context.Context) (file string, err error) {
	_, file, err = s.selection(ctx)
	return file, err
}

func (s *Store) selection(ctx context.Context) (name, file string, err error) {
	all, err := s.overlays(ctx)
	if err != nil {
		return "", "", err
	}
	for _, o := range all {
		if !o.trusted {
			continue
		}
		if name, err := o.selected(); name != "" || err != nil {
			return name, filepath.Join(o.dir, "context.txt"), err
		}
	}
	name, err = s.own(s.selector().Selected(ctx))
	return name, "", err
}

// selected is the first line of context.txt.
func (o overlay) selected() (string, error) {
	f, err := os.Open(filepath.Join(o.dir, "context.txt"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 4096))
	line, _, _ := strings.Cut(strings.TrimSpace(string(data)), "\n")
	return strings.TrimSpace(line), err
}

func (s *Store) own(name string, err error) (string, error) {
	if errors.Is(err, natscontext.ErrNoneSelected) {
		return "", nil
	}
	return name, err
}

// Select makes name the user's selection and returns what was selected before, which Previous remembers. The context must exist
// and be readable. Selecting the selected one changes nothing.
func (s *Store) Select(ctx context.Context, name string) (previous string, err error) {
	st, err := s.Load(ctx, name)
	if err != nil {
		return "", err
	}
	current, err := s.own(s.selector().Selected(ctx))
	if err != nil || current == name {
		return current, err
	}
	if st.ReadOnly && !st.from.trusted {
		return "", fail.Newf(fail.Failure, "context %q: %s is not trusted", name, st.from.dir).WithHint("nats context trust %s", filepath.Dir(st.from.dir))
	}
	return s.selector().SetSelected(ctx, name)
}

// Unselect clears the user's selection and returns it; empty when nothing was selected, and then nothing is written.
func (s *Store) Unselect(ctx context.Context) (previous string, err error) {
	current, err := s.own(s.selector().Selected(ctx))
	if err != nil || current == "" {
		return "", err
	}
	return s.selector().SetSelected(ctx, "")
}

// Previous is what was selected before the present selection, empty when nothing was.
func (s *Store) Previous(ctx context.Context) (string, error) {
	return s.own(s.selector().Previous(ctx))
}

// Swap selects the previous context and returns its name; empty when there is none, and then nothing changes.
func (s *Store) Swap(ctx context.Context) (string, error) {
	name, err := s.Previous(ctx)
	if err != nil || name == "" {
		return "", err
	}
	_, err = s.Select(ctx, name)
	return name, err
}
