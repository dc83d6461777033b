package js_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/testkit"
)

func client(t *testing.T) (*js.Client, jetstream.JetStream) {
	t.Helper()
	s := testkit.Server(t).JS()
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
