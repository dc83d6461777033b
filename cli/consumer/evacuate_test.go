package consumer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// A consumer with one copy leaves its server for another of the stream's, and goes on where it was.
func TestClusterEvacuate(t *testing.T) {
	t.Parallel()
	f := testkit.Cluster(t, 3)
	testkit.Stream(t, f.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Replicas: 3})
	testkit.Store(t, f.JS(), "orders.new", 3, "m")
	c := clitest.New(t, Command()).Server(f.URL())
	c.OK("consumer add ORDERS ONE --pull --replicas 1 --defaults")
	c.OK("consumer next ORDERS ONE --count 2 --raw")
	peer := led(t, f, "ONE").Leader
	r := c.OK("consumer cluster evacuate ORDERS ONE " + peer + " -f")
	contains(t, "stderr", r.Err, fmt.Sprintf("Evacuating consumer from peer %q", peer))
	if strings.Contains(r.Out, peer) {
		t.Errorf("%s", r.Out)
	}
	if now := led(t, f, "ONE"); now.Leader == peer {
		t.Errorf("%+v", now)
	}
	contains(t, "next", c.OK("consumer info ORDERS ONE").Out, "Unprocessed Messages: 1")
}
