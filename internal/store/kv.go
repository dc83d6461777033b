package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/publish"
)

// Op is what an entry of a bucket records.
type Op string

// The operations. A key that a limit removed comes as Purge, one that a stream operation removed as Delete.
const (
	Put    Op = "PUT"
	Delete Op = "DELETE"
	Purge  Op = "PURGE"
)

const (
	operationHeader = "KV-Operation"
	sizeHeader      = "Nats-Msg-Size"
)

// Entry is one revision of one key.
type Entry struct {
	Bucket, Key string
	Revision    uint64
	Op          Op
	Created     time.Time
	Delta       uint64 // revisions that matched the read and are newer
	Value       []byte // nil when only what stands around it was read
	Size        int    // of the value, bytes
	TTL         string // as the writer gave it, a Go duration; empty when the entry has none of its own
	Header      nats.Header
}

// Bucket is an open key-value bucket.
type Bucket struct {
	c      *Client
	Name   string
	stream jetstream.Stream
	read   string // prefix of the subjects that its stream holds
	write  string // prefix of the subjects that are published to
}

// OpenKV opens a bucket. A mirror is read here and written at its origin.
func (c *Client) OpenKV(ctx context.Context, name string) (*Bucket, error) {
	if err := CheckBucket(name); err != nil {
		return nil, err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	s, err := c.js.Stream(ctx, kvPrefix+name)
	if err != nil {
		return nil, c.bucketError(ctx, KV, name, err)
	}
	b := &Bucket{c: c, Name: name, stream: s, read: "$KV." + name + "."}
	cfg := s.CachedInfo().Config
	if cfg.MaxMsgsPerSubject < 1 {
		return nil, fail.Newf(fail.Failure, "bucket %s: %w: its stream keeps any number of values for a key", name, jetstream.ErrBadBucket)
	}
	api := ""
	if c.prefix != "$JS.API." {
		api = c.prefix
	}
	b.write = api + b.read
	if m := cfg.Mirror; m != nil {
		origin := "$KV." + strings.TrimPrefix(m.Name, kvPrefix) + "."
		b.write = api + origin
		if m.External != nil && m.External.APIPrefix != "" {
			b.write = m.External.APIPrefix + "." + origin
		}
		b.read = origin
	}
	return b, nil
}

// Info is configuration and state as they were when the bucket was opened.
func (b *Bucket) Info() *jetstream.StreamInfo { return b.stream.CachedInfo() }

// History is how many values the bucket keeps for each key.
func (b *Bucket) History() int64 { return b.Info().Config.MaxMsgsPerSubject }

// Get reads the latest value of a key, or the given revision of it when that is not 0. A key that was deleted is not found.
func (b *Bucket) Get(ctx context.Context, key string, revision uint64) (Entry, error) {
	e, err := b.look(ctx, key, revision)
	if err != nil {
		return e, err
	}
	if e.Op != Put {
		gone := fail.Newf(fail.NotFound, "bucket %s: key %s was removed at revision %d: %w", b.Name, key, e.Revision, jetstream.ErrKeyNotFound)
		if b.History() > 1 && e.Op == Delete && revision == 0 {
			return e, gone.WithHint("nats kv history %s %s shows its earlier values", b.Name, key)
		}
		return e, gone
	}
	return e, nil
}

// look reads a revision as it is, a marker too.
func (b *Bucket) look(ctx context.Context, key string, revision uint64) (Entry, error) {
	if err := CheckKey(key); err != nil {
		return Entry{}, err
	}
	bound, cancel := b.c.bounded(ctx)
	defer cancel()
	var m *jetstream.RawStreamMsg
	var err error
	if revision == 0 {
		m, err = b.stream.GetLastMsgForSubject(bound, b.read+key)
	} else {
		m, err = b.stream.GetMsg(bound, revision)
	}
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound) && revision != 0:
		return Entry{}, fail.Newf(fail.NotFound, "bucket %s: key %s has no revision %d: %w", b.Name, key, revision, jetstream.ErrKeyNotFound).
			WithHint("nats kv history %s %s lists the revisions", b.Name, key)
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return Entry{}, b.keyError(ctx, key)
	case err != nil:
		return Entry{}, fmt.Errorf("bucket %s: key %s: %w", b.Name, key, err)
	case m.Subject != b.read+key:
		return Entry{}, fail.Newf(fail.NotFound, "bucket %s: key %s has no revision %d, that is %s: %w", b.Name, key, revision, strings.TrimPrefix(m.Subject, b.read), jetstream.ErrKeyNotFound)
	}
	return b.entry(m.Subject, m.Header, m.Data, m.Sequence, m.Time), nil
}

