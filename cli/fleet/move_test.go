package fleet

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleet/fleettest"
	"github.com/natskit/natskit/internal/prompt/prompttest"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestMirrorAndSource(t *testing.T) {
	t.Parallel()
	hub, leaf := fleettest.Edge(t)
	c := clitest.New(t, Command()).Server(leaf.URL())
	line := "fleet mirror --stream survey --bucket config --from cloud --into leaf"
	says(t, c.Fails(fail.Failure, line+" --dry-run").Out, "would create")
	r := c.OK(line + " --wait --within 30s --jq '.[] | .kind + \" \" + .name + \" \" + .state + \" \" + (.messages|tostring) + \" \" + (.behind|tostring)'")
	equal(t, r.Out, "stream survey created 10 0\nbucket config created 1 0\n")
	says(t, c.OK(line).Out, "there")
	c.OK(line + " --dry-run")
	kv, err := leaf.JS().KeyValue(testkit.Context(t), "config")
	if err != nil {
		t.Fatal(err)
	}
	if e, err := kv.Get(testkit.Context(t), "all"); err != nil || !strings.Contains(string(e.Value()), "ff0000") {
		t.Errorf("%v %v", e, err)
	}
	if _, err := kv.Put(testkit.Context(t), "all", []byte("{}")); err != nil { // is written at the origin
		t.Fatal(err)
	}
	if s := testkit.State(t, hub.JS(), "KV_config"); s.LastSeq != 2 {
		t.Errorf("the origin is at %d", s.LastSeq)
	}
	c.Fails(fail.NotFound, "fleet mirror --stream surfey --from cloud --into leaf", "surfey", "survey")
	c.Fails(fail.Unreachable, "fleet mirror --stream metrics --from leaf --into nowhere", "domain nowhere", "names of the domains")
	r = c.OK("fleet source metrics --from leaf --into cloud --wait --within 30s --jq '.[] | .name + \" \" + .state + \" \" + (.messages|tostring)'")
	equal(t, r.Out, "global_metrics created 5\n")
	says(t, c.OK("fleet source metrics --from leaf --into cloud").Out, "there")
	testkit.Stream(t, hub.JS(), streamConfig("metrics"))
	says(t, c.OK("fleet source metrics --from leaf --from cloud --into cloud --wait --within 30s").Out, "extended", "metrics in leaf", "metrics in cloud")
	c.Fails(fail.Failure, "fleet source metrics --from leaf --into cloud --name survey", "does not gather")
	c.Fails(fail.Failure, "fleet mirror --stream metrics --from leaf --into cloud", "no mirror of the one in domain leaf")
	for line, why := range map[string]string{
		"fleet mirror --from cloud --into leaf":                       "what to mirror",
		"fleet mirror --stream survey --from cloud":                   "into",
		"fleet mirror --stream survey --from cloud --into cloud":      "same domain",
		"fleet mirror --stream survey --from 'a b' --into leaf":       "JetStream domain",
		"fleet source metrics --from leaf --into leaf --name metrics": "itself",
		"fleet source metrics --into cloud":                           "from",
		"fleet source metrics --from a.b --into cloud":                "JetStream domain",
		"fleet mirror --stream 'a b' --from cloud --into leaf":        "stream",
		"fleet mirror --bucket 'a.b' --from cloud --into leaf":        "bucket",
	} {
		c.Fails(fail.Usage, line, why)
	}
	// Connected to the hub the domain of the origin is known.
	says(t, clitest.New(t, Command()).Server(hub.URL()).OK("fleet mirror --stream survey --into leaf").Out, "survey in cloud")
}

