package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	archive "github.com/nats-io/jsm.go/backup"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/testkit"
)

const noWait = 20 * time.Second

// world is a server with one stream: messages with headers, a gap, consumers on disk and in memory that have come some way.
type world struct {
	*testkit.NATS
	c   *js.Client
	dir string
}

func newWorld(t *testing.T, storage jetstream.StorageType) world {
	t.Helper()
	srv := testkit.Server(t)
	s := testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Storage: storage, Metadata: map[string]string{"team": "ops"}})
	for _, body := range []string{"a", "b", "c", "d", "e"} {
		testkit.PublishMsg(t, srv.Conn(), "orders.new", body, "X-N", body)
	}
	testkit.Store(t, srv.JS(), "orders.old", 3, "old")
	for _, seq := range []uint64{3, 8} {
		if err := s.DeleteMsg(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	for name, memory := range map[string]bool{"DISK": false, "MEM": true} {
		c := testkit.Consumer(t, srv.JS(), "ORDERS", jetstream.ConsumerConfig{Durable: name, AckPolicy: jetstream.AckExplicitPolicy, MemoryStorage: memory})
		batch, err := c.Fetch(2)
		if err != nil {
			t.Fatal(err)
		}
		for m := range batch.Messages() {
			if err := m.DoubleAck(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return world{srv, js.New(srv.JS()), filepath.Join(t.TempDir(), "ORDERS")}
}

func (w world) save(t *testing.T, change ...func(*SaveOptions)) Saved {
	t.Helper()
	s, err := w.trySave(t.Context(), change...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w world) trySave(ctx context.Context, change ...func(*SaveOptions)) (Saved, error) {
	info, err := w.c.Info(ctx, "ORDERS")
	if err != nil {
		return Saved{}, err
	}
	o := SaveOptions{Consumers: true, Idle: noWait, Now: time.Now()}
	for _, f := range change {
		f(&o)
	}
	return Save(ctx, w.c, info, w.dir, o)
}

func (w world) options(t *testing.T) (Directory, RestoreOptions) {
	t.Helper()
	d, err := Read(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := d.Meta.Stream()
	if err != nil {
		t.Fatal(err)
	}
	return d, RestoreOptions{Config: cfg, Idle: noWait, Settle: noWait}
}

func (w world) restore(t *testing.T) Restored {
	t.Helper()
	d, o := w.options(t)
	r, err := Restore(t.Context(), w.c, d, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// picture is all of the stream that a backup must bring back.
type picture struct {
	Config    jetstream.StreamConfig
	State     jetstream.StreamState
	Messages  []jetstream.RawStreamMsg
	Consumers map[string]uint64 // acknowledgement floors
}

func (w world) picture(t *testing.T, name string) picture {
	t.Helper()
	s, err := w.JS().Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := picture{Config: info.Config, State: info.State, Consumers: map[string]uint64{}}
	for k := range p.Config.Metadata {
		if strings.HasPrefix(k, "_nats.") {
			delete(p.Config.Metadata, k)
		}
	}
	for _, m := range testkit.Stored(t, w.JS(), name) {
		p.Messages = append(p.Messages, *m)
	}
	list := s.ListConsumers(t.Context())
	for c := range list.Info() {
		p.Consumers[c.Name] = c.AckFloor.Stream
	}
	if list.Err() != nil {
		t.Fatal(list.Err())
	}
	return p
}

func same(t *testing.T, what string, want, have picture) {
	t.Helper()
	if len(want.Messages) != len(have.Messages) || max(want.State.FirstSeq, 1) != max(have.State.FirstSeq, 1) || want.State.LastSeq != have.State.LastSeq || want.State.Msgs != have.State.Msgs {
		t.Errorf("%s: state %+v, want %+v", what, have.State, want.State)
		return
	}
	for i, m := range want.Messages {
		h := have.Messages[i]
		if m.Sequence != h.Sequence || m.Subject != h.Subject || string(m.Data) != string(h.Data) || m.Header.Get("X-N") != h.Header.Get("X-N") || !m.Time.Equal(h.Time) {
			t.Errorf("%s: message %+v, want %+v", what, h, m)
		}
	}
	for name, floor := range want.Consumers {
		if got, ok := have.Consumers[name]; !ok || got != floor {
			t.Errorf("%s: consumer %s has floor %d (%v), want %d", what, name, got, ok, floor)
		}
	}
	if want.Config.Storage != have.Config.Storage || !slices.Equal(want.Config.Subjects, have.Config.Subjects) || len(want.Config.Metadata) != len(have.Config.Metadata) {
		t.Errorf("%s: config %+v, want %+v", what, have.Config, want.Config)
	}
}

func (w world) remove(t *testing.T) {
	t.Helper()
	if err := w.JS().DeleteStream(t.Context(), "ORDERS"); err != nil {
		t.Fatal(err)
	}
	// The server clears the directory behind the scenes, and a stream of the same name that is removed meanwhile keeps its files.
	testkit.Eventually(t, time.Minute, "the files of the stream are gone", func() bool {
		left, err := filepath.Glob(filepath.Join(w.Store(), "jetstream", "*", "streams", "*ORDERS*"))
		return err == nil && len(left) == 0
	})
}

// B1, B2: streams and consumers in memory come back as those on disk do.
func TestB1_B2_MemoryComesBack(t *testing.T) {
	t.Parallel()
	for _, storage := range []jetstream.StorageType{jetstream.FileStorage, jetstream.MemoryStorage} {
		w := newWorld(t, storage)
		before := w.picture(t, "ORDERS")
		saved := w.save(t)
		if saved.Messages != 6 || saved.Consumers != 2 || saved.Copied || saved.Chunks == 0 || saved.Received == 0 {
			t.Errorf("%+v", saved)
		}
		if before.Consumers["MEM"] != 2 || before.Consumers["DISK"] != 2 {
			t.Fatalf("%v", before.Consumers)
		}
		d, err := Read(w.dir)
		if err != nil || d.Meta.Memory != (storage == jetstream.MemoryStorage) {
			t.Errorf("%+v, %v", d, err)
		}
		if _, err := archive.Verify(w.dir); err != nil { // other programs take it too
			t.Error(err)
		}
		if _, err := Prove(w.dir); err != nil {
			t.Error(err)
		}
		if err := Check(d); err != nil {
			t.Error(err)
		}
		w.remove(t)
		if r := w.restore(t); r.Stream.StreamInfo.Config.Name != "ORDERS" || len(r.Notes) != 0 || r.Sent != uint64(d.Size) {
			t.Errorf("%+v", r)
		}
		same(t, storage.String(), before, w.picture(t, "ORDERS"))
		if _, ok := w.picture(t, "ORDERS").Config.Metadata[markKey]; ok {
			t.Error("the mark stays")
		}
	}
}

// B1: where the server makes no snapshot of a stream in memory its messages are read, and where it does not read the archive they
// are published.
func TestB1_CopyAndReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, jetstream.MemoryStorage)
	before := w.picture(t, "ORDERS")
	info, err := w.c.Info(t.Context(), "ORDERS")
	if err != nil {
		t.Fatal(err)
	}
	s := &saving{c: w.c, o: SaveOptions{Consumers: true, Idle: noWait, Now: time.Now()}}
	if err := s.begin(t.Context(), info, w.dir); err != nil {
		t.Fatal(err)
	}
	if s.stage, err = newStage(w.dir, w.dir, time.Now()); err != nil {
		t.Fatal(err)
	}
	meta, err := s.copy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(meta.Write(s.stage.dir), s.stage.prove(s.manifest), s.stage.publish()); err != nil {
		t.Fatal(err)
	}
	if !s.out.Copied {
		t.Errorf("%+v", s.out)
	}
	if _, err := archive.Verify(w.dir); err != nil {
		t.Error(err)
	}
	w.remove(t)
	w.restore(t)
	same(t, "restored", before, w.picture(t, "ORDERS"))
	w.remove(t)

	d, o := w.options(t)
	r := &restoring{c: w.c, d: d, o: o, name: "ORDERS", mark: markOf(d)}
	if err := r.replay(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.complete(t.Context()); err != nil {
		t.Fatal(err)
	}
	have := w.picture(t, "ORDERS")
	for i := range have.Messages {
		have.Messages[i].Time = before.Messages[i].Time
	}
	same(t, "replayed", before, have)
	if !r.out.Replayed || len(r.out.Notes) == 0 {
		t.Errorf("%+v", r.out)
	}
}

// B7, B8: a backup appears whole or not at all, and nobody else may read it.
func TestB7_B8_AtomicAndPrivate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, jetstream.FileStorage)
	w.save(t)
	first, err := Prove(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	if s := w.save(t); !s.Unchanged {
		t.Errorf("%+v", s)
	}
	testkit.Store(t, w.JS(), "orders.new", 1, "more")
	if _, err := w.trySave(t.Context()); !errors.Is(err, ErrOccupied) {
		t.Errorf("%v", err)
	}
	// ^C in the middle of the transfer.
	ctx, cancel := context.WithCancel(t.Context())
	_, err = w.trySave(ctx, func(o *SaveOptions) {
		o.Replace, o.Progress = true, func(uint64, uint64) { cancel() }
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if m, err := Prove(w.dir); err != nil || m.Source != first.Source {
		t.Errorf("the earlier backup: %+v, %v", m, err)
	}
	alone(t, w.dir)
	w.save(t, func(o *SaveOptions) { o.Replace = true })
	if m, err := Prove(w.dir); err != nil || m.Source == first.Source {
		t.Errorf("the new backup: %+v, %v", m, err)
	}
	alone(t, w.dir)
	if st, err := os.Stat(w.dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", st, err)
	}
	for _, name := range []string{MetaFile, ArchiveFile, ManifestFile} {
		if st, err := os.Stat(filepath.Join(w.dir, name)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
}

// alone checks that nothing stands beside the backup.
func alone(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(dir) {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestStageRecovers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, jetstream.FileStorage)
	w.save(t)
	// A program that was killed between the two steps of a replacement, and one that was killed in a transfer long ago.
	if err := os.Rename(w.dir, earlierName(w.dir)); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(filepath.Dir(w.dir), ".ORDERS.partial-1")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	testkit.Store(t, w.JS(), "orders.new", 1, "more")
	if _, err := w.trySave(t.Context()); !errors.Is(err, ErrOccupied) {
		t.Errorf("%v", err)
	}
	w.save(t, func(o *SaveOptions) { o.Replace, o.Now = true, time.Now().Add(2*staleAfter) })
	alone(t, w.dir)
	// What is of no backup is never overwritten.
	if err := os.WriteFile(filepath.Join(w.dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.Store(t, w.JS(), "orders.new", 1, "more")
	if _, err := w.trySave(t.Context(), func(o *SaveOptions) { o.Replace = true }); err == nil || !strings.Contains(err.Error(), "notes.txt") {
		t.Errorf("%v", err)
	}
	// An unfinished backup of another program is.
	if err := errors.Join(os.Remove(filepath.Join(w.dir, "notes.txt")), os.Truncate(filepath.Join(w.dir, MetaFile), 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(w.dir); !errors.Is(err, ErrUnfinished) {
		t.Errorf("%v", err)
	}
	w.save(t)
}
