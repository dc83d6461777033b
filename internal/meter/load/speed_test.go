package load_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/meter/load"
	"github.com/natskit/natskit/internal/testkit"
)

// These benchmarks put the engines beside a program that does nothing but write and read encoded frames on a bare socket, in
// one run and against one server each: the ratio between their msgs/s is what the engine costs.
//
//	go test ./internal/meter/load -run '^$' -bench Speed -benchtime 3000000x -count 5

// socket is a bare connection after its handshake.
func socket(b *testing.B, srv *testkit.NATS) (net.Conn, *bufio.Reader) {
	b.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(srv.URL(), "nats://"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	r := bufio.NewReaderSize(c, 256<<10)
	if _, err := r.ReadString('\n'); err != nil {
		b.Fatal(err)
	}
	write(b, c, []byte("CONNECT {\"verbose\":false}\r\n"))
	pong(b, c, r)
	return c, r
}

func write(b *testing.B, c net.Conn, data []byte) {
	if _, err := c.Write(data); err != nil {
		b.Error(err)
	}
}

// pong waits until the server has processed all that was written.
func pong(b *testing.B, c net.Conn, r *bufio.Reader) {
	write(b, c, []byte("PING\r\n"))
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			b.Error(err)
			return
		}
		if line == "PONG\r\n" {
			return
		}
	}
}

// bareWrite writes n frames in pieces of some 64 KiB.
func bareWrite(b *testing.B, c net.Conn, r *bufio.Reader, size, n int) {
	frame := []byte(fmt.Sprintf("PUB s %d\r\n%s\r\n", size, strings.Repeat("\x00", size)))
	per := max((64<<10)/len(frame), 1)
	block := bytes.Repeat(frame, per)
	for n > 0 {
		k := min(n, per)
		write(b, c, block[:k*len(frame)])
		n -= k
	}
	pong(b, c, r)
}

func perSecond(b *testing.B, d time.Duration) {
	b.ReportMetric(float64(b.N)/d.Seconds(), "msgs/s")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkSpeedPublish(b *testing.B) {
	for _, size := range []int{16, 128, 64 << 10} {
		b.Run(fmt.Sprintf("%dB/bare", size), func(b *testing.B) {
			c, r := socket(b, testkit.Server(b))
			start := time.Now()
			bareWrite(b, c, r, size, b.N)
			perSecond(b, time.Since(start))
		})
		for _, engine := range []string{crew.Wire, crew.NatsGo} {
			b.Run(fmt.Sprintf("%dB/%s", size, engine), func(b *testing.B) {
				b.ReportAllocs()
				measured(b, testkit.Server(b), crew.Spec{Kind: "pub", Engine: engine, Clients: 1, Size: int64(size)})
			})
		}
	}
}

func BenchmarkSpeedPubSub(b *testing.B) {
	const size = 16
	b.Run("16B/bare", func(b *testing.B) {
		srv := testkit.Server(b)
		sub, from := socket(b, srv)
		write(b, sub, []byte("SUB s 1\r\n"))
		pong(b, sub, from)
		c, r := socket(b, srv)
		total := int64(b.N) * int64(len("MSG s 1 16\r\n")+size+2)
		done := make(chan error)
		start := time.Now()
		go func() {
			_, err := io.CopyN(io.Discard, from, total)
			done <- err
		}()
		bareWrite(b, c, r, size, b.N)
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		perSecond(b, time.Since(start))
	})
	for _, engine := range []string{crew.Wire, crew.NatsGo} {
		for name, stamp := range map[string]bool{"counting": false, "latency": true} {
			b.Run("16B/"+engine+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				measured(b, testkit.Server(b), crew.Spec{Kind: "pubsub", Engine: engine, Clients: 1, Subscribers: 1, Size: size, Stamp: stamp, Idle: 20 * time.Second, Wait: 20 * time.Second})
			})
		}
	}
}

func BenchmarkSpeedStream(b *testing.B) {
	for _, line := range [][2]string{{"js pub sync", crew.Wire}, {"js pub async", crew.Wire}, {"js pub async", crew.NatsGo}, {"js pub fast", crew.Wire}, {"js pub atomic", crew.Wire}} {
		b.Run(strings.ReplaceAll(line[0], " ", "_")+"/"+line[1], func(b *testing.B) {
			b.ReportAllocs()
			measured(b, testkit.Server(b), crew.Spec{Kind: line[0], Engine: line[1], Clients: 1, Size: 128,
				Stream: crew.Stream{Name: "B", Create: true, Replicas: 1, Batch: 500, MaxOutstanding: 4, Storage: jetstream.FileStorage.String()}})
		})
	}
}

// measured runs the benchmark with b.N messages and reports the rate of its last side.
func measured(b *testing.B, srv *testkit.NATS, s crew.Spec) {
	b.Helper()
	w := world(b, srv.URL())
	w.Say = func(string, ...any) {}
	s.Subject, s.Messages = "s", int64(b.N)
	b.ResetTimer()
	r, err := load.Run(b.Context(), w, s)
	if err != nil {
		b.Fatal(err)
	}
	t := r.Sides[len(r.Sides)-1].Total
	b.ReportMetric(t.Rate, "msgs/s")
	b.ReportMetric(0, "ns/op")
}
