package device

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

func TestAgentLeaf(t *testing.T) {
	hub := testkit.Server(t, testkit.WithToken("s3cr3t"), testkit.WithDomain("cloud"))
	testkit.Stream(t, hub.JS(), jetstream.StreamConfig{Name: "metrics", Subjects: []string{"metrics.>"}})
	testkit.KV(t, hub.JS(), jetstream.KeyValueConfig{Bucket: "config"})
	c := clitest.New(t, group()).Server(hub.AuthURL())
	run := c.Start("fleet agent --id d1 --state d --leaf l --metrics-interval 20ms --leaf-url " + hub.LeafURL() + " --leaf-listen 127.0.0.1:-1").Says("joined service qcon on d1")
	_, rest, _ := strings.Cut(run.Err(), "listening on ")
	url, _, _ := strings.Cut(rest, "\n")
	if nc, err := nats.Connect(url); err == nil {
		nc.Close()
		t.Errorf("%s lets anybody in", url)
	}
	nc, err := nats.Connect(url, nats.Token("s3cr3t"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if m, err := nc.RequestWithContext(testkit.Context(t), "qcon.device_info", nil); err != nil || !strings.Contains(string(m.Data), `"domain":"leaf-d1"`) {
		t.Errorf("%v %v", m, err)
	}
	testkit.Eventually(t, within, "metrics at the hub", func() bool { return testkit.State(t, hub.JS(), "metrics").Msgs > 5 })
	r := run.Interrupt()
	if r.Code != fail.OK || strings.Contains(r.Err+r.Out, "s3cr3t") {
		t.Errorf("code %d: %s", r.Code, r.Err)
	}
	c.Fails(fail.Usage, "fleet agent --leaf-url x", "--leaf DIR")
	c.Fails(fail.Usage, "fleet agent --leaf l --leaf-listen 1", "HOST:PORT")
	c.Fails(fail.Usage, "fleet agent --leaf l --leaf-domain a.b", "--leaf-domain")
	c.Fails(fail.Usage, "fleet agent --id d1 --state d --leaf l --leaf-domain cloud", "cloud")
}

func TestLeafURL(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ flag, server, want string }{
		{"", "nats://tok@hub:4222", "nats-leaf://tok@hub:7422"},
		{"", "tls://u:p@hub", "tls://u:p@hub:7422"},
		{"nats-leaf://other:9", "nats://u:p@hub:4222", "nats-leaf://u:p@other:9"},
		{"x@other", "nats://u:p@hub:4222", "nats-leaf://x@other"},
	} {
		u, err := (&leafOptions{url: row.flag}).hub(nats.Options{Servers: []string{row.server}})
		if err != nil || u.String() != row.want {
			t.Errorf("%v: %v %v", row, u, err)
		}
	}
	if _, err := (&leafOptions{url: "nats-leaf://"}).hub(nats.Options{}); err == nil {
		t.Error("a URL without a host")
	}
}
