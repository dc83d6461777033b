package contexts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/jsm.go/natscontext"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts/internal/jsonfile"
	"github.com/natskit/natskit/contexts/internal/near"
	"github.com/natskit/natskit/internal/fail"
)

// Change is what `context add` and `context copy` were asked to store.
type Change struct {
	Request     Request  // settings from flags; those from the environment only count with Environment
	Environment bool     // store what the environment says as well
	Description *string  // nil leaves it
	Unset       []string // settings to clear first: names of flags or keys of the file
	Embed       bool     // put the contents of credential files into the context, as data: URIs
}

// Add creates or updates one of the user's own contexts. A new one starts from the context that Request names, if it does, and
// has the default URL if it gets no other. The notes say what was asked for and is not stored.
func (s *Store) Add(ctx context.Context, name string, c Change) (st *Stored, notes []string, err error) {
	st, err = s.Load(ctx, name)
	switch {
	case err == nil && st.ReadOnly && st.from.trusted:
		return nil, nil, readOnly(st)
	case err == nil && !st.ReadOnly:
	case err == nil || errors.Is(err, natscontext.ErrNotFound):
		if st, err = s.base(ctx, name, c); err != nil {
			return nil, nil, err
		}
	default:
		return nil, nil, err
	}
	return s.store(ctx, st, c)
}

// base is the new context of that name, not yet stored.
func (s *Store) base(ctx context.Context, name string, c Change) (*Stored, error) {
	said := c.Request.Context.said()
	if c.Request.NoContext || len(said) == 0 || c.Request.Context.From.Kind == FromEnv && !c.Environment {
		return s.fresh(name)
	}
	from, err := s.find(ctx, said[0])
	if err != nil {
		return nil, err
	}
	return s.duplicate(from, name)
}

// fresh has every setting, empty, in the order of natscontext.
func (s *Store) fresh(name string) (*Stored, error) {
	c, err := natscontext.NewFromBytesRaw([]byte("{}"))
	if err != nil {
		return nil, err
	}
	st := &Stored{Name: name, Path: s.Path(name), Context: c}
	st.doc, err = st.fields()
	return st, err
}

// duplicate takes over all that from holds, also what is not known here. Relative paths of a project's context get the directory.
func (s *Store) duplicate(from *Stored, name string) (*Stored, error) {
	st, err := s.fresh(name)
	if err != nil {
		return nil, err
	}
	st.doc, st.extras = slices.Clone(from.doc), from.extras
	st.extras.Protected = false
	if from.from.dir == "" {
		return st, nil
	}
	if !from.from.trusted {
		if err := from.from.fence(from); err != nil {
			return nil, err
		}
	}
	for _, key := range pathKeys {
		if v := st.doc.Text(key); v != "" {
			st.doc.Set(key, jsonfile.Encode(from.from.local(v)))
		}
	}
	return st, nil
}

// Copy creates the context to from the context from, with changes. See Add for the notes.
func (s *Store) Copy(ctx context.Context, from, to string, c Change) (*Stored, []string, error) {
	src, err := s.find(ctx, from)
	if errors.Is(err, natscontext.ErrNotFound) {
		return nil, nil, fail.Hint(fail.NotFoundf("unknown context %q: %w", from, err), "%s", fail.HintOf(err))
	}
	if err != nil {
		return nil, nil, err
	}
	if _, err := s.Load(ctx, to); err == nil {
		return nil, nil, fail.Newf(fail.Failure, "context %q already exists", to).WithHint("choose another name, or nats context rm %s", to)
	} else if !errors.Is(err, natscontext.ErrNotFound) {
		return nil, nil, err
	}
	st, err := s.duplicate(src, to)
	if err != nil {
		return nil, nil, err
	}
	return s.store(ctx, st, c)
}

func (s *Store) store(ctx context.Context, st *Stored, c Change) (*Stored, []string, error) {
	notes, err := s.apply(st, c)
	if err != nil {
		return nil, nil, err
	}
	if err := s.Save(ctx, st); err != nil {
		return nil, nil, err
	}
	return st, notes, nil
}

func (s *Store) apply(st *Stored, c Change) (notes []string, err error) {
	for _, key := range c.Unset {
		if err := st.unset(key); err != nil {
			return nil, err
		}
	}
	if c.Description != nil {
		st.doc.Set("description", jsonfile.Encode(*c.Description))
	}
	given := c.given()
	if err := st.setIdentity(given, c.Request.Password); err != nil {
		return nil, err
	}
	for _, row := range settings() {
		g, ok := given[row.key]
		if !ok || len(g.said()) == 0 {
			continue
		}
		switch row.key {
		case KeyUser, KeyPassword, KeyToken:
			continue // setIdentity
		}
		if row.stored() == "" {
			notes = append(notes, fmt.Sprintf("%s is not stored in contexts", g.From))
			continue
		}
		if err := st.put(row, g); err != nil {
			return nil, err
		}
	}
	if st.doc.Text("url") == "" && st.doc.Text("nsc") == "" {
		st.doc.Set("url", jsonfile.Encode(nats.DefaultURL))
	}
	if c.Embed {
		return notes, s.embed(st)
	}
	return notes, nil
}

// given is what is to be stored: the environment's part only when asked.
func (c Change) given() map[Key]Given {
	out := map[Key]Given{}
	for k, g := range c.Request.Settings {
		if g.From.Kind == FromFlag || c.Environment {
			out[k] = g
		}
	}
	return out
}

