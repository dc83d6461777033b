package store

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
)

// Listed is one bucket of a listing. Unreachable says why nothing but the name is known; Info is nil then.
type Listed struct {
	Name        string
	Info        *jetstream.StreamInfo
	Unreachable string
}

type streamPage struct {
	Total   int                     `json:"total"`
	Limit   int                     `json:"limit"`
	Streams []*jetstream.StreamInfo `json:"streams"`
	Missing []string                `json:"missing"`
	Offline map[string]string       `json:"offline"`
}

// Buckets hands every bucket of the kind to each, page by page; those that no server answers for come as Unreachable. Mirrors
// are buckets too, so that the streams are told by their names and not by their subjects.
func (c *Client) Buckets(ctx context.Context, kind Kind, each func(Listed) error) error {
	prefix := kind.prefix()
	unreachable := map[string]string{}
	seen := map[string]bool{}
	for offset := 0; ; {
		var page streamPage
		if err := c.request(ctx, "STREAM.LIST", map[string]int{"offset": offset}, &page); err != nil {
			return err
		}
		for _, name := range page.Missing {
			unreachable[name] = "no server answers for it"
		}
		for name, why := range page.Offline {
			unreachable[name] = why
		}
		for _, s := range page.Streams {
			name, ok := strings.CutPrefix(s.Config.Name, prefix)
			if _, lost := unreachable[s.Config.Name]; !ok || seen[name] || lost { // servers list what is offline with its bare configuration too
				continue
			}
			seen[name] = true
			if err := each(Listed{Name: name, Info: s}); err != nil {
				return err
			}
		}
		step := max(len(page.Streams)+len(page.Missing)+len(page.Offline), page.Limit)
		offset += step
		if offset >= page.Total || step == 0 {
			break
		}
	}
	names := make([]string, 0, len(unreachable))
	for name := range unreachable {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, full := range names {
		name, ok := strings.CutPrefix(full, prefix)
		if !ok || seen[name] {
			continue
		}
		if err := each(Listed{Name: name, Unreachable: unreachable[full]}); err != nil {
			return err
		}
	}
	return nil
}

// Names lists the names of the buckets of a kind, sorted, the unreachable ones too.
func (c *Client) Names(ctx context.Context, kind Kind) ([]string, error) {
	all, err := c.streamNames(ctx, "")
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, n := range all {
		if name, ok := strings.CutPrefix(n, kind.prefix()); ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// streamNames lists the streams that store subject, or all of them.
func (c *Client) streamNames(ctx context.Context, subject string) ([]string, error) {
	var out []string
	for offset := 0; ; {
		var page struct {
			Total   int      `json:"total"`
			Streams []string `json:"streams"`
		}
		req := map[string]any{"offset": offset}
		if subject != "" {
			req["subject"] = subject
		}
		if err := c.request(ctx, "STREAM.NAMES", req, &page); err != nil {
			return nil, err
		}
		out = append(out, page.Streams...)
		offset += len(page.Streams)
		if len(page.Streams) == 0 || offset >= page.Total {
			return out, nil
		}
	}
}

// Info reads configuration and state of a bucket.
func (c *Client) Info(ctx context.Context, kind Kind, bucket string) (*jetstream.StreamInfo, error) {
	if err := CheckBucket(bucket); err != nil {
		return nil, err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	s, err := c.js.Stream(ctx, kind.prefix()+bucket)
	if err != nil {
		return nil, c.bucketError(ctx, kind, bucket, err)
	}
	return s.CachedInfo(), nil
}

// Remove deletes a bucket with all that is in it.
func (c *Client) Remove(ctx context.Context, kind Kind, bucket string) error {
	if err := CheckBucket(bucket); err != nil {
		return err
	}
	if err := c.request(ctx, "STREAM.DELETE."+kind.prefix()+bucket, nil, nil); err != nil {
		return c.bucketError(ctx, kind, bucket, err)
	}
	return nil
}

// existsError is what creating a bucket fails with when its name is taken by one with other settings.
func existsError(bucket string, err error) error {
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) || apiCode(err, 10058) {
		return fail.Newf(fail.Failure, "%w: %s: %w", jetstream.ErrBucketExists, bucket, err)
	}
	return err
}
