package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/natskit/natskit/internal/publish"
	"github.com/natskit/natskit/internal/wire"
)

// Tally counts what a bulk operation found or did. Bytes are those of the values.
type Tally struct {
	Keys  uint64 `json:"keys"`
	Bytes uint64 `json:"bytes"`
}

// Failed is one key that a bulk operation could not handle.
type Failed struct {
	Key   string `json:"key"`
	Line  uint64 `json:"line,omitempty"` // of an import file
	Error string `json:"error"`
}

// maxListed bounds how many failures are kept for the report; all are counted.
const maxListed = 1000

// Failures collects what failed.
type Failures struct {
	Count  uint64   `json:"count"`
	Listed []Failed `json:"listed"`
}

func (f *Failures) add(one Failed) {
	f.Count++
	if len(f.Listed) < maxListed {
		f.Listed = append(f.Listed, one)
	}
}

// Count counts the keys with a value that match and their bytes.
func (b *Bucket) Count(ctx context.Context, match []string) (Tally, error) {
	var t Tally
	err := b.Read(ctx, Read{Patterns: match, Meta: true}, func(e Entry) error {
		t.Keys++
		t.Bytes += uint64(e.Size)
		return nil
	})
	return t, err
}

// RemoveAll writes a marker for every key with a value that matches. done is how many were acknowledged; each failure is
// listed. The error tells that the work stopped before its end.
func (b *Bucket) RemoveAll(ctx context.Context, match []string, op Op, ttl time.Duration) (done Tally, failed Failures, err error) {
	type item struct {
		key  string
		size int
	}
	var mu sync.Mutex
	p, err := publish.Beside(ctx, b.c.nc, publish.Config[item]{Idle: b.c.timeout, Done: func(it item, _ publish.Ack, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed.add(Failed{Key: it.key, Error: unstored(err).Error()})
			return
		}
		done.Keys++
		done.Bytes += uint64(it.size)
	}})
	if err != nil {
		return done, failed, err
	}
	defer p.Close()
	head, err := wire.AppendHeader(nil, b.message("", op, nil, WriteOptions{TTL: ttl}).Header)
	if err != nil {
		return done, failed, err
	}
	var subject []byte
	err = b.Read(ctx, Read{Patterns: match, Meta: true}, func(e Entry) error {
		subject = append(append(subject[:0], b.write...), e.Key...)
		return p.SendBytes(ctx, item{e.Key, e.Size}, subject, head, nil)
	})
	if waitErr := p.Wait(ctx); err == nil {
		err = waitErr
	}
	mu.Lock()
	defer mu.Unlock()
	return done, failed, err
}

// Compaction tells what compacting a bucket removed, or would remove.
type Compaction struct {
	Removed  uint64 `json:"removed"`   // keys that were taken out whole: they had a marker older than the limit
	Kept     uint64 `json:"kept"`      // markers that are younger and stay
	Messages uint64 `json:"messages"`  // revisions and markers purged; 0 for a dry run
	Oldest   int64  `json:"oldest_ns"` // age of the oldest marker, nanoseconds
}

// compactWorkers is how many purges are under way at once.
const compactWorkers = 8

// Compact purges keys whose latest entry is a marker: whole, when the marker is older than age at now, else all but the
// marker. A dry run counts and changes nothing.
func (b *Bucket) Compact(ctx context.Context, match []string, age time.Duration, now time.Time, dry bool) (Compaction, error) {
	var out Compaction
	type work struct {
		key  string
		keep int
	}
	todo := make(chan work)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for range compactWorkers {
		wg.Go(func() {
			for w := range todo {
				n, err := b.purge(ctx, w.key, w.keep)
				mu.Lock()
				out.Messages += n
				if err != nil && failed == nil {
					failed = fmt.Errorf("bucket %s: compacting key %s: %w", b.Name, w.key, err)
					cancel(failed)
				}
				mu.Unlock()
			}
		})
	}
	err := b.Read(ctx, Read{Patterns: match, Deletes: true, Meta: true}, func(e Entry) error {
		if e.Op == Put {
			return nil
		}
		w := work{key: e.Key}
		old := now.Sub(e.Created)
		mu.Lock()
		out.Oldest = max(out.Oldest, int64(old))
		if old < age {
			out.Kept++
			w.keep = 1
		} else {
			out.Removed++
		}
		mu.Unlock()
		if dry || w.keep == 1 && b.History() == 1 {
			return nil
		}
		select {
		case todo <- w:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(todo)
	wg.Wait()
	if failed != nil {
		return out, failed
	}
	return out, err
}

func (b *Bucket) purge(ctx context.Context, key string, keep int) (uint64, error) {
	req := map[string]any{"filter": b.read + key}
	if keep > 0 {
		req["keep"] = keep
	}
	var resp struct {
		Purged uint64 `json:"purged"`
	}
	err := b.c.request(ctx, "STREAM.PURGE."+b.Info().Config.Name, req, &resp)
	return resp.Purged, err
}
