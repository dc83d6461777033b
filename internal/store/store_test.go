package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

// serve starts a server of the test's own and returns a client on it.
func serve(t testing.TB) *Client {
	t.Helper()
	return New(testkit.Server(t).JS())
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

func ptr[T any](v T) *T { return &v }

// bucket makes a bucket and opens it.
func bucket(t testing.TB, c *Client, name string, s KVSettings) *Bucket {
	t.Helper()
	ok(t, c.CreateKV(t.Context(), name, s))
	return must[*Bucket](t)(c.OpenKV(t.Context(), name))
}

// wantNoConsumers fails when a stream has consumers left.
func wantNoConsumers(t testing.TB, c *Client, stream string) {
	t.Helper()
	s := must[jetstream.Stream](t)(c.js.Stream(t.Context(), stream))
	if n := s.CachedInfo().State.Consumers; n != 0 {
		t.Errorf("stream %s has %d consumers left", stream, n)
	}
}

func wantCode(t testing.TB, err error, code fail.Code, parts ...string) {
	t.Helper()
	if err == nil || fail.CodeOf(err) != code {
		t.Fatalf("error %v has code %d, want %d", err, fail.CodeOf(err), code)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q says nothing of %q", err, p)
		}
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	for i := range 300 { // more than a page
		ok(t, c.CreateKV(ctx, fmt.Sprintf("B%03d", i), KVSettings{Storage: "memory"}))
	}
	ok(t, c.CreateObjects(ctx, "FILES", ObjectSettings{}))
	ok(t, c.CreateKV(ctx, "MIRROR", KVSettings{Mirror: "B001"}))
	n, mirror := 0, false
	ok(t, c.Buckets(ctx, KV, func(l Listed) error {
		n++
		mirror = mirror || l.Name == "MIRROR"
		if l.Info == nil || l.Unreachable != "" {
			t.Errorf("%+v", l)
		}
		return nil
	}))
	if n != 301 || !mirror {
		t.Errorf("%d buckets, mirror listed: %v", n, mirror)
	}
	names := must[[]string](t)(c.Names(ctx, Object))
	if len(names) != 1 || names[0] != "FILES" {
		t.Errorf("object buckets: %q", names)
	}
	_, err := c.OpenKV(ctx, "MIROR")
	wantCode(t, err, fail.NotFound, "MIROR", "bucket not found")
	if h := fail.HintOf(err); !strings.Contains(h, "MIRROR") {
		t.Errorf("hint %q", h)
	}
	ok(t, c.Remove(ctx, KV, "MIRROR"))
	wantCode(t, c.Remove(ctx, KV, "MIRROR"), fail.NotFound, "MIRROR")
	_, err = c.Info(ctx, KV, "bad.name")
	wantCode(t, err, fail.Usage, "bad.name")
}

func TestCreateKVConfig(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	full := KVSettings{
		History: ptr(int64(5)), TTL: ptr(time.Hour), MarkerTTL: ptr(30 * time.Second), MaxValueSize: ptr(int64(1 << 20)), MaxBytes: ptr(int64(10 << 20)),
		Compress: ptr(true), Metadata: map[string]string{"a": "b"}, Description: ptr("desc"), Storage: "m",
		RepublishSource: ">", RepublishDestination: "rep.>", RepublishHeaders: true,
	}
	ok(t, c.CreateKV(ctx, "FULL", full))
	ok(t, c.CreateKV(ctx, "FULL", full)) // the same again
	cfg := must[*jetstream.StreamInfo](t)(c.Info(ctx, KV, "FULL")).Config
	switch {
	case cfg.MaxMsgsPerSubject != 5, cfg.MaxAge != time.Hour, !cfg.AllowMsgTTL, cfg.SubjectDeleteMarkerTTL != 30*time.Second, cfg.MaxMsgSize != 1<<20,
		cfg.MaxBytes != 10<<20, cfg.Compression != jetstream.S2Compression, cfg.Discard != jetstream.DiscardNew, !cfg.DenyDelete, cfg.DenyPurge,
		!cfg.AllowRollup, !cfg.AllowDirect, cfg.Storage != jetstream.MemoryStorage, cfg.RePublish == nil || !cfg.RePublish.HeadersOnly,
		cfg.Duplicates != 2*time.Minute, len(cfg.Subjects) != 1 || cfg.Subjects[0] != "$KV.FULL.>":
		t.Errorf("%+v", cfg)
	}
	full.History = ptr(int64(6))
	err := c.CreateKV(ctx, "FULL", full)
	wantCode(t, err, fail.Failure, "bucket name already in use: FULL", "err_code=10058")
	if !errors.Is(err, jetstream.ErrBucketExists) {
		t.Error("the error is not ErrBucketExists")
	}
	wantCode(t, c.CreateKV(ctx, "BIG", KVSettings{MaxValueSize: ptr(int64(3 << 30))}), fail.Usage, "max-value-size")
	for _, bad := range []KVSettings{
		{RepublishSource: ">"}, {Mirror: "a", Sources: []string{"b"}}, {MirrorDomain: "d"}, {MaxValueSize: ptr(int64(5 << 30))}, {Sources: []string{"a.b"}},
	} {
		wantCode(t, bad.Check(), fail.Usage)
	}
}

func TestEditKV(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	ok(t, c.CreateKV(ctx, "SRC", KVSettings{}))
	ok(t, c.CreateKV(ctx, "B", KVSettings{Description: ptr("d"), Metadata: map[string]string{"k": "v"}, MaxBytes: ptr(int64(5 << 30))}))
	edit := func(s KVSettings) []Change {
		t.Helper()
		d := must[*Draft](t)(c.EditKV(ctx, "B", s))
		changes := d.Changes()
		ok(t, d.Apply(ctx))
		return changes
	}
	if got := edit(KVSettings{History: ptr(int64(3)), TTL: ptr(time.Hour)}); len(got) != 2 || got[0].Setting != "max_age" || got[1].Setting != "max_msgs_per_subject" {
		t.Errorf("changes %+v", got)
	}
	if got := edit(KVSettings{History: ptr(int64(3))}); len(got) != 0 {
		t.Errorf("an edit that changes nothing has changes %+v", got)
	}
	edit(KVSettings{Sources: []string{"SRC"}})
	if got := edit(KVSettings{Sources: []string{"SRC"}}); len(got) != 0 {
		t.Errorf("a source added again: %+v", got)
	}
	cfg := must[*jetstream.StreamInfo](t)(c.Info(ctx, KV, "B")).Config
	if len(cfg.Sources) != 1 || cfg.Sources[0].SubjectTransforms[0].Destination != "$KV.B.>" || cfg.Description != "d" || cfg.MaxBytes != 5<<30 || cfg.Metadata["k"] != "v" {
		t.Errorf("%+v", cfg)
	}
	edit(KVSettings{RemoveSources: []string{"SRC"}, TTL: ptr(time.Duration(0)), Metadata: map[string]string{"x": "y"}, MarkerTTL: ptr(time.Minute), Compress: ptr(true)})
	cfg = must[*jetstream.StreamInfo](t)(c.Info(ctx, KV, "B")).Config
	if len(cfg.Sources) != 0 || cfg.MaxAge != 0 || cfg.Metadata["k"] != "" || cfg.Metadata["x"] != "y" || !cfg.AllowMsgTTL || cfg.Compression != jetstream.S2Compression {
		t.Errorf("%+v", cfg)
	}
	_, err := c.EditKV(ctx, "B", KVSettings{RemoveSources: []string{"NO"}})
	wantCode(t, err, fail.NotFound, "NO")
	_, err = c.EditKV(ctx, "B", KVSettings{NoMirror: true})
	wantCode(t, err, fail.Usage, "mirror")
	ok(t, c.CreateKV(ctx, "M", KVSettings{Mirror: "B"}))
	d := must[*Draft](t)(c.EditKV(ctx, "M", KVSettings{NoMirror: true}))
	ok(t, d.Apply(ctx))
	m := bucket(t, c, "M2", KVSettings{Mirror: "B"})
	if _, err := m.Put(ctx, "a", []byte("through"), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if e := must[Entry](t)(must[*Bucket](t)(c.OpenKV(ctx, "B")).Get(ctx, "a", 0)); string(e.Value) != "through" {
		t.Errorf("written through a mirror: %q", e.Value)
	}
	promoted := must[*Bucket](t)(c.OpenKV(ctx, "M"))
	must[uint64](t)(promoted.Put(ctx, "own", nil, WriteOptions{}))
}

func ExampleLines() {
	for _, l := range Lines("a\nb\nc\n", "a\nx\nc\nd\n") {
		fmt.Println(l.Mark + l.Text)
	}
	// Output:
	//  a
	// -b
	// +x
	//  c
	// +d
}
