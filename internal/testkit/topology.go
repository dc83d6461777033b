package testkit

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// clusterWait bounds the election of leaders: about a second on a quiet machine, a few times ten after failed votes.
const clusterWait = 2 * time.Minute

// hearWait is how long the next server may take to answer before all are asked again.
const hearWait = time.Second

// gatewayDelay is how soon clusters look for each other; nats-server waits a second by itself.
const gatewayDelay = 50 * time.Millisecond

var quickGateways = sync.OnceFunc(func() { server.SetGatewaysSolicitDelay(gatewayDelay) })

// topology adds the servers that the server is to be connected with.
func (s *setup) topology(o *server.Options) {
	if s.clusterPort != 0 {
		o.Cluster.Name, o.Cluster.Host, o.Cluster.Port = s.cluster, loopback, s.clusterPort
		for _, p := range s.routes {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: address(p)})
		}
	}
	if s.gatewayPort != 0 {
		o.Gateway.Name, o.Gateway.Host, o.Gateway.Port = s.cluster, loopback, s.gatewayPort
		for _, g := range s.gateways {
			r := &server.RemoteGatewayOpts{Name: g.name}
			for _, p := range g.ports {
				r.URLs = append(r.URLs, &url.URL{Scheme: "nats", Host: address(p)})
			}
			o.Gateway.Gateways = append(o.Gateway.Gateways, r)
		}
	}
	for _, r := range s.remotes {
		o.LeafNode.Remotes = append(o.LeafNode.Remotes, &server.RemoteLeafOpts{URLs: []*url.URL{r.url}, Credentials: r.creds, LocalAccount: r.account})
	}
}

// ClusterFixture is a running cluster. Its methods are called from one goroutine.
type ClusterFixture struct {
	t     testing.TB
	name  string
	nodes []*NATS
	all   []*NATS // with those of the other clusters of a supercluster
	conn  *nats.Conn
}

// SuperFixture is clusters joined by gateways; their JetStream is one.
type SuperFixture struct {
	Clusters []*ClusterFixture
}

// Cluster starts a cluster named C of n servers named C1, C2 …; n below 1 means 3. With JetStream it has a leader and all its
// servers take part when Cluster returns, so that streams of n replicas can be made at once.
// It takes seconds: the test is skipped under -short.
func Cluster(t testing.TB, n int, opts ...Option) *ClusterFixture {
	t.Helper()
	return startClusters(t, []string{"C"}, n, opts)[0]
}

// SuperCluster starts clusters named A, B … of so many servers each, named A1, A2 …, joined by gateways.
// It takes seconds: the test is skipped under -short.
func SuperCluster(t testing.TB, clusters, nodes int, opts ...Option) *SuperFixture {
	t.Helper()
	quickGateways()
	names := make([]string, clusters)
	for i := range names {
		names[i] = string(rune('A' + i))
	}
	return &SuperFixture{Clusters: startClusters(t, names, nodes, opts)}
}

func startClusters(t testing.TB, names []string, nodes int, opts []Option) []*ClusterFixture {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a cluster")
	}
	if nodes < 1 {
		nodes = 3
	}
	base := newSetup(t, opts)
	var err error
	for range startTries {
		var clusters []*ClusterFixture
		if clusters, err = tryClusters(t, base, names, nodes); err == nil {
			for _, c := range clusters {
				c.await()
			}
			return clusters
		}
		if !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	t.Fatalf("clusters %v: %v", names, err)
	return nil
}

// tryClusters starts every server on ports that all are told beforehand: the first leader is elected by as many as there are routes.
func tryClusters(t testing.TB, base *setup, names []string, nodes int) ([]*ClusterFixture, error) {
	t.Helper()
	var clusters []*ClusterFixture
	var all []*NATS
	var gateways []gateway
	for _, name := range names {
		c := &ClusterFixture{t: t, name: name}
		g := gateway{name: name}
		routes := make([]int, nodes)
		for i := range nodes {
			s := *base
			routes[i] = freePort(t)
			s.name, s.cluster, s.clusterPort = fmt.Sprintf("%s%d", name, i+1), name, routes[i]
			if len(names) > 1 {
				s.gatewayPort = freePort(t)
				g.ports = append(g.ports, s.gatewayPort)
			}
			n := newNATS(t, &s)
			n.pickPorts()
			c.nodes = append(c.nodes, n)
		}
		for _, n := range c.nodes {
			n.setup.routes = routes
		}
		gateways = append(gateways, g)
		clusters, all = append(clusters, c), append(all, c.nodes...)
	}
	if len(names) > 1 {
		for _, n := range all {
			n.setup.gateways = gateways
		}
	}
	for _, c := range clusters {
		c.all = all
	}
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i, n := range all {
		wait.Go(func() { errs[i] = n.run() })
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			for _, n := range all {
				n.Stop()
			}
			return nil, err
		}
	}
	return clusters, nil
}

// await returns when every running server of the fixture reaches every other one and, with JetStream, follows one leader.
func (c *ClusterFixture) await() {
	c.t.Helper()
	everywhere, here := running(c.all), running(c.nodes)
	for _, n := range here {
		Eventually(c.t, clusterWait, n.Name()+" is connected with its cluster", func() bool {
			return n.Server().NumRemotes() >= len(here)-1
		})
		if gateways := len(n.setup.gateways) - 1; gateways > 0 {
			Eventually(c.t, clusterWait, n.Name()+" is connected with the other clusters", func() bool {
				return n.Server().NumOutboundGateways() >= gateways
			})
		}
		if n.setup.hasSys {
			Eventually(c.t, clusterWait, n.Name()+" hears of every server", func() bool { return n.hears(len(everywhere)) })
		}
	}
	c.awaitLeader()
	c.awaitConns()
}

