package js_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/embedded/settle"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jsconf"
)

// startServer runs a server of this test alone and returns its URL; change may edit its options.
func startServer(t *testing.T, change func(*server.Options)) string {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true}
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not listen")
	}
	t.Cleanup(func() { settle.Wait(s); s.Shutdown(); s.WaitForShutdown() })
	return s.ClientURL()
}

func connect(t *testing.T, url string, opts ...nats.Option) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	s, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func client(t *testing.T) (*js.Client, jetstream.JetStream) {
	t.Helper()
	s := connect(t, startServer(t, nil))
	return js.New(s), s
}

// orders makes the stream of the acceptance cases: six messages on orders.new with a header, one on orders.old.
func orders(t *testing.T, c *js.Client, s jetstream.JetStream) {
	t.Helper()
	cfg := jsconf.DefaultStream("ORDERS")
	must(t, (&jsconf.Settings{Subjects: []string{"orders.>"}}).Apply(cfg))
	if _, err := c.Create(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		m := nats.NewMsg("orders.new")
		m.Header.Set("X-N", string(rune('1'+i)))
		m.Data = []byte("msg")
		if _, err := s.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Publish(t.Context(), "orders.old", []byte("m")); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantText(t *testing.T, what, got string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(got, p) {
			t.Errorf("%s: %q lacks %q", what, got, p)
		}
	}
}

func ptr[T any](v T) *T { return &v }
