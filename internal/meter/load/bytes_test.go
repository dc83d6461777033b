package load_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/meter/streams"
	"github.com/natskit/natskit/internal/testkit"
)

// The bytes of every kind on a stream or bucket are those of the server's own counters, of which its API takes a little.
func TestN2_BytesOfStreamsAreThoseOfTheServer(t *testing.T) {
	t.Parallel()
	const n = 5000
	everyKind(t, func(t *testing.T, kind, engine string) {
		if !strings.Contains(kind, "js ") && !strings.HasPrefix(kind, "kv") {
			t.Skip("not on a stream")
		}
		srv := testkit.Server(t)
		testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "B", Subjects: []string{"b"}, Storage: jetstream.MemoryStorage, AllowDirect: true, AllowAtomicPublish: true, AllowBatchPublish: true})
		s := crew.Spec{Kind: kind, Engine: engine, Subject: "b", Clients: 1, Messages: n, Size: 200, Idle: time.Minute, Wait: time.Minute,
			Stream: crew.Stream{Name: "B", Batch: 500, Consumer: "nats-bench", Acks: "none", MaxOutstanding: 1},
			Bucket: crew.Bucket{Name: streams.DefaultBucket, History: 1, Replicas: 1, Storage: "memory"}}
		switch {
		case strings.HasPrefix(kind, "js pub"):
			s.Stream.Dedup, s.Header = kind != crew.ModeFast, nats.Header{"A": {"b"}}
		case kind == "kv get":
			fill := s
			fill.Kind = "kv put"
			run(t, world(t, srv.URL()), fill)
		case kind != "kv put":
			testkit.Store(t, srv.JS(), "b", n, strings.Repeat("x", 200))
		}
		before, _ := srv.Server().Varz(nil)
		side := run(t, world(t, srv.URL()), s).Sides[0]
		after, _ := srv.Server().Varz(nil)
		counted := after.InBytes - before.InBytes
		if side.Role == meter.Consumer {
			counted = after.OutBytes - before.OutBytes
		}
		if l := side.Total.Latency; l != nil && (l.Covers == "" || l.Count == 0) { // N3
			t.Errorf("a latency of nothing: %+v", l)
		}
		if k, _ := crew.KindOf(kind); (k.Covers != "") != (side.Total.Latency != nil) {
			t.Errorf("latency %+v, the kind covers %q", side.Total.Latency, k.Covers)
		}
		if side.Total.Messages != n || !within1(side.Total.Bytes, counted) {
			t.Errorf("reported %d messages and %d bytes, the server counted %d", side.Total.Messages, side.Total.Bytes, counted)
		}
	})
}
