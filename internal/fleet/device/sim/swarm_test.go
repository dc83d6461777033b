package sim_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/device"
	"github.com/natskit/natskit/internal/fleet/device/sim"
	"github.com/natskit/natskit/internal/testkit"
)

func TestHardwareIsAlwaysTheSame(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for n := 1; n <= 100; n++ {
		a := sim.Hardware(7, n)
		if !reflect.DeepEqual(a, sim.Hardware(7, n)) || fleet.CheckID(a.ID) != nil || a.Memory == 0 || a.CPUs == 0 || a.OS.Name == "" {
			t.Errorf("%+v", a)
		}
		names[a.Nickname] = true
	}
	if len(names) != 100 {
		t.Errorf("%d names for 100 devices", len(names))
	}
	if reflect.DeepEqual(sim.Hardware(7, 1), sim.Hardware(8, 1)) && reflect.DeepEqual(sim.Hardware(7, 2), sim.Hardware(8, 2)) {
		t.Error("the seed changes nothing")
	}
}

func swarm(t testing.TB, url string, n int, interval time.Duration) *sim.Swarm {
	t.Helper()
	o := nats.GetDefaultOptions()
	o.Servers = strings.Split(url, ",")
	s, err := sim.Start(testkit.Context(t), sim.Options{Devices: n, Seed: 1, Device: device.Options{Conn: o, Interval: interval}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return s
}

// query asks all devices and counts the answers.
func query(t testing.TB, nc *nats.Conn, n int) time.Duration {
	t.Helper()
	inbox := nc.NewInbox()
	answers := testkit.Subscribe(t, nc, inbox)
	begun := time.Now()
	if err := nc.PublishRequest("qcon.query", inbox, []byte(`{"expr":"memory > 4e9"}`)); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for len(seen) < n {
		var a fleet.Answer
		if err := json.Unmarshal(answers.Next().Data, &a); err != nil {
			t.Fatal(err)
		}
		seen[a.ID] = true
	}
	return time.Since(begun)
}

func TestSwarm(t *testing.T) {
	srv := testkit.Server(t)
	testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "config"})
	if _, err := srv.JS().KeyValue(testkit.Context(t), "config"); err != nil {
		t.Fatal(err)
	}
	s := swarm(t, srv.URL(), 20, 50*time.Millisecond)
	query(t, srv.Conn(), 20)
	c := s.Count()
	if c.Devices != 20 || c.Connected != 20 || c.Lost != 0 {
		t.Errorf("%+v", c)
	}
	testkit.Eventually(t, 30*time.Second, "metrics", func() bool { return s.Count().Sent > 100 })
	if len(s.Infos()) != 20 || s.Infos()[3].Server != "test" {
		t.Errorf("%+v", s.Infos()[3])
	}
}

// TestThousand measures a query of 1,000 devices and their memory. Under NATSKIT_SOAK:
// NATSKIT_SOAK=1 go test ./internal/fleet/device/sim -run TestThousand -v
func TestThousand(t *testing.T) {
	if os.Getenv("NATSKIT_SOAK") == "" {
		t.Skip("NATSKIT_SOAK is not set")
	}
	srv := testkit.Server(t)
	testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "config"})
	testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "qcon_state"})
	s := swarm(t, srv.URL(), 1000, time.Second)
	testkit.Eventually(t, time.Minute, "all with a configuration bucket", func() bool { return s.Count().Troubled == 0 })
	var best time.Duration
	for range 5 {
		took := query(t, srv.Conn(), 1000)
		t.Logf("1000 answers in %s", took)
		if best == 0 || took < best {
			best = took
		}
	}
	if best > 2*time.Second {
		t.Errorf("the fastest query took %s", best)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(status)) {
		if name, value, _ := strings.Cut(line, ":"); name == "VmRSS" {
			kib, _ := strconv.Atoi(strings.Fields(value)[0])
			t.Logf("%d MiB with the server in the same process", kib>>10)
		}
	}
}
