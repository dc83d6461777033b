//go:build unix

package suite

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestBare is one of the programs that the command lines are compared with, when it is run as such. It prints its rate and its microseconds of processor time
// for each message.
func TestBare(t *testing.T) {
	what := os.Getenv(role)
	run := map[string]func(*bare) time.Duration{"write": (*bare).write, "read": (*bare).read, "async": (*bare).async}[what]
	if run == nil {
		t.Skip("the suite runs this as a process of its own")
	}
	b := &bare{t: t, url: os.Getenv("SUITE_URL"), size: number(t, "SUITE_SIZE"), n: number(t, "SUITE_MSGS")}
	before := processorTime(t)
	took := run(b)
	fmt.Printf("RATE %f %f\n", float64(b.n)/took.Seconds(), float64((processorTime(t)-before).Nanoseconds())/1000/float64(b.n))
}

// processorTime is what this process has used of it.
func processorTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func number(t *testing.T, name string) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// bare does n times the same with messages of size bytes, without a client library or with as little as there can be of it.
type bare struct {
	t       *testing.T
	url     string
	size, n int
}

// socket is a connection after its handshake.
func (b *bare) socket() (net.Conn, *bufio.Reader) {
	c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "nats://"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.Close() })
	r := bufio.NewReaderSize(c, 256<<10)
	if _, err := r.ReadString('\n'); err != nil {
		b.t.Fatal(err)
	}
	b.put(c, []byte("CONNECT {\"verbose\":false}\r\n"))
	b.pong(c, r)
	return c, r
}

func (b *bare) put(c net.Conn, data []byte) {
	if _, err := c.Write(data); err != nil {
		b.t.Error(err)
	}
}

// pong waits until the server has processed all that was written.
func (b *bare) pong(c net.Conn, r *bufio.Reader) {
	b.put(c, []byte("PING\r\n"))
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			b.t.Error(err)
			return
		}
		if line == "PONG\r\n" {
			return
		}
	}
}

// send writes the frames in pieces of some 64 KiB.
func (b *bare) send(c net.Conn, r *bufio.Reader) {
	frame := fmt.Appendf(nil, "PUB suite %d\r\n%s\r\n", b.size, strings.Repeat("\x00", b.size))
	per := max((64<<10)/len(frame), 1)
	block := bytes.Repeat(frame, per)
	for n := b.n; n > 0; {
		k := min(n, per)
		b.put(c, block[:k*len(frame)])
		n -= k
	}
	b.pong(c, r)
}

// write publishes encoded frames on a socket.
func (b *bare) write() time.Duration {
	c, r := b.socket()
	start := time.Now()
	b.send(c, r)
	return time.Since(start)
}

// read does what write does, and takes the messages off a second socket without looking at them.
func (b *bare) read() time.Duration {
	sub, from := b.socket()
	b.put(sub, []byte("SUB suite 1\r\n"))
	b.pong(sub, from)
	c, r := b.socket()
	total := int64(b.n) * int64(len(fmt.Sprintf("MSG suite 1 %d\r\n", b.size))+b.size+2)
	done := make(chan error, 1)
	start := time.Now()
	go func() {
		_, err := io.CopyN(io.Discard, from, total)
		done <- err
	}()
	b.send(c, r)
	if err := <-done; err != nil {
		b.t.Fatal(err)
	}
	return time.Since(start)
}

// async publishes to a stream with nats.go, a window of messages on their way.
func (b *bare) async() time.Duration {
	nc, err := nats.Connect(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(number(b.t, "SUITE_WINDOW")))
	if err != nil {
		b.t.Fatal(err)
	}
	body := make([]byte, b.size)
	start := time.Now()
	for range b.n {
		if _, err := js.PublishAsync("suite", body, jetstream.WithStallWait(time.Minute)); err != nil {
			b.t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	return time.Since(start)
}
