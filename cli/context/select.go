package context

import (
	"context"
	"fmt"

	"github.com/natskit/natskit/internal/env"
)

// choose selects the context and shows it.
func choose(ctx context.Context, e *env.Env, name string, connect bool) error {
	s := store(e)
	if _, err := s.Select(ctx, name); err != nil {
		return err
	}
	if file, err := s.Pinned(ctx); err != nil {
		return err
	} else if file != "" {
		e.IO.Warn("commands run here use the context that %s names", file)
	}
	st, err := s.Load(ctx, name)
	if err != nil {
		return err
	}
	if err := show(ctx, e, st, connect); err != nil {
		return fmt.Errorf("context %q is selected, but: %w", name, err)
	}
	return nil
}
