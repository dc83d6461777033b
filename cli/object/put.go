package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/payload/ctxio"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/term"
)

type putOptions struct {
	bucket, file   string
	given          bool // a file was named
	name           string
	base           bool
	description    string
	hasDescription bool
	headers        nats.Header
	metadata       map[string]string
	chunk          int64
	progress       bool
	recursive      bool
	force          bool
}

func putVerb() command.Node {
	return command.Verb[putOptions]{
		Meta: command.Meta{
			Name: "put", Short: "Store a file as an object",
			Long: "The object is named as the path was typed, or by --name, or with --base-name by the last part of the path. Without a file, or with -, standard input is stored up to its end. The object appears when all of it is stored; one of that name stays whole until then, and its description, headers and metadata are kept unless new ones are given. Header values are templates. With --recursive every file below a directory becomes an object, and the JSON is a list.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: objectInfo{},
		Names: command.Names{"bucket": command.ObjectStores},
		Examples: []command.Example{
			{Line: "echo hello | nats object put FILES --name greeting.txt", Says: "Size: 6 B", Needs: []string{"object add FILES"}},
			{Line: "echo hello | nats object put FILES --name a.txt -H 'Content-Type:text/plain' --metadata team=ops", Says: "Headers: Content-Type: text/plain", About: "With headers and metadata", Needs: []string{"object add FILES"}},
		},
		Bind: func(c *fisk.CmdClause, o *putOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("file", "The file to store; - is standard input").IsSetByUser(&o.given).StringVar(&o.file)
			c.Flag("name", "Name of the object").StringVar(&o.name)
			c.Flag("base-name", "Name the object by the last part of the path").UnNegatableBoolVar(&o.base)
			c.Flag("description", "What the object is").IsSetByUser(&o.hasDescription).StringVar(&o.description)
			flagval.HeaderVar(c.Flag("header", "Header to keep with the object").Short('H').PlaceHolder("K:V"), &o.headers)
			flagval.MapVar(c.Flag("metadata", "Metadata to keep with the object").PlaceHolder("META"), &o.metadata)
			c.Flag("chunk-size", "Size of the chunks, bytes; 128 KiB unless given").PlaceHolder("BYTES").SetValue(flagval.NewBytes(&o.chunk).Max(64 << 20))
			c.Flag("progress", "Show how far it is, on a terminal").Default("true").BoolVar(&o.progress)
			c.Flag("recursive", "Store all files below a directory").Short('r').UnNegatableBoolVar(&o.recursive)
			c.Flag("force", "Replace without asking").Short('f').UnNegatableBoolVar(&o.force)
		},
		Check: func(o *putOptions) error {
			switch {
			case o.given && o.file == "": // a script's variable that nobody set
				return fail.Usagef("the name of the file is empty; - is standard input")
			case o.recursive && o.fromStdin():
				return fail.Usagef("--recursive needs a directory")
			case o.fromStdin() && o.name == "":
				return fail.Usagef("standard input has no name: pass --name")
			case o.base && o.name != "":
				return fail.Usagef("--name and --base-name exclude each other")
			}
			return store.CheckBucket(o.bucket)
		},
		Run: runPut,
	}
}

func (o putOptions) fromStdin() bool { return o.file == "" || o.file == "-" }

// object is the name that the object gets.
func (o putOptions) object() string {
	switch {
	case o.name != "":
		return o.name
	case o.base:
		return filepath.Base(o.file)
	}
	return path.Clean(filepath.ToSlash(o.file))
}

// directory tells whether the path is one; a path that is not there is an error.
func (o putOptions) directory(e *env.Env) (bool, error) {
	if o.fromStdin() {
		return false, nil
	}
	info, err := os.Stat(e.Files.Path(o.file))
	if err != nil {
		return false, fmt.Errorf("path '%s' cannot be read: %w", o.file, err)
	}
	return info.IsDir(), nil
}

// tree is a put for each regular file below a directory, named by its path; --name stands for the directory then.
func (o putOptions) tree(e *env.Env) ([]putOptions, error) {
	root := e.Files.Path(o.file)
	prefix := o.object()
	var out []putOptions
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		one := o
		one.file, one.name, one.base = file, path.Join(prefix, filepath.ToSlash(rel)), false
		out = append(out, one)
		return nil
	})
	return out, err
}