func TestMove(t *testing.T) {
	t.Parallel()
	hub, leaf := fleettest.Edge(t)
	f := fleettest.Fleet(t, hub)
	fleettest.Devices(t, hub.URL(), 3)
	fleettest.Registered(t, f, "d1", "d2", "d3")
	c := clitest.New(t, Command()).Server(hub.URL()).Answers(prompttest.None())
	r := c.OK("fleet move " + leaf.URL() + " --device d1 --wait --within 30s --jq '.[] | .device, .ok, .server, .domain, .warning'")
	says(t, r.Out, "d1\ntrue\nleaf\nleaf\n", "no bucket config") // the leaf has no data yet
	c.OK("fleet mirror --bucket config --bucket qcon_state --from cloud --into leaf --wait --within 30s")
	c.Fails(fail.Usage, "fleet move "+leaf.URL()+" --all", "--force")
	says(t, c.OK("fleet move "+leaf.URL()+" --all --force --wait --within 30s").Out, "│ d3     │ yes   │ "+leaf.URL(), "leaf")
	equal(t, c.OK("fleet query 'server == \"leaf\"' --count").Out, "3\n")
	testkit.Eventually(t, fleettest.Within, "devices on the leaf node to register at the hub", func() bool {
		known, err := f.Registry(testkit.Context(t))
		return err == nil && known["d3"].Info.Server == "leaf"
	})
	says(t, c.OK("fleet move --home --where 'labels.n == \"2\"' --wait --within 30s").Out, "hub")
	equal(t, c.OK("fleet query 'server == \"leaf\"' --count").Out, "2\n")
	secret := "nats://operator:pa55word@" + strings.TrimPrefix(testkit.Dead(t), "nats://")
	r = c.Fails(fail.Failure, "fleet move "+secret+" --all --force", "no device has moved")
	if strings.Contains(r.Out+r.Err, "pa55word") {
		t.Errorf("the password is shown: %s %s", r.Out, r.Err)
	}
	for line, why := range map[string]string{
		"fleet move --all":                              "--home",
		"fleet move --home nats://x:1 --all":            "--home",
		"fleet move --home":                             "say which devices",
		"fleet move 'nats://u:pa55word@bad host' --all": "no URL",
		"fleet move host:4222 --all":                    "no URL",
	} {
		if r := c.Fails(fail.Usage, line, why); strings.Contains(r.Err, "pa55word") {
			t.Errorf("the password is shown: %s", r.Err)
		}
	}
}

func TestMoveNamesThoseThatStay(t *testing.T) {
	t.Parallel()
	c, f, srv := setup(t, 1)
	gone := fleettest.Device(t, srv.URL(), "gone")
	fleettest.Registered(t, f, "gone")
	fleettest.Stop(t, gone)
	r := c.Fails(fail.Partial, "fleet move --home --all --force --wait --idle 200ms", "not moved: gone")
	says(t, r.Out, "it is offline")
}

func TestRedact(t *testing.T) {
	t.Parallel()
	o := moveOptions{url: "nats://bob:pa55@a:1,nats://t0ken@b:2"}
	equal(t, o.redact("dial nats://bob:pa55@a:1: bob pa55 t0ken nats://t0ken@b:2"), "dial nats://a:1: bob ******** ******** nats://b:2")
	equal(t, bare("nats://u:p@ss@host:1"), "nats://host:1")
	equal(t, bare("nats://host:1"), "nats://host:1")
}

func TestCopyViews(t *testing.T) {
	n, zero := uint64(12345), uint64(0)
	viewtest.Golden(t, "mirror", copies{
		{Kind: "stream", Name: "survey", Domain: "leaf", Origins: []control.Origin{{Domain: "cloud", Stream: "survey"}}, State: "created", Messages: &n, Behind: &zero},
		{Kind: "bucket", Name: "config", Domain: "leaf", Origins: []control.Origin{{Domain: "cloud", Stream: "KV_config"}}, State: "there", Messages: &zero, Behind: &n},
	})
	viewtest.Golden(t, "source", copies{{Kind: "stream", Name: "global_metrics", Domain: "cloud", Origins: []control.Origin{{Domain: "north", Stream: "metrics"}, {Domain: "south", Stream: "metrics"}}, State: "would create"}})
	viewtest.Golden(t, "move", moves{
		{Device: "d1", OK: true, URL: "nats://leaf:4222", Server: "leaf", Domain: "leaf", Warning: "no configuration: there is no bucket config"},
		{Device: "d2", URL: "nats://hub:4222", Error: "dial tcp: connection refused\x1b"},
	})
}

func streamConfig(name string) jetstream.StreamConfig {
	return jetstream.StreamConfig{Name: name, Subjects: []string{"hub." + name + ".>"}}
}
