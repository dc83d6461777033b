package contexts

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"slices"

	"github.com/nats-io/jsm.go/natscontext"

	"github.com/natskit/natskit/contexts/internal/jsonfile"
)

// guard is nats/cli/guard.json: what we know of contexts and other tools would drop from their files, and which .nats
// directories are trusted.
//
//	{"contexts": {"prod": {"protected": true, "http_proxy": "…", "tls_server_name": "…", "ws_headers": ["…"]}}, "trusted": ["/path/.nats"]}
type guard struct {
	Contexts map[string]extras `json:"contexts"`
	Trusted  []string          `json:"trusted"`
}

// extras is what guard.json says of one context.
type extras struct {
	Protected     bool     `json:"protected"`
	HTTPProxy     string   `json:"http_proxy"`
	TLSServerName string   `json:"tls_server_name"`
	WSHeaders     []string `json:"ws_headers"`
}

func (s *Store) guardPath() string { return filepath.Join(s.root, "nats", "cli", "guard.json") }

// readGuard is empty when there is no file; a file that cannot be read is an error, for nothing may become unprotected by accident.
func (s *Store) readGuard(ctx context.Context) (guard, jsonfile.Object, error) {
	var g guard
	if s.root == "" {
		return g, nil, nil
	}
	b := natscontext.NewSingleFileBackend(s.guardPath())
	data, err := b.Load(ctx, "")
	if errors.Is(err, natscontext.ErrNotFound) {
		return g, nil, nil
	}
	if err != nil {
		return g, nil, err
	}
	doc, err := jsonfile.Parse(data)
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	if err != nil {
		return g, nil, broken("protection of contexts", s.guardPath(), data, err)
	}
	return g, doc, nil
}

// writeGuard changes one top-level member and keeps the rest of the file.
func (s *Store) writeGuard(ctx context.Context, doc jsonfile.Object, name string, value any) error {
	doc.Set(name, jsonfile.Encode(value))
	data, err := doc.Indented()
	if err != nil {
		return err
	}
	return natscontext.NewSingleFileBackend(s.guardPath()).Save(ctx, "", data)
}

// setExtras changes members of one context's entry; nil removes a member, an entry without members goes.
func (s *Store) setExtras(ctx context.Context, name string, changes map[string]any) error {
	_, doc, err := s.readGuard(ctx)
	if err != nil {
		return err
	}
	all, _ := jsonfile.Parse(doc.Get("contexts"))
	entry := jsonfile.Object{}
	// Names of contexts are files and so tell case apart, unlike the members of a document.
	at := slices.IndexFunc(all, func(m jsonfile.Member) bool { return m.Name == name })
	if at >= 0 {
		entry, _ = jsonfile.Parse(all[at].Value)
	}
	before := len(entry)
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		if v := changes[key]; v == nil {
			entry.Remove(key)
		} else {
			entry.Set(key, jsonfile.Encode(v))
		}
	}
	switch {
	case len(entry) == 0 && before == 0:
		return nil
	case len(entry) == 0:
		all = slices.Delete(all, at, at+1)
	case at >= 0:
		all[at].Value, _ = entry.MarshalJSON()
	default:
		raw, _ := entry.MarshalJSON()
		all = append(all, jsonfile.Member{Name: name, Value: raw})
	}
	return s.writeGuard(ctx, doc, "contexts", all)
}

// Protected reports whether a context is marked as one where destructive commands ask twice.
func (s *Store) Protected(ctx context.Context, name string) (bool, error) {
	g, _, err := s.readGuard(ctx)
	return g.Contexts[name].Protected, err
}

// SetProtected marks or unmarks a context; the context must exist.
func (s *Store) SetProtected(ctx context.Context, name string, on bool) error {
	if _, err := s.Load(ctx, name); err != nil {
		return err
	}
	if !on {
		return s.setExtras(ctx, name, map[string]any{"protected": nil})
	}
	return s.setExtras(ctx, name, map[string]any{"protected": true})
}