// Fresh reads a revision that was just written, from the leader: any other server may not have heard of it yet.
func (b *Bucket) Fresh(ctx context.Context, revision uint64) (Entry, error) {
	m, err := b.c.leaderMsg(ctx, b.Info().Config.Name, map[string]any{"seq": revision})
	if err != nil {
		return Entry{}, fmt.Errorf("bucket %s: revision %d: %w", b.Name, revision, err)
	}
	h := nats.Header{}
	if len(m.Headers) > 0 {
		if h, err = nats.DecodeHeadersMsg(m.Headers); err != nil {
			return Entry{}, fmt.Errorf("bucket %s: revision %d: %w", b.Name, revision, err)
		}
	}
	return b.entry(m.Subject, h, m.Data, m.Sequence, m.Time), nil
}

// nearKeys bounds how many keys are looked at for names near a missing one.
const nearKeys = 10_000

// keyError is what a missing key is reported by, with the keys that come near when the bucket is small.
func (b *Bucket) keyError(ctx context.Context, key string) error {
	err := fail.Newf(fail.NotFound, "bucket %s: key %s: %w", b.Name, key, jetstream.ErrKeyNotFound)
	if b.Info().State.NumSubjects == 0 || b.Info().State.NumSubjects > nearKeys {
		return err
	}
	var keys []string
	_ = b.c.subjects(ctx, b.Info().Config.Name, b.read+All, func(subject string, _ uint64) error {
		keys = append(keys, strings.TrimPrefix(subject, b.read))
		return nil
	})
	if hint := fail.DidYouMean("", key, keys); hint != "" {
		return err.WithHint("%s", hint)
	}
	return err
}

// entry reads one message of the stream.
func (b *Bucket) entry(subject string, h nats.Header, data []byte, seq uint64, at time.Time) Entry {
	e := Entry{Bucket: b.Name, Key: strings.TrimPrefix(subject, b.read), Revision: seq, Op: Put, Created: at, Value: data, Size: len(data), Header: h}
	if len(h) == 0 {
		return e
	}
	switch {
	case h.Get(operationHeader) == "DEL", h.Get(jetstream.MarkerReasonHeader) == "Remove":
		e.Op = Delete
	case h.Get(operationHeader) == "PURGE", h.Get(jetstream.MarkerReasonHeader) != "":
		e.Op = Purge
	}
	e.TTL = h.Get(jetstream.MsgTTLHeader)
	if n, err := strconv.Atoi(h.Get(sizeHeader)); err == nil {
		e.Size, e.Value = n, nil
	}
	return e
}

// WriteOptions say how a value is written.
type WriteOptions struct {
	TTL    time.Duration // the entry's own life; needs a bucket with limit markers
	Expect *uint64       // the revision that must be the latest one of the key; 0: the key must not exist
}

// Put writes a value and returns its revision.
func (b *Bucket) Put(ctx context.Context, key string, value []byte, o WriteOptions) (uint64, error) {
	return b.publish(ctx, key, Put, value, o)
}

// Create writes a value only if the key has none, or only a marker; the revision is returned.
func (b *Bucket) Create(ctx context.Context, key string, value []byte, ttl time.Duration) (uint64, error) {
	var none uint64
	rev, err := b.publish(ctx, key, Put, value, WriteOptions{TTL: ttl, Expect: &none})
	if !wrongSequence(err) {
		return rev, err
	}
	last, lookErr := b.look(ctx, key, 0)
	if lookErr != nil {
		return 0, lookErr
	}
	if last.Op == Put {
		// The library's ErrKeyExists is an API error with a text of its own; only its words are wanted behind the server's.
		return 0, fail.Newf(fail.Failure, "%w: key exists at revision %d", err, last.Revision).
			WithHint("nats kv update %s %s VALUE %d replaces it", b.Name, key, last.Revision)
	}
	return b.publish(ctx, key, Put, value, WriteOptions{TTL: ttl, Expect: &last.Revision})
}

