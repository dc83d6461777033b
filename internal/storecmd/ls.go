package storecmd

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

// Buckets reads the buckets of a kind, sorted by size, or by name where names are all that is wanted. missing is how many of them
// cannot be reached.
func Buckets(ctx context.Context, c *store.Client, kind store.Kind, byName bool) (list []store.Listed, missing int, err error) {
	err = c.Buckets(ctx, kind, func(l store.Listed) error {
		if l.Info == nil {
			missing++
		}
		list = append(list, l)
		return nil
	})
	size := func(l store.Listed) uint64 {
		if l.Info == nil || byName {
			return 0
		}
		return l.Info.State.Bytes
	}
	slices.SortFunc(list, func(a, b store.Listed) int {
		return cmp.Or(cmp.Compare(size(a), size(b)), cmp.Compare(a.Name, b.Name))
	})
	return list, missing, err
}

// PrintBuckets prints a listing of so many buckets; it ends as a partial failure when some of them cannot be reached.
func PrintBuckets(e *env.Env, listing render.Viewer, found, missing int) error {
	if found == 0 && e.Out.Format().Kind == render.Names {
		return nil
	}
	if err := e.Out.Print(listing); err != nil {
		return err
	}
	if missing > 0 {
		return fail.Partialf("%d of %d buckets cannot be reached", missing, found)
	}
	return nil
}

// LastUpdate is the time since a change, for programs the moment; nil is never.
func LastUpdate(p *render.Page, at *time.Time) any {
	switch {
	case at == nil:
		return "never"
	case p.Options().Kind == render.Text || p.Options().Kind == render.Wide || p.Options().Kind == render.Markdown:
		return render.Span(p.Options().Now.Sub(*at))
	}
	return render.At(*at)
}
