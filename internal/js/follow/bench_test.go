package follow

import (
	"bytes"
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/wire"
)

// ready is a reader whose requests have been made, and what gives it its next message.
func ready(gets bool, sink Sink) (r *Reader, next func() error) {
	r = &Reader{cfg: Config{Stream: "S", Direct: gets}, sink: sink}
	w := &wire.Msg{Sid: 1, Subject: []byte("s.0"), Payload: []byte("0123456789abcdef"), At: time.Now()}
	seq, buf := uint64(0), make([]byte, 0, 1024)
	if gets {
		r.way = &direct{Reader: r, sid: 1, first: 1}
		return r, func() error {
			buf = append(buf[:0], "NATS/1.0\r\nA: b\r\nNats-Stream: S\r\nNats-Subject: s.0\r\nNats-Sequence: "...)
			buf = strconv.AppendUint(buf, seq+1, 10)
			buf = append(buf, "\r\nNats-Time-Stamp: 2026-01-02T15:04:05.123456789Z\r\nNats-Num-Pending: 7\r\nNats-Last-Sequence: "...)
			buf = strconv.AppendUint(buf, seq, 10)
			w.Header = append(buf, "\r\n\r\n"...)
			seq++
			return r.receive(context.Background(), w)
		}
	}
	s := &ordered{Reader: r, consumer: "c", next: 1}
	s.pulls[0].sid, s.pulls[0].left = 1, 1<<60
	r.way = s
	return r, func() error {
		seq++
		buf = append(buf[:0], "$JS.ACK.S.c.1."...)
		buf = strconv.AppendUint(buf, seq, 10)
		buf = append(buf, '.')
		buf = strconv.AppendUint(buf, seq, 10)
		w.Reply = append(buf, ".1790000000000000001.7"...)
		return r.receive(context.Background(), w)
	}
}

// TestNoAllocations is not parallel: the runtime counts for all goroutines.
func TestNoAllocations(t *testing.T) {
	for _, direct := range []bool{false, true} {
		got := 0
		_, next := ready(direct, Sink{Each: func(*Msg) error { got++; return nil }, End: func() error { return ErrStop }})
		if n := testing.AllocsPerRun(5000, func() {
			if err := next(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("direct %t: %v allocations for a message", direct, n)
		}
		if got != 5001 {
			t.Errorf("direct %t: %d messages", direct, got)
		}
	}
}

// BenchmarkMessage is what the engine adds to a message between the wire and the sink.
func BenchmarkMessage(b *testing.B) {
	for name, direct := range map[string]bool{"ordered": false, "direct": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			_, next := ready(direct, Sink{Each: func(*Msg) error { return nil }})
			for b.Loop() {
				if err := next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRead reads 200,000 messages of 128 bytes from a server on this machine, beside the client library's ordered consumer. The
// allocations are mostly the server's.
//
//	go test ./internal/js/follow -run '^$' -bench Read -benchtime 3x
func BenchmarkRead(b *testing.B) {
	const n = 200_000
	srv := testkit.Server(b)
	stream := testkit.Stream(b, srv.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, AllowDirect: true, Storage: jetstream.MemoryStorage})
	body := bytes.Repeat([]byte("0123456789abcdef"), 8)
	for i := 1; i <= n; i++ {
		if _, err := srv.JS().PublishAsync("s", body); err != nil {
			b.Fatal(err)
		}
		if i%4000 == 0 {
			<-srv.JS().PublishAsyncComplete()
		}
	}
	read := func(b *testing.B, direct bool) {
		b.ReportAllocs()
		for b.Loop() {
			got := 0
			cfg := Config{JS: srv.JS(), Prefix: jetstream.DefaultAPIPrefix, Timeout: time.Minute, Stream: "S", Direct: direct, Limit: n}
			if err := Read(b.Context(), cfg, Sink{Each: func(*Msg) error { got++; return nil }}); err != nil || got != n {
				b.Fatalf("%d messages, %v", got, err)
			}
		}
		b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "msgs/s")
	}
	b.Run("ordered", func(b *testing.B) { read(b, false) })
	b.Run("direct", func(b *testing.B) { read(b, true) })
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c, err := stream.OrderedConsumer(b.Context(), jetstream.OrderedConsumerConfig{})
			if err != nil {
				b.Fatal(err)
			}
			done, got := make(chan struct{}), 0
			cc, err := c.Consume(func(jetstream.Msg) {
				if got++; got == n {
					close(done)
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			<-done
			cc.Stop()
			<-cc.Closed()
		}
		b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "msgs/s")
	})
}
