package kv

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestAdd(t *testing.T) {
	t.Parallel()
	srv, c := fresh(t)
	r := c.OK("kv add FULL --history 5 --ttl 1h --marker-ttl 30s --max-value-size 1MB --max-bucket-size 10MB --compress --metadata a=b --description desc --storage memory --republish-source '>' --republish-destination 'rep.>' --republish-headers")
	says(t, r.Out, "Information for Key-Value Store Bucket FULL created 20", "\n\nConfiguration:\n\n            Bucket Name: FULL\n           History Kept: 5\n          Values Stored: 0\n             Compressed: true\n  Per-Key TTL Supported: true\n       Limit Marker TTL: 30s\n     Backing Store Kind: JetStream\n            Description: desc\n            Bucket Size: 0 B\n    Maximum Bucket Size: 10 MiB\n     Maximum Value Size: 1.0 MiB\n            Maximum Age: 1h0m0s\n       JetStream Stream: KV_FULL\n                Storage: Memory\n   Republishing Headers: > to rep.>\n\nMetadata:\n\n                      a: b\n\nCluster Information:\n\n                   Name: \n                 Leader: ")
	s, err := srv.JS().Stream(t.Context(), "KV_FULL")
	if err != nil {
		t.Fatal(err)
	}
	if cfg := s.CachedInfo().Config; cfg.MaxAge != time.Hour || cfg.MaxMsgSize != 1<<20 || cfg.MaxBytes != 10<<20 || cfg.MaxMsgsPerSubject != 5 || !cfg.AllowMsgTTL {
		t.Errorf("%+v", cfg)
	}
	c.OK("kv add CFG")
	c.OK("kv new CFG") // the same again
	c.Fails(fail.Failure, "kv add CFG --history 2", "nats: bucket name already in use: CFG", "err_code=10058 description=stream name already in use")
	says(t, c.OK("kv add SRC --source CFG --source FULL").Out, "Sources Information:", "Source Bucket: CFG", "Source Bucket: FULL")
	says(t, c.OK("kv add M --mirror FULL --json").Out, `"mirror": {`, `"bucket": "FULL"`, `"active": -1`)
	c.OK("kv add ONE --max-consumers 1")
	c.OK("kv put ONE a 1")
	w := c.Start("kv watch ONE").Says("going on with changes")
	c.Fails(fail.Failure, "kv watch ONE", "maximum consumers limit reached")
	w.Interrupt()
	equal(t, c.OK("kv info ONE --jq .max_consumers").Out, "1\n")
	equal(t, c.OK("kv info CFG --jq .max_consumers").Out, "-1\n")
	for line, what := range map[string]string{
		"kv add B --max-consumers 0":     "max-consumers",
		"kv add B --history 65":          "history",
		"kv add B --history 0":           "history",
		"kv add B --max-value-size 3GB":  "max-value-size",
		"kv add B --max-bucket-size 9E9": "max-bucket-size",
		"kv add B --ttl soon":            "ttl",
		"kv add a.b":                     "a.b",
		"kv add B --republish-source x":  "--republish-destination",
		"kv add B --mirror A --source C": "--source",
		"kv add B --storage tape":        "storage",
	} {
		if r := c.Fails(fail.Usage, line, what); r.Out != "" {
			t.Errorf("%s prints %q", line, r.Out)
		}
	}
}

func TestAddParses(t *testing.T) {
	t.Parallel()
	o, err := clitest.Parse[addOptions](t, Command(), "kv add B --max-value-size 2147483647 --max-bucket-size 3000000000 --ttl 1d --no-compress")
	if err != nil {
		t.Fatal(err)
	}
	if *o.MaxValueSize != 1<<31-1 || *o.MaxBytes != 3_000_000_000 || *o.TTL != 24*time.Hour || *o.Compress || o.History != nil || o.Description != nil {
		t.Errorf("%+v", o)
	}
}

func TestAddWithoutAServerOrRights(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server(testkit.Dead(t))
	if r := c.Fails(fail.Unreachable, "kv add B"); r.Out != "" {
		t.Errorf("stdout %q", r.Out)
	}
	none := testkit.Server(t, testkit.WithoutJetStream())
	clitest.New(t, Command()).Server(none.URL()).Fails(fail.Unreachable, "kv add B", "jetstream not enabled")
}

func TestBucketView(t *testing.T) {
	t.Parallel()
	viewtest.Golden(t, "bucket", newBucketInfo(&jetstream.StreamInfo{
		Created: viewtest.Now.Add(-time.Hour),
		Config: jetstream.StreamConfig{
			Name: "KV_FULL", Description: "desc", MaxMsgsPerSubject: 5, MaxBytes: 10 << 20, MaxMsgSize: 1 << 20, MaxAge: time.Hour, AllowMsgTTL: true,
			SubjectDeleteMarkerTTL: 30 * time.Second, Storage: jetstream.MemoryStorage, Compression: jetstream.S2Compression, Replicas: 3,
			Placement: &jetstream.Placement{Cluster: "east", Tags: []string{"ssd", "big"}},
			RePublish: &jetstream.RePublish{Source: ">", Destination: "rep.>", HeadersOnly: true},
			Sources:   []*jetstream.StreamSource{{Name: "KV_A"}, {Name: "KV_B", External: &jetstream.ExternalStream{APIPrefix: "$JS.leaf.API"}}},
			Metadata:  map[string]string{"a": "b", "_nats.level": "1"},
		},
		State:   jetstream.StreamState{Msgs: 12345, Bytes: 9 << 20, NumSubjects: 1234, LastSeq: 20000, LastTime: viewtest.Now.Add(-time.Minute)},
		Sources: []*jetstream.StreamSourceInfo{{Name: "KV_A", Lag: 12, Active: 939 * time.Millisecond}},
		Cluster: &jetstream.ClusterInfo{Name: "east", Leader: "n1", Replicas: []*jetstream.PeerInfo{
			{Name: "n2", Current: true, Active: 35 * time.Millisecond}, {Name: "n3", Offline: true, Active: 3 * time.Minute, Lag: 3000},
		}},
	}))
}
