package edge_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/device"
	"github.com/natskit/natskit/internal/fleet/device/edge"
	"github.com/natskit/natskit/internal/testkit"
)

const within = time.Minute

// both starts a server and a device on it; stop ends them.
func both(t *testing.T, o edge.Options) (d *device.Device, s *edge.Server, stop func()) {
	t.Helper()
	s, err := edge.Start(testkit.Context(t), o)
	if err != nil {
		t.Fatal(err)
	}
	conn := nats.GetDefaultOptions()
	conn.Token = o.Token
	d, err = device.Start(testkit.Context(t), device.Options{
		Conn: s.Conn(conn), Spool: s.Spool(), Domain: o.Hub, Interval: 10 * time.Millisecond, Info: fleet.Info{ID: "d1", Nickname: "one"},
	})
	if err != nil {
		t.Fatal(err)
	}
	over := false
	stop = func() {
		if over {
			return
		}
		over = true
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		if err := d.Stop(ctx); err != nil {
			t.Error(err)
		}
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return d, s, stop
}

func stored(t *testing.T, hub *testkit.NATS) uint64 {
	t.Helper()
	return testkit.State(t, hub.JS(), "metrics").Msgs
}

// counted checks that the metrics of each instance count up by one from 1.
func counted(t *testing.T, stored []*jetstream.RawStreamMsg) {
	t.Helper()
	last := map[string]uint64{}
	for _, m := range stored {
		var metric fleet.Metric
		if err := json.Unmarshal(m.Data, &metric); err != nil {
			t.Fatal(err)
		}
		if before := last[metric.Device.Instance]; metric.Seq != before+1 {
			t.Errorf("metric %d comes after %d", metric.Seq, before)
		}
		last[metric.Device.Instance] = metric.Seq
	}
}

func TestWorksWhileTheHubIsAway(t *testing.T) {
	testkit.Leaks(t)
	hub := testkit.Server(t, testkit.WithToken("s3cr3t"), testkit.WithDomain("cloud"))
	config := testkit.KV(t, hub.JS(), jetstream.KeyValueConfig{Bucket: "config"})
	testkit.Stream(t, hub.JS(), jetstream.StreamConfig{Name: "metrics", Subjects: []string{"metrics.>"}})
	if _, err := config.Put(testkit.Context(t), "all", []byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	hub.Stop() // away at the start
	o := edge.Options{Dir: t.TempDir(), Name: "edge-d1", Domain: "leaf-d1", Hub: "cloud", URL: strings.Replace(hub.LeafURL(), "://", "://s3cr3t@", 1)}
	d, _, stop := both(t, o)
	<-d.Joined()
	testkit.Eventually(t, within, "metrics in the store", func() bool { sent, _ := d.Traffic(); return sent > 20 })
	hub.Restart()
	testkit.Eventually(t, within, "metrics at the hub", func() bool { return stored(t, hub) > 30 })
	testkit.Eventually(t, within, "the configuration of the hub", func() bool { return string(d.State().Config) == `{"a":1}` })
	testkit.Eventually(t, within, "an answer through the leaf node", func() bool {
		m, err := hub.Conn().Request("qcon.device_info", nil, time.Second)
		return err == nil && strings.Contains(string(m.Data), `"domain":"leaf-d1"`)
	})
	sub := testkit.Subscribe(t, hub.Conn(), ">")
	for range 5 {
		if m := sub.Next(); strings.HasPrefix(m.Subject, "$KV.device") {
			t.Errorf("%s comes to the hub", m.Subject)
		}
	}
	from := stored(t, hub)
	hub.Stop()
	sent, _ := d.Traffic()
	testkit.Eventually(t, within, "metrics while the hub is away", func() bool { now, _ := d.Traffic(); return now > sent+20 })
	stop() // and the device ends before the hub is back
	hub.Restart()
	d, _, stop = both(t, o)
	testkit.Eventually(t, within, "the rest at the hub", func() bool { return stored(t, hub) > from+40 })
	stop()
	if n, lost := d.Waiting(); n != 0 || lost != 0 {
		t.Errorf("%d wait, %d lost", n, lost)
	}
	counted(t, testkit.Stored(t, hub.JS(), "metrics"))
}

func TestListens(t *testing.T) {
	hub := testkit.Server(t, testkit.WithDomain("cloud"))
	o := edge.Options{Dir: t.TempDir(), Name: "edge-d1", Domain: "leaf-d1", Hub: "cloud", URL: hub.LeafURL(), Listen: "0.0.0.0:-1"}
	if _, err := edge.Start(testkit.Context(t), o); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("%v", err)
	}
	o.Listen = "127.0.0.1:-1"
	_, s, _ := both(t, o)
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if m, err := nc.RequestWithContext(testkit.Context(t), "qcon.nickname", nil); err != nil || string(m.Data) != "one" {
		t.Errorf("%v %v", m, err)
	}
	// A hub without a stream of metrics gets them as they come.
	if m := testkit.Subscribe(t, hub.Conn(), "metrics.>").Next(); !strings.HasPrefix(m.Subject, "metrics.edge-d1.") {
		t.Errorf("%s", m.Subject)
	}
}
