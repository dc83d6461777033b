package account

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func setup(t *testing.T) (*clitest.CLI, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t, testkit.WithAccountsLimited())
	return clitest.New(t, Command()).Server(srv.URL()), srv
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var out T
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return out
}

func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in\n%s", p, text)
		}
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "X", Subjects: []string{"x"}})
	has(t, c.OK("account info").Out, "Account Information\n", "Account: APP", "System Account: false", "Expires: never", "Connected Server Version: ",
		"TLS Connection: no", "JetStream Account Information:", "Account Usage:", "Tier: Default:", "Streams: 1 of Unlimited")
	i := decode[information](t, c.OK("a nfo --json").Out)
	if i.Account != "APP" || i.JetStream == nil || i.JetStream.Streams != 1 || i.Connection.RTT <= 0 || i.Connection.ID == 0 || i.Notice != "" {
		t.Errorf("%+v", i)
	}
	limited := decode[information](t, c.Server(srv.UserURL("nostream")).OK("account info --json").Out)
	if limited.Permissions == nil || len(limited.Permissions.Publish.Deny) == 0 || limited.User != "nostream" {
		t.Errorf("%+v", limited)
	}
	out := c.Server(srv.UserURL("b")).OK("account info").Out
	has(t, out, "Memory: 0 B of 1.0 MiB", "Storage: 0 B of 10 MiB", "Streams: 0 of 5", "Consumers: Maximum 10 per stream", "Stream Requires Max Bytes Set: true")
	sys := decode[information](t, c.Server(srv.SysURL()).OK("account info --json").Out)
	if !sys.SystemAccount {
		t.Errorf("%+v", sys)
	}
	clitest.New(t, Command()).Server(testkit.Dead(t)).Fails(fail.Unreachable, "account info", "no servers")
}

func TestInfoWithoutJetStream(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	c = c.Server(srv.UserURL("nojs"))
	has(t, c.OK("account info").Out, "Account: NOJS", "JetStream is not supported in this account")
	if i := decode[information](t, c.OK("account info --json").Out); i.JetStream != nil || i.Notice == "" {
		t.Errorf("%+v", i)
	}
	if r := c.Run("account info --require-jetstream"); r.Code == fail.OK || !strings.Contains(r.Err, "JetStream") || !strings.Contains(r.Out, "NOJS") {
		t.Errorf("%d %q %q", r.Code, r.Out, r.Err)
	}
	limited := testkit.Server(t, testkit.WithAccounts())
	has(t, c.Server(limited.UserURL("limited")).OK("account info --timeout 20s").Out, "Connected Server Version", "could not obtain account information: ", "$JS.API.INFO")
}

// TestS4_Redacted: what an URL or a setting carries of a password or token is shown nowhere.
func TestS4_Redacted(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithUser("bob", "s3cr3tpw"))
	for _, line := range []string{"account info", "account info --json", "account info --format yaml", "account info --trace"} {
		r := clitest.New(t, Command()).Server(srv.AuthURL()).OK(line)
		if strings.Contains(r.Out+r.Err, "s3cr3tpw") {
			t.Errorf("%s shows the password:\n%s\n%s", line, r.Out, r.Err)
		}
	}
	token := testkit.Server(t, testkit.WithToken("s3cr3ttoken"))
	for _, line := range []string{"account info --token s3cr3ttoken", "account info --json --token s3cr3ttoken"} {
		r := clitest.New(t, Command()).Server(token.URL()).OK(line)
		if strings.Contains(r.Out+r.Err, "s3cr3ttoken") {
			t.Errorf("%s shows the token:\n%s\n%s", line, r.Out, r.Err)
		}
	}
}

