package contexts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/nats-io/jsm.go/natscontext"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts/internal/jsonfile"
	"github.com/natskit/natskit/internal/fail"
)

// picked is the value that won for one setting.
type picked struct {
	values []string
	from   Origin
}

func (p picked) value() string {
	if len(p.values) == 0 {
		return ""
	}
	return p.values[len(p.values)-1]
}

// resolving is the state of one Resolve.
type resolving struct {
	res   Resolved
	picks map[Key]picked
}

// Resolve combines what was asked for with the chosen context and the defaults; the package documentation has the rules.
// It changes no state. A context that was asked for or is selected and cannot be had is an error, never the default server.
func Resolve(ctx context.Context, s *Store, r Request) (Resolved, error) {
	w := &resolving{picks: map[Key]picked{}, res: Resolved{origins: map[Key]Origin{}, getenv: s.getenv}}
	st, err := w.choose(ctx, s, r)
	if err != nil {
		return Resolved{}, err
	}
	stored := map[Key][]string{}
	if st != nil {
		if stored, err = s.values(st); err != nil {
			return Resolved{}, err
		}
		w.res.Context, w.res.ContextPath = st.Label(), st.Path
		w.res.Description, w.res.Protected = st.doc.Text("description"), st.Protected
	}
	w.overlay(stored, r.Settings)
	if err := w.password(s, r); err != nil {
		return Resolved{}, err
	}
	for _, step := range []func() error{w.identity, w.places, w.fill} {
		if err := step(); err != nil {
			return Resolved{}, err
		}
	}
	return w.res, nil
}

// choose finds the context; nil when none is to be used.
func (w *resolving) choose(ctx context.Context, s *Store, r Request) (*Stored, error) {
	if r.NoContext {
		return nil, nil
	}
	if said := r.Context.said(); len(said) > 0 {
		st, err := s.find(ctx, said[0])
		if err != nil {
			return nil, because(err, r.Context.From.String())
		}
		return st, w.admit(ctx, s, st)
	}
	name, file, err := s.selection(ctx)
	if err != nil {
		return nil, err
	}
	if dir, trusted, err := s.Project(ctx); err != nil {
		return nil, err
	} else if dir != "" && !trusted && len(r.Settings[KeyServer].said()) == 0 {
		if proposed, _ := (overlay{dir: dir}).selected(); proposed != "" {
			w.warn("%s is not trusted, so the context it selects is not used: nats context trust %s", dir, filepath.Dir(dir))
		}
	}
	if name == "" {
		return nil, nil
	}
	st, err := s.Load(ctx, name)
	if err != nil {
		if file == "" {
			file = "selected"
		}
		return nil, because(err, file)
	}
	return st, w.admit(ctx, s, st)
}

// because adds to an error which wish led to it, and keeps its code and hint.
func because(err error, why string) error {
	return &fail.Error{Code: fail.CodeOf(err), Err: fmt.Errorf("%w (%s)", err, why), Hint: fail.HintOf(err)}
}

// admit says where a context from a read-only directory comes from when that matters, and keeps strangers' contexts in bounds.
func (w *resolving) admit(ctx context.Context, s *Store, st *Stored) error {
	if st.from.dir == "" {
		return nil
	}
	if !st.from.trusted {
		return st.from.fence(st)
	}
	if _, err := s.backend(nil).Load(ctx, st.Name); err == nil {
		w.warn("context %q is the one of %s, not your own of that name", st.Name, st.from.dir)
	}
	return nil
}

