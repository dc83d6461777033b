package wire

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
)

// benchServer is the server that WIRE_BENCH_URL names, so that it has a process of its own, else an embedded one.
func benchServer(b *testing.B) string {
	if u := os.Getenv("WIRE_BENCH_URL"); u != "" {
		return u
	}
	return startServer(b, "").ClientURL()
}

// bareConn is a socket after the shortest of handshakes.
func bareConn(b *testing.B, serverURL string) (net.Conn, *bufio.Reader) {
	b.Helper()
	u, err := url.Parse(serverURL)
	if err != nil {
		b.Fatal(err)
	}
	nc, err := net.Dial("tcp", u.Host)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = nc.Close() })
	br := bufio.NewReader(nc)
	if _, err := br.ReadString('\n'); err != nil {
		b.Fatal(err)
	}
	if _, err := io.WriteString(nc, "CONNECT {\"verbose\":false,\"echo\":true,\"protocol\":0}\r\n"); err != nil {
		b.Fatal(err)
	}
	barePing(b, nc, br)
	return nc, br
}

func barePing(b *testing.B, nc net.Conn, br *bufio.Reader) {
	b.Helper()
	if _, err := io.WriteString(nc, "PING\r\n"); err != nil {
		b.Fatal(err)
	}
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		if strings.HasPrefix(line, "PONG") {
			return
		}
	}
}

// bareWrite writes n copies of frame in pieces of 64 KiB.
func bareWrite(b *testing.B, nc net.Conn, frame []byte, n int) {
	b.Helper()
	per := writeSize / len(frame)
	block := bytes.Repeat(frame, per)
	for n > 0 {
		k := min(n, per)
		if _, err := nc.Write(block[:k*len(frame)]); err != nil {
			b.Fatal(err)
		}
		n -= k
	}
}

func perSecond(b *testing.B) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

var body16 = []byte("0123456789abcdef")

// BenchmarkPublishBare is what BenchmarkPublishRepeat is measured against: nothing but writes.
func BenchmarkPublishBare(b *testing.B) {
	b.ReportAllocs()
	nc, br := bareConn(b, benchServer(b))
	frame := EncodePub(nil, "bench", "", nil, body16)
	b.ResetTimer()
	bareWrite(b, nc, frame, b.N)
	barePing(b, nc, br)
	perSecond(b)
}

// BenchmarkPublishRepeat publishes one encoded frame again and again, as `bench pub` does.
func BenchmarkPublishRepeat(b *testing.B) {
	b.ReportAllocs()
	c := dial(b, testOptions(benchServer(b)))
	w := c.Writer()
	frame := EncodePub(nil, "bench", "", nil, body16)
	b.ResetTimer()
	for n := b.N; n > 0; n -= min(n, 10_000) {
		if err := w.Repeat(frame, min(n, 10_000)); err != nil {
			b.Fatal(err)
		}
	}
	if err := c.Ping(context.Background()); err != nil {
		b.Fatal(err)
	}
	perSecond(b)
}

// BenchmarkPublish16 encodes every message, as `pub` from stdin does.
func BenchmarkPublish16(b *testing.B) {
	b.ReportAllocs()
	c := dial(b, testOptions(benchServer(b)))
	p := NewPublisher(context.Background(), c, false)
	defer p.Close()
	b.ResetTimer()
	for range b.N {
		if err := p.Publish("bench", "", nil, body16); err != nil {
			b.Fatal(err)
		}
	}
	r, err := p.Confirm(context.Background())
	if err != nil || r.Confirmed != uint64(b.N) {
		b.Fatal(r, err)
	}
	perSecond(b)
}

// BenchmarkEncode16 is Publish without the socket.
func BenchmarkEncode16(b *testing.B) {
	b.ReportAllocs()
	c := &Conn{nc: discard{}, o: &nats.Options{}}
	c.info.Store(&Info{MaxPayload: 1 << 20, Headers: true})
	w := c.Writer()
	for range b.N {
		if err := w.Pub("bench", "", nil, body16); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b)
}

type discard struct{ net.Conn }

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// endless is a socket from which the same bytes come for ever.
type endless struct {
	net.Conn
	block []byte
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.block[e.at:])
	e.at = (e.at + n) % len(e.block)
	return n, nil
}

func (e *endless) Write(p []byte) (int, error) { return len(p), nil }

func (e *endless) Close() error { return nil }

func (e *endless) SetReadDeadline(time.Time) error { return nil }