// Update writes a value only if revision is the latest one of the key.
func (b *Bucket) Update(ctx context.Context, key string, value []byte, revision uint64, ttl time.Duration) (uint64, error) {
	return b.mismatch(b.publish(ctx, key, Put, value, WriteOptions{TTL: ttl, Expect: &revision}))(ctx, key)
}

// Remove writes a marker: Delete keeps earlier values in the history, Purge removes them. The marker's revision is returned.
func (b *Bucket) Remove(ctx context.Context, key string, op Op, o WriteOptions) (uint64, error) {
	return b.mismatch(b.publish(ctx, key, op, nil, o))(ctx, key)
}

// mismatch puts the revision that the key is at into the error of a write that expected another.
func (b *Bucket) mismatch(rev uint64, err error) func(context.Context, string) (uint64, error) {
	return func(ctx context.Context, key string) (uint64, error) {
		if !wrongSequence(err) {
			return rev, err
		}
		failed := fail.Newf(fail.Failure, "%w: %w", err, jetstream.ErrKeyRevisionMismatch)
		if last, lookErr := b.look(ctx, key, 0); lookErr == nil {
			return 0, failed.WithHint("the key is at revision %d", last.Revision)
		}
		return 0, failed
	}
}

func (b *Bucket) publish(ctx context.Context, key string, op Op, value []byte, o WriteOptions) (uint64, error) {
	if err := CheckKey(key); err != nil {
		return 0, err
	}
	m := b.message(key, op, value, o)
	bound, cancel := b.c.bounded(ctx)
	defer cancel()
	reply, err := b.c.nc.RequestMsgWithContext(bound, m)
	if err != nil {
		if errors.Is(err, nats.ErrNoResponders) {
			err = jetstream.ErrNoStreamResponse
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return 0, fmt.Errorf("bucket %s: key %s: %w", b.Name, key, err)
	}
	ack, err := publish.ParseAck(reply)
	if err != nil {
		return 0, fmt.Errorf("bucket %s: key %s: %w", b.Name, key, unstored(err))
	}
	return ack.Sequence, nil
}

// unstored is why a message was not stored, in the words of the client library.
func unstored(err error) error {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api):
		return api
	case errors.Is(err, nats.ErrNoResponders):
		return jetstream.ErrNoStreamResponse
	}
	return err
}

// message is the publish that writes an entry.
func (b *Bucket) message(key string, op Op, value []byte, o WriteOptions) *nats.Msg {
	m := &nats.Msg{Subject: b.write + key, Data: value}
	if op == Put && o.TTL == 0 && o.Expect == nil {
		return m
	}
	m.Header = nats.Header{}
	switch op {
	case Delete:
		m.Header.Set(operationHeader, "DEL")
	case Purge:
		m.Header.Set(operationHeader, "PURGE")
		m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	}
	if o.TTL > 0 {
		m.Header.Set(jetstream.MsgTTLHeader, o.TTL.String())
	}
	if o.Expect != nil {
		m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(*o.Expect, 10))
	}
	return m
}

// wrongSequence tells whether a write was refused because the key is at another revision; replicated streams have a number
// of their own for it.
func wrongSequence(err error) bool { return apiCode(err, 10071, 10164) }

// subjects hands the subjects of a stream that match filter, with the messages of each, page by page.
func (c *Client) subjects(ctx context.Context, stream, filter string, each func(subject string, messages uint64) error) error {
	for offset := 0; ; {
		var page struct {
			Total int `json:"total"`
			State struct {
				Subjects map[string]uint64 `json:"subjects"`
			} `json:"state"`
		}
		if err := c.request(ctx, "STREAM.INFO."+stream, map[string]any{"subjects_filter": filter, "offset": offset}, &page); err != nil {
			return err
		}
		for s, n := range page.State.Subjects {
			if err := each(s, n); err != nil {
				return err
			}
		}
		offset += len(page.State.Subjects)
		if len(page.State.Subjects) == 0 || offset >= page.Total {
			return nil
		}
	}
}
