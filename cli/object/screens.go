package object

import (
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

// bucketInfo is configuration and state of an object bucket. Sizes are bytes, -1 unlimited; max_age is nanoseconds.
type bucketInfo struct {
	Bucket      string                 `json:"bucket"`
	Stream      string                 `json:"stream"`
	Description string                 `json:"description"`
	Created     time.Time              `json:"created"`
	Bytes       uint64                 `json:"bytes"`
	LastTime    *time.Time             `json:"last_ts"`
	MaxBytes    int64                  `json:"max_bytes"`
	MaxAge      time.Duration          `json:"max_age"`
	Storage     jetstream.StorageType  `json:"storage"`
	Compressed  bool                   `json:"compressed"`
	Sealed      bool                   `json:"sealed"`
	Replicas    int                    `json:"num_replicas"`
	Placement   *jetstream.Placement   `json:"placement,omitempty"`
	Metadata    map[string]string      `json:"metadata"`
	Cluster     *jetstream.ClusterInfo `json:"cluster,omitempty"`
}

const bucketPrefix = "OBJ_"

func newBucketInfo(i *jetstream.StreamInfo) bucketInfo {
	cfg := i.Config
	out := bucketInfo{
		Bucket: strings.TrimPrefix(cfg.Name, bucketPrefix), Stream: cfg.Name, Description: cfg.Description, Created: i.Created, Bytes: i.State.Bytes,
		MaxBytes: cfg.MaxBytes, MaxAge: cfg.MaxAge, Storage: cfg.Storage, Compressed: cfg.Compression != jetstream.NoCompression, Sealed: cfg.Sealed,
		Replicas: cfg.Replicas, Placement: cfg.Placement, Metadata: store.UserMetadata(cfg.Metadata), Cluster: i.Cluster,
	}
	if i.State.LastSeq > 0 {
		out.LastTime = &i.State.LastTime
	}
	return out
}

// View is the info screen.
func (b bucketInfo) View(p *render.Page) {
	p.Heading("Information for Object Store Bucket %s created %s", b.Bucket, render.At(b.Created))
	p.Section("Configuration")
	p.Field("Bucket Name", b.Bucket)
	p.FieldIf(b.Description != "", "Description", b.Description)
	p.Field("Replicas", b.Replicas)
	p.Field("TTL", render.SpanLimit(b.MaxAge))
	p.Field("Sealed", b.Sealed)
	p.Field("Size", render.Bytes(b.Bytes))
	p.Field("Maximum Bucket Size", render.BytesLimit(b.MaxBytes))
	p.Field("Storage", b.Storage.String())
	p.Field("Backing Store Kind", "JetStream")
	p.Field("JetStream Stream", b.Stream)
	p.FieldIf(b.Compressed, "Compressed", b.Compressed)
	if pl := b.Placement; pl != nil && p.Options().Wide {
		p.FieldIf(pl.Cluster != "", "Placement Cluster", pl.Cluster)
		p.FieldIf(len(pl.Tags) > 0, "Placement Tags", pl.Tags)
	}
	if len(b.Metadata) > 0 {
		p.Field("Metadata", pairs(b.Metadata))
	}
	viewCluster(p, b.Cluster)
}

func pairs(m map[string]string) render.Lines {
	var out render.Lines
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+": "+m[k])
	}
	return out
}

func viewCluster(p *render.Page, c *jetstream.ClusterInfo) {
	if c == nil {
		c = &jetstream.ClusterInfo{}
	}
	p.Section("Cluster Information")
	p.Field("Name", c.Name)
	p.Field("Leader", c.Leader)
	for _, r := range c.Replicas {
		state := render.Sprintf("%s", render.Good("current"))
		switch {
		case r.Offline:
			state = render.Sprintf("%s", render.Bad("OFFLINE"))
		case !r.Current:
			state = render.Sprintf("%s", render.Warn("outdated"))
		}
		if r.Lag == 0 {
			p.Field("Replica", render.Sprintf("%s, %s, seen %s ago", r.Name, state, render.Span(r.Active)))
			continue
		}
		p.Field("Replica", render.Sprintf("%s, %s, seen %s ago, %s operations behind", r.Name, state, render.Span(r.Active), render.Count(r.Lag)))
	}
}

// objectInfo is what a bucket says of an object. Digest is SHA-256 in hex, empty for links; sizes are bytes.
type objectInfo struct {
	Bucket      string            `json:"bucket"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Size        uint64            `json:"size"`
	Chunks      uint32            `json:"chunks"`
	ChunkSize   uint32            `json:"chunk_size"`
	ModTime     time.Time         `json:"mtime"`
	Digest      string            `json:"digest"`
	Deleted     bool              `json:"deleted"`
	Link        *link             `json:"link,omitempty"`
	Headers     nats.Header       `json:"headers,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	NUID        string            `json:"nuid"`
}

// link is what a link stands for; without a name the whole bucket.
type link struct {
	Bucket string `json:"bucket"`
	Name   string `json:"name,omitempty"`
}

func newObjectInfo(i *store.ObjectInfo) objectInfo {
	out := objectInfo{
		Bucket: i.Bucket, Name: i.Name, Description: i.Description, Size: i.Size, Chunks: i.Chunks, ModTime: i.ModTime, Deleted: i.Deleted,
		Headers: i.Headers, Metadata: i.Metadata, NUID: i.NUID,
	}
	if sum, ok := store.Digest(i); ok {
		out.Digest = hex.EncodeToString(sum)
	}
	if i.Opts != nil {
		out.ChunkSize = i.Opts.ChunkSize
	}
	if store.IsLink(i) {
		out.Link = &link{Bucket: i.Opts.Link.Bucket, Name: i.Opts.Link.Name}
	}
	return out
}

// View is the screen of an object.
func (o objectInfo) View(p *render.Page) {
	p.Heading("Object information for %s > %s", o.Bucket, oneLine(o.Name))
	p.FieldIf(o.Description != "", "Description", o.Description)
	switch {
	case o.Link != nil && o.Link.Name == "":
		p.Field("Link", "bucket "+o.Link.Bucket)
	case o.Link != nil:
		p.Field("Link", o.Link.Bucket+" > "+o.Link.Name)
	}
	p.Field("Size", render.Bytes(o.Size))
	p.Field("Modification Time", render.At(o.ModTime))
	p.Field("Chunks", render.Count(o.Chunks))
	p.FieldIf(p.Options().Wide && o.ChunkSize > 0, "Chunk Size", render.Bytes(o.ChunkSize))
	p.FieldIf(o.Digest != "", "Digest", "SHA-256 "+o.Digest)
	p.FieldIf(o.Deleted, "Deleted", o.Deleted)
	if lines := payload.HeaderLines(o.Headers); len(lines) > 0 {
		p.Field("Headers", render.Lines(lines))
	}
	if len(o.Metadata) > 0 {
		p.Section("Metadata")
		for _, k := range slices.Sorted(maps.Keys(o.Metadata)) {
			p.Field(k, o.Metadata[k])
		}
	}
}
