package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/publish"
)

func TestWriting(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	b := bucket(t, c, "B", KVSettings{History: ptr(int64(5))})
	rev := must[uint64](t)(b.Put(ctx, "a", []byte("v1"), WriteOptions{}))
	_, err := b.Create(ctx, "a", []byte("x"), 0)
	wantCode(t, err, fail.Failure, "wrong last sequence: 1", "key exists", "10071")
	_, err = b.Update(ctx, "a", []byte("x"), 99, 0)
	wantCode(t, err, fail.Failure, "key revision mismatch")
	if !strings.Contains(fail.HintOf(err), "revision 1") {
		t.Errorf("hint %q", fail.HintOf(err))
	}
	rev2 := must[uint64](t)(b.Update(ctx, "a", []byte("v2"), rev, 0))
	_, err = b.Remove(ctx, "a", Delete, WriteOptions{Expect: &rev})
	wantCode(t, err, fail.Failure, "mismatch")
	must[uint64](t)(b.Remove(ctx, "a", Delete, WriteOptions{Expect: &rev2}))
	_, err = b.Get(ctx, "a", 0)
	wantCode(t, err, fail.NotFound, "key not found", "removed")
	if e := must[Entry](t)(b.Get(ctx, "a", rev)); string(e.Value) != "v1" {
		t.Errorf("old revision: %q", e.Value)
	}
	must[uint64](t)(b.Create(ctx, "a", []byte("v3"), 0))
	hist := must[[]Entry](t)(b.HistoryOf(ctx, "a"))
	var ops []string
	for _, e := range hist {
		ops = append(ops, string(e.Op)+":"+string(e.Value))
	}
	if got := strings.Join(ops, " "); got != "PUT:v1 PUT:v2 DELETE: PUT:v3" {
		t.Errorf("history %q", got)
	}
	must[uint64](t)(b.Remove(ctx, "a", Purge, WriteOptions{}))
	if h := must[[]Entry](t)(b.HistoryOf(ctx, "a")); len(h) != 1 || h[0].Op != Purge {
		t.Errorf("after the purge: %+v", h)
	}
	_, err = b.Put(ctx, "a", nil, WriteOptions{TTL: time.Hour})
	wantCode(t, err, fail.Failure, "10166")
	for _, bad := range []string{"", ".a", "a.", "a..b", "a b", "a*", "é"} {
		_, err := b.Put(ctx, bad, nil, WriteOptions{})
		wantCode(t, err, fail.Usage)
	}
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	b := bucket(t, c, "B", KVSettings{})
	must[uint64](t)(b.Put(ctx, "config.port", []byte("1"), WriteOptions{}))
	must[uint64](t)(b.Put(ctx, "other", []byte("1"), WriteOptions{}))
	b = must[*Bucket](t)(c.OpenKV(ctx, "B"))
	_, err := b.Get(ctx, "config.prot", 0)
	wantCode(t, err, fail.NotFound, "config.prot", "key not found")
	if !errors.Is(err, jetstream.ErrKeyNotFound) || !strings.Contains(fail.HintOf(err), "config.port") {
		t.Errorf("hint %q", fail.HintOf(err))
	}
	_, err = b.Get(ctx, "config.port", 77)
	wantCode(t, err, fail.NotFound, "revision 77")
	_, err = b.Get(ctx, "config.port", 2)
	wantCode(t, err, fail.NotFound, "that is other")
	_, err = b.HistoryOf(ctx, "x.*")
	wantCode(t, err, fail.NotFound, "x.*")
}

func TestTTLOfKeys(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	b := bucket(t, c, "B", KVSettings{MarkerTTL: ptr(time.Minute)})
	must[uint64](t)(b.Put(ctx, "a", []byte("v"), WriteOptions{TTL: time.Hour}))
	must[uint64](t)(b.Create(ctx, "c", []byte("v"), 2*time.Hour))
	must[uint64](t)(b.Remove(ctx, "d", Purge, WriteOptions{TTL: time.Hour}))
	if e := must[Entry](t)(b.Get(ctx, "a", 0)); e.TTL != "1h0m0s" {
		t.Errorf("ttl %q", e.TTL)
	}
	if e := must[Entry](t)(b.Get(ctx, "c", 0)); e.TTL != "2h0m0s" {
		t.Errorf("ttl %q", e.TTL)
	}
}

