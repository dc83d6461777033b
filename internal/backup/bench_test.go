package backup

import (
	"encoding/json"
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

// bare asks for a snapshot and throws away what comes.
func bare(b testing.TB, nc *nats.Conn) int64 {
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
		if m.Reply != "" {
			if err := m.Respond(nil); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkSave compares our backups with bare snapshot requests in turn: of-bare is the share of the bare speed.
func BenchmarkSave(b *testing.B) {
	w := benchWorld(b, 16<<10)
	var ours, theirs time.Duration
	var size int64
	bare(b, w.Conn()) // the first one fills the server's caches
	turn := false
	for b.Loop() {
		if err := os.RemoveAll(w.dir); err != nil {
			b.Fatal(err)
		}
		for _, mine := range []bool{turn, !turn} {
			start := time.Now()
			if mine {
				if _, err := w.trySave(b.Context()); err != nil {
					b.Fatal(err)
				}
				ours += time.Since(start)
				continue
			}
			size = bare(b, w.Conn())
			theirs += time.Since(start)
		}
		turn = !turn
	}
	report(b, size, ours, theirs)
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
	testkit.Eventually(b, 10*time.Second, "the files of the stream are gone", func() bool {
		left, err := filepath.Glob(filepath.Join(w.Store(), "jetstream", "*", "streams", "*ORDERS*"))
		return err == nil && len(left) == 0
	})
}