// setIdentity stores user, password and token: a user without a password is a token, and replaces the pair that was there.
func (st *Stored) setIdentity(given map[Key]Given, read func() ([]byte, error)) error {
	user, token := last(given[KeyUser]), last(given[KeyToken])
	pass := last(given[KeyPassword])
	if file := last(given[KeyPasswordFile]); file != "" {
		if pass != "" {
			return fail.Usagef("--password and --password-file: only one can be given")
		}
		pass = "file://" + strings.TrimPrefix(file, "file://")
	}
	if read != nil {
		if pass != "" {
			return fail.Usagef("--password-stdin: the password is already given")
		}
		secret, err := read()
		if err != nil {
			return fmt.Errorf("reading the password: %w", err)
		}
		if pass = string(secret); schemeOf(pass) != "" {
			pass = natscontext.EncodeDataURI(secret) // what was typed is the password, not where it is
		}
	}
	if user != "" && pass == "" {
		if token != "" {
			return fail.Usagef("--user without a password is a token, and --token is given too")
		}
		token, user = user, ""
		st.doc.Set("user", jsonfile.Encode(""))
		st.doc.Set("password", jsonfile.Encode(""))
	}
	for key, v := range map[string]string{"user": user, "password": pass, "token": token} {
		if v != "" {
			st.doc.Set(key, jsonfile.Encode(v))
		}
	}
	return nil
}

func last(g Given) string {
	if said := g.said(); len(said) > 0 {
		return said[len(said)-1]
	}
	return ""
}

// put stores one setting under its key, checked as Resolve would check it.
func (st *Stored) put(row setting, g Given) error {
	said := g.said()
	var probe Resolved
	if err := row.put(&probe, said); err != nil {
		return fail.Usagef("%s: %w", g.From, err)
	}
	v := said[len(said)-1]
	switch row.key {
	case KeyServer:
		if strings.Contains(v, "$") {
			break // variables are for those who use it
		}
		if err := checkURLs(v, g.From); err != nil {
			return err
		}
	case KeySocksProxy, KeyHTTPProxy:
		if noProxy(v) {
			v = ""
		} else if _, err := proxyURL(v, row.key); err != nil {
			return fail.Usagef("%s: %w", g.From, err)
		}
	}
	switch row.key {
	case KeyTLSFirst:
		st.doc.Set(row.json, jsonfile.Encode(probe.TLSFirst))
	case KeyCertStoreCAMatch:
		st.doc.Set(row.json, jsonfile.Encode(said))
	case KeyHTTPProxy:
		st.extras.HTTPProxy = v
	case KeyTLSServerName:
		st.extras.TLSServerName = v
	case KeyWSHeader:
		if _, err := headers(said); err != nil {
			return fail.Usagef("%s: %w", g.From, err)
		}
		st.extras.WSHeaders = said
	default:
		st.doc.Set(row.json, jsonfile.Encode(v))
	}
	return nil
}

// unset clears a setting by the name of its flag or its key; keys that are not known here go altogether.
func (st *Stored) unset(name string) error {
	names := []string{"description", "nsc"}
	for _, row := range settings() {
		if row.stored() == "" {
			continue
		}
		names = append(names, string(row.key))
		if name != string(row.key) && name != row.stored() {
			continue
		}
		switch row.key {
		case KeyTLSFirst:
			st.doc.Set(row.json, jsonfile.Encode(false))
		case KeyCertStoreCAMatch:
			st.doc.Set(row.json, jsonfile.Encode(nil))
		case KeyHTTPProxy:
			st.extras.HTTPProxy = ""
		case KeyTLSServerName:
			st.extras.TLSServerName = ""
		case KeyWSHeader:
			st.extras.WSHeaders = nil
		default:
			st.doc.Set(row.json, jsonfile.Encode(""))
		}
		return nil
	}
	switch {
	case name == "description" || name == "nsc":
		st.doc.Set(name, jsonfile.Encode(""))
	case st.doc.Get(name) != nil:
		st.doc.Remove(name)
	default:
		err := fail.Usagef("--unset %s: a context has no such setting", name)
		if close := near.Names(name, names); len(close) > 0 {
			return err.WithHint("did you mean %s?", strings.Join(close, " or "))
		}
		return err.WithHint("one of %s", strings.Join(names, ", "))
	}
	return nil
}

// embed replaces the paths of credential files by their contents.
func (s *Store) embed(st *Stored) error {
	for _, key := range []string{"creds", "nkey", "user_jwt", "user_seed"} {
		v := st.doc.Text(key)
		if strings.HasPrefix(key, "user_") && schemeOf(v) == "" && !looksLikePath(v) {
			continue // the secret itself
		}
		if scheme := schemeOf(v); v == "" || scheme != "" && scheme != "file" {
			continue
		}
		uri, err := natscontext.EncodeDataURIFromFile(expandPath(filePath(v), s.getenv))
		if err != nil {
			return fail.Newf(fail.Failure, "%s: %w", key, err)
		}
		st.doc.Set(key, jsonfile.Encode(uri))
	}
	return nil
}

// looksLikePath tells the path of a file from a JWT or a seed, neither of which holds such characters.
func looksLikePath(v string) bool {
	return schemeOf(v) == "" && (strings.ContainsAny(v, `/\~$`) || strings.HasSuffix(v, ".jwt") || strings.HasSuffix(v, ".nk"))
}
