package contexts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/jsm.go/natscontext"

	"github.com/natskit/natskit/internal/fail"
)

// Save writes a context of the user's own, whole or not at all, mode 0600. Settings of the file that are not known here and
// unexpanded variables stay as they are. More than one kind of credentials is refused, and so is a file that somebody else changed
// since st was loaded. st is brought up to what was written.
func (s *Store) Save(ctx context.Context, st *Stored) error {
	if st.ReadOnly {
		return readOnly(st)
	}
	if _, _, err := s.readGuard(ctx); err != nil {
		return err // before the context is written, so that both are written or none
	}
	b := s.backend(st.doc)
	if now, err := b.Load(ctx, st.Name); err == nil && !bytes.Equal(now, st.read) {
		return fail.Newf(fail.Failure, "context %q: %w since it was read", st.Name, natscontext.ErrConflict)
	}
	raw, err := st.doc.MarshalJSON()
	if err != nil {
		return err
	}
	c, err := natscontext.NewFromBytesRaw(raw)
	if err != nil {
		return broken(fmt.Sprintf("context %q", st.Name), st.Path, raw, err)
	}
	if err := s.registry(b).Save(ctx, c, st.Name); err != nil {
		return s.saveError(st, err)
	}
	if err := s.setExtras(ctx, st.Name, st.extras.members()); err != nil {
		return err
	}
	now, err := s.loadOwn(ctx, st.Name)
	if err != nil {
		return err
	}
	*st = *now
	return nil
}

func (s *Store) saveError(st *Stored, err error) error {
	switch {
	case errors.Is(err, natscontext.ErrInvalidName):
		return fail.Usagef("%w", err)
	case strings.HasPrefix(err.Error(), "too many types of credentials"):
		var have []string
		for key, name := range map[string]string{"user": "user", "creds": "creds", "nkey": "nkey", "user_jwt": "jwt", "nsc": "nsc"} {
			if st.doc.Text(key) != "" {
				have = append(have, "--unset "+name)
			}
		}
		return fail.Usagef("context %q: %w", st.Name, err).WithHint("keep one and drop the rest with %s", strings.Join(slices.Sorted(slices.Values(have)), " "))
	}
	return scrubError(fmt.Errorf("context %q: %w", st.Name, err), st.secrets())
}

func readOnly(st *Stored) error {
	return fail.Newf(fail.Failure, "context %q is read from %s, which is not changed from here", st.Label(), st.Path).
		WithHint("edit that file, or nats context copy %s NAME", st.Label())
}

// members is the entry of guard.json apart from the protection, nil where nothing is to be kept.
func (e extras) members() map[string]any {
	out := map[string]any{"http_proxy": nil, "tls_server_name": nil, "ws_headers": nil}
	if e.HTTPProxy != "" {
		out["http_proxy"] = e.HTTPProxy
	}
	if e.TLSServerName != "" {
		out["tls_server_name"] = e.TLSServerName
	}
	if len(e.WSHeaders) > 0 {
		out["ws_headers"] = e.WSHeaders
	}
	return out
}

// Delete removes one of the user's own contexts with all that is known of it. The selected one is removed only with force, and
// then nothing is selected. A file that cannot be read can be removed.
func (s *Store) Delete(ctx context.Context, name string, force bool) error {
	if err := natscontext.ValidateName(name); err != nil {
		return fail.Usagef("%w", err)
	}
	b := s.backend(nil)
	if _, err := b.Load(ctx, name); errors.Is(err, natscontext.ErrNotFound) {
		if st, err := s.Load(ctx, name); err == nil {
			return readOnly(st)
		}
		return s.notFound(name, err)
	} else if err != nil {
		return fmt.Errorf("context %q: %w", name, err)
	}
	selected, err := s.own(s.selector().Selected(ctx))
	if err != nil {
		return err
	}
	if selected == name {
		if !force {
			return fail.Newf(fail.Failure, "context %q: %w", name, natscontext.ErrActiveContext).WithHint("nats context unselect, or --force")
		}
		if _, err := s.selector().SetSelected(ctx, ""); err != nil {
			return err
		}
	}
	if err := s.registry(b).Delete(ctx, name); err != nil {
		return fmt.Errorf("context %q: %w", name, err)
	}
	changes := extras{}.members()
	changes["protected"] = nil
	return s.setExtras(ctx, name, changes)
}