// fill writes n keys through the publisher.
func fill(t testing.TB, b *Bucket, prefix string, n int, value []byte) {
	t.Helper()
	p := must[*publish.Window[int]](t)(publish.Beside(t.Context(), b.c.nc, publish.Config[int]{Idle: b.c.timeout, Done: func(_ int, _ publish.Ack, err error) {
		if err != nil {
			t.Error(err)
		}
	}}))
	defer p.Close()
	for i := range n {
		ok(t, p.Send(t.Context(), i, b.message(fmt.Sprintf("%s.%06d", prefix, i), Put, value, WriteOptions{})))
	}
	ok(t, p.Wait(t.Context()))
}

// manyKeys are more than are on their way at once.
const manyKeys = 2000

func TestReadWholeBuckets(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	const n = 3*manyKeys + 7
	for _, history := range []int64{1, 4} {
		b := bucket(t, c, fmt.Sprintf("H%d", history), KVSettings{History: &history, Storage: "memory"})
		fill(t, b, "k", n, []byte("one"))
		fill(t, b, "k", 10, []byte("two"))
		must[uint64](t)(b.Remove(ctx, "k.000003", Delete, WriteOptions{}))
		for _, meta := range []bool{false, true} {
			seen := map[string]string{}
			ok(t, b.Read(ctx, Read{Meta: meta}, func(e Entry) error {
				seen[e.Key] += string(e.Value)
				if e.Size != 3 || e.Revision == 0 || e.Created.IsZero() {
					t.Errorf("%+v", e)
				}
				return nil
			}))
			if len(seen) != n-1 || !meta && (seen["k.000001"] != "two" || seen["k.000100"] != "one") {
				t.Errorf("history %d: %d keys, %q %q", history, len(seen), seen["k.000001"], seen["k.000100"])
			}
		}
		count := must[Tally](t)(b.Count(ctx, []string{"k.00000*"}))
		if count.Keys != 9 || count.Bytes != 27 {
			t.Errorf("count %+v", count)
		}
		wantNoConsumers(t, c, "KV_"+b.Name)
	}
}

func TestReadHeadersOnlyForLargeValues(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	b := bucket(t, c, "B", KVSettings{})
	must[uint64](t)(b.Put(ctx, "a", make([]byte, 4096), WriteOptions{}))
	must[uint64](t)(b.Put(ctx, "gone", make([]byte, 4096), WriteOptions{}))
	must[uint64](t)(b.Put(ctx, "b", make([]byte, 4096), WriteOptions{}))
	b = must[*Bucket](t)(c.OpenKV(ctx, "B"))
	if !b.headersPay() {
		t.Fatal("values of 4 KiB are read")
	}
	must[uint64](t)(b.Remove(ctx, "gone", Delete, WriteOptions{}))
	count := must[Tally](t)(b.Count(ctx, nil))
	if count.Keys != 2 || count.Bytes != 8192 {
		t.Errorf("%+v", count)
	}
}

func TestValuesLargerThanARequest(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	b := bucket(t, c, "B", KVSettings{Storage: "memory"})
	for i := range 20 { // 20 × 900 KiB: several requests, none of which may stall
		must[uint64](t)(b.Put(ctx, fmt.Sprintf("k%02d", i), make([]byte, 900<<10), WriteOptions{}))
	}
	n := 0
	ok(t, b.Read(ctx, Read{}, func(Entry) error { n++; return nil }))
	if n != 20 {
		t.Errorf("%d of 20 came", n)
	}
}

