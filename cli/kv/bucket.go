package kv

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

// bucketInfo is configuration and state of a bucket. Sizes are bytes, -1 unlimited; max_consumers -1 is the server's
// own limit; durations are nanoseconds as the server
// gives them; values counts revisions and markers, keys the keys that have either.
type bucketInfo struct {
	Bucket       string                 `json:"bucket"`
	Stream       string                 `json:"stream"`
	Description  string                 `json:"description"`
	Created      time.Time              `json:"created"`
	Values       uint64                 `json:"values"`
	Keys         uint64                 `json:"keys"`
	Bytes        uint64                 `json:"bytes"`
	LastTime     *time.Time             `json:"last_ts"`
	History      int64                  `json:"history"`
	MaxBytes     int64                  `json:"max_bytes"`
	MaxValueSize int32                  `json:"max_value_size"`
	MaxConsumers int                    `json:"max_consumers"`
	MaxAge       time.Duration          `json:"max_age"`
	KeyTTL       bool                   `json:"allow_msg_ttl"`
	MarkerTTL    time.Duration          `json:"subject_delete_marker_ttl"`
	Storage      jetstream.StorageType  `json:"storage"`
	Compressed   bool                   `json:"compressed"`
	Replicas     int                    `json:"num_replicas"`
	Placement    *jetstream.Placement   `json:"placement,omitempty"`
	Republish    *jetstream.RePublish   `json:"republish,omitempty"`
	Mirror       *origin                `json:"mirror,omitempty"`
	Sources      []origin               `json:"sources,omitempty"`
	Metadata     map[string]string      `json:"metadata"`
	Cluster      *jetstream.ClusterInfo `json:"cluster,omitempty"`
}

// origin is a bucket that another one is filled from. Active is the time since it was heard of, nanoseconds, -1 for never.
type origin struct {
	Bucket   string        `json:"bucket"`
	External string        `json:"external_api,omitempty"`
	Lag      uint64        `json:"lag"`
	Active   time.Duration `json:"active"`
}

const bucketPrefix = "KV_"

func newBucketInfo(i *jetstream.StreamInfo) bucketInfo {
	cfg := i.Config
	out := bucketInfo{
		Bucket: strings.TrimPrefix(cfg.Name, bucketPrefix), Stream: cfg.Name, Description: cfg.Description, Created: i.Created,
		Values: i.State.Msgs, Keys: i.State.NumSubjects, Bytes: i.State.Bytes, History: cfg.MaxMsgsPerSubject, MaxBytes: cfg.MaxBytes,
		MaxValueSize: cfg.MaxMsgSize, MaxConsumers: cfg.MaxConsumers, MaxAge: cfg.MaxAge, KeyTTL: cfg.AllowMsgTTL, MarkerTTL: cfg.SubjectDeleteMarkerTTL,
		Storage: cfg.Storage, Compressed: cfg.Compression != jetstream.NoCompression, Replicas: cfg.Replicas, Placement: cfg.Placement,
		Republish: cfg.RePublish, Metadata: store.UserMetadata(cfg.Metadata), Cluster: i.Cluster,
	}
	if i.State.LastSeq > 0 {
		out.LastTime = &i.State.LastTime
	}
	if cfg.Mirror != nil {
		m := newOrigin(cfg.Mirror.Name, i.Mirror)
		if cfg.Mirror.External != nil {
			m.External = cfg.Mirror.External.APIPrefix
		}
		out.Mirror = &m
	}
	for _, s := range cfg.Sources {
		var state *jetstream.StreamSourceInfo
		for _, si := range i.Sources {
			if si.Name == s.Name {
				state = si
			}
		}
		src := newOrigin(s.Name, state)
		if s.External != nil {
			src.External = s.External.APIPrefix
		}
		out.Sources = append(out.Sources, src)
	}
	return out
}

func newOrigin(stream string, state *jetstream.StreamSourceInfo) origin {
	o := origin{Bucket: strings.TrimPrefix(stream, bucketPrefix), Active: -1}
	if state != nil {
		o.Lag, o.Active = state.Lag, state.Active
	}
	return o
}

