package consumer

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

// led waits until the consumer has a leader and current replicas.
func led(t *testing.T, f *testkit.ClusterFixture, name string) *jetstream.ClusterInfo {
	t.Helper()
	var info *jetstream.ConsumerInfo
	testkit.Eventually(t, 30*time.Second, name+" is settled", func() bool {
		c, err := f.JS().Consumer(t.Context(), "ORDERS", name)
		if err != nil {
			return false
		}
		info = c.CachedInfo()
		return info.Cluster != nil && info.Cluster.Leader != "" && !slices.ContainsFunc(info.Cluster.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current || p.Offline })
	})
	return info.Cluster
}

func TestCluster(t *testing.T) {
	t.Parallel()
	f := testkit.Cluster(t, 3)
	testkit.Stream(t, f.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Replicas: 3})
	c := clitest.New(t, Command()).Server(f.URL())
	c.OK("consumer add ORDERS C --pull --defaults")
	c.OK("consumer add ORDERS R1 --pull --replicas 1 --defaults")
	before := led(t, f, "C")
	r := c.OK("consumer cluster step-down ORDERS C")
	contains(t, "stderr", r.Err, fmt.Sprintf("Requesting leader step down of %q in a 3 peer RAFT group", before.Leader), "New leader elected ")
	contains(t, "stdout", r.Out, "Information for Consumer ORDERS > C", "Cluster Information:", "Raft Group: ")
	now := led(t, f, "C")
	if now.Leader == before.Leader {
		t.Errorf("%s still leads", now.Leader)
	}
	other := now.Replicas[0].Name
	c.OK("consumer c d ORDERS C --preferred " + other)
	if got := led(t, f, "C").Leader; got != other {
		t.Errorf("%s leads, not %s", got, other)
	}
	c.Fails(fail.Failure, "consumer cluster step-down ORDERS C --preferred "+other, "(10005)")
	// Case 92: what cannot change its leader is told at once.
	c.Fails(fail.Failure, "consumer cluster step-down ORDERS R1", "single replica")
	c.Fails(fail.NotFound, "consumer cluster step-down ORDERS NOPE", "(10014)")
	c.Fails(fail.NotFound, "consumer cluster evacuate ORDERS C nobody -f", "(10040)")
	c.Fails(fail.Usage, "consumer cluster evacuate ORDERS C "+other, "--force")
	for n := range 5 {
		name := fmt.Sprintf("B%d", n)
		c.OK("consumer add ORDERS " + name + " --pull --defaults")
		if led(t, f, name).Leader != "C1" {
			c.OK("consumer cluster step-down ORDERS " + name + " --preferred C1")
		}
	}
	contains(t, "dry run", c.OK("consumer cluster balance ORDERS --dry-run").Out, "Leaders to move", "Would balance ")
	contains(t, "balance", c.OK("consumer cluster balance ORDERS").Out, "Balanced ", " consumers on ORDERS\n")
	leaders := map[string]int{"C1": 0, "C2": 0, "C3": 0}
	for _, name := range []string{"C", "B0", "B1", "B2", "B3", "B4"} {
		leaders[led(t, f, name).Leader]++
	}
	if leaders["C1"] != 2 || leaders["C2"] != 2 || leaders["C3"] != 2 {
		t.Errorf("%v", leaders)
	}
	contains(t, "report", c.OK("consumer report ORDERS --leaders").Out, "RAFT Leader Report", "C1*")
}

func TestClusterOnASingleServer(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	if out := c.OK("consumer cluster balance ORDERS").Out; out != "No consumers on ORDERS\n" {
		t.Errorf("%s", out)
	}
	pull(t, srv, "C")
	r := c.OK("consumer cluster balance ORDERS")
	if r.Out != "Balanced 0 consumers on ORDERS\n" {
		t.Errorf("%s", r.Out)
	}
	c.Fails(fail.Failure, "consumer cluster step-down ORDERS C", "not in a cluster")
	c.Fails(fail.Failure, "consumer cluster evacuate ORDERS C n1 -f", "not in a cluster")
	c.Fails(fail.Usage, "consumer graph ORDERS C", "terminal")
	viewtest.Golden(t, "balance", balanced{Stream: "ORDERS", DryRun: true, Consumers: 3, Moves: []js.Move{{Name: "C", From: "n1", To: "n2"}}})
	viewtest.Golden(t, "evacuate", peerSet{"ORDERS", "C", "n3", []string{"n1", "n2"}})
}

func TestPeers(t *testing.T) {
	t.Parallel()
	i := sample(t, full1)
	if got := peers(i); len(got) != 3 || got[0] != "n2" || !onPeer(i, "x") || !onPeer(i, "n3") || onPeer(i, "n4") {
		t.Errorf("%v", got)
	}
	if peers(consumers.Consumer{}) != nil {
		t.Error("a consumer outside a cluster has peers")
	}
}
