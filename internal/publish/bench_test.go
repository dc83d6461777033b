package publish

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
)

// benchJS is JetStream of the server that PUBLISH_BENCH_URL names, so that it has a process of its own, else of an embedded one.
func benchJS(b *testing.B) (*nats.Conn, jetstream.JetStream) {
	url := os.Getenv("PUBLISH_BENCH_URL")
	if url == "" {
		url = testkit.Server(b).URL()
	}
	nc, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(DefaultMessages))
	if err != nil {
		b.Fatal(err)
	}
	return nc, js
}

// BenchmarkPublish stores messages of new subjects, through a window with a connection of its own, through one that shares, and
// with the client library's asynchronous publisher, in turn:
//
//	go test ./internal/publish -run '^$' -bench Publish -benchtime 200000x -count 3
func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{64, 128 << 10} {
		body := make([]byte, size)
		for _, row := range []struct {
			name string
			run  func(b *testing.B, nc *nats.Conn, js jetstream.JetStream, body []byte)
		}{{"own", benchOwn}, {"shared", benchShared}, {"library", benchLibrary}} {
			b.Run(fmt.Sprintf("%s/%d", row.name, size), func(b *testing.B) {
				nc, js := benchJS(b)
				if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, MaxBytes: 1 << 30}); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				b.ResetTimer()
				row.run(b, nc, js, body)
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
				if err := js.DeleteStream(context.Background(), "S"); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

func benchOwn(b *testing.B, nc *nats.Conn, _ jetstream.JetStream, body []byte) {
	w, err := Beside(b.Context(), nc, benchConfig(b))
	benchWindow(b, w, err, body)
}

func benchShared(b *testing.B, nc *nats.Conn, _ jetstream.JetStream, body []byte) {
	w, err := Over(nc, benchConfig(b))
	benchWindow(b, w, err, body)
}

func benchConfig(b *testing.B) Config[int] {
	return Config[int]{Idle: time.Minute, Done: func(_ int, _ Ack, err error) {
		if err != nil {
			b.Error(err)
		}
	}}
}

func benchWindow(b *testing.B, w *Window[int], err error, body []byte) {
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	var subject []byte
	for i := range b.N {
		subject = fmt.Appendf(subject[:0], "s.key.%09d", i)
		if err := w.SendBytes(b.Context(), i, subject, nil, body); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Wait(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func benchLibrary(b *testing.B, _ *nats.Conn, js jetstream.JetStream, body []byte) {
	var subject []byte
	for i := range b.N {
		subject = fmt.Appendf(subject[:0], "s.key.%09d", i)
		if _, err := js.PublishAsync(string(subject), body, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
}
