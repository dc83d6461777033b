package backup

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/testkit"
)

// moments is at how many random moments the server is killed.
func moments() int {
	if os.Getenv("NATSKIT_SOAK") != "" {
		return 20
	}
	return 3
}

// noise is a body that does not compress.
func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return string(b)
}

// killer stops the server once, at the given share of a transfer.
func killer(w world, at float64) (progress func(done, total uint64), stopped chan struct{}) {
	stopped = make(chan struct{})
	begun := false
	return func(done, total uint64) {
		if !begun && float64(done) >= at*float64(total) {
			begun = true
			go func() {
				defer close(stopped)
				w.Stop()
			}()
		}
	}, stopped
}

func bigWorld(t *testing.T, storage jetstream.StorageType) world {
	t.Helper()
	srv := testkit.Server(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Storage: storage})
	testkit.Store(t, srv.JS(), "orders.new", 50, noise(64<<10))
	testkit.Consumer(t, srv.JS(), "ORDERS", jetstream.ConsumerConfig{Durable: "C", AckPolicy: jetstream.AckExplicitPolicy})
	return world{srv, js.New(srv.JS()), filepath.Join(t.TempDir(), "ORDERS")}
}

// The server is killed during a backup: the earlier one is intact, and the next run makes the new one.
func TestKilledDuringBackup(t *testing.T) {
	t.Parallel()
	killedDuringBackup(t, false)
}

// The same where the messages are read, as those of streams in memory are from old servers.
func TestKilledDuringCopy(t *testing.T) {
	t.Parallel()
	killedDuringBackup(t, true)
}

func killedDuringBackup(t *testing.T, copied bool) {
	t.Helper()
	w := bigWorld(t, jetstream.FileStorage)
	w.save(t)
	for range moments() {
		before, err := Prove(w.dir)
		if err != nil {
			t.Fatal(err)
		}
		testkit.Store(t, w.JS(), "orders.new", 1, noise(1000))
		at := rand.Float64()
		progress, stopped := killer(w, at)
		_, err = w.trySave(t.Context(), func(o *SaveOptions) {
			o.Replace, o.ChunkSize, o.WindowSize, o.Progress, o.copied = true, 4<<10, 16<<10, progress, copied
		})
		<-stopped
		after, perr := Prove(w.dir)
		if perr != nil || (err != nil) != (after.Source == before.Source) {
			t.Errorf("at %.3f: %v; the backup is %+v, %v; it was %+v", at, err, after, perr, before)
		}
		alone(t, w.dir)
		w.Restart()
		w.save(t, func(o *SaveOptions) { o.Replace, o.copied = true, copied })
		d, err := Read(w.dir)
		if err == nil {
			err = Check(d)
		}
		if err != nil {
			t.Errorf("at %.3f: %v", at, err)
		}
	}
}

// The server is killed during a restore: the next run makes the whole stream of whatever is left.
func TestKilledDuringRestore(t *testing.T) {
	t.Parallel()
	killedDuringRestore(t, false)
}

// The same where messages are published anew, with those that stand in for what is missing among them.
func TestKilledDuringReplay(t *testing.T) {
	t.Parallel()
	killedDuringRestore(t, true)
}

