package contexts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/jsm.go/natscontext"

	"github.com/natskit/natskit/contexts/internal/jsonfile"
	"github.com/natskit/natskit/contexts/internal/near"
	"github.com/natskit/natskit/internal/fail"
)

// pathKeys are the keys of a context file in which a bare value is a path and $VAR and ~ are expanded.
var pathKeys = []string{"creds", "nkey", "cert", "key", "ca"}

// Store is the collection of named contexts. It reads nothing until asked and keeps nothing in memory.
type Store struct {
	root   string
	getenv func(string) string
	dir    string
}

// NewStore returns the store below root (see [Root]); getenv is for NATS_CONTEXTS_PATH, HOME and the variables in context files.
// A nil getenv is the environment of the process.
func NewStore(root string, getenv func(string) string) *Store {
	if getenv == nil {
		getenv = os.Getenv
	}
	return &Store{root: root, getenv: getenv}
}

// In returns a copy of the store that looks for the project's directory from dir upwards, instead of from the working directory.
func (s *Store) In(dir string) *Store {
	c := *s
	c.dir = dir
	return &c
}

// Stored is a context as it stands in its file: nothing expanded, nothing defaulted.
type Stored struct {
	Name      string
	Path      string               // of its file
	Context   *natscontext.Context // the decoded file
	ReadOnly  bool                 // it lies in $NATS_CONTEXTS_PATH, in a .nats directory or was named by path
	Selected  bool
	Protected bool

	doc    jsonfile.Object
	read   []byte // the file as it was, nil for a new context
	extras extras
	from   overlay // where it was found, when that is an overlay
	direct bool    // named by the path of its file
}

// Label is what the user calls it: its name, or its path when it was named by that.
func (st *Stored) Label() string {
	if st.direct {
		return st.Path
	}
	return st.Name
}

// Text is one value of the file by its JSON key, unexpanded; empty when it is not there or not a string. It may be a secret.
func (st *Stored) Text(key string) string { return st.doc.Text(key) }

// backend is natscontext's own for files, except that a save keeps what base holds beyond the settings that natscontext knows.
type backend struct {
	*natscontext.FileBackend
	base jsonfile.Object
}

// Save merges the settings in data into base and stores the whole.
func (b *backend) Save(ctx context.Context, name string, data []byte) error {
	known, err := jsonfile.Parse(data)
	if err != nil {
		return err
	}
	merged := slices.Clone(b.base)
	for _, m := range known {
		v, err := jsonfile.Decode(m.Value)
		if err != nil {
			return err
		}
		merged.Set(m.Name, jsonfile.Encode(v))
	}
	merged.Remove("name") // the file's name says it; natscontext drops it as well
	out, err := merged.Indented()
	if err != nil {
		return err
	}
	return b.FileBackend.Save(ctx, name, out)
}

func (s *Store) backend(base jsonfile.Object) *backend {
	return &backend{natscontext.NewFileBackendAt(s.root), base}
}

func (s *Store) registry(b *backend) *natscontext.Registry {
	return natscontext.NewRegistry(b, natscontext.WithoutExpansion(), natscontext.WithSelector(s.selector()))
}

func decode(what, path string, data []byte) (*natscontext.Context, jsonfile.Object, error) {
	c, err := natscontext.NewFromBytesRaw(data)
	var doc jsonfile.Object
	if err == nil {
		doc, err = jsonfile.Parse(data)
	}
	if err != nil {
		return nil, nil, broken(what, path, data, err)
	}
	return c, doc, nil
}

// Path is where the user's own context of that name is or would be kept.
func (s *Store) Path(name string) string { return s.backend(nil).Path(name) }

// Load reads a context by name from the first place that has it. A missing one is an error of code fail.NotFound with near names
// in its hint and natscontext.ErrNotFound in its chain; one that cannot be read has a *BrokenError in its chain.
func (s *Store) Load(ctx context.Context, name string) (*Stored, error) {
	if err := natscontext.ValidateName(name); err != nil {
		return nil, fail.Usagef("%w", err)
	}
	all, err := s.overlays(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		if !o.trusted {
			continue
		}
		if st, err := s.loadFrom(ctx, o, name); !errors.Is(err, natscontext.ErrNotFound) {
			return st, err
		}
	}
	st, err := s.loadOwn(ctx, name)
	if !errors.Is(err, natscontext.ErrNotFound) {
		return st, err
	}
	if n := len(all); n > 0 && !all[n-1].trusted {
		if st, err := s.loadFrom(ctx, all[n-1], name); !errors.Is(err, natscontext.ErrNotFound) {
			return st, err
		}
	}
	return nil, s.notFound(name, err)
}

