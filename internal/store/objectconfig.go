package store

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ObjectSettings are the settings of an object bucket as someone gave them; nil is not given. Sizes are bytes, -1 unlimited.
type ObjectSettings struct {
	Description *string
	Storage     string
	TTL         *time.Duration
	Replicas    *int64
	MaxBytes    *int64
	Tags        []string
	Cluster     string
	Compress    *bool
	Metadata    map[string]string // nil is not given
}

// CreateObjects makes the object bucket. One that exists with the same settings is fine.
func (c *Client) CreateObjects(ctx context.Context, bucket string, s ObjectSettings) error {
	if err := CheckBucket(bucket); err != nil {
		return err
	}
	cfg := jetstream.StreamConfig{
		Name: objectPrefix + bucket, Subjects: []string{"$O." + bucket + ".C.>", "$O." + bucket + ".M.>"}, MaxMsgs: -1, MaxBytes: -1,
		MaxMsgSize: -1, MaxMsgsPerSubject: -1, MaxConsumers: -1, Replicas: 1, Discard: jetstream.DiscardNew, AllowRollup: true,
		AllowDirect: true, Metadata: s.Metadata,
	}
	var err error
	if cfg.Storage, err = storageType(s.Storage); err != nil {
		return err
	}
	if s.Description != nil {
		cfg.Description = *s.Description
	}
	if s.TTL != nil {
		cfg.MaxAge = *s.TTL
	}
	if s.Replicas != nil {
		cfg.Replicas = int(*s.Replicas)
	}
	if s.MaxBytes != nil && *s.MaxBytes != 0 {
		cfg.MaxBytes = *s.MaxBytes
	}
	if s.Compress != nil && *s.Compress {
		cfg.Compression = jetstream.S2Compression
	}
	if len(s.Tags) > 0 || s.Cluster != "" {
		cfg.Placement = &jetstream.Placement{Cluster: s.Cluster, Tags: s.Tags}
	}
	if err := c.request(ctx, "STREAM.CREATE."+cfg.Name, cfg, nil); err != nil {
		return existsError(bucket, err)
	}
	return nil
}

// EditObjects prepares an edit: only what was given changes; cluster and tags are merged one by one, metadata is replaced.
func (c *Client) EditObjects(ctx context.Context, bucket string, s ObjectSettings) (*Draft, error) {
	if err := CheckBucket(bucket); err != nil {
		return nil, err
	}
	d, err := c.draft(ctx, objectPrefix+bucket)
	if err != nil {
		return nil, c.bucketError(ctx, Object, bucket, err)
	}
	if err := d.common(s.Description, s.TTL, s.Replicas, s.MaxBytes, s.Compress, s.Metadata); err != nil {
		return nil, err
	}
	if s.TTL != nil {
		if err := d.set("duplicate_window", window(*s.TTL)); err != nil {
			return nil, err
		}
	}
	if len(s.Tags) == 0 && s.Cluster == "" {
		return d, nil
	}
	place, _ := d.cfg["placement"].(map[string]any)
	if place == nil {
		place = map[string]any{}
	}
	if s.Cluster != "" {
		place["cluster"] = s.Cluster
	}
	if len(s.Tags) > 0 {
		place["tags"] = s.Tags
	}
	return d, d.set("placement", place)
}
