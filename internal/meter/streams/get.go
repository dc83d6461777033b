package streams

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
)

// short is the end of a client that could not get as many messages as it was to.
func (r *reader) short(where string) error {
	return &crew.IdleError{Text: fmt.Sprintf("%s holds no more", where)}
}

func (r *reader) enough() bool { return r.w.Limit > 0 && r.got >= r.w.Limit }

// getWork reads one message after the other by its sequence.
func (r *reader) getWork(ctx context.Context) error {
	s, err := r.js.Stream(ctx, r.spec.Stream.Name)
	if err != nil {
		return fmt.Errorf("getting stream '%s': %w", r.spec.Stream.Name, err)
	}
	if err := r.w.Ready(ctx); err != nil {
		return err
	}
	r.w.Set(meter.Getting)
	state := s.CachedInfo().State
	r.w.Begin(r.w.Run().Now())
	for seq := state.FirstSeq; !r.enough(); seq++ {
		if seq > state.LastSeq || state.Msgs == 0 {
			return r.short("the stream")
		}
		start := r.w.Run().Now()
		m, err := s.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // deleted
		}
		if err != nil {
			return fmt.Errorf("getting message %d: %w", seq, err)
		}
		now := r.w.Run().Now()
		r.w.Latency(now-start, now)
		r.take(int64(len(m.Data) + crew.HeaderSize(m.Header)))
		if err := crew.Pause(ctx, r.spec.Sleep); err != nil {
			return err
		}
	}
	return nil
}

// getBatchWork reads batches with direct gets. The clock stops with the last message of the last batch.
func (r *reader) getBatchWork(ctx context.Context) error {
	if err := r.w.Ready(ctx); err != nil {
		return err
	}
	r.w.Set(meter.Getting)
	filter := ">"
	if len(r.spec.Stream.Filters) > 0 {
		filter = r.spec.Stream.Filters[0]
	}
	r.w.Begin(r.w.Run().Now())
	for seq := uint64(1); !r.enough(); {
		n := max(r.spec.Stream.Batch, 1)
		if r.w.Limit > 0 && r.spec.Warmup == 0 {
			n = int(min(int64(n), r.w.Limit-r.got))
		}
		bounded, cancel := context.WithTimeout(ctx, r.w.Group.World.Timeout)
		next, err := r.batch(bounded, seq, n, filter)
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		if next == seq {
			return r.short("the stream")
		}
		seq = next
		if err := crew.Pause(ctx, r.spec.Sleep); err != nil {
			return err
		}
	}
	return nil
}

// batch reads up to n messages from seq on and returns the sequence to go on with: seq itself when there is none.
func (r *reader) batch(ctx context.Context, seq uint64, n int, filter string) (uint64, error) {
	start := r.w.Run().Now()
	msgs, err := jetstreamext.GetBatch(ctx, r.js, r.spec.Stream.Name, n, jetstreamext.GetBatchSeq(seq), jetstreamext.GetBatchSubject(filter))
	if err != nil {
		return seq, fmt.Errorf("getting message from the stream: %w", err)
	}
	next := seq
	for m, err := range msgs {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			break
		}
		if err != nil {
			return seq, fmt.Errorf("getting message from the stream: %w", err)
		}
		next = m.Sequence + 1
		r.take(int64(len(m.Data) + crew.HeaderSize(m.Header)))
	}
	if next != seq {
		now := r.w.Run().Now()
		r.w.Latency(now-start, now)
	}
	return next, nil
}