func (c *ClusterFixture) awaitLeader() {
	c.t.Helper()
	servers := running(c.all)
	if c.nodes[0].setup.noJS || 2*len(servers) <= len(c.all) {
		return
	}
	Eventually(c.t, clusterWait, "JetStream has a leader that knows every server", func() bool {
		l := leaderOf(servers)
		return l != nil && len(l.Server().JetStreamClusterPeers()) == len(servers)
	})
	for _, n := range servers {
		Eventually(c.t, clusterWait, n.Name()+" follows the JetStream leader", func() bool { return n.Server().JetStreamIsCurrent() })
	}
}

// awaitConns waits until the connections to the cluster have left the servers that are gone.
func (c *ClusterFixture) awaitConns() {
	c.t.Helper()
	if c.conn != nil && len(running(c.nodes)) > 0 {
		awaitConn(c.t, c.conn, c.nodes...)
	}
}

// hears asks over the system account, and tells whether so many servers answered: routes carry its interest a moment after they
// are there.
func (n *NATS) hears(servers int) bool {
	var user *url.Userinfo
	if !n.setup.jwt {
		user = url.UserPassword("sys", "sys")
	}
	nc, err := nats.Connect(n.url(user), n.setup.clientOptions(n.setup.sysCreds)...)
	if err != nil {
		return false
	}
	defer nc.Close()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil || nc.PublishRequest("$SYS.REQ.SERVER.PING.IDZ", inbox, nil) != nil {
		return false
	}
	seen := map[string]bool{}
	for len(seen) < servers {
		m, err := sub.NextMsg(hearWait)
		if err != nil {
			return false
		}
		var answer struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(m.Data, &answer) != nil {
			return false
		}
		seen[answer.ID] = true
	}
	return true
}

func running(nodes []*NATS) []*NATS {
	return slices.DeleteFunc(slices.Clone(nodes), func(n *NATS) bool { return n.Server() == nil })
}

func leaderOf(nodes []*NATS) *NATS {
	for _, n := range nodes {
		if srv := n.Server(); srv != nil && srv.JetStreamIsLeader() {
			return n
		}
	}
	return nil
}

// Name is the name of the cluster.
func (c *ClusterFixture) Name() string { return c.name }

// Nodes are the servers, those that are stopped too.
func (c *ClusterFixture) Nodes() []*NATS { return c.nodes }

// Node is server i, counted from 0.
func (c *ClusterFixture) Node(i int) *NATS { return c.nodes[i] }

// URL is the client URLs of all servers, joined by commas, without credentials.
func (c *ClusterFixture) URL() string { return c.join((*NATS).URL) }

func (c *ClusterFixture) join(of func(*NATS) string) string {
	urls := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		urls[i] = of(n)
	}
	return strings.Join(urls, ",")
}

// Conn is a connection as an ordinary client to any of the servers, always the same, closed when the test ends.
func (c *ClusterFixture) Conn() *nats.Conn {
	c.t.Helper()
	if c.conn == nil {
		first := c.nodes[0]
		c.conn = connect(c.t, c.join((*NATS).AuthURL), first.setup.clientOptions(first.setup.creds)...)
	}
	return c.conn
}

// JS is JetStream over Conn.
func (c *ClusterFixture) JS() jetstream.JetStream {
	c.t.Helper()
	js, err := jetstream.New(c.Conn())
	if err != nil {
		c.t.Fatalf("JetStream of cluster %s: %v", c.name, err)
	}
	return js
}

// Leader is the server that leads JetStream; nil while there is none, or when it is in another cluster.
func (c *ClusterFixture) Leader() *NATS { return leaderOf(c.nodes) }

// Kill stops server i, as a signal would, and waits until those that are left have a JetStream leader if they are a majority.
func (c *ClusterFixture) Kill(i int) {
	c.t.Helper()
	c.nodes[i].Stop()
	left := running(c.all)
	if !c.nodes[i].setup.noJS && 2*len(left) > len(c.all) {
		Eventually(c.t, clusterWait, "JetStream has a leader again", func() bool { return leaderOf(left) != nil })
	}
	c.awaitConns()
}

// Restart starts server i on its ports and with its store, and waits until it is back in the cluster.
func (c *ClusterFixture) Restart(i int) {
	c.t.Helper()
	c.nodes[i].Restart()
	c.await()
}

// Leaf starts a leaf node of hub named leaf, with the JetStream domain leaf unless WithDomain says another. It is bound to the
// default account, or to APP when its options bring that, and connected when Leaf returns. Further leaf nodes of the same hub
// need WithName; give the hub a domain to reach its streams from the leaf node.
func Leaf(t testing.TB, hub *NATS, opts ...Option) *NATS {
	t.Helper()
	s := newSetup(t, opts)
	s.name = or(s.name, "leaf")
	if !s.noJS {
		s.domain = or(s.domain, "leaf")
	}
	s.remotes = []remote{{
		url:     &url.URL{Scheme: "nats-leaf", User: hub.setup.userinfo(), Host: address(hub.ports.leaf)},
		creds:   hub.setup.creds,
		account: s.account,
	}}
	before := hub.Server().NumLeafNodes()
	n := newNATS(t, s)
	n.start()
	Eventually(t, startWait, "leaf node "+s.name+" is connected to "+hub.Name(), func() bool {
		return n.Server().NumLeafNodes() > 0 && hub.Server().NumLeafNodes() > before
	})
	return n
}