// parsed is a Conn that reads msg, a printf format with the number of the message, for ever.
func parsed(format string) *Conn {
	var block []byte
	for i := range 10_000 {
		block = fmt.Appendf(block, format, i)
	}
	c := &Conn{nc: &endless{block: block}, o: &nats.Options{}, Clock: clock.System()}
	c.sids.Store(1)
	return c
}

func benchRead(b *testing.B, format string) {
	b.ReportAllocs()
	c := parsed(format)
	n := 0
	b.ResetTimer()
	err := c.Read(context.Background(), Handler{Msg: func(m *Msg) error {
		if n++; n == b.N {
			return ErrStop
		}
		return nil
	}})
	if err != nil {
		b.Fatal(err)
	}
	perSecond(b)
}

// BenchmarkParse16 reads messages with equal control lines, BenchmarkParseMixed16 with subjects that change from one to the next.
func BenchmarkParse16(b *testing.B)      { benchRead(b, "MSG bench 1 16\r\n%016d\r\n") }
func BenchmarkParseMixed16(b *testing.B) { benchRead(b, "MSG bench.%06d 1 16\r\n0123456789abcdef\r\n") }
func BenchmarkParseHeaders16(b *testing.B) {
	benchRead(b, "HMSG bench.%06d 1 _INBOX.abc.def 18 34\r\nNATS/1.0\r\nA: b\r\n\r\n0123456789abcdef\r\n")
}

func BenchmarkCount16(b *testing.B) {
	b.ReportAllocs()
	c := parsed("MSG bench 1 16\r\n%016d\r\n")
	b.ResetTimer()
	if t, err := c.Count(context.Background(), uint64(b.N), nil); err != nil || t.Msgs != uint64(b.N) {
		b.Fatal(t, err)
	}
	perSecond(b)
}

// BenchmarkSubscriber16 is the way of a message through the backlog, without the kernel.
func BenchmarkSubscriber16(b *testing.B) {
	b.ReportAllocs()
	c := parsed("MSG bench 1 16\r\n%016d\r\n")
	s := newSubscriber(Config{Clock: clock.System(), Dir: b.TempDir()})
	s.d = &dialer{pool: &pool{}}
	defer func() { _ = s.log.disk.close() }()
	c.srv = &server{url: &url.URL{}}
	s.conn, s.out = c, c.Writer()
	n := 0
	b.ResetTimer()
	err := s.Run(context.Background(), Sink{Msg: func(*Msg) error {
		if n++; n == b.N {
			return ErrStop
		}
		return nil
	}})
	if err != nil {
		b.Fatal(err)
	}
	perSecond(b)
}

// BenchmarkPubSubBare writes and reads without looking at what is read.
func BenchmarkPubSubBare(b *testing.B) {
	b.ReportAllocs()
	u := benchServer(b)
	pub, _ := bareConn(b, u)
	sub, br := bareConn(b, u)
	if _, err := io.WriteString(sub, "SUB bench 1\r\n"); err != nil {
		b.Fatal(err)
	}
	barePing(b, sub, br)
	want := b.N * len("MSG bench 1 16\r\n0123456789abcdef\r\n")
	done := make(chan error, 1)
	b.ResetTimer()
	go func() {
		buf := make([]byte, maxBuffer)
		for got := br.Buffered(); got < want; {
			n, err := sub.Read(buf)
			if err != nil {
				done <- err
				return
			}
			got += n
		}
		done <- nil
	}()
	bareWrite(b, pub, EncodePub(nil, "bench", "", nil, body16), b.N)
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	perSecond(b)
}

// BenchmarkPubSub writes repeated frames and counts what comes back, as `bench pub` with `bench sub` does.
func BenchmarkPubSub(b *testing.B) {
	b.ReportAllocs()
	u := benchServer(b)
	pub, sub := dial(b, testOptions(u)), dial(b, testOptions(u))
	if _, err := sub.Subscribe("bench", ""); err != nil {
		b.Fatal(err)
	}
	if err := sub.Ping(context.Background()); err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	b.ResetTimer()
	go func() {
		_, err := sub.Count(context.Background(), uint64(b.N), nil)
		done <- err
	}()
	w := pub.Writer()
	frame := EncodePub(nil, "bench", "", nil, body16)
	for n := b.N; n > 0; n -= min(n, 10_000) {
		if err := w.Repeat(frame, min(n, 10_000)); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	perSecond(b)
}
