package object

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/storecmd"
)

type lsOptions struct {
	bucket  string
	names   bool
	deleted bool
	sort    string
}

func lsVerb() command.Node {
	return command.Verb[lsOptions]{
		Meta:  command.Meta{Name: "ls", Aliases: []string{"list"}, Short: "List buckets, or the objects of one", Long: "Objects come in the order of their last change unless --sort is given."},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: objects{},
		Names: command.Names{"bucket": command.ObjectStores},
		Examples: []command.Example{
			{Line: "nats object ls", Says: "Object Store Buckets", Needs: []string{"object add FILES"}},
			{Line: "nats object ls FILES --sort size", Says: "a.txt", About: "The objects of a bucket, largest last", Needs: []string{"object add FILES", "printf 'hello' | nats object put FILES --name a.txt"}},
		},
		Bind: func(c *fisk.CmdClause, o *lsOptions) {
			c.Arg("bucket", "The bucket").StringVar(&o.bucket)
			c.Flag("names", "Print names and nothing else").Short('n').UnNegatableBoolVar(&o.names)
			c.Flag("deleted", "List deleted objects too").UnNegatableBoolVar(&o.deleted)
			c.Flag("sort", "Sort objects by name, size or time").PlaceHolder("COLUMN").EnumVar(&o.sort, "name", "size", "time")
		},
		Check: func(o *lsOptions) error {
			if o.bucket == "" {
				return nil
			}
			return store.CheckBucket(o.bucket)
		},
		Run: func(ctx context.Context, e *env.Env, o lsOptions) error {
			if o.bucket == "" {
				return lsBuckets(ctx, e, o)
			}
			return lsObjects(ctx, e, o)
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

// buckets is a listing of buckets. One that cannot be reached has a name and a reason.
type buckets []listedBucket

type listedBucket struct {
	bucketInfo
	Unreachable string `json:"unreachable,omitempty"`
}

// View is a table.
func (l buckets) View(p *render.Page) {
	if len(l) == 0 {
		p.Line("No Object Store buckets found")
		return
	}
	t := p.Table("Object Store Buckets", render.Column{Name: "Bucket"}, render.Column{Name: "Description", Elide: render.End, Drop: 2}, render.Column{Name: "Created", Drop: 3},
		render.Column{Name: "Size"}, render.Column{Name: "Last Update", Drop: 1})
	for _, b := range l {
		switch {
		case b.Unreachable != "":
			t.Row(b.Bucket, b.Unreachable, "", render.Bad("unreachable"))
		default:
			t.Row(b.Bucket, b.Description, render.At(b.Created), render.Bytes(b.Bytes), storecmd.LastUpdate(p, b.LastTime))
		}
	}
}

func lsBuckets(ctx context.Context, e *env.Env, o lsOptions) error {
	return storecmd.On(ctx, e, func(ctx context.Context, c *store.Client) error {
		list, missing, err := storecmd.Buckets(ctx, c, store.Object, o.names)
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

// objects is a listing of objects.
type objects []objectInfo

// View is a table.
func (l objects) View(p *render.Page) {
	if kind := p.Options().Kind; len(l) == 0 && (kind == render.Text || kind == render.Wide) {
		p.Line("No entries found")
		return
	}
	t := p.Table("Bucket Contents", render.Column{Name: "Name", Elide: render.Middle}, render.Column{Name: "Size"}, render.Column{Name: "Time", Drop: 1},
		render.Column{Name: "Chunks", Wide: true}, render.Column{Name: "Digest", Wide: true}, render.Column{Name: "Description", Wide: true})
	for _, o := range l {
		var length any = render.Bytes(o.Size)
		switch {
		case o.Deleted:
			length = render.Muted("deleted")
		case o.Link != nil && o.Link.Name == "":
			length = render.Muted("link to bucket " + o.Link.Bucket)
		case o.Link != nil:
			length = render.Muted("link to " + o.Link.Bucket + " > " + o.Link.Name)
		}
		t.Row(o.Name, length, render.At(o.ModTime), render.Count(o.Chunks), o.Digest, o.Description)
	}
}

func lsObjects(ctx context.Context, e *env.Env, o lsOptions) error {
	return onBucket(ctx, e, o.bucket, func(ctx context.Context, b *store.Objects) error {
		out := objects{}
		err := b.List(ctx, store.ListObjects{Deleted: o.deleted}, func(i *store.ObjectInfo) error {
			out = append(out, newObjectInfo(i))
			return nil
		})
		if err != nil {
			return err
		}
		slices.SortStableFunc(out, func(a, b objectInfo) int {
			switch o.sort {
			case "name":
				return strings.Compare(a.Name, b.Name)
			case "size":
				return cmp.Compare(a.Size, b.Size)
			case "time":
				return a.ModTime.Compare(b.ModTime)
			}
			return 0
		})
		return e.Out.Print(out)
	})
}
