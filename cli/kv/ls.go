package kv

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
	"github.com/natskit/natskit/internal/term"
)

type lsOptions struct {
	bucket  string
	key     string
	more    []string
	names   bool
	verbose bool
	values  bool
	sort    string
}

func lsVerb() command.Node {
	return command.Verb[lsOptions]{
		Meta: command.Meta{
			Name: "ls", Aliases: []string{"list"}, Short: "List buckets, or the keys of one",
			Long: "Keys come as they are read, in the order of their last change, and memory does not grow with them; --sort, and formats that are one document, read all of them first. A key that is written meanwhile may come twice.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: entries{},
		Names: command.Names{"bucket": command.Buckets},
		Examples: []command.Example{
			{Line: "nats kv ls", Says: "Key-Value Buckets", Needs: []string{"kv add CFG"}},
			{Line: "nats kv ls CFG 'db.*' --sort key", Says: "db.host", About: "The keys of a pattern", Needs: []string{"kv add CFG", "kv put CFG db.host localhost"}},
			{Line: "nats kv ls CFG --display-value", Says: "localhost", About: "Keys with their values", Needs: []string{"kv add CFG", "kv put CFG db.host localhost"}},
		},
		Bind: func(c *fisk.CmdClause, o *lsOptions) {
			c.Arg("bucket", "The bucket").StringVar(&o.bucket)
			c.Arg("key", "Only keys that match this pattern").Default("").StringVar(&o.key)
			c.Arg("more", "Further patterns").StringsVar(&o.more)
			c.Flag("names", "Print names and nothing else").Short('n').UnNegatableBoolVar(&o.names)
			c.Flag("verbose", "Show when keys were written").Short('v').UnNegatableBoolVar(&o.verbose)
			c.Flag("display-value", "Show values too").UnNegatableBoolVar(&o.values)
			c.Flag("sort", "Sort keys by key, revision, created or size").PlaceHolder("COLUMN").EnumVar(&o.sort, "key", "revision", "created", "size")
		},
		Check: func(o *lsOptions) error {
			o.verbose = o.verbose || o.values
			if o.bucket == "" {
				return nil
			}
			if err := store.CheckBucket(o.bucket); err != nil {
				return err
			}
			for _, k := range o.patterns() {
				if err := store.CheckPattern(k); err != nil {
					return err
				}
			}
			return nil
		},
		Run: func(ctx context.Context, e *env.Env, o lsOptions) error {
			if o.bucket == "" {
				return lsBuckets(ctx, e, o)
			}
			return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Bucket) error { return lsKeys(ctx, e, b, o) })
		},
	}
}

// OutputFormat is the format that --names stands for.
func (o lsOptions) OutputFormat() string {
	if o.names {
		return "names"
	}
	return ""
}

func (o lsOptions) patterns() []string {
	if o.key == "" {
		return o.more
	}
	return append([]string{o.key}, o.more...)
}

// buckets is a listing of buckets. One that cannot be reached has a name and a reason.
type buckets []listedBucket

type listedBucket struct {
	bucketInfo
	Unreachable string `json:"unreachable,omitempty"`
}

// View is a table, and one more of what could not be reached.
func (l buckets) View(p *render.Page) {
	if len(l) == 0 {
		p.Line("No Key-Value buckets found")
		return
	}
	t := p.Table("Key-Value Buckets", render.Column{Name: "Bucket"}, render.Column{Name: "Description", Elide: render.End, Drop: 2}, render.Column{Name: "Created", Drop: 3},
		render.Column{Name: "Size"}, render.Column{Name: "Values"}, render.Column{Name: "Last Update", Drop: 1})
	for _, b := range l {
		if b.Unreachable != "" {
			t.Row(b.Bucket, b.Unreachable, "", render.Bad("unreachable"))
			continue
		}
		t.Row(b.Bucket, b.Description, render.At(b.Created), render.Bytes(b.Bytes), render.Count(b.Values), storecmd.LastUpdate(p, b.LastTime))
	}
}

func lsBuckets(ctx context.Context, e *env.Env, o lsOptions) error {
	return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
		list, missing, err := storecmd.Buckets(ctx, c, store.KV, o.names)
		if err != nil {
			return err
		}
		out := buckets{}
		for _, l := range list {
			one := listedBucket{bucketInfo: bucketInfo{Bucket: l.Name}, Unreachable: l.Unreachable}
			if l.Info != nil {
				one.bucketInfo = newBucketInfo(l.Info)
			}
			out = append(out, one)
		}
		return storecmd.PrintBuckets(e, out, len(out), missing)
	})
}

// page is how many keys of a long listing share a table: what is drawn needs to know the width of its columns.
const page = 1000

// keys is a listing of keys, without values unless they were asked for.
type keys struct {
	list   []entry
	bucket string
	o      lsOptions
}

// JSON is the list.
func (k keys) JSON() any { return k.list }