func TestLatest(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	b := bucket(t, c, "B", KVSettings{})
	fill(t, b, "k", 2500, []byte("v"))
	must[uint64](t)(b.Remove(ctx, "k.000005", Delete, WriteOptions{}))
	var want []string
	for i := range 2500 {
		want = append(want, fmt.Sprintf("k.%06d", i))
	}
	got := map[string]bool{}
	missing, err := b.Latest(ctx, append(want, "no.such", "k.000001", "k.00000*"), func(e Entry) error {
		if got[e.Key] {
			t.Errorf("%s came twice", e.Key)
		}
		got[e.Key] = true
		return nil
	})
	ok(t, err)
	if len(got) != 2499 || !slices.Equal(missing, []string{"k.000005", "no.such"}) {
		t.Errorf("%d keys, missing %q", len(got), missing)
	}
	_, err = c.js.UpdateStream(ctx, func() jetstream.StreamConfig { cfg := b.Info().Config; cfg.AllowDirect = false; return cfg }())
	ok(t, err)
	b = must[*Bucket](t)(c.OpenKV(ctx, "B"))
	n := 0
	missing, err = b.Latest(ctx, []string{"k.000001", "k.000005", "zz"}, func(Entry) error { n++; return nil })
	ok(t, err)
	if n != 1 || len(missing) != 2 {
		t.Errorf("without direct reads: %d, missing %q", n, missing)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	c := serve(t)
	b := bucket(t, c, "B", KVSettings{History: ptr(int64(3))})
	must[uint64](t)(b.Put(t.Context(), "a", []byte("1"), WriteOptions{}))
	must[uint64](t)(b.Put(t.Context(), "a", []byte("2"), WriteOptions{}))
	run := func(r Read, stopAt int) string {
		t.Helper()
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		var out []string
		r.Live = true
		r.Start = func() error {
			must[uint64](t)(b.Put(ctx, "b", []byte("live"), WriteOptions{}))
			must[uint64](t)(b.Remove(ctx, "b", Delete, WriteOptions{}))
			return nil
		}
		r.AtEnd = func() error { out = append(out, "|"); return nil }
		err := b.Read(ctx, r, func(e Entry) error {
			out = append(out, string(e.Op)+" "+e.Key+string(e.Value))
			if len(out) >= stopAt {
				cancel(fail.ErrInterrupted)
			}
			return nil
		})
		if !errors.Is(err, fail.ErrInterrupted) {
			t.Errorf("ended by %v", err)
		}
		wantNoConsumers(t, c, "KV_B")
		must[uint64](t)(b.Remove(t.Context(), "b", Purge, WriteOptions{}))
		_, err = b.purge(t.Context(), "b", 0)
		ok(t, err)
		return strings.Join(out, ", ")
	}
	if got := run(Read{Deletes: true}, 4); got != "PUT a2, |, PUT blive, DELETE b" {
		t.Errorf("latest: %s", got)
	}
	if got := run(Read{Deletes: true, History: true}, 5); got != "PUT a1, PUT a2, |, PUT blive, DELETE b" {
		t.Errorf("history: %s", got)
	}
	if got := run(Read{Updates: true}, 2); got != "|, PUT blive" {
		t.Errorf("updates: %s", got)
	}
	if got := run(Read{From: 2, Patterns: []string{"a", "b"}}, 3); got != "PUT a2, |, PUT blive" {
		t.Errorf("from a revision: %s", got)
	}
}

func TestWatchSurvivesLossOfItsConsumer(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	b := bucket(t, c, "B", KVSettings{History: ptr(int64(5))})
	fill(t, b, "k", 2*manyKeys, []byte("v"))
	stream := must[jetstream.Stream](t)(c.js.Stream(ctx, "KV_B"))
	seen := map[string]int{}
	n := 0
	ok(t, b.Read(ctx, Read{}, func(e Entry) error {
		seen[e.Key]++
		if n++; n == manyKeys/2 {
			for name := range stream.ConsumerNames(ctx).Name() {
				ok(t, stream.DeleteConsumer(ctx, name))
			}
		}
		return nil
	}))
	if len(seen) != 2*manyKeys {
		t.Errorf("%d keys", len(seen))
	}
	for k, times := range seen {
		if times != 1 {
			t.Fatalf("%s came %d times", k, times)
		}
	}
	wantNoConsumers(t, c, "KV_B")
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	rows := []struct {
		pattern, key string
		want         bool
	}{
		{">", "a.b", true}, {"a.*", "a.b", true}, {"a.*", "a.b.c", false}, {"a.>", "a", false}, {"a.>", "a.b.c", true},
		{"user-*", "user-1", true}, {"user-*", "user-1.x", false}, {"*-x.y", "1-x.y", true}, {"a/*", "a/b/c", true}, {"a", "b", false},
	}
	for _, r := range rows {
		if got := matches(r.pattern, r.key); got != r.want {
			t.Errorf("matches(%q, %q) = %v", r.pattern, r.key, got)
		}
	}
	for _, bad := range []string{"", "a>", ">.a", "a..b", "a b", ".", "a."} {
		if err := CheckPattern(bad); fail.CodeOf(err) != fail.Usage {
			t.Errorf("%q: %v", bad, err)
		}
	}
	p := must[patterns](t)(newPatterns([]string{"a.*", "a.b", "c"}))
	if !slices.Equal(p.filters, []string{"a.*", "c"}) || p.local {
		t.Errorf("%+v", p)
	}
	p = must[patterns](t)(newPatterns([]string{"a.*", "*.b"}))
	if p.filters != nil || !p.local || !p.match("x.b") || p.match("x.c") {
		t.Errorf("overlapping: %+v", p)
	}
}