func killedDuringRestore(t *testing.T, anew bool) {
	t.Helper()
	w := bigWorld(t, jetstream.FileStorage)
	s, err := w.JS().Stream(t.Context(), "ORDERS")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	want := w.picture(t, "ORDERS")
	w.save(t)
	for range moments() {
		w.remove(t)
		at := rand.Float64()
		progress, stopped := killer(w, at)
		d, o := w.options(t)
		o.Progress, o.Away = progress, time.Millisecond
		_, err := restore(t.Context(), w.c, d, o, anew)
		<-stopped
		w.Restart()
		if s, serr := w.JS().Stream(t.Context(), "ORDERS"); serr == nil {
			if info := s.CachedInfo(); info.State.Msgs != want.State.Msgs && info.Config.Metadata[markKey] == "" {
				t.Errorf("at %.3f: half a stream that nobody knows as such: %+v", at, info)
			}
		} else if !errors.Is(serr, jetstream.ErrStreamNotFound) {
			t.Fatal(serr)
		}
		o.Progress = nil
		if _, err := restore(t.Context(), w.c, d, o, anew); err != nil && !errors.Is(err, ErrExists) {
			t.Fatalf("at %.3f: %v", at, err)
		}
		have := w.picture(t, "ORDERS")
		for i := range have.Messages {
			if anew && i < len(want.Messages) {
				have.Messages[i].Time = want.Messages[i].Time
			}
		}
		same(t, "restored", want, have)
		if t.Failed() {
			t.Fatalf("at %.3f, first error %v", at, err)
		}
	}
}

// A connection that is cut in the middle of a restore, by the server, while that goes on: what was made is removed at once.
func TestCutDuringRestore(t *testing.T) {
	t.Parallel()
	w := bigWorld(t, jetstream.MemoryStorage)
	want := w.picture(t, "ORDERS")
	w.save(t)
	for range moments() {
		w.remove(t)
		at := rand.Float64()
		cut := false
		d, o := w.options(t)
		o.Progress = func(done, total uint64) {
			if !cut && float64(done) >= at*float64(total) {
				cut = true
				if err := w.Server().DisconnectClientByID(clientID(t, w)); err != nil {
					t.Error(err)
				}
			}
		}
		_, err := Restore(t.Context(), w.c, d, o)
		if err == nil { // the last byte was sent and confirmed before the cut was felt
			same(t, "restored", want, w.picture(t, "ORDERS"))
			continue
		}
		if !errors.Is(err, ErrLost) {
			t.Errorf("at %.3f: %v", at, err)
		}
		o.Progress = nil
		if _, err := Restore(t.Context(), w.c, d, o); err != nil {
			t.Fatalf("at %.3f: %v", at, err)
		}
		same(t, "restored", want, w.picture(t, "ORDERS"))
	}
}

func clientID(t *testing.T, w world) uint64 {
	t.Helper()
	id, err := w.Conn().GetClientID()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func unzip(t *testing.T, data []byte) []byte {
	t.Helper()
	out, err := io.ReadAll(s2.NewReader(bytes.NewReader(data)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What follows the chunks of the archive agrees with what the library unpacks, and every cut is found.
func TestFrames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, jetstream.FileStorage)
	testkit.Store(t, w.JS(), "orders.new", 40, noise(100<<10))
	testkit.Store(t, w.JS(), "orders.new", 40, string(bytes.Repeat([]byte("same "), 20<<10)))
	saved := w.save(t)
	d, err := Read(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(d.Archive)
	if err != nil {
		t.Fatal(err)
	}
	plain := unzip(t, data)
	if saved.Unpacked != uint64(len(plain)) {
		t.Errorf("%d, want %d", saved.Unpacked, len(plain))
	}
	for _, step := range []int{1, 3, 7, 4096, 1 << 20} {
		var f frames
		for at := 0; at < len(data); at += step {
			_, _ = f.Write(data[at:min(at+step, len(data))])
			if step < 4096 && at > 2000 { // the rest in one piece
				_, _ = f.Write(data[at+step:])
				break
			}
		}
		if err := f.whole(bytes.NewReader(data), false); err != nil || f.plain != uint64(len(plain)) {
			t.Errorf("in pieces of %d: %v, %d bytes", step, err, f.plain)
		}
	}
	for range 200 {
		cut := data[:rand.IntN(len(data))]
		var f frames
		_, _ = f.Write(cut)
		if f.whole(bytes.NewReader(cut), false) == nil {
			t.Errorf("cut at %d of %d is not seen", len(cut), len(data))
		}
	}
}