// source opens what is stored; length is 0 when it is not known.
func (o putOptions) source(ctx context.Context, e *env.Env) (r io.Reader, length int64, end func(), err error) {
	if o.fromStdin() {
		in := ctxio.NewReader(ctx, e.IO.In)
		return in, 0, in.Close, nil
	}
	file, err := e.Files.Open(o.file)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("path '%s' cannot be read: %w", o.file, err)
	}
	if f, ok := file.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			length = info.Size()
		}
	}
	return file, length, func() { _ = file.Close() }, nil
}

func runPut(ctx context.Context, e *env.Env, o putOptions) error {
	files := []putOptions{o}
	switch dir, err := o.directory(e); {
	case err != nil: // what is not there is said before anything is asked or connected
		return err
	case dir && !o.recursive:
		return fail.Usagef("path '%s' is a directory: --recursive stores the files below it", o.file)
	case dir:
		if files, err = o.tree(e); err != nil {
			return err
		}
	}
	return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Objects) error {
		if b.Info().Config.Sealed { // before anything is asked, read or sent
			return fail.Newf(fail.Failure, "object bucket %s: invalid operation on sealed stream (10109): nothing can be stored in it", b.Name)
		}
		if !o.recursive {
			info, err := putOne(ctx, e, b, o)
			if err != nil {
				return err
			}
			return e.Out.Print(newObjectInfo(info))
		}
		out := objects{}
		for _, f := range files {
			info, err := putOne(ctx, e, b, f)
			if err != nil {
				return partly(err, len(out), func() error { return e.Out.Print(out) })
			}
			out = append(out, newObjectInfo(info))
		}
		return e.Out.Print(out)
	})
}

// partly prints what was done before err, if anything was.
func partly(err error, done int, print func() error) error {
	if done == 0 {
		return err
	}
	return fail.Partialf("%d done before it stopped: %w", done, errors.Join(err, print()))
}

// putOne stores one file.
func putOne(ctx context.Context, e *env.Env, b *store.Objects, o putOptions) (*store.ObjectInfo, error) {
	put := store.PutObject{Name: o.object(), Description: o.description, ChunkSize: uint32(o.chunk), Metadata: o.metadata}
	headers, err := payload.CompileHeader(o.headers, payload.ForPublish)
	if err != nil {
		return nil, err
	}
	if put.Headers, err = headers.Expand(&payload.Values{Clock: e.Clock, Count: 1}); err != nil {
		return nil, err
	}
	if err := o.replace(ctx, e, b, &put); err != nil {
		return nil, err
	}
	in, length, end, err := o.source(ctx, e)
	if err != nil {
		return nil, err
	}
	defer end()
	if o.progress && (length == 0 || length > smallFile) {
		bar := e.IO.Progress(e.Clock, "Storing "+term.Visible(put.Name, false), length, func(n int64) string { return size(uint64(n)) })
		defer bar.Close()
		put.Progress = func(done uint64) { bar.Set(int64(done)) }
	}
	return b.Put(ctx, put, in)
}

// smallFile is what is too small for a progress line, bytes.
const smallFile = 20 << 10

// replace asks before an object of that name is replaced, and lets the new one keep what was said of the old one.
func (o putOptions) replace(ctx context.Context, e *env.Env, b *store.Objects, put *store.PutObject) error {
	old, err := b.Stat(ctx, put.Name, false)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !o.hasDescription {
		put.Description = old.Description
	}
	if put.Headers == nil {
		put.Headers = old.Headers
	}
	if put.Metadata == nil {
		put.Metadata = maps.Clone(old.Metadata)
	}
	return prompt.Sure(ctx, e.Prompt, o.force, fmt.Sprintf("replace existing file %s > %s, %s", o.bucket, put.Name, size(old.Size)))
}
