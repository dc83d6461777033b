package testkit_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
)

func TestCluster(t *testing.T) {
	t.Parallel()
	c := testkit.Cluster(t, 3, testkit.WithAccounts())
	if len(c.Nodes()) != 3 || c.Leader() == nil {
		t.Fatalf("%d servers, leader %v", len(c.Nodes()), c.Leader())
	}
	testkit.Stream(t, c.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Replicas: 3})
	testkit.Store(t, c.JS(), "s", 20, "x")
	servers(t, c.Node(1).SysConn(), 3)

	lead := 0
	for i, n := range c.Nodes() {
		if n == c.Leader() {
			lead = i
		}
	}
	c.Kill(lead)
	if c.Leader() == nil || c.Leader() == c.Node(lead) || c.Node(lead).Server() != nil {
		t.Errorf("leader %v after the leader was killed", c.Leader())
	}
	other := c.Node((lead + 1) % 3)
	testkit.Store(t, other.JS(), "s", 20, "y")
	c.Restart(lead)
	if got := testkit.State(t, c.Node(lead).JS(), "S").Msgs; got != 40 {
		t.Errorf("%d messages, want 40", got)
	}
	servers(t, c.Node(lead).SysConn(), 3)
}

func TestClusterWithoutJetStream(t *testing.T) {
	t.Parallel()
	c := testkit.Cluster(t, 2, testkit.WithoutJetStream())
	sub := testkit.Subscribe(t, c.Node(0).Conn(), "x")
	c.Node(1).AwaitInterest("x")
	testkit.Publish(t, c.Node(1).Conn(), "x", 1, "over the route")
	if got := string(sub.Next().Data); got != "over the route" {
		t.Errorf("body %q", got)
	}
}

func TestSuperCluster(t *testing.T) {
	t.Parallel()
	s := testkit.SuperCluster(t, 2, 3)
	servers(t, s.Clusters[0].Node(0).SysConn(), 6)
	a, b := s.Clusters[0], s.Clusters[1]
	stream := testkit.Stream(t, a.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Replicas: 3, Placement: &jetstream.Placement{Cluster: "B"}})
	if got := stream.CachedInfo().Cluster.Name; got != "B" {
		t.Errorf("the stream is in cluster %s", got)
	}
	testkit.Store(t, b.JS(), "s", 3, "x")
	if got := testkit.State(t, a.JS(), "S").Msgs; got != 3 {
		t.Errorf("%d messages", got)
	}
}

func TestLeaf(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]testkit.Option{
		"open":     nil,
		"token":    {testkit.WithToken("secret")},
		"user":     {testkit.WithUser("u", "p")},
		"accounts": {testkit.WithAccounts()},
		"JWT":      {testkit.WithJWT()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := testkit.Server(t, append(opts, testkit.WithDomain("hub"))...)
			leaf := testkit.Leaf(t, hub)
			two := testkit.Leaf(t, hub, testkit.WithName("two"), testkit.WithDomain("two"), testkit.WithAccounts())
			sub := testkit.Subscribe(t, hub.Conn(), "up")
			leaf.AwaitInterest("up")
			two.AwaitInterest("up")
			testkit.Publish(t, leaf.Conn(), "up", 1, "from leaf")
			testkit.Publish(t, two.Conn(), "up", 1, "from leaf")
			if got := sub.Bodies(2); got[0] != "from leaf" || got[1] != got[0] {
				t.Errorf("bodies %q", got)
			}
			testkit.Stream(t, leaf.JS(), jetstream.StreamConfig{Name: "L"})
			js, err := jetstream.NewWithDomain(hub.Conn(), "leaf")
			if err != nil {
				t.Fatal(err)
			}
			if got := testkit.State(t, js, "L"); got.Msgs != 0 {
				t.Errorf("state %+v", got)
			}
			hub.Restart()
			testkit.Eventually(t, clusterTime, "the leaf nodes are back", func() bool { return hub.Server().NumLeafNodes() == 2 })
		})
	}
}
