package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/term"
)

type getOptions struct {
	bucket, file string
	output       string
	progress     bool
	force        bool
	resume       bool
	recursive    bool
}

func getVerb() command.Node {
	return command.Verb[getOptions]{
		Meta: command.Meta{
			Name: "get", Short: "Read an object into a file",
			Long: "The file is named by the last part of the object's name, or by --output; - is standard output, which then holds the object and nothing else. The file appears when all of it has come and its digest is right; an earlier file of that name stays until then. It gets the time of the object. With --resume what came is kept when the reading is broken off, and the next --resume goes on behind it. With --recursive the objects below a name are written below the directory --output, and the JSON is a list.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: fetched{},
		Names: command.Names{"bucket": command.ObjectStores, "file": command.Objects},
		Examples: []command.Example{
			{Line: "nats object get FILES docs/a.txt", Says: "Wrote: ", Needs: []string{"object add FILES", "printf 'hello\n' | nats object put FILES --name docs/a.txt"}},
			{Line: "nats object get FILES a.txt -O -", Says: "hello", About: "To standard output", Needs: []string{"object add FILES", "printf 'hello\n' | nats object put FILES --name a.txt"}},
		},
		Bind: func(c *fisk.CmdClause, o *getOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("file", "The object").Required().StringVar(&o.file)
			c.Flag("output", "File to write; - is standard output").Short('O').PlaceHolder("FILE").StringVar(&o.output)
			c.Flag("progress", "Show how far it is, on a terminal").Default("true").BoolVar(&o.progress)
			c.Flag("force", "Replace a file without asking").Short('f').UnNegatableBoolVar(&o.force)
			c.Flag("recursive", "Read every object whose name begins with the given one and a /, or with / all").Short('r').UnNegatableBoolVar(&o.recursive)
			c.Flag("resume", "Go on where an earlier --resume was broken off").UnNegatableBoolVar(&o.resume)
		},
		Check: func(o *getOptions) error {
			if o.recursive && o.output == "-" {
				return fail.Usagef("--recursive writes files: --output is their directory")
			}
			if o.resume && o.output == "-" {
				return fail.Usagef("--resume needs a file: standard output cannot be taken up again")
			}
			return store.CheckBucket(o.bucket)
		},
		Run: runGet,
	}
}

// fetched tells what was written where. Took is nanoseconds.
type fetched struct {
	Object objectInfo    `json:"object"`
	File   string        `json:"file"`
	Bytes  uint64        `json:"bytes"`
	Took   time.Duration `json:"took_ns"`
}

// View is one line; the rate only where it means something.
func (f fetched) View(p *render.Page) {
	if s := f.Took.Seconds(); s > 2 {
		p.Line("Wrote: %s to %s in %s average %s/s", render.Bytes(f.Bytes), f.File, render.Span(f.Took), render.Bytes(float64(f.Bytes)/s))
		return
	}
	p.Line("Wrote: %s to %s in %s", render.Bytes(f.Bytes), f.File, render.Span(f.Took))
}

func runGet(ctx context.Context, e *env.Env, o getOptions) error {
	return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Objects) error {
		if o.recursive {
			return getTree(ctx, e, b, o)
		}
		at, info, err := b.Follow(ctx, o.file)
		if err != nil {
			return err
		}
		if o.output != "-" {
			one, err := getOne(ctx, e, o, at, info)
			if err != nil {
				return err
			}
			return e.Out.Print(one)
		}
		fetch, end := o.fetch(e, info)
		defer end()
		err = at.Read(ctx, info, e.Out.Bytes(), fetch)
		if flushErr := e.Out.Flush(); err == nil {
			err = flushErr
		}
		return err
	})
}

