package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
)

func objects(t testing.TB, c *Client, name string, s ObjectSettings) *Objects {
	t.Helper()
	ok(t, c.CreateObjects(t.Context(), name, s))
	return must[*Objects](t)(c.OpenObjects(t.Context(), name))
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func put(t testing.TB, o *Objects, p PutObject, data []byte) *ObjectInfo {
	t.Helper()
	return must[*ObjectInfo](t)(o.Put(t.Context(), p, bytes.NewReader(data)))
}

func content(t testing.TB, o *Objects, name string) []byte {
	t.Helper()
	at, info, err := o.Follow(t.Context(), name)
	ok(t, err)
	var b bytes.Buffer
	ok(t, at.Read(t.Context(), info, &b, Fetch{}))
	return b.Bytes()
}

func TestObjectsRoundTrip(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	o := objects(t, c, "B", ObjectSettings{})
	for _, n := range []int{0, 1, 1000, 1024, 1025, 5000, 300 << 10} {
		data := randomBytes(n)
		info := put(t, o, PutObject{Name: "dir/ä file", ChunkSize: 1024, Description: "d", Headers: nats.Header{"X": {"y"}}, Metadata: map[string]string{"k": "v"}}, data)
		sum := sha256.Sum256(data)
		digest, found := Digest(info)
		if info.Size != uint64(n) || int(info.Chunks) != (n+1023)/1024 || !found || !bytes.Equal(digest, sum[:]) || info.Metadata["k"] != "v" || info.Headers.Get("X") != "y" {
			t.Errorf("%+v", info)
		}
		if !bytes.Equal(content(t, o, "dir/ä file"), data) {
			t.Errorf("%d bytes do not come back", n)
		}
		lib := must[jetstream.ObjectStore](t)(c.js.ObjectStore(ctx, "B"))
		if back := must[[]byte](t)(lib.GetBytes(ctx, "dir/ä file")); !bytes.Equal(back, data) {
			t.Errorf("the client library reads %d bytes otherwise", n)
		}
	}
	// Only the last version's chunks are left.
	left := 0
	ok(t, c.subjects(ctx, "OBJ_B", "$O.B.C.>", func(string, uint64) error { left++; return nil }))
	if left != 1 {
		t.Errorf("chunks of %d versions", left)
	}
	lib := must[jetstream.ObjectStore](t)(c.js.ObjectStore(ctx, "B"))
	must[*jetstream.ObjectInfo](t)(lib.PutBytes(ctx, "lib", []byte("from the library")))
	if got := content(t, o, "lib"); string(got) != "from the library" {
		t.Errorf("%q", got)
	}
	wantNoConsumers(t, c, "OBJ_B")
}

func TestObjectNotFoundAndRemoved(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	o := objects(t, c, "B", ObjectSettings{})
	put(t, o, PutObject{Name: "report.pdf"}, []byte("x"))
	_, err := o.Stat(ctx, "reprot.pdf", false)
	wantCode(t, err, fail.NotFound, "object not found", "reprot.pdf")
	if !strings.Contains(fail.HintOf(err), "report.pdf") {
		t.Errorf("hint %q", fail.HintOf(err))
	}
	ok(t, o.Remove(ctx, "report.pdf"))
	_, err = o.Stat(ctx, "report.pdf", false)
	wantCode(t, err, fail.NotFound, "object not found")
	if info := must[*ObjectInfo](t)(o.Stat(ctx, "report.pdf", true)); !info.Deleted {
		t.Errorf("%+v", info)
	}
	n := 0
	ok(t, o.List(ctx, ListObjects{}, func(*ObjectInfo) error { n++; return nil }))
	ok(t, o.List(ctx, ListObjects{Deleted: true}, func(*ObjectInfo) error { n += 10; return nil }))
	if n != 10 {
		t.Errorf("%d", n)
	}
	_, err = c.OpenObjects(ctx, "NOPE")
	wantCode(t, err, fail.NotFound, "NOPE", "bucket not found")
}

func TestObjectLinks(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	o, other := objects(t, c, "A", ObjectSettings{}), objects(t, c, "B", ObjectSettings{})
	put(t, other, PutObject{Name: "f"}, []byte("content"))
	ok(t, o.Link(ctx, "l", "B", "f"))
	ok(t, o.Link(ctx, "bucket", "B", ""))
	if got := content(t, o, "l"); string(got) != "content" {
		t.Errorf("%q", got)
	}
	info := must[*ObjectInfo](t)(o.Stat(ctx, "l", false))
	if _, has := Digest(info); has || !IsLink(info) {
		t.Errorf("%+v", info)
	}
	_, _, err := o.Follow(ctx, "bucket")
	wantCode(t, err, fail.Failure, "link to the bucket B")
	put(t, o, PutObject{Name: "l"}, []byte("its own")) // over a link
	if got := content(t, o, "l"); string(got) != "its own" {
		t.Errorf("%q", got)
	}
	ok(t, o.Describe(ctx, "l", jetstream.ObjectMeta{Name: "m", Description: "new"}))
	if got := content(t, o, "m"); string(got) != "its own" {
		t.Errorf("renamed: %q", got)
	}
}

func TestObjectDigestIsChecked(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	o := objects(t, c, "B", ObjectSettings{})
	info := put(t, o, PutObject{Name: "f", ChunkSize: 4}, []byte("0123456789"))
	bad := *info
	bad.Digest = "SHA-256=" + strings.Repeat("A", 43) + "="
	err := o.Read(ctx, &bad, io.Discard, Fetch{})
	wantCode(t, err, fail.Failure, "digest")
	bad = *info
	bad.Digest = ""
	wantCode(t, o.Read(ctx, &bad, io.Discard, Fetch{}), fail.Failure, "digest")
	ok(t, c.request(ctx, "STREAM.MSG.DELETE.OBJ_B", map[string]any{"seq": 2}, nil))
	wantCode(t, o.Read(ctx, info, io.Discard, Fetch{}), fail.Failure, "6 of 10 bytes")
}

func TestObjectReadResumes(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	o := objects(t, c, "B", ObjectSettings{})
	data := randomBytes(10_000)
	put(t, o, PutObject{Name: "before"}, randomBytes(100))
	info := put(t, o, PutObject{Name: "f", ChunkSize: 1000}, data)
	var rest bytes.Buffer
	ok(t, o.Read(ctx, info, &rest, Fetch{Have: bytes.NewReader(data[:4000])}))
	if !bytes.Equal(rest.Bytes(), data[4000:]) {
		t.Errorf("%d bytes came", rest.Len())
	}
	if err := o.Read(ctx, info, &rest, Fetch{Have: bytes.NewReader(data[:4001])}); !errors.Is(err, ErrCannotResume) {
		t.Errorf("in the middle of a chunk: %v", err)
	}
	wantCode(t, o.Read(ctx, info, io.Discard, Fetch{Have: bytes.NewReader(make([]byte, 4000))}), fail.Failure, "digest")
	ok(t, o.Read(ctx, info, io.Discard, Fetch{Have: bytes.NewReader(data)}))
}

func TestObjectPutFailureLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	o := objects(t, c, "B", ObjectSettings{})
	put(t, o, PutObject{Name: "f"}, []byte("old"))
	broken := errors.New("broken pipe")
	_, err := o.Put(ctx, PutObject{Name: "f", ChunkSize: 10}, io.MultiReader(strings.NewReader(strings.Repeat("x", 500)), errReader{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("ended by %v", err)
	}
	cancelled, cancel := context.WithCancelCause(ctx)
	_, err = o.Put(cancelled, PutObject{Name: "f", ChunkSize: 10}, readerFunc(func(p []byte) (int, error) {
		cancel(fail.ErrInterrupted)
		return copy(p, "xxxxxxxxxx"), nil
	}))
	if !errors.Is(err, fail.ErrInterrupted) {
		t.Errorf("ended by %v", err)
	}
	if got := content(t, o, "f"); string(got) != "old" {
		t.Errorf("%q", got)
	}
	left := 0
	ok(t, c.subjects(ctx, "OBJ_B", "$O.B.C.>", func(string, uint64) error { left++; return nil }))
	if left != 1 {
		t.Errorf("chunks of %d versions", left)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

type readerFunc func([]byte) (int, error)

func (r readerFunc) Read(p []byte) (int, error) { return r(p) }

// disturbed uploads forty chunks to the bucket B, of which disturb is called after the first twenty, and checks what is there.
func disturbed(t *testing.T, c *Client, disturb func(u *upload, data []byte)) {
	t.Helper()
	ctx, o, data := t.Context(), objects(t, c, "B", ObjectSettings{}), randomBytes(40_000)
	info := &ObjectInfo{Bucket: "B", NUID: "N", ObjectMeta: jetstream.ObjectMeta{Name: "f", Opts: &jetstream.ObjectMetaOptions{ChunkSize: 1000}}}
	u := must[*upload](t)(o.newUpload(info, PutObject{Name: "f", ChunkSize: 1000}))
	defer u.pub.Close()
	n := 0
	ok(t, u.run(ctx, readerFunc(func(p []byte) (int, error) {
		if n == 20_000 {
			disturb(u, data)
		}
		m := copy(p, data[n:])
		n += m
		if m == 0 {
			return 0, io.EOF
		}
		return m, nil
	})))
	ok(t, o.writeMeta(ctx, info))
	if !bytes.Equal(content(t, o, "f"), data) {
		t.Error("the object is not what was sent")
	}
	if n := must[*jetstream.StreamInfo](t)(c.Info(ctx, Object, "B")).State.Msgs; n != 41 {
		t.Errorf("%d messages, want 40 chunks and what describes them", n)
	}
}

// A chunk that never arrived is sent again, and what stands behind it is taken back before.
func TestObjectUploadRepairsLostChunks(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	disturbed(t, c, func(u *upload, data []byte) {
		ok(t, u.pub.Wait(ctx))
		stream := must[jetstream.Stream](t)(c.js.Stream(ctx, "OBJ_B"))
		ok(t, stream.DeleteMsg(ctx, 16))
		u.mu.Lock()
		defer u.mu.Unlock()
		u.first, u.lastSeq = 15, 15
		for i := range uint64(5) {
			at := (15 + i) * 1000
			u.flying[15+i] = &chunk{data: bytes.Clone(data[at : at+1000]), acked: i > 0, seq: 16 + i}
		}
		u.lost = nats.ErrTimeout
	})
}

// Where a repair was misled by a replica that was behind, chunks stand in the stream twice: the second ones are taken back.
func TestObjectUploadTakesBackWhatWasSentTwice(t *testing.T) {
	t.Parallel()
	disturbed(t, serve(t), func(u *upload, data []byte) {
		for i := range uint64(3) {
			ok(t, u.transmit(t.Context(), 15+i, data[(15+i)*1000:(16+i)*1000]))
		}
		u.repaired = true
	})
}

func TestObjectBucketSealedAndEdited(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t), t.Context()
	o := objects(t, c, "B", ObjectSettings{Description: ptr("d"), TTL: ptr(time.Hour)})
	d := must[*Draft](t)(c.EditObjects(ctx, "B", ObjectSettings{MaxBytes: ptr(int64(1 << 20)), Metadata: map[string]string{"a": "b"}}))
	if len(d.Changes()) != 2 {
		t.Errorf("%+v", d.Changes())
	}
	ok(t, d.Apply(ctx))
	big := make([]byte, 2<<20)
	_, err := o.Put(ctx, PutObject{Name: "big"}, bytes.NewReader(big))
	wantCode(t, err, fail.Failure, "maximum bytes")
	ok(t, o.Seal(ctx))
	_, err = o.Put(ctx, PutObject{Name: "f"}, strings.NewReader("x"))
	wantCode(t, err, fail.Failure, "10109")
	cfg := must[*jetstream.StreamInfo](t)(c.Info(ctx, Object, "B")).Config
	if !cfg.Sealed || cfg.Description != "d" || cfg.Metadata["a"] != "b" {
		t.Errorf("%+v", cfg)
	}
	ok(t, c.Remove(ctx, Object, "B"))
}