// View is one key a line, or a table.
func (k keys) View(p *render.Page) {
	kind := p.Options().Kind
	if kind == render.Text || kind == render.Wide {
		if len(k.list) == 0 {
			p.Line("No keys found in bucket")
			return
		}
		if !k.o.verbose && kind == render.Text {
			for _, e := range k.list {
				p.Line("%s", e.Key)
			}
			return
		}
	}
	columns := []render.Column{{Name: "Key"}, {Name: "Created", Drop: 2}, {Name: "Delta", Align: render.Right, Drop: 3}, {Name: "Revision", Align: render.Right, Drop: 1}}
	if k.o.values {
		columns = append(columns, render.Column{Name: "Value", Elide: render.End})
	}
	columns = append(columns, render.Column{Name: "Size", Align: render.Right, Wide: true}, render.Column{Name: "Age", Wide: true}, render.Column{Name: "TTL", Wide: true})
	t := p.Table("Contents for bucket '"+k.bucket+"'", columns...)
	for _, e := range k.list {
		row := []any{e.Key, render.At(e.Created), exact(e.Delta), exact(e.Revision)}
		if k.o.values {
			row = append(row, rowValue(e, kind))
		}
		t.Row(append(row, render.Bytes(e.Size), render.Span(p.Options().Now.Sub(e.Created)), e.TTL)...)
	}
}

// rowValue is the value as it stands in a cell: whole, and for programs untouched.
func rowValue(e entry, kind render.Kind) string {
	if kind == render.CSV || kind == render.TSV {
		return string(e.raw)
	}
	return cellValue(e.raw, true)
}

// streamed tells whether the format can be written key by key.
func streamed(kind render.Kind) bool {
	switch kind {
	case render.Text, render.Wide, render.NDJSON, render.CSV, render.TSV, render.Markdown:
		return true
	}
	return false
}

func lsKeys(ctx context.Context, e *env.Env, b *store.Bucket, o lsOptions) error {
	read := store.Read{Patterns: o.patterns(), Meta: !o.values}
	kind := e.Out.Format().Kind
	switch {
	case kind == render.Names && o.sort == "":
		return nameKeys(ctx, e, b, read)
	case streamed(kind) && o.sort == "":
		return streamKeys(ctx, e, b, read, o)
	}
	all := keys{list: []entry{}, bucket: b.Name, o: o}
	if err := b.Read(ctx, read, func(one store.Entry) error { all.list = append(all.list, newEntry(one)); return nil }); err != nil {
		return err
	}
	all.list = unique(all.list)
	sortKeys(all.list, o.sort)
	return e.Out.Print(all)
}

// unique keeps the last of entries with one key: a key that is written during the listing comes again.
func unique(list []entry) []entry {
	last := map[string]uint64{}
	for _, e := range list {
		last[e.Key] = e.Revision
	}
	return slices.DeleteFunc(list, func(e entry) bool { return last[e.Key] != e.Revision })
}

func sortKeys(list []entry, by string) {
	slices.SortStableFunc(list, func(a, b entry) int {
		switch by {
		case "created":
			return a.Created.Compare(b.Created)
		case "size":
			return a.Size - b.Size
		case "key":
			return strings.Compare(a.Key, b.Key)
		}
		return 0
	})
}

// nameKeys writes keys and nothing else, the first at once.
func nameKeys(ctx context.Context, e *env.Env, b *store.Bucket, read store.Read) error {
	first := true
	err := b.Read(ctx, read, func(one store.Entry) error {
		name := one.Key
		if e.IO.OutTTY {
			name = term.Visible(name, false)
		}
		if _, err := io.WriteString(e.Out.Bytes(), name+"\n"); err != nil {
			return err
		}
		if first {
			first = false
			return e.Out.Flush()
		}
		return nil
	})
	if flushErr := e.Out.Flush(); err == nil {
		err = flushErr
	}
	return err
}

// streamKeys writes keys as they come: lines one by one, tables by pages.
func streamKeys(ctx context.Context, e *env.Env, b *store.Bucket, read store.Read, o lsOptions) error {
	feed := e.Out.Feed()
	kind := e.Out.Format().Kind
	tables := kind == render.Wide || kind == render.Text && o.verbose || kind == render.Markdown || kind == render.CSV || kind == render.TSV
	part := keys{bucket: b.Name, o: o}
	any := false
	err := b.Read(ctx, read, func(one store.Entry) error {
		any = true
		if !tables {
			return feed.Emit(keyLine{newEntry(one)})
		}
		part.list = append(part.list, newEntry(one))
		if len(part.list) < page {
			return nil
		}
		err := feed.Emit(part)
		part.list = part.list[:0]
		return err
	})
	if err == nil && len(part.list) > 0 || err == nil && !any && kind != render.NDJSON {
		err = feed.Emit(part)
	}
	if closeErr := feed.Close(nil); err == nil {
		err = closeErr
	}
	return err
}

// keyLine is one key of a long listing.
type keyLine struct{ entry }

// View is the key.
func (k keyLine) View(p *render.Page) { p.Line("%s", k.Key) }

// AppendText is the key, without a page: keys come by the million.
func (k keyLine) AppendText(dst []byte, o render.TextOptions) []byte {
	if o.TTY {
		return append(render.AppendVisible(dst, k.Key, false), '\n')
	}
	return append(append(dst, k.Key...), '\n')
}
