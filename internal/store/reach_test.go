package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

// TestWatchSurvivesARestart: the consumer is gone with the server, and the watch goes on where it was.
func TestWatchSurvivesARestart(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	c := New(srv.JS())
	b := bucket(t, c, "B", KVSettings{History: ptr(int64(5))})
	must[uint64](t)(b.Put(t.Context(), "a", []byte("1"), WriteOptions{}))
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	seen := make(chan string, 10)
	ended := make(chan error, 1)
	go func() {
		ended <- b.Read(ctx, Read{Live: true}, func(e Entry) error {
			seen <- e.Key + string(e.Value)
			return nil
		})
	}()
	if got := <-seen; got != "a1" {
		t.Errorf("first %s", got)
	}
	srv.Restart()
	other := must[*Bucket](t)(New(srv.JS()).OpenKV(t.Context(), "B"))
	must[uint64](t)(other.Put(t.Context(), "b", []byte("2"), WriteOptions{}))
	select {
	case got := <-seen:
		if got != "b2" {
			t.Errorf("after the restart %s", got)
		}
	case <-time.After(30 * time.Second):
		t.Error("nothing came after the restart")
	}
	cancel(fail.ErrInterrupted)
	if err := <-ended; !errors.Is(err, fail.ErrInterrupted) {
		t.Errorf("ended by %v", err)
	}
	wantNoConsumers(t, New(srv.JS()), "KV_B")
}

// TestThroughADomain: stores of a leaf node are reached from its hub.
func TestThroughADomain(t *testing.T) {
	if testing.Short() {
		t.Skip("starts two servers")
	}
	t.Parallel()
	hub := testkit.Server(t, testkit.WithDomain("hub"))
	testkit.Leaf(t, hub)
	js := must[jetstream.JetStream](t)(jetstream.NewWithDomain(hub.Conn(), "leaf"))
	c, ctx := New(js), t.Context()
	ok(t, New(hub.JS()).CreateKV(ctx, "B", KVSettings{})) // a bucket of the same name on this side must stay empty
	testkit.Eventually(t, time.Minute, "the hub knows what the leaf listens to", func() bool {
		_, err := js.AccountInfo(ctx)
		return err == nil
	})
	b := bucket(t, c, "B", KVSettings{History: ptr(int64(3))})
	must[uint64](t)(b.Put(ctx, "a", []byte("1"), WriteOptions{}))
	must[uint64](t)(b.Create(ctx, "b", []byte("2"), 0))
	in := must[Imported](t)(b.Import(ctx, Import{}, strings.NewReader(`{"key":"c","value":"3"}`)))
	if in.Keys != 1 {
		t.Errorf("%+v", in)
	}
	var keys []string
	ok(t, b.Read(ctx, Read{}, func(e Entry) error { keys = append(keys, e.Key); return nil }))
	if strings.Join(keys, "") != "abc" {
		t.Errorf("keys %q", keys)
	}
	n := 0
	missing, err := b.Latest(ctx, []string{"a", "b", "x"}, func(Entry) error { n++; return nil })
	ok(t, err)
	if n != 2 || len(missing) != 1 {
		t.Errorf("%d, missing %q", n, missing)
	}
	if e := must[Entry](t)(b.Get(ctx, "a", 0)); string(e.Value) != "1" {
		t.Errorf("%q", e.Value)
	}
	near := must[*Bucket](t)(New(hub.JS()).OpenKV(ctx, "B"))
	if count := must[Tally](t)(near.Count(ctx, nil)); count.Keys != 0 {
		t.Errorf("the bucket of the hub has %d keys", count.Keys)
	}
	o := objects(t, c, "F", ObjectSettings{})
	data := randomBytes(300_000)
	put(t, o, PutObject{Name: "f"}, data)
	if !bytes.Equal(content(t, o, "f"), data) {
		t.Error("the object is not what was stored")
	}
	wantNoConsumers(t, c, "KV_B")
}

// TestWithoutSecondConnection: where the server takes no further connection, what is read to an end is read by gets.
func TestWithoutSecondConnection(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithConfig("max_connections: 1"))
	c, ctx := New(srv.JS()), t.Context()
	b := bucket(t, c, "B", KVSettings{History: ptr(int64(5))})
	for _, key := range []string{"a", "b", "c.1", "a", "c.2", "d"} {
		must[uint64](t)(b.Put(ctx, key, []byte("of "+key), WriteOptions{}))
	}
	must[uint64](t)(b.Remove(ctx, "d", Delete, WriteOptions{}))
	for _, row := range []struct {
		r    Read
		want string
	}{
		{Read{}, "b2 c.13 a4 c.25 "},
		{Read{History: true, Deletes: true}, "a1 b2 c.13 a4 c.25 d6 d7 "},
		{Read{Patterns: []string{"a", "c.*"}}, "c.13 a4 c.25 "},
		{Read{From: 4, History: true}, "a4 c.25 d6 "},
		{Read{Patterns: []string{"x"}}, ""},
	} {
		var got strings.Builder
		ended := 0
		row.r.AtEnd = func() error { ended++; return nil }
		ok(t, b.Read(ctx, row.r, func(e Entry) error {
			fmt.Fprintf(&got, "%s%d ", e.Key, e.Revision)
			if e.Op == Put && string(e.Value) != "of "+e.Key {
				t.Errorf("%+v", e)
			}
			return nil
		}))
		if got.String() != row.want || ended != 1 {
			t.Errorf("%+v: %q, %d ends", row.r, got.String(), ended)
		}
	}
	if err := b.Read(ctx, Read{Live: true}, func(Entry) error { return nil }); err == nil {
		t.Error("a watch without a connection for it")
	}
	o := objects(t, c, "F", ObjectSettings{})
	data := randomBytes(300_000)
	put(t, o, PutObject{Name: "f"}, data)
	info := must[*ObjectInfo](t)(o.Stat(ctx, "f", false))
	var rest bytes.Buffer
	ok(t, o.Read(ctx, info, &rest, Fetch{Have: bytes.NewReader(data[:DefaultChunk])}))
	if !bytes.Equal(rest.Bytes(), data[DefaultChunk:]) {
		t.Errorf("%d bytes came", rest.Len())
	}
	wantNoConsumers(t, c, "KV_B")
}
