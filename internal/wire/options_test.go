package wire

import (
	"testing"

	"github.com/nats-io/nats.go"
)

// TestOptionsOf: a second connection is made as the first was.
func TestOptionsOf(t *testing.T) {
	t.Parallel()
	s := startServer(t, `authorization { user: u, password: p }`)
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo("u", "p"), nats.Name("first"), nats.MaxReconnects(7))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	o := OptionsOf(nc)
	if o.Name != "first" || o.MaxReconnect != 7 || !o.AllowReconnect || o.ReconnectWait != nats.DefaultReconnectWait {
		t.Errorf("options are %+v", o)
	}
	c, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}
