// Package fleettest starts real devices for tests of the operator's side.
package fleettest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleet/device"
	"github.com/natskit/natskit/internal/fleet/device/journal"
	"github.com/natskit/natskit/internal/testkit"
)

// Within is how long a test waits for what should take a moment.
const Within = 30 * time.Second

// Device starts a device on the servers at url and returns when it answers. It runs echo, false, sh and sleep when it is told to. It stops
// with the test.
func Device(t testing.TB, url, id string, change ...func(*device.Options)) *device.Device {
	t.Helper()
	conn := nats.GetDefaultOptions()
	conn.Servers = strings.Split(url, ",")
	o := device.Options{Conn: conn, Interval: -1, Grace: 50 * time.Millisecond, Info: fleet.Info{
		ID: id, Nickname: "nick-" + id, Model: "Box", OS: fleet.OS{Name: "Linux", Version: "6.1"}, Arch: "arm64", CPUs: 4, Memory: 8 << 30, Version: "1.0.0",
	}}
	log, err := journal.Open(filepath.Join(t.TempDir(), "journal"), id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	o.Commands = &device.Commands{Journal: log, Allow: device.Allow{"echo", "false", "sh", "sleep"}, Environ: os.Environ()}
	for _, c := range change {
		c(&o)
	}
	d, err := device.Start(testkit.Context(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Stop(t, d) })
	select {
	case <-d.Joined():
	case <-testkit.Context(t).Done():
		t.Fatalf("device %s did not join", id)
	}
	return d
}

// Devices starts n devices d1, d2 … that are numbered by their label n; every second one is an Android.
func Devices(t testing.TB, url string, n int) []*device.Device {
	t.Helper()
	out := make([]*device.Device, n)
	for i := range out {
		out[i] = Device(t, url, fmt.Sprintf("d%d", i+1), func(o *device.Options) {
			o.Info.Labels = map[string]string{"n": fmt.Sprint(i + 1)}
			if i%2 == 1 {
				o.Info.OS.Name = "Android"
			}
		})
	}
	return out
}

// Stop ends a device before the test does.
func Stop(t testing.TB, d *device.Device) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Within)
	defer cancel()
	if err := d.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// Fleet is the operator's side over a server. Buckets and streams are there.
func Fleet(t testing.TB, srv *testkit.NATS) *control.Fleet {
	t.Helper()
	f := Bare(t, srv)
	if _, err := f.Init(testkit.Context(t), time.Hour); err != nil {
		t.Fatal(err)
	}
	return f
}

// Bare is Fleet without buckets and streams.
func Bare(t testing.TB, srv *testkit.NATS) *control.Fleet {
	return &control.Fleet{
		Conn: srv.Conn(), JS: srv.JS(), Names: fleet.Names{Service: fleet.DefaultService}, Bucket: fleet.DefaultBucket, Clock: clock.System(),
		Strange: func(reason string) { t.Errorf("strange: %s", reason) },
	}
}

// Registered waits until the devices have registered.
func Registered(t testing.TB, f *control.Fleet, ids ...string) {
	t.Helper()
	testkit.Eventually(t, Within, "registration of "+strings.Join(ids, ", "), func() bool {
		known, err := f.Registry(testkit.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if _, ok := known[id]; !ok {
				return false
			}
		}
		return true
	})
}

// Populate makes the buckets and streams, and starts the devices d1 and d2, which have registered when it returns.
func Populate(t testing.TB, srv *testkit.NATS) {
	t.Helper()
	f := Fleet(t, srv)
	Devices(t, srv.URL(), 2)
	Registered(t, f, "d1", "d2")
}

// Edge is a hub of the domain cloud with the stream survey and the bucket config, and a leaf node of it, of the domain leaf, with the
// stream metrics.
func Edge(t testing.TB) (hub, leaf *testkit.NATS) {
	t.Helper()
	hub = testkit.Server(t, testkit.WithDomain("cloud"), testkit.WithName("hub"))
	leaf = testkit.Leaf(t, hub, testkit.WithDomain("leaf"))
	testkit.Stream(t, hub.JS(), jetstream.StreamConfig{Name: "survey", Subjects: []string{"survey.>"}})
	kv := testkit.KV(t, hub.JS(), jetstream.KeyValueConfig{Bucket: "config", History: 5})
	testkit.Store(t, hub.JS(), "survey.lunch", 10, "pizza")
	if _, err := kv.Put(testkit.Context(t), "all", []byte(`{"chart_color":"#ff0000"}`)); err != nil {
		t.Fatal(err)
	}
	testkit.Stream(t, leaf.JS(), jetstream.StreamConfig{Name: "metrics", Subjects: []string{"metrics.>"}})
	testkit.Store(t, leaf.JS(), "metrics.leaf.1", 5, "{}")
	return hub, leaf
}
