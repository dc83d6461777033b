package stream

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// cluster starts n servers with a stream of three replicas.
func startCluster(t *testing.T, n int, opts ...testkit.Option) (*clitest.CLI, *testkit.ClusterFixture) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a cluster")
	}
	f := testkit.Cluster(t, n, opts...)
	c := clitest.New(t, Command()).Server(f.URL())
	c.OK("stream add R3 --subjects r3 --replicas 3 --defaults")
	c.OK("stream add R1 --subjects r1 --replicas 1 --defaults")
	settled(t, f, "R3")
	return c, f
}

// settled waits until the stream has a leader and its replicas are current.
func settled(t *testing.T, f *testkit.ClusterFixture, name string) *jetstream.ClusterInfo {
	t.Helper()
	var info *jetstream.StreamInfo
	testkit.Eventually(t, 30*time.Second, name+" is settled", func() bool {
		s, err := f.JS().Stream(t.Context(), name)
		if err != nil {
			return false
		}
		info = s.CachedInfo()
		return info.Cluster != nil && info.Cluster.Leader != "" && !slices.ContainsFunc(info.Cluster.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current || p.Offline })
	})
	return info.Cluster
}

func TestClusterStepDown(t *testing.T) {
	t.Parallel()
	c, f := startCluster(t, 3)
	before := settled(t, f, "R3").Leader
	r := c.OK("stream cluster step-down R3")
	after := settled(t, f, "R3").Leader
	contains(t, "stderr", r.Err, fmt.Sprintf("Requesting leader step down of %q for stream \"R3\" in a 3 peer cluster group", before), "New leader elected ")
	contains(t, "stdout", r.Out, "Information for Stream R3", "Cluster Information:", "Leader: ")
	if before == after {
		t.Errorf("%s still leads", after)
	}
	other := settled(t, f, "R3").Replicas[0].Name
	c.OK("stream c sd R3 --preferred " + other)
	if now := settled(t, f, "R3").Leader; now != other {
		t.Errorf("%s leads, not %s", now, other)
	}
	c.Fails(fail.Failure, "stream cluster step-down R3 --preferred "+other, "(10005)")
	c.Fails(fail.Failure, "stream cluster step-down R3 --preferred nobody", "(10005)")
	c.Fails(fail.Failure, "stream cluster step-down R1", "single replica")
	c.Fails(fail.NotFound, "stream cluster step-down R4", "(10059)")
	c.Fails(fail.Failure, "stream cluster cancel-move R3", "is not being moved")
	c.Fails(fail.Failure, "stream cluster cancel-move R3 -f", "R3")
	c.Fails(fail.NotFound, "stream cluster peer-remove R3 nobody -f", "(10040)")
	c.Fails(fail.Usage, "stream cluster peer-remove R3 "+other, "--force")
	dry := c.OK("stream cluster peer-remove R3 " + other + " --dry-run")
	contains(t, "dry run", dry.Out, "Would remove the copy of Stream R3 on "+other)
	if s := settled(t, f, "R3"); len(s.Replicas) != 2 {
		t.Errorf("%+v", s)
	}
	contains(t, "report", c.OK("stream report --leaders").Out, "RAFT Leader Report", "*")
	contains(t, "found", c.OK("stream find -n --leader "+other).Out, "R3\n")
}

func TestClusterBalance(t *testing.T) {
	t.Parallel()
	c, f := startCluster(t, 3)
	leader := settled(t, f, "R3").Leader
	for i := range 3 {
		name := fmt.Sprintf("B%d", i)
		c.OK("stream add " + name + " --subjects " + name + " --replicas 3 --defaults")
		if settled(t, f, name).Leader != leader {
			c.OK("stream cluster step-down " + name + " --preferred " + leader)
			settled(t, f, name)
		}
	}
	dry := c.OK("stream cluster balance --replicas 3 --dry-run")
	contains(t, "dry run", dry.Out, "Leaders to move", "Would balance ")
	c.OK("stream cluster balance --subject 'B*' --json")
	c.OK("stream cluster balance")
	count := map[string]int{}
	for _, name := range []string{"R3", "B0", "B1", "B2"} {
		count[settled(t, f, name).Leader]++
	}
	if len(count) != 3 {
		t.Errorf("leaders %v", count)
	}
	contains(t, "again", c.OK("stream cluster balance").Out, "Balanced 0 streams.\n")
}

func TestClusterEvacuate(t *testing.T) {
	t.Parallel()
	c, f := startCluster(t, 4)
	peer := settled(t, f, "R3").Replicas[0].Name
	c.Fails(fail.NotFound, "stream cluster evacuate R3 nobody -f", "(10040)")
	c.Fails(fail.Usage, "stream cluster evacuate R3 "+peer, "--force")
	r := c.OK("stream cluster evacuate R3 " + peer + " -f")
	contains(t, "stderr", r.Err, fmt.Sprintf("Evacuating stream from peer %q", peer))
	if !strings.HasPrefix(r.Out, "Stream peers are now: ") || strings.Contains(r.Out, peer) {
		t.Errorf("%s", r.Out)
	}
	now := settled(t, f, "R3")
	if now.Leader == peer || len(now.Replicas) != 2 {
		t.Errorf("%+v", now)
	}
}

