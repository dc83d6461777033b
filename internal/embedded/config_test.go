package embedded

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

func TestBadOptions(t *testing.T) {
	t.Parallel()
	creds := filepath.Join(t.TempDir(), "missing.creds")
	rows := []struct {
		o    Options
		says string
	}{
		{Options{Port: 70000}, "70000"},
		{Options{Port: -2}, "-2"},
		{Options{Websocket: -7}, "websocket port -7"},
		{Options{Monitor: 1 << 20}, "monitor port"},
		{Options{Name: "two words"}, "two words"},
		{Options{JetStream: true}, "store"},
		{Options{JetStream: true, NoJetStream: true, Store: "x"}, "refused"},
		{Options{MaxPayload: -1}, "payload -1"},
		{Options{MaxPayload: 1 << 40}, "payload"},
		{Options{Token: "a", User: "b", Password: "c"}, `"b"`},
		{Options{User: "b"}, `"b" has no password`},
		{Options{Password: "b"}, "no user"},
		{Options{SystemUser: "s"}, `"s" has no password`},
		{Options{SystemPassword: "s"}, "no system user"},
		{Options{User: "s", Password: "1", SystemUser: "s", SystemPassword: "2"}, "system user too"},
		{Options{Routes: []string{"127.0.0.1:6222"}}, "no cluster name"},
		{Options{Cluster: "C", Routes: []string{"127.0.0.1"}}, "127.0.0.1"},
		{Options{Cluster: "C", Routes: []string{"nats://u:hunter2@%zz:1"}}, "%zz"},
		{Options{Cluster: "C", ClusterListen: "nowhere"}, "host:port"},
		{Options{Cluster: "C", ClusterListen: "127.0.0.1:99999"}, "99999"},
		{Options{Cluster: "C", ClusterListen: "u@127.0.0.1:-1"}, "no password"},
		{Options{Cluster: "C", DontListen: true}, "client port"},
		{Options{Cluster: "C", JetStream: true, Store: t.TempDir()}, "no routes"},
		{Options{LeafListen: "x"}, "leaf node address"},
		{Options{Leafs: []Leaf{{URL: "http://hub:1"}}}, "http://hub:1"},
		{Options{Leafs: []Leaf{{URL: "nats-leaf://u:hunter2@"}}}, "leaf"},
		{Options{JetStream: true, Store: t.TempDir(), Domain: "a.b"}, "domain"},
	}
	for _, r := range rows {
		if r.o.Port == 0 {
			r.o.Port = -1
		}
		err := refusal(t, r.o, fail.Usage, r.says)
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error tells the password: %v", err)
		}
	}
	refusal(t, Options{Port: -1, Leafs: []Leaf{{URL: "hub", Creds: creds}}}, fail.NotFound, creds)
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"port: 4222\nbogus_key: 1":                       `server.conf:2:1: unknown field "bogus_key"`,
		"jetstream {\n  stor_dir: x\n}":                  `server.conf:2:3: unknown field "stor_dir"`,
		"listen: 127.0.0.1:-1\nauthorization { users: [": "line 2",
		"port: 'abc'": "server.conf:1",
		"listen: 127.0.0.1:-1\nno_auth_user: nobody": "nobody",
		"include 'missing.conf'":                     "missing.conf",
	} {
		file := writeConfig(t, text)
		refusal(t, Options{Config: file}, fail.Usage, file, says)
	}
	missing := filepath.Join(t.TempDir(), "missing.conf")
	refusal(t, Options{Config: missing}, fail.Usage, missing, "no such file")
}

func TestConfigIsHonoured(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	dir := t.TempDir()
	file := writeConfig(t, fmt.Sprintf(`
		listen: 127.0.0.1:-1
		server_name: filed
		http: 127.0.0.1:-1
		max_payload: 2000
		log_file: %q
		jetstream { store_dir: %q, domain: filed }
		leafnodes { listen: 127.0.0.1:-1 }
		accounts {
			A { jetstream: enabled, users: [ { user: a, password: a } ] }
			SYS { users: [ { user: sys, password: sys } ] }
		}
		system_account: SYS
	`, dir+"/server.log", dir+"/store"))
	s := run(t, Options{Config: file})
	if s.Name() != "filed" || s.Store() != dir+"/store" || s.LeafURL() == "" || s.MonitorURL() == "" {
		t.Errorf("name %s, store %s, leaf %s, monitor %s", s.Name(), s.Store(), s.LeafURL(), s.MonitorURL())
	}
	denied(t, s.URL())
	nc := connect(t, with(s.URL(), "a:a"))
	if nc.MaxPayload() != 2000 {
		t.Errorf("payload limit %d", nc.MaxPayload())
	}
	info, err := jetStream(t, nc).AccountInfo(testkit.Context(t))
	if err != nil || info.Domain != "filed" {
		t.Errorf("info %+v: %v", info, err)
	}
	connect(t, with(s.URL(), "sys:sys"))
	text, err := os.ReadFile(dir + "/server.log")
	if err != nil || !strings.Contains(string(text), "Server is ready") {
		t.Errorf("log file %q: %v", text, err)
	}
}

func TestOptionsOverrideConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := writeConfig(t, fmt.Sprintf(`
		listen: 0.0.0.0:1
		server_name: filed
		http: 127.0.0.1:1
		max_payload: 2000
		jetstream { store_dir: %q, domain: filed }
		websocket { listen: 127.0.0.1:1, no_tls: true }
	`, dir+"/filed"))
	s := run(t, Options{
		Config: file, Host: "localhost", Port: -1, Name: "mine", Monitor: -1, Websocket: -1, Store: dir + "/mine", Domain: "mine",
		MaxPayload: 100 << 20, LeafListen: "127.0.0.1:-1", User: "u", Password: "p", SystemUser: "s", SystemPassword: "p",
	})
	if s.Name() != "mine" || s.Store() != dir+"/mine" || !strings.HasPrefix(s.URL(), "nats://localhost:") {
		t.Errorf("name %s, store %s, url %s", s.Name(), s.Store(), s.URL())
	}
	denied(t, s.URL())
	denied(t, s.WebsocketURL())
	nc := connect(t, with(s.URL(), "u:p"))
	if nc.MaxPayload() != 100<<20 {
		t.Errorf("payload limit %d", nc.MaxPayload())
	}
	info, err := jetStream(t, nc).AccountInfo(testkit.Context(t))
	if err != nil || info.Domain != "mine" {
		t.Errorf("info %+v: %v", info, err)
	}
	if _, err := os.Stat(dir + "/filed"); !os.IsNotExist(err) {
		t.Errorf("the store of the file was used: %v", err)
	}
	if err := s.srv.Reload(); err == nil {
		t.Error("a reload undoes the options")
	}
	off := run(t, Options{Config: file, Host: "127.0.0.1", Port: -1, Monitor: -1, Websocket: -1, NoJetStream: true})
	if off.srv.JetStreamEnabled() || off.Store() != "" {
		t.Error("JetStream is on")
	}
}

func TestConfigWithItsOwnAuthorization(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"authorization { token: x }",
		"authorization { user: a, password: b }",
		"authorization { users: [ { user: a, password: b } ] }",
		"accounts { A { users: [ { user: a, password: b } ] } }",
	} {
		file := writeConfig(t, "listen: 127.0.0.1:-1\n"+text)
		refusal(t, Options{Config: file, Token: "hunter2"}, fail.Usage, file, "authorization")
		refusal(t, Options{Config: file, SystemUser: "s", SystemPassword: "p"}, fail.Usage, file)
		run(t, Options{Config: file})
	}
	mappings := writeConfig(t, "listen: 127.0.0.1:-1\nmappings { a: b }")
	s := run(t, Options{Config: mappings, Token: "t"})
	sub := testkit.Subscribe(t, connect(t, with(s.URL(), "t")), "b")
	testkit.Publish(t, connect(t, with(s.URL(), "t")), "a", 1, "mapped")
	if got := string(sub.Next().Data); got != "mapped" {
		t.Errorf("body %q", got)
	}
}

func TestUnusableLogs(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"log_file: '/nonexistent/directory/x.log'",
		"remote_syslog: 'tcp://" + strings.TrimPrefix(testkit.Dead(t), "nats://") + "'",
		"remote_syslog: 'pigeon://loft'",
	} {
		refusal(t, Options{Config: writeConfig(t, "listen: 127.0.0.1:-1\n"+text)}, fail.Failure)
	}
}

func TestConfigWarnings(t *testing.T) {
	t.Parallel()
	log := newLines()
	run(t, Options{Config: writeConfig(t, "listen: 127.0.0.1:-1\nping_interval: 100"), Log: slog.New(log)})
	log.await(t, slog.LevelWarn, "ping_interval")
}

// All kinds of credentials lead to the same account: a store keeps its streams when they change.
func TestCredentials(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	rows := []struct {
		name     string
		o        Options
		in       []string // user parts of URLs that are let in
		out      []string
		anybody  bool
		isSystem bool
	}{
		{name: "none", anybody: true},
		{name: "system user", o: Options{SystemUser: "s", SystemPassword: "sp"}, anybody: true, out: []string{"s:x", "x:y"}, isSystem: true},
		{name: "token", o: Options{Token: "tok"}, in: []string{"tok"}, out: []string{"bad", "tok:tok"}},
		{name: "token and system user", o: Options{Token: "tok", SystemUser: "s", SystemPassword: "sp"}, in: []string{"tok"}, out: []string{"bad", "s:x", "tok:tok"}, isSystem: true},
		{name: "user", o: Options{User: "u", Password: "p"}, in: []string{"u:p"}, out: []string{"u:x", "u", "p"}},
		{name: "user and system user", o: Options{User: "u", Password: "p", SystemUser: "s", SystemPassword: "sp"}, in: []string{"u:p"}, out: []string{"u:x", "s:p", "u:sp"}, isSystem: true},
		{name: "token and leaf nodes", o: Options{Token: "tok", LeafListen: "127.0.0.1:-1"}, in: []string{"tok"}, out: []string{"bad", "tok:"}},
	}
	for _, r := range rows { // one after the other: they share the store
		t.Run(r.name, func(t *testing.T) {
			o := r.o
			o.JetStream, o.Store, o.Websocket = true, store, -1
			s := run(t, o)
			ws := s.WebsocketURL()
			for _, in := range r.in {
				useStream(t, connect(t, with(s.URL(), in)))
				useStream(t, connect(t, with(ws, in)))
			}
			if r.anybody {
				useStream(t, connect(t, s.URL()))
				useStream(t, connect(t, ws))
			} else {
				denied(t, s.URL())
				denied(t, ws)
			}
			for _, out := range r.out {
				denied(t, with(s.URL(), out))
			}
			if r.isSystem {
				m, err := connect(t, with(s.URL(), "s:sp")).RequestWithContext(testkit.Context(t), "$SYS.REQ.SERVER.PING", nil)
				if err != nil || !json.Valid(m.Data) {
					t.Errorf("system account: %v", err)
				}
			}
		})
	}
}

