package store

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
)

// KVSettings are the settings of a bucket as someone gave them; nil is not given. Sizes are bytes, -1 unlimited.
type KVSettings struct {
	Description  *string
	History      *int64 // values kept for each key, 1 to 64
	Storage      string // "file", "memory" or a first letter; empty is file
	TTL          *time.Duration
	MarkerTTL    *time.Duration
	Replicas     *int64
	MaxValueSize *int64
	MaxBytes     *int64
	MaxConsumers *int64 // watchers and other readers at a time; -1 leaves it to the server
	Tags         []string
	Cluster      string
	Compress     *bool
	Metadata     map[string]string // nil is not given

	RepublishSource, RepublishDestination string
	RepublishHeaders                      bool
	Mirror, MirrorDomain                  string
	Sources                               []string

	// Of edits only.
	NoMirror      bool
	NoRepublish   bool
	RemoveSources []string
}

const duplicateWindow = 2 * time.Minute

// CreateKV makes the bucket. One that exists with the same settings is fine.
func (c *Client) CreateKV(ctx context.Context, bucket string, s KVSettings) error {
	if err := CheckBucket(bucket); err != nil {
		return err
	}
	cfg, err := s.stream(bucket)
	if err != nil {
		return err
	}
	level := 0
	if cfg.AllowMsgTTL {
		level = 1
	}
	if err := c.atLevel(ctx, level, "limit markers and TTLs of keys"); err != nil {
		return err
	}
	if err := c.request(ctx, "STREAM.CREATE."+cfg.Name, cfg, nil); err != nil {
		return existsError(bucket, err)
	}
	return nil
}

// atLevel fails when the servers' JetStream API is older than what is asked of it, rather than have it ignored.
func (c *Client) atLevel(ctx context.Context, level int, what string) error {
	if level == 0 {
		return nil
	}
	var info struct {
		API struct {
			Level int `json:"level"`
		} `json:"api"`
	}
	if err := c.request(ctx, "INFO", nil, &info); err != nil {
		return err
	}
	if info.API.Level < level {
		return fail.Newf(fail.Failure, "%s need servers of API level %d, these are at %d", what, level, info.API.Level)
	}
	return nil
}

func (s KVSettings) stream(bucket string) (jetstream.StreamConfig, error) {
	cfg := jetstream.StreamConfig{
		Name: kvPrefix + bucket, MaxMsgsPerSubject: 1, MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxConsumers: -1, Replicas: 1,
		Discard: jetstream.DiscardNew, DenyDelete: true, AllowRollup: true, AllowDirect: true, Duplicates: duplicateWindow,
		Metadata: s.Metadata,
	}
	value := func(to *int64, from *int64) {
		if from != nil && *from != 0 {
			*to = *from
		}
	}
	value(&cfg.MaxMsgsPerSubject, s.History)
	value(&cfg.MaxBytes, s.MaxBytes)
	if s.MaxConsumers != nil {
		cfg.MaxConsumers = int(*s.MaxConsumers)
	}
	if s.Description != nil {
		cfg.Description = *s.Description
	}
	if s.TTL != nil {
		cfg.MaxAge, cfg.Duplicates = *s.TTL, window(*s.TTL)
	}
	if s.MarkerTTL != nil && *s.MarkerTTL > 0 {
		cfg.AllowMsgTTL, cfg.SubjectDeleteMarkerTTL = true, *s.MarkerTTL
	}
	if s.Replicas != nil {
		cfg.Replicas = int(*s.Replicas)
	}
	if s.MaxValueSize != nil {
		size, err := messageSize(*s.MaxValueSize)
		if err != nil {
			return cfg, err
		}
		cfg.MaxMsgSize = size
	}
	if s.Compress != nil && *s.Compress {
		cfg.Compression = jetstream.S2Compression
	}
	storage, err := storageType(s.Storage)
	if err != nil {
		return cfg, err
	}
	cfg.Storage = storage
	if len(s.Tags) > 0 || s.Cluster != "" {
		cfg.Placement = &jetstream.Placement{Cluster: s.Cluster, Tags: s.Tags}
	}
	if cfg.RePublish, err = s.republish(); err != nil {
		return cfg, err
	}
	if s.Mirror == "" {
		cfg.Subjects = []string{kvSubjects(bucket)}
		for _, src := range s.Sources {
			cfg.Sources = append(cfg.Sources, bucketSource(src, bucket))
		}
		return cfg, nil
	}
	cfg.Mirror, cfg.MirrorDirect = &jetstream.StreamSource{Name: kvPrefix + strings.TrimPrefix(s.Mirror, kvPrefix)}, true
	if s.MirrorDomain != "" {
		cfg.Mirror.External = &jetstream.ExternalStream{APIPrefix: "$JS." + s.MirrorDomain + ".API"}
	}
	return cfg, nil
}

