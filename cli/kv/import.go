package kv

import (
	"context"
	"fmt"
	"io"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/payload/ctxio"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

type importOptions struct {
	bucket    string
	file      string
	missing   bool
	unchanged bool
	keepTTL   bool
	dry       bool
}

func importVerb() command.Node {
	return command.Verb[importOptions]{
		Meta: command.Meta{
			Name: "import", Short: "Store keys and values from lines of JSON",
			Long: "It reads what nats kv export writes; only \"key\" and \"value\" or \"value_b64\" are needed. An entry keeps what is left of its TTL, one whose time is up is skipped. Every write is acknowledged; lines that fail are listed and the others stored, and the command then ends with 7.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: imported{},
		Names: command.Names{"bucket": command.Buckets},
		Examples: []command.Example{
			{Line: `echo '{"key":"port","value":"4222"}' | nats kv import CFG`, Says: "Imported 1 key", Needs: []string{"kv add CFG"}},
			{Line: "nats kv import COPY cfg.ndjson --if-missing", Says: "Imported 1 key", About: "A file, without touching keys that are there", Needs: []string{"kv add CFG", "kv put CFG port 4222", "kv add COPY", "kv export CFG --output cfg.ndjson"}},
		},
		Bind: func(c *fisk.CmdClause, o *importOptions) {
			c.Arg("bucket", "The bucket").Required().StringVar(&o.bucket)
			c.Arg("file", "The file to read; - is standard input").Default("-").StringVar(&o.file)
			c.Flag("if-missing", "Write only keys that were never written").UnNegatableBoolVar(&o.missing)
			c.Flag("if-unchanged", "Write only keys that are at the revision in the file").UnNegatableBoolVar(&o.unchanged)
			c.Flag("keep-ttl", "Give entries the whole of their TTL again").UnNegatableBoolVar(&o.keepTTL)
			c.Flag("dry-run", "Check the lines and write nothing").UnNegatableBoolVar(&o.dry)
		},
		Check: func(o *importOptions) error {
			if o.missing && o.unchanged {
				return fail.Usagef("--if-missing and --if-unchanged exclude each other")
			}
			return store.CheckBucket(o.bucket)
		},
		Run: runImport,
	}
}

// imported tells what an import stored and what it could not.
type imported struct {
	Bucket string `json:"bucket"`
	DryRun bool   `json:"dry_run"`
	store.Imported
}

// View counts and lists the failures.
func (r imported) View(p *render.Page) {
	verb := "Imported"
	if r.DryRun {
		verb = "Would import"
	}
	p.Line("%s %s into %s, %s", verb, plural(r.Keys, "key", "keys"), r.Bucket, render.Bytes(r.Bytes))
	if r.Removed > 0 {
		p.Line("%s of keys stored", plural(r.Removed, "removal", "removals"))
	}
	if r.Expired > 0 {
		p.Line("%s skipped: its time is up", plural(r.Expired, "entry", "entries"))
	}
	if r.Failures.Count == 0 {
		return
	}
	p.Line("%s", render.Bad(plural(r.Failures.Count, "line failed", "lines failed")))
	for _, f := range r.Failures.Listed {
		if f.Key == "" {
			p.Line("  line %d: %s", f.Line, f.Error)
			continue
		}
		p.Line("  line %d: %s: %s", f.Line, f.Key, f.Error)
	}
	if more := r.Failures.Count - uint64(len(r.Failures.Listed)); more > 0 {
		p.Line("  and %s more", render.Count(more))
	}
}

func runImport(ctx context.Context, e *env.Env, o importOptions) error {
	if o.file == "-" && e.IO.InTTY {
		return fail.Usagef("pass <file>: standard input is a terminal")
	}
	file, err := e.Files.Open(o.file)
	if err != nil {
		return err
	}
	defer file.Close()
	return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Bucket) error {
		var in io.Reader = file
		if o.file == "-" {
			r := ctxio.NewReader(ctx, e.IO.In)
			defer r.Close()
			in = r
		}
		bar := e.IO.Progress(e.Clock, "Importing into "+o.bucket, 0, func(n int64) string { return render.HumaneBytes(uint64(n)) })
		got, err := b.Import(ctx, store.Import{IfMissing: o.missing, IfUnchanged: o.unchanged, KeepTTL: o.keepTTL, Now: e.Clock.Now(), DryRun: o.dry}, &read{in, bar.Add})
		bar.Close()
		if printErr := e.Out.Print(imported{Bucket: o.bucket, DryRun: o.dry, Imported: got}); err == nil {
			err = printErr
		}
		if err != nil {
			return fmt.Errorf("importing into bucket %s stopped: %w", o.bucket, err)
		}
		if got.Failures.Count > 0 {
			return fail.Partialf("bucket %s: %s not stored", o.bucket, plural(got.Failures.Count, "line was", "lines were"))
		}
		return nil
	})
}

// read tells of the bytes that are read.
type read struct {
	io.Reader
	add func(int64)
}

// Read reads and counts.
func (r *read) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.add(int64(n))
	return n, err
}