// View is the info screen.
func (b bucketInfo) View(p *render.Page) {
	p.Heading("Information for Key-Value Store Bucket %s created %s", b.Bucket, render.At(b.Created))
	p.Section("Configuration")
	p.Field("Bucket Name", b.Bucket)
	p.Field("History Kept", render.Count(b.History))
	p.Field("Values Stored", render.Count(b.Values))
	p.Field("Compressed", b.Compressed)
	p.Field("Per-Key TTL Supported", b.KeyTTL)
	p.FieldIf(b.MarkerTTL > 0, "Limit Marker TTL", b.MarkerTTL.String())
	p.Field("Backing Store Kind", "JetStream")
	p.FieldIf(b.Description != "", "Description", b.Description)
	p.Field("Bucket Size", render.Bytes(b.Bytes))
	p.Field("Maximum Bucket Size", render.BytesLimit(b.MaxBytes))
	p.Field("Maximum Value Size", render.BytesLimit(b.MaxValueSize))
	p.FieldIf(b.MaxConsumers > 0, "Maximum Consumers", render.Count(b.MaxConsumers))
	p.Field("Maximum Age", render.SpanLimit(b.MaxAge))
	p.Field("JetStream Stream", b.Stream)
	p.Field("Storage", b.Storage.String())
	if r := b.Republish; r != nil {
		label := "Republishing"
		if r.HeadersOnly {
			label = "Republishing Headers"
		}
		p.Field(label, fmt.Sprintf("%s to %s", r.Source, r.Destination))
	}
	if p.Options().Wide {
		p.Field("Keys", render.Count(b.Keys))
		p.Field("Replicas", b.Replicas)
		if pl := b.Placement; pl != nil {
			p.FieldIf(pl.Cluster != "", "Placement Cluster", pl.Cluster)
			p.FieldIf(len(pl.Tags) > 0, "Placement Tags", pl.Tags)
		}
	}
	b.viewOrigins(p)
	if len(b.Metadata) > 0 {
		p.Section("Metadata")
		for _, k := range slices.Sorted(maps.Keys(b.Metadata)) {
			p.Field(k, b.Metadata[k])
		}
	}
	viewCluster(p, b.Cluster)
}

func (b bucketInfo) viewOrigins(p *render.Page) {
	if b.Mirror != nil {
		p.Section("Mirror Information")
		b.Mirror.view(p, "Origin Bucket")
	}
	if len(b.Sources) > 0 {
		p.Section("Sources Information")
		for _, s := range b.Sources {
			s.view(p, "Source Bucket")
		}
	}
}

func (o origin) view(p *render.Page, label string) {
	p.Field(label, o.Bucket)
	p.FieldIf(o.External != "", "External API", o.External)
	if o.Active < 0 {
		p.Field("Last Seen", "never")
	} else {
		p.Field("Last Seen", render.Span(o.Active))
	}
	p.Field("Lag", render.Count(o.Lag))
}

func viewCluster(p *render.Page, c *jetstream.ClusterInfo) {
	if c == nil {
		c = &jetstream.ClusterInfo{}
	}
	p.Section("Cluster Information")
	p.Field("Name", c.Name)
	p.Field("Leader", c.Leader)
	for _, r := range c.Replicas {
		state := []any{render.Good("current")}
		if !r.Current {
			state[0] = render.Warn("outdated")
		}
		text := "%s, %s, seen %s ago"
		args := append([]any{r.Name}, state[0], render.Span(r.Active))
		if r.Offline {
			text, args = "%s, %s, %s, seen %s ago", append([]any{r.Name}, state[0], render.Bad("OFFLINE"), render.Span(r.Active))
		}
		if r.Lag > 0 {
			text, args = text+", %s operations behind", append(args, render.Count(r.Lag))
		}
		p.Field("Replica", render.Sprintf(text, args...))
	}
}
