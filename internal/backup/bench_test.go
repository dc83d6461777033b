package backup

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/testkit"
)

// benchWorld is a stream of so many messages of 8 KiB that do not compress.
func benchWorld(b testing.TB, messages int) world {
	srv := testkit.Server(b)
	testkit.Stream(b, srv.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	source := rand.NewChaCha8([32]byte{})
	for n := range messages {
		body := make([]byte, 8<<10)
		_, _ = source.Read(body) // never fails
		if _, err := srv.JS().PublishAsync("orders.new", body); err != nil {
			b.Fatal(err)
		}
		if n%1000 == 999 || n == messages-1 {
			<-srv.JS().PublishAsyncComplete()
		}
	}
	return world{srv, js.New(srv.JS()), filepath.Join(b.TempDir(), "ORDERS")}
}

// bare asks for a snapshot and writes what comes, io.Discard to throw it away.
func bare(b testing.TB, nc *nats.Conn, w io.Writer) int64 {
	sub, err := nc.SubscribeSync(nc.NewRespInbox())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		b.Fatal(err)
	}
	req, err := json.Marshal(api.JSApiStreamSnapshotRequest{DeliverSubject: sub.Subject, ChunkSize: 128 << 10})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := nc.Request("$JS.API.STREAM.SNAPSHOT.ORDERS", req, 10*time.Second); err != nil {
		b.Fatal(err)
	}
	var size int64
	for {
		m, err := sub.NextMsg(10 * time.Second)
		if err != nil {
			b.Fatal(err)
		}
		if len(m.Data) == 0 {
			return size
		}
		size += int64(len(m.Data))
		if _, err := w.Write(m.Data); err != nil {
			b.Fatal(err)
		}
		if m.Reply != "" {
			if err := m.Respond(nil); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// kept is bare with the least that makes a backup of it: a file, its SHA-256, and the wait for the disk.
func kept(b testing.TB, nc *nats.Conn, name string) {
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	bare(b, nc, io.MultiWriter(f, sum))
	sum.Sum(nil)
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSave compares our backups in turn with bare snapshot requests, of-bare is the share of their speed, and with those whose
// snapshot is kept, of-kept.
func BenchmarkSave(b *testing.B) {
	w := benchWorld(b, 16<<10)
	var took [3]time.Duration
	var size int64
	bare(b, w.Conn(), io.Discard) // the first one fills the server's caches
	other := filepath.Join(b.TempDir(), "kept")
	turn := 0
	for b.Loop() {
		for i := range took {
			if err := errors.Join(os.RemoveAll(w.dir), os.RemoveAll(other)); err != nil {
				b.Fatal(err)
			}
			who := (turn + i) % len(took)
			start := time.Now()
			switch who {
			case 0:
				if _, err := w.trySave(b.Context()); err != nil {
					b.Fatal(err)
				}
			case 1:
				size = bare(b, w.Conn(), io.Discard)
			case 2:
				kept(b, w.Conn(), other)
			}
			took[who] += time.Since(start)
		}
		turn++
	}
	report(b, size, took[0], took[1])
	b.ReportMetric(took[2].Seconds()/took[0].Seconds(), "of-kept")
}

func report(b *testing.B, size int64, ours, theirs time.Duration) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(size)*float64(b.N)/1e6/ours.Seconds(), "MB/s")
	b.ReportMetric(float64(size)*float64(b.N)/1e6/theirs.Seconds(), "bare-MB/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "of-bare")
}

// BenchmarkRestore compares our restores with those of the library, which sends chunk by chunk, in turn.
func BenchmarkRestore(b *testing.B) {
	w := benchWorld(b, 16<<10)
	if _, err := w.trySave(b.Context()); err != nil {
		b.Fatal(err)
	}
	mgr, err := jsm.New(w.Conn(), jsm.WithTimeout(10*time.Second))
	if err != nil {
		b.Fatal(err)
	}
	d, err := Read(w.dir)
	if err != nil {
		b.Fatal(err)
	}
	cfg, err := d.Meta.Stream()
	if err != nil {
		b.Fatal(err)
	}
	var ours, theirs time.Duration
	turn := false
	for b.Loop() {
		for _, mine := range []bool{turn, !turn} { // the second of two finds a busier disk
			clearStream(b, w)
			start := time.Now()
			if mine {
				if _, err := Restore(b.Context(), w.c, d, RestoreOptions{Config: cfg, Idle: noWait, Settle: noWait}); err != nil {
					b.Fatal(err)
				}
				ours += time.Since(start)
				continue
			}
			if _, _, err := mgr.RestoreSnapshotFromDirectory(b.Context(), "ORDERS", w.dir); err != nil {
				b.Fatal(err)
			}
			theirs += time.Since(start)
		}
		turn = !turn
	}
	report(b, d.Size, ours, theirs)
}

func clearStream(b testing.TB, w world) {
	if err := w.JS().DeleteStream(b.Context(), "ORDERS"); err != nil {
		b.Fatal(err)
	}
	testkit.Eventually(b, time.Minute, "the files of the stream are gone", func() bool {
		left, err := filepath.Glob(filepath.Join(w.Store(), "jetstream", "*", "streams", "*ORDERS*"))
		return err == nil && len(left) == 0
	})
}