func (s *Store) notFound(name string, err error) error {
	missing := fail.Newf(fail.NotFound, "%w", err)
	if others := s.Near(name); len(others) > 0 {
		return missing.WithHint("did you mean %s?", strings.Join(others, " or "))
	}
	return missing.WithHint("nats context ls shows the contexts there are")
}

func (s *Store) loadOwn(ctx context.Context, name string) (*Stored, error) {
	b := s.backend(nil)
	data, err := b.Load(ctx, name)
	if err != nil {
		if errors.Is(err, natscontext.ErrNotFound) {
			return nil, err
		}
		return nil, fmt.Errorf("context %q: %w", name, err)
	}
	st := &Stored{Name: name, Path: b.Path(name)}
	return st, s.fill(ctx, st, data)
}

func (s *Store) loadFrom(ctx context.Context, o overlay, name string) (*Stored, error) {
	data, err := natscontext.NewSingleFileBackend(o.file(name)).Load(ctx, name)
	if err != nil {
		return nil, err
	}
	st := &Stored{Name: name, Path: o.file(name), ReadOnly: true, from: o}
	return st, s.fill(ctx, st, data)
}

// LoadFile reads a context from the path of its file.
func (s *Store) LoadFile(ctx context.Context, path string) (*Stored, error) {
	b := natscontext.NewSingleFileBackend(path)
	data, err := b.Load(ctx, "")
	if errors.Is(err, natscontext.ErrNotFound) {
		return nil, fail.Newf(fail.NotFound, "%w: there is no such file", notFoundAt(path))
	}
	if err != nil {
		return nil, fmt.Errorf("context %q: %w", path, err)
	}
	st := &Stored{Name: b.Name(), Path: path, ReadOnly: true, direct: true}
	return st, s.fill(ctx, st, data)
}

func notFoundAt(name string) error { return fmt.Errorf("%w: %q", natscontext.ErrNotFound, name) }

// fill decodes data into st and adds what other files say of it.
func (s *Store) fill(ctx context.Context, st *Stored, data []byte) (err error) {
	st.Context, st.doc, err = decode(fmt.Sprintf("context %q", st.Label()), st.Path, data)
	if err != nil {
		b := &fail.Error{Code: fail.Failure, Err: err}
		if st.ReadOnly {
			return b
		}
		return b.WithHint("nats context edit %s, or nats context rm %s", st.Name, st.Name)
	}
	st.Context.Name, st.read = st.Name, data
	if st.direct {
		return nil
	}
	g, _, err := s.readGuard(ctx)
	if err != nil {
		return err
	}
	st.Protected = g.Contexts[st.Name].Protected
	if !st.ReadOnly {
		st.extras = g.Contexts[st.Name]
	}
	selected, err := s.Selected(ctx)
	st.Selected = selected == st.Name
	return err
}

// List is the names of all contexts that can be used by name, sorted. Empty files do not count.
func (s *Store) List(ctx context.Context) ([]string, error) {
	names, err := s.backend(nil).List(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.overlays(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		files, err := os.ReadDir(o.dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, f := range files {
			name, isContext := strings.CutSuffix(f.Name(), ".json")
			info, err := os.Stat(filepath.Join(o.dir, f.Name()))
			if isContext && natscontext.ValidateName(name) == nil && err == nil && info.Mode().IsRegular() && info.Size() > 0 {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Near is the known names that name may have been meant to be, best first, at most three.
func (s *Store) Near(name string) []string {
	names, err := s.List(context.Background())
	if err != nil {
		return nil // only a hint is lost
	}
	return near.Names(name, names)
}

// fields is the file as natscontext understands it: every known setting under its proper name.
func (st *Stored) fields() (jsonfile.Object, error) {
	raw, err := json.Marshal(st.Context)
	if err != nil {
		return nil, err
	}
	return jsonfile.Parse(raw)
}
