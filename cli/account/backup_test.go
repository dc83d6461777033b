package account

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// The spellings from before nats backup work as those do, with a warning.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders"}})
	testkit.Store(t, srv.JS(), "orders", 3, "x")
	c := clitest.New(t, Command()).Server(srv.URL())
	r := c.OK("account backup A -f")
	if !strings.Contains(r.Out, "ORDERS") || !strings.Contains(r.Err, "deprecated, use nats backup account\n") {
		t.Errorf("%+v", r)
	}
	if r := c.OK("account snapshot A -f"); !strings.Contains(r.Out, "up to date") {
		t.Errorf("%+v", r)
	}
	if err := srv.JS().DeleteStream(t.Context(), "ORDERS"); err != nil {
		t.Fatal(err)
	}
	r = c.OK("account restore A")
	if !strings.Contains(r.Out, "restored") || !strings.Contains(r.Err, "deprecated, use nats backup restore account\n") {
		t.Errorf("%+v", r)
	}
	if got := testkit.State(t, srv.JS(), "ORDERS").Msgs; got != 3 {
		t.Errorf("%d messages", got)
	}
}