// dial opens a connection with a name and that many subscriptions.
func dial(t *testing.T, srv *testkit.NATS, name string, subs int) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(srv.URL(), nats.Name(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	for range subs {
		if _, err := nc.SubscribeSync("sub." + name); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return nc
}

func order(c connections) string {
	var names []string
	for _, x := range c.Connections {
		names = append(names, x.Name)
	}
	return strings.Join(names, " ")
}

func TestConnections(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	dial(t, srv, "three", 30)
	dial(t, srv, "one", 10)
	dial(t, srv, "two", 20)
	list := func(flags string) connections {
		return decode[connections](t, c.OK("account report connections --json "+flags).Out)
	}
	for _, row := range []struct{ flags, want string }{
		{"--top 3", "one two three"},
		{"--top 2", "two three"},
		{"--top 2 -R", "three two"},
		{"--subject sub.two", "two"},
		{"--subject sub.none", ""},
		{"--username nobody", ""},
		{"--state closed --username nobody", ""},
	} {
		if got := order(list(row.flags)); got != row.want {
			t.Errorf("%s: %q, want %q", row.flags, got, row.want)
		}
	}
	if all := list("--sort cid"); all.Total != 4 || len(all.Servers) != 1 || all.Servers[0].Connections != 4 || !strings.HasPrefix(order(all), "three one two") {
		t.Errorf("%d %s %+v", all.Total, order(all), all.Servers)
	}
	for _, by := range []string{"in-bytes", "out-bytes", "in-msgs", "out-msgs", "uptime"} {
		if got := list("--sort " + by); got.Total != 4 {
			t.Errorf("%s: %d", by, got.Total)
		}
	}
	has(t, c.OK("a rep conns --top 3").Out, "Top 3 Connections out of 4 by subs", "Totals for 3 connections", "Connections per server", " 60 ")
	if r := c.OK("account report connz --username nobody"); !strings.Contains(r.Out, "Top 0 Connections out of 0 by subs") || r.Err != "" {
		t.Errorf("%q %q", r.Out, r.Err)
	}
	if out := c.OK("account report connz --username nobody --json --jq .connections").Out; out != "[]\n" {
		t.Errorf("%q", out)
	}
	c.Fails(fail.Usage, "account report connections --sort other")
	c.Fails(fail.Usage, "account report connections --top 0", "--top")
	c.Fails(fail.Usage, "account report connections --subject 'a..b'", "--subject")
	c.Fails(fail.Usage, "account report connections --closed-reason x", "--state closed")
	c.Fails(fail.Usage, "account report connections --state all --closed-reason '('", "--closed-reason")
	limited := testkit.Server(t, testkit.WithAccounts())
	c.Server(limited.UserURL("limited")).Fails(fail.Unreachable, "account report connections --timeout 20s", connzSubject)
	c.Server(limited.UserURL("limited")).Fails(fail.Unreachable, "account report statistics --timeout 20s", statzSubject)
}

func TestClosedConnections(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	dial(t, srv, "gone", 1).Close()
	testkit.Eventually(t, time.Minute, "the server to note that a client is gone", func() bool {
		z, err := srv.Server().Connz(&server.ConnzOptions{State: server.ConnClosed})
		return err == nil && z.NumConns > 0
	})
	for _, reason := range []string{"'Client Closed'", "'CLIENT.*closed'"} {
		got := decode[connections](t, c.OK("account report connections --state closed --json --closed-reason "+reason).Out)
		if got.Total == 0 || got.Connections[0].Reason != "Client Closed" {
			t.Errorf("%s: %+v", reason, got)
		}
	}
	has(t, c.OK("account report connections --state all").Out, "Reason", "Client Closed")
	if got := decode[connections](t, c.OK("account report connections --state closed --json --closed-reason \"it's\"").Out); got.Total != 0 {
		t.Errorf("%+v", got)
	}
}

// TestManyConnections needs more than one page.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("opens more than a thousand connections")
	}
	c, srv := setup(t)
	const each, workers = 150, 8
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				nc, err := nats.Connect(srv.URL())
				if err != nil {
					t.Error(err)
					return
				}
				nc.Close()
			}
		})
	}
	wg.Wait()
	testkit.Eventually(t, time.Minute, "the server to note that all clients are gone", func() bool {
		z, err := srv.Server().Connz(&server.ConnzOptions{State: server.ConnClosed})
		return err == nil && z.Total >= each*workers
	})
	got := decode[connections](t, c.OK("account report connections --state closed --top 2000 --json").Out)
	if got.Total != each*workers || len(got.Connections) != each*workers {
		t.Errorf("%d of %d, %d shown", got.Total, each*workers, len(got.Connections))
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := testkit.Cluster(t, 3)
	for _, n := range cluster.Nodes() {
		dial(t, n, n.Name(), 1)
	}
	c := clitest.New(t, Command()).Server(cluster.URL())
	got := decode[connections](t, c.OK("account report connections --json").Out)
	if got.Total != 4 || len(got.Servers) != 3 || got.Servers[0].Cluster != cluster.Name() {
		t.Errorf("%d %+v", got.Total, got.Servers)
	}
	if use := decode[[]usage](t, c.OK("account report statistics --json").Out); len(use) != 3 || use[0].Server.Name >= use[1].Server.Name {
		t.Errorf("%+v", use)
	}
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	dial(t, srv, "a", 5)
	got := decode[[]usage](t, c.OK("account report statistics --json").Out)
	if len(got) != 1 || got[0].Statistics.Conns != 2 || got[0].Statistics.Account != "APP" || got[0].Server.Name != srv.Name() {
		t.Errorf("%+v", got)
	}
	has(t, c.OK("account report statsz").Out, "Server Statistics", srv.Name(), "Slow Consumers")
	if got := decode[[]usage](t, c.Server(srv.SysURL()).OK("account report stats --json").Out); len(got) < 2 {
		t.Errorf("a user of the system account sees %d", len(got))
	}
}

