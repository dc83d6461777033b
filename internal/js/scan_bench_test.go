package js_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/testkit"
)

// BenchmarkGrep reads 200,000 messages of 128 bytes, by turns with a bare ordered consumer and with a search that finds nothing,
// and reports both rates and the ratio.
func BenchmarkGrep(b *testing.B) {
	stream := testkit.Server(b).JS()
	const n = 200_000
	if _, err := stream.CreateStream(b.Context(), jetstream.StreamConfig{Name: "X", Subjects: []string{"x"}}); err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat([]byte("0123456789abcdef"), 8)
	for i := range n {
		if _, err := stream.PublishAsync("x", body); err != nil {
			b.Fatal(err)
		}
		if i%4000 == 3999 {
			<-stream.PublishAsyncComplete()
		}
	}
	<-stream.PublishAsyncComplete()
	c := js.New(stream)
	matcher, err := js.Match{Pattern: "needle[0-9]+", Bodies: true}.Compile()
	if err != nil {
		b.Fatal(err)
	}
	var bare, grep time.Duration
	for b.Loop() {
		begin := time.Now()
		readBare(b, stream, n)
		bare += time.Since(begin)
		begin = time.Now()
		info, err := c.Info(b.Context(), "X")
		if err != nil {
			b.Fatal(err)
		}
		seen := 0
		if err := c.Scan(b.Context(), info, js.Range{}, func(m *js.DirectMessage) error {
			seen++
			_, err := matcher.Test(m)
			return err
		}); err != nil || seen != n {
			b.Fatalf("%d messages, %v", seen, err)
		}
		grep += time.Since(begin)
	}
	b.ReportMetric(float64(n*b.N)/bare.Seconds(), "bare-msgs/s")
	b.ReportMetric(float64(n*b.N)/grep.Seconds(), "grep-msgs/s")
	b.ReportMetric(100*bare.Seconds()/grep.Seconds(), "%-of-bare")
}

func readBare(b *testing.B, s jetstream.JetStream, n int) {
	oc, err := s.OrderedConsumer(context.Background(), "X", jetstream.OrderedConsumerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	seen, done := 0, make(chan struct{})
	cc, err := oc.Consume(func(jetstream.Msg) {
		if seen++; seen == n {
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
