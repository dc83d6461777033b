package backup

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/testkit"
)

// B2: the backup that was made of a server 2.14.3: a tar archive, and beside it the consumer in memory that it lacks. Messages 1
// to 7 without 3; consumer MC has acknowledged two, FC none.
func TestB2_OldServer(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	d, err := Read(filepath.Join("testdata", "server-2.14", "ORDERS"))
	if err != nil || !d.Tar {
		t.Fatalf("%+v, %v", d, err)
	}
	if _, err := Prove(d.Path); err != nil {
		t.Error(err)
	}
	if err := Check(d); err != nil {
		t.Error(err)
	}
	cfg, err := d.Meta.Stream()
	if err != nil {
		t.Fatal(err)
	}
	w := world{NATS: srv, c: js.New(srv.JS())}
	if _, err := Restore(t.Context(), w.c, d, RestoreOptions{Config: cfg, Idle: noWait, Settle: noWait}); err != nil {
		t.Fatal(err)
	}
	p := w.picture(t, "ORDERS")
	if p.State.Msgs != 6 || p.State.FirstSeq != 1 || p.State.LastSeq != 7 || p.Messages[2].Sequence != 4 || string(p.Messages[5].Data) != "m 7" || p.Messages[5].Header.Get("X-N") != "7" {
		t.Errorf("%+v", p)
	}
	if floor, ok := p.Consumers["MC"]; !ok || floor != 2 {
		t.Errorf("%v", p.Consumers)
	}
	if floor, ok := p.Consumers["FC"]; !ok || floor != 0 {
		t.Errorf("%v", p.Consumers)
	}
	s, err := srv.JS().Consumer(t.Context(), "ORDERS", "MC")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.Next(); err != nil || string(m.Data()) != "m 4" || !s.CachedInfo().Config.MemoryStorage || s.CachedInfo().Config.DeliverPolicy != jetstream.DeliverAllPolicy {
		t.Errorf("%v, %+v", err, s.CachedInfo().Config)
	}
}

// The end of a tar file is its zeros.
func TestOldArchiveCutOff(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "server-2.14", "ORDERS", TarFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{len(data) - 1, len(data) / 2, 20} {
		var f frames
		_, _ = f.Write(data[:cut])
		if f.whole(bytes.NewReader(data[:cut]), true) == nil {
			t.Errorf("cut at %d of %d is not seen", cut, len(data))
		}
	}
	var f frames
	_, _ = f.Write(data)
	if err := f.whole(bytes.NewReader(data), true); err != nil {
		t.Error(err)
	}
}
