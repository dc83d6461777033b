package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
)

// B3: what a failed restore made is removed; where it could not, the next restore knows the half stream by its mark.
func TestB3_HalfStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t, jetstream.FileStorage)
	before := w.picture(t, "ORDERS")
	w.save(t)
	d, o := w.options(t)
	if _, err := Restore(t.Context(), w.c, d, o); !errors.Is(err, ErrExists) {
		t.Errorf("%v", err)
	}
	same(t, "untouched", before, w.picture(t, "ORDERS"))
	w.remove(t)
	// The archive is cut off: the server makes what it can of it and fails.
	data, err := os.ReadFile(d.Archive)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(d.Archive, data[:len(data)-12], 0o600), os.Rename(filepath.Join(w.dir, ManifestFile), w.dir+".m")); err != nil {
		t.Fatal(err)
	}
	if r, err := Restore(t.Context(), w.c, d, o); err == nil {
		t.Errorf("%+v", r)
	}
	if _, err := w.JS().Stream(t.Context(), "ORDERS"); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("%v", err)
	}
	if err := errors.Join(os.WriteFile(d.Archive, data, 0o600), os.Rename(w.dir+".m", filepath.Join(w.dir, ManifestFile))); err != nil {
		t.Fatal(err)
	}
	// A half stream that is left.
	half := jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Metadata: map[string]string{markKey: markOf(d)}}
	testkit.Stream(t, w.JS(), half)
	if r := w.restore(t); !r.Cleared {
		t.Errorf("%+v", r)
	}
	same(t, "restored", before, w.picture(t, "ORDERS"))
	w.remove(t)
	// One that was published to since holds what no backup has: it stays.
	testkit.Stream(t, w.JS(), half)
	testkit.Store(t, w.JS(), "orders.new", 1, "acknowledged")
	if _, err := Restore(t.Context(), w.c, d, o); !errors.Is(err, errUsed) {
		t.Errorf("%v", err)
	}
	if msgs := testkit.Stored(t, w.JS(), "ORDERS"); len(msgs) != 1 {
		t.Errorf("%v", msgs)
	}
	// One that is whole and was not yet told so is completed.
	w.remove(t)
	w.restore(t)
	cfg := half
	cfg.Metadata["team"] = "ops"
	if _, err := w.JS().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if r := w.restore(t); !r.Already {
		t.Errorf("%+v", r)
	}
	same(t, "completed", before, w.picture(t, "ORDERS"))
}

// B5: an archive that was changed is not restored.
func TestB5_ChangedArchive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, jetstream.FileStorage)
	w.save(t)
	w.remove(t)
	d, o := w.options(t)
	m, err := Prove(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	f := m.Files[ArchiveFile]
	f.SHA256 = strings.Repeat("0", 64)
	m.Files[ArchiveFile] = f
	if err := m.Write(w.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), w.c, d, o); err == nil || !strings.Contains(err.Error(), "was changed") {
		t.Errorf("%v", err)
	}
	if _, err := w.JS().Stream(t.Context(), "ORDERS"); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("%v", err)
	}
}

// B3: what a replay that did not end has left is known and made anew, or completed; what somebody else published to it is kept.
func TestB3_HalfReplays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, jetstream.FileStorage)
	want := w.picture(t, "ORDERS")
	w.save(t)
	w.remove(t)
	d, o := w.options(t)
	// begin publishes the archive until the progress says enough, and leaves it so.
	begin := func(enough func(done uint64) bool) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		some := o
		some.Progress = func(done, _ uint64) {
			if enough(done) {
				cancel()
			}
		}
		return (&restoring{c: w.c, d: d, o: some, name: "ORDERS", mark: markOf(d)}).replay(ctx)
	}
	again := func() {
		t.Helper()
		if _, err := restore(t.Context(), w.c, d, o, true); err != nil {
			t.Fatal(err)
		}
		have := w.picture(t, "ORDERS")
		for i := range have.Messages {
			have.Messages[i].Time = want.Messages[i].Time
		}
		same(t, "replayed", want, have)
	}
	if err := begin(func(done uint64) bool { return done > 0 }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	again()
	w.remove(t)
	// All messages are there, the consumers are not.
	if err := begin(func(uint64) bool { return false }); err != nil {
		t.Fatal(err)
	}
	again()
	r := &restoring{c: w.c, d: d, name: "ORDERS"}
	for _, m := range want.Messages {
		ours := api.StoredMsg{Subject: m.Subject, Sequence: m.Sequence, Data: m.Data}
		theirs := ours
		theirs.Data = []byte("from somebody")
		if !r.played(ours) || r.played(theirs) {
			t.Errorf("message %d is not told from one of somebody else", m.Sequence)
		}
	}
	w.remove(t)
	if err := begin(func(done uint64) bool { return done > 0 }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	testkit.Store(t, w.JS(), "orders.new", 1, "from somebody")
	if _, err := restore(t.Context(), w.c, d, o, true); !errors.Is(err, errUsed) {
		t.Error(err)
	}
	if n := len(testkit.Stored(t, w.JS(), "ORDERS")); n == 0 {
		t.Error("what somebody published is gone")
	}
}