func useStream(t *testing.T, nc *nats.Conn) {
	t.Helper()
	js := jetStream(t, nc)
	if _, err := js.CreateOrUpdateStream(testkit.Context(t), jetstream.StreamConfig{Name: "KEPT", Subjects: []string{"kept"}}); err != nil {
		t.Fatal(err)
	}
	before := testkit.State(t, js, "KEPT").Msgs
	testkit.Store(t, js, "kept", 1, "x")
	if got := testkit.State(t, js, "KEPT").Msgs; got != before+1 {
		t.Errorf("%d messages, want %d", got, before+1)
	}
}

func TestLeafNodes(t *testing.T) {
	t.Parallel()
	hub := run(t, Options{Name: "hub", LeafListen: "127.0.0.1:-1", Token: "tok", SystemUser: "s", SystemPassword: "p"})
	leaf := run(t, Options{Name: "edge", JetStream: true, Store: t.TempDir(), Domain: "edge", Leafs: []Leaf{{URL: with(hub.LeafURL(), "tok")}}})
	up := connect(t, with(hub.URL(), "tok"))
	sub := testkit.Subscribe(t, up, "up")
	down := connect(t, leaf.URL())
	testkit.Eventually(t, startTime, "the leaf node is connected", func() bool { return hub.srv.NumLeafNodes() == 1 })
	testkit.Eventually(t, startTime, "the hub's interest is known", func() bool { return leaf.srv.GlobalAccount().SubscriptionInterest("up") })
	testkit.Publish(t, down, "up", 1, "hello")
	if got := string(sub.Next().Data); got != "hello" {
		t.Errorf("body %q", got)
	}

	jwt := testkit.Server(t, testkit.WithJWT())
	for _, l := range []Leaf{{URL: jwt.LeafURL(), Creds: jwt.CredsFile()}, {URL: strings.TrimPrefix(jwt.LeafURL(), "nats-leaf://"), Creds: jwt.CredsFile()}} {
		s := run(t, Options{Leafs: []Leaf{l}})
		testkit.Eventually(t, startTime, "the leaf node is connected", func() bool { return s.srv.NumLeafNodes() == 1 })
		stop(t, s)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("elects a leader")
	}
	// Without JetStream a second server needs only the address of the first.
	a := run(t, Options{Name: "a", Cluster: "C", ClusterListen: "r:secret@127.0.0.1:-1"})
	b := run(t, Options{Name: "b", Cluster: "C", Routes: []string{with(a.ClusterURL(), "r:secret")}})
	testkit.Eventually(t, startTime, "the servers are connected", func() bool { return a.srv.NumRemotes() == 1 && b.srv.NumRemotes() == 1 })
	lost := run(t, Options{Name: "c", Cluster: "C", Routes: []string{a.ClusterURL()}})
	if lost.ClusterURL() == "" || lost.ClusterURL() == a.ClusterURL() {
		t.Errorf("cluster address %q", lost.ClusterURL())
	}

	ports := make([]string, 3)
	for i := range ports {
		ports[i] = strings.TrimPrefix(testkit.Dead(t), "nats://")
	}
	nodes := make([]*Server, 3)
	for i := range nodes {
		nodes[i] = run(t, Options{JetStream: true, Store: t.TempDir(), Cluster: "J", ClusterListen: ports[i], Routes: ports})
	}
	testkit.Eventually(t, 2*startTime, "JetStream has a leader", func() bool {
		leaders, current := 0, 0
		for _, n := range nodes {
			if n.srv.JetStreamIsLeader() && len(n.srv.JetStreamClusterPeers()) == 3 {
				leaders++
			}
			if n.srv.JetStreamIsCurrent() {
				current++
			}
		}
		return leaders == 1 && current == 3
	})
	testkit.Stream(t, jetStream(t, connect(t, nodes[2].URL())), jetstream.StreamConfig{Name: "S", Replicas: 3})
}