// find is Load, or LoadFile for the path of a *.json file.
func (s *Store) find(ctx context.Context, name string) (*Stored, error) {
	if strings.HasSuffix(name, ".json") {
		path := expandPath(name, s.getenv)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() || strings.ContainsAny(name, `/\`) {
			return s.LoadFile(ctx, path)
		}
	}
	return s.Load(ctx, name)
}

// values is what a context says of each setting, paths and variables expanded.
func (s *Store) values(st *Stored) (map[Key][]string, error) {
	known, err := st.fields()
	if err != nil {
		return nil, err
	}
	own := st.extraMembers()
	out := map[Key][]string{}
	for _, row := range settings() {
		raw := known.Get(row.stored())
		if row.guard != "" {
			raw = own.Get(row.guard)
		}
		if v := textsOf(raw); len(v) > 0 && row.stored() != "" {
			out[row.key] = v
		}
	}
	stranger := st.from.dir != "" && !st.from.trusted
	for _, row := range settings() {
		v := out[row.key]
		switch {
		case len(v) == 0:
		case slices.Contains(pathKeys, row.json):
			if st.from.dir != "" {
				v[0] = st.from.local(v[0])
			}
			v[0] = expandReference(v[0], s.getenv)
		case (row.key == KeyServer || row.key == KeyUser) && !stranger:
			v[0] = expandKnown(v[0], s.getenv)
		}
	}
	return out, legacyNSC(st, out)
}

// legacyNSC honours the old key nsc: natscontext asks nsc for the URL when the file has none; the credentials are looked up when connecting.
func legacyNSC(st *Stored, out map[Key][]string) error {
	ref := st.doc.Text("nsc")
	if ref == "" {
		return nil
	}
	if len(out[KeyServer]) == 0 {
		raw, err := st.doc.MarshalJSON()
		if err != nil {
			return err
		}
		c, err := natscontext.NewFromBytes(raw)
		if err != nil {
			return fmt.Errorf("context %q: nsc: %w", st.Label(), err)
		}
		out[KeyServer] = []string{c.ServerURL()}
	}
	if len(out[KeyCreds]) == 0 {
		out[KeyCreds] = []string{"nsc://" + strings.TrimPrefix(ref, "nsc://")}
	}
	return nil
}

// textsOf is a JSON string, true or list of strings as texts, without empty ones.
func textsOf(raw json.RawMessage) []string {
	v, err := jsonfile.Decode(raw)
	if err != nil {
		return nil
	}
	switch v := v.(type) {
	case string:
		return Given{Values: []string{v}}.said()
	case bool:
		if v {
			return []string{"true"}
		}
	case []any:
		var out []string
		for _, e := range v {
			if s, ok := e.(string); ok && s != "" {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

func (w *resolving) warn(format string, args ...any) {
	w.res.Warnings = append(w.res.Warnings, fmt.Sprintf(format, args...))
}

// overlay picks for each setting what was given, else what the context says.
func (w *resolving) overlay(stored map[Key][]string, given map[Key]Given) {
	from := Origin{FromContext, w.res.Context}
	for _, row := range settings() {
		below := stored[row.key]
		g, ok := given[row.key]
		said := g.said()
		switch {
		case ok && len(said) > 0:
			w.picks[row.key] = picked{said, g.From}
			if g.From.Kind == FromEnv && len(below) > 0 && !slices.Equal(below, said) {
				w.beaten(row.key, g.From)
			}
		case len(below) > 0:
			w.picks[row.key] = picked{below, from}
		}
	}
}

func (w *resolving) beaten(k Key, by Origin) {
	w.warn("%s overrides the %s of context %q", by, k, w.res.Context)
}

// password settles from which of its sources the password comes.
func (w *resolving) password(s *Store, r Request) error {
	best := w.picks[KeyPassword]
	consider := func(from Origin, read func() ([]byte, error)) error {
		if len(best.values) > 0 && best.from.Kind == from.Kind {
			return fail.Usagef("the password is given twice: %s and %s", best.from, from)
		}
		if len(best.values) > 0 && best.from.Kind > from.Kind {
			return nil
		}
		secret, err := read()
		if err != nil {
			return &fail.Error{Code: fail.CodeOf(err), Err: fmt.Errorf("reading the password (%s): %w", from, err), Hint: fail.HintOf(err)}
		}
		if len(secret) == 0 {
			return fail.Newf(fail.Failure, "the password is empty (%s)", from)
		}
		best, w.res.literal = picked{[]string{string(secret)}, from}, true
		return nil
	}
	if g := r.Settings[KeyPasswordFile]; len(g.said()) > 0 {
		if err := consider(g.From, func() ([]byte, error) { return w.passwordFile(last(g), s.getenv) }); err != nil {
			return err
		}
	}
	if r.Password != nil {
		from := Origin{FromFlag, "asked for"}
		if g, ok := r.Settings[KeyPasswordStdin]; ok {
			from = g.From
		}
		if err := consider(from, r.Password); err != nil {
			return err
		}
	}
	if len(best.values) > 0 {
		w.picks[KeyPassword] = best
	}
	return nil
}

// passwordFile reads a file that holds nothing but a password; one line end after it does not belong to it.
func (w *resolving) passwordFile(path string, getenv func(string) string) ([]byte, error) {
	path = expandPath(path, getenv)
	data, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fail.Newf(fail.Failure, "%w", err)
		}
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0 {
		w.warn("everybody on this machine can read the password in %s: chmod 600 %s", path, path)
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	return []byte(secret), nil
}

// places settles where to connect and how to get there.
func (w *resolving) places() error {
	if len(w.picks[KeyServer].values) == 0 {
		w.picks[KeyServer] = picked{[]string{nats.DefaultURL}, Origin{}}
	}
	for _, k := range []Key{KeySocksProxy, KeyHTTPProxy} {
		if p := w.picks[k]; noProxy(p.value()) {
			w.picks[k] = picked{nil, p.from}
		}
	}
	if err := w.exclusive(KeySocksProxy, KeyHTTPProxy); err != nil {
		return err
	}
	if err := w.exclusive(KeyJSAPIPrefix, KeyJSDomain); err != nil {
		return err
	}
	return checkURLs(w.picks[KeyServer].value(), w.picks[KeyServer].from)
}

// exclusive keeps the more explicitly given of two settings that cannot both be in effect.
func (w *resolving) exclusive(a, b Key) error {
	pa, pb := w.picks[a], w.picks[b]
	switch {
	case len(pa.values) == 0 || len(pb.values) == 0:
	case pa.from.Kind > pb.from.Kind:
		delete(w.picks, b)
	case pb.from.Kind > pa.from.Kind:
		delete(w.picks, a)
	default:
		return fail.Usagef("%s (%s) and %s (%s): only one can be given", a, pa.from, b, pb.from)
	}
	return nil
}

// fill moves what was picked into the fields.
func (w *resolving) fill() error {
	w.res.Timeout = DefaultTimeout
	for _, row := range settings() {
		p, ok := w.picks[row.key]
		if !ok {
			continue
		}
		w.res.origins[row.key] = p.from
		if len(p.values) == 0 {
			continue
		}
		if err := row.put(&w.res, p.values); err != nil {
			return fail.Usagef("%s: %w", p.from, err)
		}
		var err error
		switch row.key {
		case KeySocksProxy, KeyHTTPProxy:
			_, err = proxyURL(p.value(), row.key)
		case KeyWSHeader:
			_, err = headers(p.values)
		}
		if err != nil {
			return fail.Usagef("%s: %w", p.from, err)
		}
	}
	if w.res.TLSInsecure {
		w.warn("the server's certificate is NOT verified (%s): whoever sits on the path can read and change everything", w.res.Origin(KeyTLSInsecure))
	}
	return nil
}
