package sim_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/device"
	"github.com/natskit/natskit/internal/fleet/device/sim"
	"github.com/natskit/natskit/internal/testkit"
)

const (
	within  = time.Minute
	devices = 30
)

func soak() bool { return os.Getenv("NATSKIT_SOAK") != "" }

// counted checks that the metrics of each device count up by one from 1, and returns how many there are in all.
func counted(t testing.TB, stored []*jetstream.RawStreamMsg) (total int, last map[string]uint64) {
	t.Helper()
	last = map[string]uint64{}
	for _, m := range stored {
		var metric fleet.Metric
		if err := json.Unmarshal(m.Data, &metric); err != nil {
			t.Fatal(err)
		}
		if before := last[metric.Device.ID]; metric.Seq != before+1 {
			t.Errorf("%s: metric %d comes after %d", metric.Device.ID, metric.Seq, before)
		}
		last[metric.Device.ID] = metric.Seq
	}
	return len(stored), last
}

// TestHubAway stops the hub while 30 devices publish through a leaf node. The leaf node's stream has everything, and the hub's,
// which is sourced from it, too, in the order of each device. NATSKIT_SOAK=1 keeps the hub away for ten seconds.
func TestHubAway(t *testing.T) {
	hub := testkit.Server(t, testkit.WithDomain("cloud"))
	testkit.KV(t, hub.JS(), jetstream.KeyValueConfig{Bucket: "config"})
	leaf := testkit.Leaf(t, hub)
	testkit.Stream(t, leaf.JS(), jetstream.StreamConfig{Name: "metrics", Subjects: []string{"metrics.>"}})
	testkit.Stream(t, hub.JS(), jetstream.StreamConfig{Name: "global_metrics", Sources: []*jetstream.StreamSource{{Name: "metrics", Domain: "leaf"}}})
	s := swarm(t, leaf.URL(), devices, 250*time.Millisecond)
	here := func() uint64 { return testkit.State(t, leaf.JS(), "metrics").Msgs }
	there := func() uint64 { return testkit.State(t, hub.JS(), "global_metrics").Msgs }
	testkit.Eventually(t, within, "metrics at the hub", func() bool { return there() > 3*devices })
	hub.Stop()
	if soak() {
		<-time.After(10 * time.Second)
	}
	from := here()
	testkit.Eventually(t, within, "metrics while the hub is away", func() bool { return here() > from+5*devices })
	hub.Restart()
	testkit.Eventually(t, within, "metrics at the hub after its return", func() bool { return there() > from+5*devices })
	if err := s.Stop(testkit.Context(t)); err != nil {
		t.Fatal(err)
	}
	c := s.Count()
	if c.Waiting != 0 || c.Lost != 0 {
		t.Errorf("%+v", c)
	}
	all := here()
	testkit.Eventually(t, within, "everything at the hub", func() bool { return there() == all })
	total, last := counted(t, testkit.Stored(t, hub.JS(), "global_metrics"))
	if uint64(total) != all || len(last) != devices {
		t.Errorf("%d metrics of %d devices, %d were published", total, len(last), all)
	}
	t.Logf("%d metrics of %d devices, none lost, none doubled", total, len(last))
}

// TestClusterNodeDies kills the hub that all devices use. They answer through another, and the stream of metrics has each once.
func TestClusterNodeDies(t *testing.T) {
	hubs := testkit.Cluster(t, 3, testkit.WithToken("s3cr3t"))
	testkit.KV(t, hubs.JS(), jetstream.KeyValueConfig{Bucket: "config", Replicas: 3})
	testkit.Stream(t, hubs.JS(), jetstream.StreamConfig{Name: "metrics", Subjects: []string{"metrics.>"}, Replicas: 3})
	first := hubs.Node(0)
	o := nats.GetDefaultOptions()
	o.Servers = []string{first.AuthURL()}
	s, err := sim.Start(testkit.Context(t), sim.Options{Devices: devices, Device: device.Options{Conn: o, Interval: 250 * time.Millisecond, Buffer: 100_000}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop(testkit.Context(t)) }()
	stored := func() uint64 { return testkit.State(t, hubs.JS(), "metrics").Msgs }
	testkit.Eventually(t, within, "metrics", func() bool { return stored() > 3*devices })
	nc := hubs.Node(1).Conn()
	before := time.Now()
	first.Stop()
	answered := map[string]bool{}
	testkit.Eventually(t, within, "an answer of every device", func() bool {
		ask(t, nc, answered)
		return len(answered) == devices
	})
	took := time.Since(before)
	t.Logf("every device answers again %s after the kill", took)
	if soak() && took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	from := uint64(0)
	testkit.Eventually(t, within, "metrics after the kill", func() bool {
		st, err := hubs.JS().Stream(testkit.Context(t), "metrics")
		if err != nil {
			return false
		}
		if from == 0 {
			from = st.CachedInfo().State.Msgs
		}
		return st.CachedInfo().State.Msgs > from+5*devices
	})
	if err := s.Stop(testkit.Context(t)); err != nil {
		t.Fatal(err)
	}
	if c := s.Count(); c.Waiting != 0 || c.Lost != 0 {
		t.Errorf("%+v", c)
	}
	total, last := counted(t, testkit.Stored(t, hubs.JS(), "metrics"))
	if len(last) != devices {
		t.Errorf("metrics of %d devices", len(last))
	}
	t.Logf("%d metrics of %d devices, none missing, none doubled", total, len(last))
}

// ask notes who answers a query within a moment.
func ask(t testing.TB, nc *nats.Conn, answered map[string]bool) {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if nc.PublishRequest("qcon.query", inbox, nil) != nil {
		return
	}
	clear(answered)
	for len(answered) < devices {
		m, err := sub.NextMsg(250 * time.Millisecond)
		if err != nil {
			return
		}
		var a fleet.Answer
		if json.Unmarshal(m.Data, &a) == nil && a.ID != "" {
			answered[a.ID] = true
		}
	}
}