// Check refuses settings that cannot stand together or would be dropped without a word.
func (s KVSettings) Check() error {
	switch {
	case s.Mirror != "" && len(s.Sources) > 0:
		return fail.Usagef("--mirror and --source: a bucket mirrors one other or gathers from several")
	case s.MirrorDomain != "" && s.Mirror == "":
		return fail.Usagef("--mirror-domain needs --mirror, the bucket in that domain")
	case s.RepublishDestination == "" && (s.RepublishSource != "" || s.RepublishHeaders):
		return fail.Usagef("republishing needs --republish-destination")
	case s.NoRepublish && s.RepublishDestination != "":
		return fail.Usagef("--no-republish and --republish-destination contradict each other")
	}
	if s.MaxValueSize != nil {
		if _, err := messageSize(*s.MaxValueSize); err != nil {
			return err
		}
	}
	for _, b := range slices.Concat(s.Sources, s.RemoveSources) {
		if err := CheckBucket(strings.TrimPrefix(b, kvPrefix)); err != nil {
			return err
		}
	}
	if s.Mirror != "" {
		return CheckBucket(strings.TrimPrefix(s.Mirror, kvPrefix))
	}
	return nil
}

func (s KVSettings) republish() (*jetstream.RePublish, error) {
	if s.RepublishDestination == "" {
		return nil, nil
	}
	source := s.RepublishSource
	if source == "" {
		source = ">"
	}
	return &jetstream.RePublish{Source: source, Destination: s.RepublishDestination, HeadersOnly: s.RepublishHeaders}, nil
}

// EditKV prepares an edit: only what was given changes. Sources are added, metadata and placement are replaced as a whole.
func (c *Client) EditKV(ctx context.Context, bucket string, s KVSettings) (*Draft, error) {
	if err := CheckBucket(bucket); err != nil {
		return nil, err
	}
	d, err := c.draft(ctx, kvPrefix+bucket)
	if err != nil {
		return nil, c.bucketError(ctx, KV, bucket, err)
	}
	if s.MaxValueSize != nil {
		size, err := messageSize(*s.MaxValueSize)
		if err != nil {
			return nil, err
		}
		if err := d.set("max_msg_size", size); err != nil {
			return nil, err
		}
	}
	if s.MarkerTTL != nil {
		if err := c.atLevel(ctx, 1, "limit markers and TTLs of keys"); err != nil {
			return nil, err
		}
		if *s.MarkerTTL > 0 {
			d.cfg["allow_msg_ttl"] = true
		}
		if err := d.set("subject_delete_marker_ttl", *s.MarkerTTL); err != nil {
			return nil, err
		}
	}
	if err := d.common(s.Description, s.TTL, s.Replicas, s.MaxBytes, s.Compress, s.Metadata); err != nil {
		return nil, err
	}
	if s.TTL != nil {
		if err := d.set("duplicate_window", window(*s.TTL)); err != nil {
			return nil, err
		}
	}
	if s.History != nil {
		if err := d.set("max_msgs_per_subject", *s.History); err != nil {
			return nil, err
		}
	}
	if s.MaxConsumers != nil {
		if err := d.set("max_consumers", *s.MaxConsumers); err != nil {
			return nil, err
		}
	}
	if len(s.Tags) > 0 || s.Cluster != "" {
		if err := d.set("placement", jetstream.Placement{Cluster: s.Cluster, Tags: s.Tags}); err != nil {
			return nil, err
		}
	}
	return d, d.editOrigins(bucket, s)
}

