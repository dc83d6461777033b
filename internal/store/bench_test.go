package store

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const benchKeys = 200_000

// BenchmarkExport and BenchmarkImport measure keys a second on one machine, the server among them:
//
//	go test ./internal/store -run '^$' -bench 'Export|Import' -benchtime 1x
func BenchmarkExport(b *testing.B) {
	bk := bucket(b, serve(b), "B", KVSettings{})
	fill(b, bk, "bench.key", benchKeys, bytes.Repeat([]byte("v"), 64))
	b.ResetTimer()
	for b.Loop() {
		n := must[Tally](b)(bk.Export(b.Context(), Export{}, io.Discard))
		if n.Keys != benchKeys {
			b.Fatalf("%d keys", n.Keys)
		}
	}
	b.ReportMetric(benchKeys*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
}

func BenchmarkImport(b *testing.B) {
	c := serve(b)
	bk := bucket(b, c, "B", KVSettings{})
	fill(b, bk, "bench.key", benchKeys, bytes.Repeat([]byte("v"), 64))
	var file bytes.Buffer
	must[Tally](b)(bk.Export(b.Context(), Export{}, &file))
	to := bucket(b, c, "TO", KVSettings{})
	b.ResetTimer()
	for b.Loop() {
		in := must[Imported](b)(to.Import(b.Context(), Import{Now: time.Now()}, bytes.NewReader(file.Bytes())))
		if in.Keys != benchKeys || in.Failures.Count != 0 {
			b.Fatalf("%+v", in)
		}
	}
	b.ReportMetric(benchKeys*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
}

// BenchmarkObject measures an object in and out, beside a raw publish and a raw read of the same bytes by the client library:
//
//	go test ./internal/store -run '^$' -bench Object -benchtime 3x
func BenchmarkObject(b *testing.B) {
	c := serve(b)
	o := objects(b, c, "B", ObjectSettings{})
	data := randomBytes(256 << 20)
	b.Run("raw-publish", func(b *testing.B) {
		js := must[jetstream.JetStream](b)(jetstream.New(c.nc, jetstream.WithPublishAsyncMaxPending(128)))
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			must[jetstream.Stream](b)(js.CreateOrUpdateStream(b.Context(), jetstream.StreamConfig{Name: "RAW", Subjects: []string{"raw"}}))
			for chunk := range slices.Chunk(data, DefaultChunk) {
				must[jetstream.PubAckFuture](b)(js.PublishAsync("raw", chunk, jetstream.WithStallWait(time.Minute)))
			}
			<-js.PublishAsyncComplete()
		}
	})
	b.Run("put", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			must[*ObjectInfo](b)(o.Put(b.Context(), PutObject{Name: "f"}, bytes.NewReader(data)))
		}
	})
	b.Run("raw-read", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			cons := must[jetstream.Consumer](b)(c.js.OrderedConsumer(b.Context(), "RAW", jetstream.OrderedConsumerConfig{}))
			msgs := must[jetstream.MessagesContext](b)(cons.Messages())
			for n := 0; n < len(data); {
				n += len(must[jetstream.Msg](b)(msgs.Next()).Data())
			}
			msgs.Stop()
		}
	})
	b.Run("get", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		info := must[*ObjectInfo](b)(o.Stat(b.Context(), "f", false))
		for b.Loop() {
			ok(b, o.Read(b.Context(), info, io.Discard, Fetch{}))
		}
	})
}