// prepareBucket makes or finds the bucket of a run. Only the default one is created.
func (g *group) prepareBucket(ctx context.Context, r *meter.Report) (func(), error) {
	ctx, c, err := g.control(ctx)
	if err != nil {
		return nil, err
	}
	r.Host.Server = c.ConnectedServerVersion()
	b := g.Spec.Bucket
	end := g.undo(ctx, c, "bucket "+b.Name, nil)
	_, missing := c.js.KeyValue(ctx, b.Name)
	if b.Purge && missing == nil {
		g.World.Say("Purging the bucket %s", b.Name)
		if err := g.empty(ctx, c, b.Name); err != nil {
			return end, err
		}
	}
	switch {
	case missing == nil && b.Name != DefaultBucket:
		return end, nil
	case b.Name != DefaultBucket, g.Spec.Kind != "kv put" && missing != nil:
		return end, fail.Hint(fmt.Errorf("bucket %s: %w", b.Name, c.told(missing)), "nats bench kv put fills %s", DefaultBucket)
	case g.Spec.Kind != "kv put":
		return end, nil
	}
	if _, err := c.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: b.Name, History: b.History, MaxBytes: b.MaxBytes, Storage: storage(b.Storage), Replicas: b.Replicas}); err != nil {
		return end, fmt.Errorf("creating bucket %s: %w", b.Name, c.told(err))
	}
	if b.Cleanup && errors.Is(missing, jetstream.ErrBucketNotFound) {
		end = g.undo(ctx, c, "bucket "+b.Name, func(ctx context.Context) error { return c.js.DeleteKeyValue(ctx, b.Name) })
	}
	return end, nil
}

// empty removes what a bucket holds and leaves the bucket with its settings.
func (g *group) empty(ctx context.Context, c *control, bucket string) error {
	s, err := c.js.Stream(ctx, "KV_"+bucket)
	if err != nil {
		return fmt.Errorf("bucket %s: %w", bucket, c.told(err))
	}
	if err := s.Purge(ctx); err != nil {
		return fmt.Errorf("purging bucket %s: %w", bucket, c.told(err))
	}
	return nil
}

// DefaultBucket is the bucket that a run may create.
const DefaultBucket = "benchbucket"

// key is the key of message i: its number, or one at random.
func (r *reader) key(i int64) string {
	if n := r.spec.Bucket.Randomize; n > 0 {
		return strconv.FormatInt(rand.Int64N(n), 10)
	}
	return strconv.FormatInt(i, 10)
}

// kvGetWork reads keys.
func (r *reader) kvGetWork(ctx context.Context) error {
	kv, err := r.js.KeyValue(ctx, r.spec.Bucket.Name)
	if err != nil {
		return fmt.Errorf("bucket %s: %w", r.spec.Bucket.Name, err)
	}
	if err := r.w.Ready(ctx); err != nil {
		return err
	}
	r.w.Set(meter.Getting)
	r.w.Begin(r.w.Run().Now())
	read := r.c.Stats().InBytes
	for i := int64(0); r.got < r.w.Share.Messages; i++ {
		key := r.key(r.w.Share.Offset + i)
		start := r.w.Run().Now()
		if _, err := kv.Get(ctx, key); err != nil {
			return fmt.Errorf("getting key '%s': %w", key, err)
		}
		now := r.w.Run().Now()
		r.w.Latency(now-start, now)
		all := r.c.Stats().InBytes // an entry does not tell how large the headers of the answer were
		r.take(int64(all - read))
		read = all
		if err := crew.Pause(ctx, r.spec.Sleep); err != nil {
			return err
		}
	}
	return nil
}

// putter puts values into a bucket with the loops of a publisher.
type putter struct {
	*crew.Client
	w    *crew.Worker
	spec *crew.Spec
	kv   jetstream.KeyValue
	keys reader
	sent int64
	ctx  context.Context
}

func dialPutter(ctx context.Context, g *crew.Group, w *crew.Worker) (crew.Outlet, error) {
	c, err := g.DialNats(ctx, nil)
	if err != nil {
		return nil, err
	}
	js, err := g.World.JetStream(c.Conn)
	if err == nil {
		p := &putter{Client: c, w: w, spec: g.Spec, keys: reader{spec: g.Spec}, ctx: ctx}
		if p.kv, err = js.KeyValue(c.Bound(ctx), g.Spec.Bucket.Name); err == nil {
			return p, nil
		}
		err = fmt.Errorf("bucket %s: %w", g.Spec.Bucket.Name, c.Known(err))
	}
	c.Shut()
	return nil, err
}
