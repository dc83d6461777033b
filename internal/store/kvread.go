package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/natskit/natskit/internal/fail"
)

// Read says which entries of a bucket are read.
type Read struct {
	Patterns []string // keys and patterns; none means all
	History  bool     // every revision that is kept, not the latest alone
	Updates  bool     // only what is written from now on
	From     uint64   // from this revision on
	Deletes  bool     // markers too
	Meta     bool     // values are not wanted
	Live     bool     // go on with what is written later, until ctx ends
	Start    func() error
	AtEnd    func() error // called when what was there at the start has been handed over
}

// Read hands entries to each in the order of their revisions. Memory does not grow with the bucket. A key that is written
// while a listing runs may come twice.
func (b *Bucket) Read(ctx context.Context, r Read, each func(Entry) error) error {
	return b.lend(ctx, r, func(e Entry) error {
		e.Value = bytes.Clone(e.Value)
		return each(e)
	})
}

// lend is Read with values that are valid until each returns.
func (b *Bucket) lend(ctx context.Context, r Read, each func(Entry) error) error {
	p, err := newPatterns(r.Patterns)
	if err != nil {
		return err
	}
	cfg := &b.Info().Config
	spec := scanSpec{stream: cfg.Name, keep: cfg.ConsumerLimits.InactiveThreshold, live: r.Live, headersOnly: r.Meta && b.headersPay()}
	switch {
	case r.Updates:
		spec.from = fromNew
	case r.From > 0:
		spec.from, spec.seq = fromSeq, r.From
	case !r.History && b.History() > 1:
		spec.from = fromLast // with one value for each key all of them are the last ones, and reading them costs the server less
	}
	for _, f := range p.filters {
		spec.filters = append(spec.filters, b.read+f)
	}
	if len(spec.filters) == 0 && b.foreign() {
		spec.filters = []string{b.read + All}
	}
	s, err := b.c.openScan(ctx, spec)
	if err != nil {
		return fmt.Errorf("bucket %s: %w", b.Name, err)
	}
	defer s.close(ctx)
	if r.Start != nil {
		if err := r.Start(); err != nil {
			return err
		}
	}
	return s.each(ctx, r.AtEnd, func(m scanned) error {
		e := b.entry(m.msg.Subject, m.msg.Header, m.msg.Data, m.seq, m.time)
		e.Delta = m.pending
		if e.Op != Put && !r.Deletes || p.local && !p.match(e.Key) {
			return nil
		}
		if r.Meta {
			e.Value = nil
		}
		return each(e)
	})
}

// headersPay tells whether leaving the values out is worth the headers that stand in for them.
func (b *Bucket) headersPay() bool {
	st := b.Info().State
	return st.Msgs > 0 && st.Bytes/st.Msgs > 512
}

// foreign tells whether the stream holds subjects that are none of the bucket's keys.
func (b *Bucket) foreign() bool {
	cfg := b.Info().Config
	return cfg.Mirror == nil && (len(cfg.Subjects) != 1 || cfg.Subjects[0] != b.read+All)
}

// History reads every revision of the keys that match, oldest first, markers too.
func (b *Bucket) HistoryOf(ctx context.Context, pattern string) ([]Entry, error) {
	out := []Entry{}
	err := b.Read(ctx, Read{Patterns: []string{pattern}, History: true, Deletes: true}, func(e Entry) error {
		out = append(out, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		if IsPattern(pattern) {
			return nil, fail.Newf(fail.NotFound, "bucket %s: no key matches %s: %w", b.Name, pattern, jetstream.ErrKeyNotFound)
		}
		return nil, b.keyError(ctx, pattern)
	}
	return out, nil
}

// multiLast is how many subjects the server answers for in one request.
const multiLast = 1024

// Latest hands the latest values of keys and patterns to each, in the order of their revisions within each request, and
// returns which of the plain keys have no value. A few batched requests do it where the bucket allows direct reads.
func (b *Bucket) Latest(ctx context.Context, wanted []string, each func(Entry) error) (missing []string, err error) {
	var keys, wild []string
	for _, w := range wanted {
		if err := CheckPattern(w); err != nil {
			return nil, err
		}
		if IsPattern(w) {
			wild = append(wild, w)
		} else if !slices.Contains(keys, w) {
			keys = append(keys, w)
		}
	}
	seen := map[string]bool{}
	one := func(e Entry) error {
		if seen[e.Key] {
			return nil
		}
		seen[e.Key] = true
		return each(e)
	}
	for chunk := range slices.Chunk(keys, multiLast) {
		if err := b.latestKeys(ctx, chunk, one); err != nil {
			return nil, err
		}
	}
	for _, k := range keys {
		if !seen[k] {
			missing = append(missing, k)
		}
	}
	if len(wild) == 0 {
		return missing, nil
	}
	return missing, b.Read(ctx, Read{Patterns: wild}, one)
}

// latestKeys reads the latest values of at most multiLast keys.
func (b *Bucket) latestKeys(ctx context.Context, keys []string, each func(Entry) error) error {
	if !b.Info().Config.AllowDirect {
		return b.latestOneByOne(ctx, keys, each)
	}
	for len(keys) > 0 {
		subjects := make([]string, len(keys))
		for i, k := range keys {
			subjects[i] = b.read + k
		}
		more, got, err := b.batch(ctx, subjects, each)
		switch {
		case errors.Is(err, jetstreamext.ErrBatchUnsupported), errors.Is(err, nats.ErrNoResponders):
			return b.latestOneByOne(ctx, keys, each)
		case err != nil:
			return err
		case !more:
			return nil
		}
		keys = slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return got[k] })
	}
	return nil
}

// batch makes one request for the last messages of subjects. more tells that the answer was cut short by its size.
func (b *Bucket) batch(ctx context.Context, subjects []string, each func(Entry) error) (more bool, got map[string]bool, err error) {
	bound, cancel := b.c.bounded(ctx)
	defer cancel()
	got = map[string]bool{}
	msgs, err := jetstreamext.GetLastMsgsFor(bound, b.c.js, b.Info().Config.Name, subjects)
	if err != nil {
		return false, got, err
	}
	pending := uint64(0)
	for m, err := range msgs {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return false, got, nil
		}
		if err != nil {
			return false, got, err
		}
		e := b.entry(m.Subject, m.Header, m.Data, m.Sequence, m.Time)
		got[e.Key] = true
		pending, _ = strconv.ParseUint(m.Header.Get("Nats-Num-Pending"), 10, 64)
		if e.Op != Put {
			continue
		}
		if err := each(e); err != nil {
			return false, got, err
		}
	}
	return pending > 0 && len(got) > 0, got, nil
}

func (b *Bucket) latestOneByOne(ctx context.Context, keys []string, each func(Entry) error) error {
	for _, k := range keys {
		e, err := b.look(ctx, k, 0)
		if errors.Is(err, jetstream.ErrKeyNotFound) || err == nil && e.Op != Put {
			continue
		}
		if err != nil {
			return err
		}
		if err := each(e); err != nil {
			return err
		}
	}
	return nil
}