// fetch shows how far a large object is.
func (o getOptions) fetch(e *env.Env, info *store.ObjectInfo) (store.Fetch, func()) {
	if !o.progress || info.Size <= smallFile {
		return store.Fetch{}, func() {}
	}
	bar := e.IO.Progress(e.Clock, "Reading "+term.Visible(o.file, false), int64(info.Size), func(n int64) string { return size(uint64(n)) })
	return store.Fetch{Progress: func(done uint64) { bar.Set(int64(done)) }}, bar.Close
}

// getOne writes one object into its file.
func getOne(ctx context.Context, e *env.Env, o getOptions, at *store.Objects, info *store.ObjectInfo) (fetched, error) {
	fetch, end := o.fetch(e, info)
	defer end()
	target, err := o.target(ctx, e)
	if err != nil {
		return fetched{}, err
	}
	began := e.Clock.Now()
	if o.resume {
		err = resume(ctx, at, info, target, fetch)
	} else {
		err = whole(ctx, e, at, info, target, fetch)
	}
	if err != nil {
		return fetched{}, err
	}
	if err := os.Chtimes(target, info.ModTime, info.ModTime); err != nil {
		e.IO.Warn("setting the time of %s: %s", target, err)
	}
	return fetched{Object: newObjectInfo(info), File: target, Bytes: info.Size, Took: e.Clock.Now().Sub(began)}, nil
}

// target is the file to write, absolute, once it is clear that it may be replaced.
func (o getOptions) target(ctx context.Context, e *env.Env) (string, error) {
	name := o.output
	if name == "" {
		name = path.Base(filepath.ToSlash(o.file))
		if name == "." || name == "/" || name == ".." {
			return "", fail.Usagef("object %q gives no file name: pass --output", o.file)
		}
	}
	target, err := filepath.Abs(e.Files.Path(name))
	if err != nil {
		return "", err
	}
	info, err := os.Stat(target)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return target, nil
	case err != nil:
		return "", err
	case info.IsDir():
		return "", fail.Usagef("%s is a directory: pass --output with a file", target)
	case !info.Mode().IsRegular():
		return "", fail.Usagef("%s is no regular file: --output - writes to standard output", target)
	}
	return target, prompt.Sure(ctx, e.Prompt, o.force, "replace existing target file "+target)
}

// whole writes a file that appears when it is whole; it keeps the mode of the one that it replaces.
func whole(ctx context.Context, e *env.Env, b *store.Objects, info *store.ObjectInfo, target string, f store.Fetch) error {
	draft, err := e.Files.Create(target)
	if err != nil {
		return err
	}
	defer draft.Discard()
	if old, err := os.Stat(target); err == nil {
		if err := draft.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := b.Read(ctx, info, draft, f); err != nil {
		return err
	}
	return draft.Commit()
}

// resume writes into a partial file beside the target, which stays when the reading is broken off.
func resume(ctx context.Context, b *store.Objects, info *store.ObjectInfo, target string, f store.Fetch) error {
	name := filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+"."+info.NUID+".part")
	part, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer part.Close()
	st, err := part.Stat()
	if err != nil {
		return err
	}
	if st.Size() > 0 {
		f.Have = io.NewSectionReader(part, 0, st.Size())
		if _, err := part.Seek(st.Size(), io.SeekStart); err != nil {
			return err
		}
	}
	err = b.Read(ctx, info, env.NewFlow(part, st.Size()), f)
	if errors.Is(err, store.ErrCannotResume) { // the machine went down in the middle of a write, say
		if err := part.Truncate(0); err != nil {
			return err
		}
		if _, err := part.Seek(0, io.SeekStart); err != nil {
			return err
		}
		f.Have = nil
		err = b.Read(ctx, info, env.NewFlow(part, 0), f)
	}
	if err != nil {
		return fail.Hint(fmt.Errorf("%w; what came is in %s", err, name), "the same command goes on behind it")
	}
	if err := part.Sync(); err != nil {
		return err
	}
	if err := part.Close(); err != nil {
		return err
	}
	return os.Rename(name, target)
}
