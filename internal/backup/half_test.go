package backup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