// TestEmbedded: a connection within the process has no address.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	c = c.Server("embedded:" + c.Path("store"))
	has(t, c.OK("account info").Out, "Account: $G", "Streams: 0 of Unlimited")
	if out := c.OK("account report connections --format csv").Out; strings.Contains(out, ":0") {
		t.Errorf("%s", out)
	}
}

func TestHighest(t *testing.T) {
	t.Parallel()
	all := make([]client, 5)
	for i := range all {
		all[i].Cid, all[i].InMsgs = uint64(i), int64(i*i%5)
	}
	got := highest(all, connectionsOptions{sort: "in-msgs", top: 3, reverse: true})
	if len(got) != 3 || got[0].InMsgs != 4 || got[2].InMsgs != 1 {
		t.Errorf("%+v", got)
	}
}

func TestViews(t *testing.T) {
	i := information{
		User: "UABC", UserName: "bob", Account: "A", AccountName: "A", Expires: 90 * time.Minute,
		Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Deny: []string{"$JS.API.STREAM.DELETE.>", "$JS.API.STREAM.CREATE.>"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
			Response:  &server.ResponsePermission{MaxMsgs: 1, Expires: time.Second},
		},
		Connection: connection{
			ID: 929, IP: "203.0.113.9", Local: "10.0.0.5", RTT: 181 * time.Microsecond, Headers: true, MaxPayload: 1 << 20, Cluster: "C",
			URL: "tls://bob:*****@127.0.0.1:15100", Address: "127.0.0.1:15100", ServerID: "NCLIDF", Version: "2.14.3", ServerName: "single",
			TLS: &secured{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "localhost", Verified: true, Issuer: "CN=test CA"},
		},
	}
	tier := api.JetStreamTier{
		Store: 323_584, ReservedStore: 1 << 20, ReservedMemory: 10 << 20, Streams: 16, Consumers: 15,
		Limits: api.JetStreamAccountLimits{MaxMemory: -1, MaxStore: 100 << 20, MaxStreams: -1, MaxConsumers: 5, MaxAckPending: -1, StoreMaxStreamBytes: 1 << 20},
	}
	i.JetStream = &api.JetStreamAccountStats{JetStreamTier: tier, Domain: "D"}
	viewtest.Golden(t, "info", i)
	i.Permissions, i.Connection.TLS, i.Expires = nil, nil, 0
	i.JetStream.Tiers, i.JetStream.Domain = map[string]api.JetStreamTier{"R3": tier, "R1": tier}, ""
	viewtest.Golden(t, "info-tiers", i)
	i.JetStream, i.Notice = nil, "JetStream is not supported in this account"
	viewtest.Golden(t, "info-plain", i)

	conn := func(cid uint64, name string) client {
		x := client{Server: "single", Cluster: "C", id: "N"}
		x.Cid, x.Name, x.IP, x.Port, x.Account, x.Uptime, x.InMsgs, x.InBytes, x.NumSubs = cid, name, "127.0.0.1", 54946, "A", "3m2s", 1234, 227, 7
		return x
	}
	two := connections{Total: 663, sort: "cid", Connections: []client{conn(932, "NATS CLI"), conn(7, "")}, Servers: []serverClient{{"single", "C", 663}}}
	two.Connections[1].Kind, two.Connections[1].MQTTClient = "Leafnode", "mqtt-1"
	viewtest.Golden(t, "connections", two)
	closed := connections{Total: 1, sort: "subs", reason: true, Connections: []client{conn(1, "gone")}, Servers: []serverClient{{"single", "", 1}}}
	closed.Connections[0].Reason = "Client Closed"
	viewtest.Golden(t, "connections-closed", closed)
	viewtest.Golden(t, "connections-none", connections{sort: "subs", Connections: []client{}, Servers: []serverClient{}})

	use := usage{Server: server.ServerInfo{Name: "n1", Host: "127.0.0.1", ID: "A", Cluster: "C", Version: "2.14.3", Tags: []string{"x", "y"}}}
	use.Statistics = server.AccountStat{Account: "A", Conns: 1, NumSubs: 118, LeafNodes: 2, SlowConsumers: 3}
	use.Statistics.Sent.Bytes, use.Statistics.Sent.Msgs, use.Statistics.Received.Bytes, use.Statistics.Received.Msgs = 2_400_000, 2161, 987_000, 1682
	other := use
	other.Server.Name, other.Server.ID, other.Statistics.Conns = "n2", "B", 4
	viewtest.Golden(t, "statistics", usages{use, other})
}
