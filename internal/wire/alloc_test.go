package wire

import (
	"context"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestNoAllocations is not parallel: the runtime counts for all goroutines.
func TestNoAllocations(t *testing.T) {
	pub := &Conn{nc: discard{}, o: &nats.Options{}}
	pub.info.Store(&Info{MaxPayload: 1 << 20, Headers: true})
	w := pub.Writer()
	hdr := []byte("NATS/1.0\r\nA: b\r\n\r\n")
	subject := []byte("a.b.c")
	frame := EncodePub(nil, "a", "", hdr, body16)
	check := func(what string, f func() error) {
		t.Helper()
		run := func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		}
		run() // buffers are made at first use
		if n := testing.AllocsPerRun(5000, run); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	check("Pub", func() error { return w.Pub("a", "", nil, body16) })
	check("Pub with headers", func() error { return w.Pub("a", "r", hdr, body16) })
	check("PubBytes", func() error { return w.PubBytes(subject, nil, nil, body16) })
	check("Repeat", func() error { return w.Repeat(frame, 3) })

	// A call of Read allocates; a message must not.
	for _, format := range []string{
		"MSG bench 1 16\r\n%016d\r\n", "MSG bench.%06d 1 16\r\n0123456789abcdef\r\n", "HMSG b.%06d 1 r 16 18\r\nNATS/1.0 503\r\n\r\nhi\r\n",
	} {
		sub := parsed(format)
		const each = 10_000
		per := testing.AllocsPerRun(20, func() {
			n := 0
			if err := sub.Read(context.Background(), Handler{Msg: func(*Msg) error {
				if n++; n == each {
					return ErrStop
				}
				return nil
			}}); err != nil {
				t.Fatal(err)
			}
		})
		if per > 50 {
			t.Errorf("%q: %v allocations for %d messages", format, per, each)
		}
	}
}

func TestLongSubject(t *testing.T) {
	t.Parallel()
	s := startServer(t, "")
	c := dial(t, testOptions(s.ClientURL()))
	if _, err := c.Subscribe(">", ""); err != nil {
		t.Fatal(err)
	}
	subject := strings.Repeat("x", 4000) // with the rest of the line just below the 4 KiB of the server
	w := c.Writer()
	for range 200 {
		if err := w.Pub(subject, "", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := c.Read(testContext(t), Handler{Msg: func(m *Msg) error {
		if string(m.Subject) != subject || len(m.Payload) != 0 {
			t.Errorf("subject of %d bytes, %d bytes of payload", len(m.Subject), len(m.Payload))
		}
		if n++; n == 200 {
			return ErrStop
		}
		return nil
	}})
	if err != nil {
		t.Error(err)
	}
}