// A move that does not get on is given up: the stream stays where it was. What keeps it is a consumer on two servers, of which one
// is down, so that they cannot agree on anything.
func TestClusterCancelMove(t *testing.T) {
	t.Parallel()
	c, f := startCluster(t, 4, testkit.WithConfig("server_tags: [disk]"))
	testkit.Store(t, f.JS(), "r3", 20, "m")
	testkit.Consumer(t, f.JS(), "R3", jetstream.ConsumerConfig{Durable: "PAIR", Replicas: 2, AckPolicy: jetstream.AckExplicitPolicy})
	// stuck begins a change after one of the two servers went down, not the one that leads the stream, and is its number.
	stuck := func(change string) int {
		t.Helper()
		leader := settled(t, f, "R3").Leader
		var down int
		testkit.Eventually(t, 30*time.Second, "the consumer has its two servers", func() bool {
			pair, err := f.JS().Consumer(t.Context(), "R3", "PAIR")
			if err != nil || pair.CachedInfo().Cluster == nil {
				return false
			}
			down = slices.IndexFunc(f.Nodes(), func(n *testkit.NATS) bool {
				return n.Name() != leader && slices.Contains(members(pair.CachedInfo().Cluster), n.Name())
			})
			return len(members(pair.CachedInfo().Cluster)) == 2 && down >= 0
		})
		f.Kill(down)
		c.Start(strings.ReplaceAll(change, "DOWN", f.Node(down).Name()))
		testkit.Eventually(t, time.Minute, "the move waits for the consumer", func() bool {
			return strings.Contains(c.Run("stream info R3 --jq .cluster.desired.status").Out, "PAIR")
		})
		return down
	}
	before := settled(t, f, "R3")
	down := stuck("stream edit R3 --tag disk -f")
	testkit.Eventually(t, time.Minute, "the move is shown with what it waits for", func() bool { // a new leader has to find out itself
		out := c.Run("stream info R3").Out
		for _, part := range []string{"Cluster Migration Status", "Placement Tags: none -> disk\n", "Desired Peers: ", "waiting for consumer 'PAIR' to migrate"} {
			if !strings.Contains(out, part) {
				return false
			}
		}
		return true
	})
	c.Fails(fail.Usage, "stream cluster cancel-move R3", "--force")
	c.Answers(answering(t, "Really cancel the move of Stream R3=n")).Fails(fail.Declined, "stream cluster cancel-move R3")
	run := c.Answers(answering(t, "Really cancel the move of Stream R3=y")).Start("stream cluster cancel-move R3").Says("Requested the end of the move")
	f.Restart(down)
	if r := run.Wait(); r.Code != fail.OK || r.Out != "Canceled move of \"R3\"\n" {
		t.Errorf("%+v", r)
	}
	if got, want := members(settled(t, f, "R3")), members(before); !slices.Equal(got, want) {
		t.Errorf("on %v, was on %v", got, want)
	}
	if out := c.OK("stream info R3 --jq '[.config.placement, .state.messages]'").Out; out != "[null,20]\n" {
		t.Errorf("%s", out)
	}
	c.Fails(fail.Failure, "stream cluster cancel-move R3", "is not being moved")
	// An evacuation has nothing to go back to.
	stuck("stream cluster evacuate R3 DOWN -f")
	c.Fails(fail.Failure, "stream cluster cancel-move R3", "cannot be canceled")
	c.Fails(fail.Failure, "stream cluster cancel-move R3 -f", "(10129)")
}

// members are the servers of a group by name.
func members(c *jetstream.ClusterInfo) []string {
	names := []string{c.Leader}
	for _, p := range c.Replicas {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// D11: with a server down, the streams that it alone keeps are shown as missing, the list ends with 7 and does not hang.
func TestD11_ListsWithAServerDown(t *testing.T) {
	t.Parallel()
	c, f := startCluster(t, 3)
	lost := settled(t, f, "R1").Leader
	down := slices.IndexFunc(f.Nodes(), func(n *testkit.NATS) bool { return n.Name() == lost })
	f.Kill(down)
	var up []string
	for i, n := range f.Nodes() {
		if i != down {
			up = append(up, n.URL())
		}
	}
	rest := c.Server(strings.Join(up, ","))
	testkit.Eventually(t, 40*time.Second, "the list lacks R1 and has R3", func() bool {
		r := rest.Run("stream ls")
		return r.Code == fail.Partial && strings.Contains(r.Out, "Inaccessible Streams") && strings.Contains(r.Out, "R1") && strings.Contains(r.Out, "│ R3 ") && strings.Contains(r.Err, "incomplete")
	})
	if out := rest.OK("stream ls -n").Out; out != "R1\nR3\n" {
		t.Errorf("%q", out)
	}
}

func TestClusterVerbsOnASingleServer(t *testing.T) {
	t.Parallel()
	c, _ := withOrders(t)
	r := c.OK("stream cluster balance")
	if r.Out != "Balanced 0 streams.\n" {
		t.Errorf("%q", r.Out)
	}
	contains(t, "stderr", r.Err, "None of the 1 streams")
	for _, verb := range []string{"step-down ORDERS", "cancel-move ORDERS", "evacuate ORDERS n1 -f", "peer-remove ORDERS n1 -f"} {
		c.Fails(fail.Failure, "stream cluster "+verb, "not in a cluster")
	}
	c.Fails(fail.Usage, "stream cluster balance --expression '1 +'", "--expression")
}
