package control_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleet/fleettest"
	"github.com/natskit/natskit/internal/testkit"
)

func write(t *testing.T, f *control.Fleet, key, doc string) control.Change {
	t.Helper()
	c, err := f.Change(testkit.Context(t), key, control.ChangeOptions{Redo: true}, func(control.Layer) (control.Layer, error) {
		return control.Layer{Config: []byte(doc)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func keysOf(t *testing.T, f *control.Fleet) string {
	t.Helper()
	layers, err := f.Layers(testkit.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, l := range layers {
		out = append(out, fmt.Sprintf("%s=%s@%d", l.Key, l.Config, l.Revision))
	}
	return strings.Join(out, " ")
}

// Where devices have used up the consumers of the bucket, the configuration can be read all the same.
func TestReadingWithoutRoomForAConsumer(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	f := fleettest.Bare(t, srv)
	cfg := fleet.BucketStream("config", "", 64, 1)
	cfg.MaxConsumers = 1
	testkit.Stream(t, srv.JS(), cfg)
	write(t, f, "all", `{"n":1}`)
	write(t, f, "device.d1", `{"n":2}`)
	write(t, f, "all", `{"n":3}`)
	write(t, f, "device.d2", `{}`)
	write(t, f, "device.d2", ``)
	free := keysOf(t, f)
	if free != `device.d1={"n":2}@2 all={"n":3}@3` {
		t.Errorf("with room: %s", free)
	}
	history, err := f.History(testkit.Context(t), "device.d2")
	if err != nil || len(history) != 2 {
		t.Fatalf("%v %v", history, err)
	}
	testkit.Consumer(t, srv.JS(), "KV_config", jetstream.ConsumerConfig{Durable: "device", AckPolicy: jetstream.AckNonePolicy})
	if full := keysOf(t, f); full != free {
		t.Errorf("without room: %s", full)
	}
	again, err := f.History(testkit.Context(t), "device.d2")
	if err != nil || len(again) != 2 || again[1].Op != history[1].Op || len(again[1].Config) != 0 || again[0].Revision != history[0].Revision {
		t.Errorf("%+v %v", again, err)
	}
}

func TestBucketsTakeManyDevices(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	f := fleettest.Fleet(t, srv)
	for _, name := range []string{"KV_" + f.Bucket, f.Names.Commands()} {
		s, err := srv.JS().Stream(testkit.Context(t), name)
		if err != nil {
			t.Fatal(err)
		}
		if n := s.CachedInfo().Config.MaxConsumers; n != fleet.ManyDevices {
			t.Errorf("%s takes %d consumers", name, n)
		}
	}
	limited := testkit.Server(t, testkit.WithAccountsLimited())
	f = fleettest.Bare(t, limited)
	f.Conn = limited.UserConn("b")
	js, err := jetstream.New(f.Conn)
	if err != nil {
		t.Fatal(err)
	}
	f.JS = js
	_, err = f.Change(testkit.Context(t), "all", control.ChangeOptions{}, func(control.Layer) (control.Layer, error) {
		return control.Layer{Config: []byte("{}")}, nil
	})
	var api *jetstream.APIError
	if !errors.As(err, &api) || api.ErrorCode != 10113 { // the account wants a size, which is no business of ours
		t.Errorf("%v", err)
	}
}

func TestStrangeEntriesAreLeftOut(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	f := fleettest.Fleet(t, srv)
	var strange []string
	f.Strange = func(reason string) { strange = append(strange, reason) }
	kv, err := srv.JS().KeyValue(testkit.Context(t), "config")
	if err != nil {
		t.Fatal(err)
	}
	for key, doc := range map[string]string{"all": "[1]", "where.x": `{"where":`, "where.y": `{"where":"cpus >","config":{}}`, "other": "text", "device.d1": `{"n":1}`} {
		if _, err := kv.Put(testkit.Context(t), key, []byte(doc)); err != nil {
			t.Fatal(err)
		}
	}
	state, err := srv.JS().KeyValue(testkit.Context(t), "qcon_state")
	if err != nil {
		t.Fatal(err)
	}
	for key, doc := range map[string]string{"device.d1": `{"id":"d1"}`, "device.d2": `{"id":"d1"}`, "config.d1": `{"id":"d1","keys":{"device.d1":1}}`, "config.d3": "no"} {
		if _, err := state.Put(testkit.Context(t), key, []byte(doc)); err != nil {
			t.Fatal(err)
		}
	}
	registry, err := f.Registry(testkit.Context(t))
	if err != nil || strings.Join(control.IDs(registry), " ") != "d1" || registry["d1"].Conf == nil {
		t.Errorf("%+v %v", registry, err)
	}
	standings, err := f.Standings(testkit.Context(t), []control.Device{registry["d1"]})
	if err != nil || len(standings) != 1 || len(standings[0].Wants) != 1 || len(strange) != 5 {
		t.Errorf("%+v %v %q", standings, err, strange)
	}
	if _, err := f.Layer(testkit.Context(t), "all", 0); err == nil || !strings.Contains(err.Error(), "JSON object") {
		t.Errorf("%v", err)
	}
	write1, err := f.Change(testkit.Context(t), "all", control.ChangeOptions{}, func(control.Layer) (control.Layer, error) {
		return control.Layer{Config: []byte("{}")}, nil
	})
	if err != nil || !write1.Written {
		t.Errorf("what is no object can be replaced: %+v %v", write1, err)
	}
}
