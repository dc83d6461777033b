package store

import (
	"bytes"
	"io"
	"testing"
	"time"
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

// BenchmarkObject measures an object in and out.
func BenchmarkObject(b *testing.B) {
	c := serve(b)
	o := objects(b, c, "B", ObjectSettings{})
	data := randomBytes(256 << 20)
	b.Run("put", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			must[*ObjectInfo](b)(o.Put(b.Context(), PutObject{Name: "f"}, bytes.NewReader(data)))
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