// editOrigins changes republishing, sources and the mirror of a bucket.
func (d *Draft) editOrigins(bucket string, s KVSettings) error {
	if r, err := s.republish(); err != nil {
		return err
	} else if r != nil {
		if err := d.set("republish", r); err != nil {
			return err
		}
	}
	if s.NoRepublish {
		delete(d.cfg, "republish")
	}
	if s.NoMirror {
		if _, ok := d.cfg["mirror"]; !ok {
			return fail.Usagef("bucket %s: --no-mirror: it is not a mirror", bucket)
		}
		delete(d.cfg, "mirror")
		delete(d.cfg, "mirror_direct")
		if err := d.set("subjects", []string{kvSubjects(bucket)}); err != nil {
			return err
		}
	}
	return d.editSources(bucket, s)
}

func (d *Draft) editSources(bucket string, s KVSettings) error {
	if len(s.Sources)+len(s.RemoveSources) == 0 {
		return nil
	}
	sources, _ := d.cfg["sources"].([]any)
	named := func(src string) int {
		return slices.IndexFunc(sources, func(v any) bool {
			m, _ := v.(map[string]any)
			return m["name"] == kvPrefix+strings.TrimPrefix(src, kvPrefix)
		})
	}
	for _, src := range s.RemoveSources {
		i := named(src)
		if i < 0 {
			return fail.NotFoundf("bucket %s: %s is not one of its sources", bucket, src)
		}
		sources = slices.Delete(slices.Clone(sources), i, i+1)
	}
	for _, src := range s.Sources {
		if named(src) >= 0 {
			continue
		}
		sources = append(slices.Clone(sources), bucketSource(src, bucket))
	}
	if len(sources) == 0 {
		delete(d.cfg, "sources")
		return nil
	}
	return d.set("sources", sources)
}

// common sets what buckets of both kinds have.
func (d *Draft) common(description *string, ttl *time.Duration, replicas, maxBytes *int64, compress *bool, meta map[string]string) error {
	values := map[string]any{}
	if description != nil {
		values["description"] = *description
	}
	if ttl != nil {
		values["max_age"] = *ttl
	}
	if replicas != nil {
		values["num_replicas"] = *replicas
	}
	if maxBytes != nil {
		size := *maxBytes
		if size == 0 {
			size = -1
		}
		values["max_bytes"] = size
	}
	if compress != nil {
		values["compression"] = map[bool]string{true: "s2", false: "none"}[*compress]
	}
	for name, v := range values {
		if err := d.set(name, v); err != nil {
			return err
		}
	}
	if meta == nil {
		return nil
	}
	return d.setMetadata(meta)
}

func bucketSource(src, bucket string) *jetstream.StreamSource {
	src = strings.TrimPrefix(src, kvPrefix)
	return &jetstream.StreamSource{
		Name:              kvPrefix + src,
		SubjectTransforms: []jetstream.SubjectTransformConfig{{Source: kvSubjects(src), Destination: kvSubjects(bucket)}},
	}
}

func kvSubjects(bucket string) string { return "$KV." + bucket + ".>" }

func window(ttl time.Duration) time.Duration {
	if ttl > 0 && ttl < duplicateWindow {
		return ttl
	}
	return duplicateWindow
}

func messageSize(size int64) (int32, error) {
	switch {
	case size <= 0:
		return -1, nil
	case size > math.MaxInt32:
		return 0, fail.Usagef("--max-value-size: %d bytes is more than a server can be told: the largest limit is %d; -1 is unlimited", size, math.MaxInt32)
	}
	return int32(size), nil
}

func storageType(name string) (jetstream.StorageType, error) {
	switch strings.ToLower(name) {
	case "", "f", "file":
		return jetstream.FileStorage, nil
	case "m", "memory":
		return jetstream.MemoryStorage, nil
	}
	return 0, fail.Usagef("--storage: %q is neither file nor memory", name)
}
