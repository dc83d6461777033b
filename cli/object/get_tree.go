package object

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

// fetchedAll are the files of a recursive get.
type fetchedAll []fetched

// View is a line for each.
func (l fetchedAll) View(p *render.Page) {
	for _, f := range l {
		f.View(p)
	}
}

// getTree writes every object below a name into files below a directory. Names that would lead out of it are refused before
// anything is written.
func getTree(ctx context.Context, e *env.Env, b *store.Objects, o getOptions) error {
	prefix := strings.TrimSuffix(o.file, "/") + "/"
	if prefix == "/" {
		prefix = ""
	}
	var wanted []*store.ObjectInfo
	err := b.List(ctx, store.ListObjects{}, func(i *store.ObjectInfo) error {
		rel, below := strings.CutPrefix(i.Name, prefix)
		switch {
		case !below || rel == "" || store.IsLink(i) && i.Opts.Link.Name == "":
			return nil
		case !filepath.IsLocal(filepath.FromSlash(rel)):
			return fail.Newf(fail.Failure, "object %s > %s: its name leads out of the directory: read it by itself with --output", b.Name, i.Name)
		}
		wanted = append(wanted, i)
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(wanted) == 0:
		return fail.Newf(fail.NotFound, "object bucket %s has nothing below %q: %w", b.Name, o.file, jetstream.ErrObjectNotFound)
	}
	out := fetchedAll{}
	for _, i := range wanted {
		one := o
		one.file = i.Name
		one.output = filepath.Join(o.output, filepath.FromSlash(strings.TrimPrefix(i.Name, prefix)))
		if err := os.MkdirAll(filepath.Dir(e.Files.Path(one.output)), 0o755); err != nil {
			return partly(err, len(out), func() error { return e.Out.Print(out) })
		}
		at, info, err := b.Follow(ctx, i.Name)
		if err == nil {
			var got fetched
			if got, err = getOne(ctx, e, one, at, info); err == nil {
				out = append(out, got)
				continue
			}
		}
		return partly(err, len(out), func() error { return e.Out.Print(out) })
	}
	return e.Out.Print(out)
}
