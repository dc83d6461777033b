package server

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// up starts a server and reads its line of JSON.
func up(t *testing.T, c *clitest.CLI, line string) (*clitest.Running, ready) {
	t.Helper()
	run := c.Start(line + " --json").Says("Next: nats --context")
	var r ready
	if err := json.Unmarshal([]byte(run.Out()), &r); err != nil {
		t.Fatalf("%s: %v in %q", line, err, run.Out())
	}
	return run, r
}

// context is what a context file of c says.
func contextFile(t *testing.T, c *clitest.CLI, name string) map[string]any {
	t.Helper()
	path := filepath.Join(filepath.Dir(c.Dir()), "config", "nats", "context", name+".json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %v, %v", path, st.Mode(), err)
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func gone(t *testing.T, c *clitest.CLI, name string) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(filepath.Dir(c.Dir()), "config", "nats", "context", name+".json"))
	return os.IsNotExist(err)
}

func connect(t *testing.T, from map[string]any) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(from["url"].(string), nats.UserInfo(from["user"].(string), from["password"].(string)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// A server is ready when it says so, is reached by its contexts alone, and keeps what it acknowledged.
func TestRunKeepsWhatItAcknowledged(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	run, r := up(t, c, "server run demo --port=-1 --monitor=-1 --websocket=-1 --js-domain cloud")
	if r.URL == "" || r.MonitorURL == "" || r.WebsocketURL == "" || r.Domain != "cloud" || r.PID != os.Getpid() || r.SystemContext != "demo_system" {
		t.Errorf("ready: %+v", r)
	}
	main := contextFile(t, c, "demo")
	if _, err := nats.Connect(r.URL); err == nil {
		t.Error("a client without credentials was let in")
	}
	for _, secret := range []string{main["password"].(string), contextFile(t, c, "demo_system")["password"].(string)} {
		if strings.Contains(run.Out()+run.Err(), secret) {
			t.Error("a password was printed")
		}
	}
	nc := connect(t, main)
	js, err := jetstream.NewWithDomain(nc, "cloud")
	if err != nil {
		t.Fatal(err)
	}
	testkit.Stream(t, js, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	testkit.Store(t, js, "s", 500, "x")
	if got := run.Terminate(); got.Code != fail.OK {
		t.Fatalf("ended with %d: %s", got.Code, got.Err)
	}
	if !gone(t, c, "demo") || !gone(t, c, "demo_system") {
		t.Error("the contexts were left behind")
	}

	run, _ = up(t, c, "server run demo --port=-1 --js-domain cloud --keep")
	js, err = jetstream.NewWithDomain(connect(t, contextFile(t, c, "demo")), "cloud")
	if err != nil {
		t.Fatal(err)
	}
	if st := testkit.State(t, js, "S"); st.Msgs != 500 {
		t.Errorf("%d of 500 messages are left", st.Msgs)
	}
	run.Interrupt()
	if gone(t, c, "demo") {
		t.Error("--keep did not keep the context")
	}

	// A context that an earlier run has left is our own and replaced; --clean empties the store.
	run, _ = up(t, c, "server run demo --port=-1 --js-domain cloud --clean")
	js, err = jetstream.NewWithDomain(connect(t, contextFile(t, c, "demo")), "cloud")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Stream(testkit.Context(t), "S"); err == nil {
		t.Error("--clean left a stream behind")
	}
	run.Interrupt()
}

func TestRunDemandsWhatItIsTold(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	run, r := up(t, c, "server run hub --port=-1 --token t0k3n --no-jetstream")
	if r.Store != "" {
		t.Errorf("store %s without JetStream", r.Store)
	}
	nc, err := nats.Connect(r.URL, nats.Token("t0k3n"))
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if got := contextFile(t, c, "hub"); got["token"] != "t0k3n" || got["user"] != "" {
		t.Errorf("context %v", got)
	}
	if strings.Contains(run.Out()+run.Err(), "t0k3n") {
		t.Error("the token was printed")
	}
	run.Interrupt()

	run, r = up(t, c.Env("NATS_USER", "ann").Env("NATS_PASSWORD", "s3cr3t"), "server run named --port=-1")
	if nc, err = nats.Connect(r.URL, nats.UserInfo("ann", "s3cr3t")); err != nil {
		t.Fatal(err)
	}
	nc.Close()
	run.Interrupt()
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	for line, says := range map[string]string{
		"server run x --server nats://127.0.0.1:4222":  "--server",
		"server run x --creds file.creds":              "--creds",
		"server run x --context other":                 "--context",
		"server run a/b":                               "cannot name a server",
		"server run x --port 70000":                    "--port",
		"server run x --leaf-creds f":                  "--leaf",
		"server run x --no-jetstream --store d":        "--no-jetstream",
		"server run x --user ann --port=-1 --password": "expected argument",
	} {
		c.Fails(fail.Usage, line, says)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c.Fails(fail.Failure, "server run busy --port "+port, port)
	if !gone(t, c, "busy") {
		t.Error("a server that did not start left a context")
	}

	if err := os.WriteFile(c.Path("bad.conf"), []byte("port: 4222\nnonsense: {\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Fails(fail.Usage, "server run bad --config bad.conf", "bad.conf")

	run, r := up(t, c, "server run first --port=-1")
	c.Fails(fail.Failure, "server run second --port=-1 --store "+r.Store, r.URL)
	run.Interrupt()
}

// A context of the user's is never overwritten, and is still there afterwards.
func TestRunLeavesOtherContextsAlone(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	dir := filepath.Join(filepath.Dir(c.Dir()), "config", "nats", "context")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "prod.json")
	if err := os.WriteFile(file, []byte(`{"url":"nats://prod:4222"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Fails(fail.Failure, "server run prod --port=-1", "context prod exists")
	if data, err := os.ReadFile(file); err != nil || string(data) != `{"url":"nats://prod:4222"}` {
		t.Errorf("the context is now %s, %v", data, err)
	}
}

func TestRunConfigFile(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	conf := `listen: "127.0.0.1:-1"
server_name: from-file
jetstream: { store_dir: "` + filepath.ToSlash(c.Path("js")) + `" }
authorization: { user: bob, password: pw }
`
	if err := os.WriteFile(c.Path("my.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	run, r := up(t, c, "server run local --config my.conf")
	if r.Name != "from-file" {
		t.Errorf("name %s", r.Name)
	}
	nc, err := nats.Connect(r.URL, nats.UserInfo("bob", "pw"))
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	run.Interrupt()
}

func TestRunCluster(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	a, ra := up(t, c, "server run a --port=-1 --cluster C --cluster-listen 127.0.0.1:-1 --user u --password p --no-jetstream")
	b, rb := up(t, c, "server run b --port=-1 --cluster C --cluster-listen 127.0.0.1:-1 --user u --password p --no-jetstream --routes "+ra.ClusterURL)
	na, err := nats.Connect(ra.URL, nats.UserInfo("u", "p"))
	if err != nil {
		t.Fatal(err)
	}
	defer na.Close()
	nb, err := nats.Connect(rb.URL, nats.UserInfo("u", "p"))
	if err != nil {
		t.Fatal(err)
	}
	defer nb.Close()
	if _, err := nb.Subscribe("q", func(m *nats.Msg) { _ = m.Respond([]byte("from b")) }); err != nil {
		t.Fatal(err)
	}
	if err := nb.Flush(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, time.Minute, "an answer through the route", func() bool {
		m, err := na.Request("q", nil, 200*time.Millisecond)
		return err == nil && string(m.Data) == "from b"
	})
	a.Interrupt()
	b.Interrupt()
}

// Leaf nodes connect where the hub says, with the hub's token, and share its subjects.
func TestRunLeaf(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	hub, h := up(t, c, "server run hub --port=-1 --token tok --js-domain cloud --leaf-listen 127.0.0.1:-1")
	if !strings.HasPrefix(h.LeafURL, "nats-leaf://127.0.0.1:") {
		t.Fatalf("ready: %+v", h)
	}
	_, l := up(t, c, "server run edge --port=-1 --token tok2 --js-domain edge --leaf "+strings.Replace(h.LeafURL, "://", "://tok@", 1))
	up, err := nats.Connect(h.URL, nats.Token("tok"))
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	testkit.Respond(t, up, "q", "from the hub")
	down, err := nats.Connect(l.URL, nats.Token("tok2"))
	if err != nil {
		t.Fatal(err)
	}
	defer down.Close()
	testkit.Eventually(t, time.Minute, "an answer through the leaf", func() bool {
		m, err := down.Request("q", nil, 200*time.Millisecond)
		return err == nil && string(m.Data) == "from the hub"
	})
	hub.Interrupt()
}
