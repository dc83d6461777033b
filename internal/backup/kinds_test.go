package backup

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/testkit"
)

// Every kind of stream comes back as it was, without the mark that it carries meanwhile.
func TestKindsOfStreams(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "ORIGIN", Subjects: []string{"origin"}})
	testkit.Store(t, srv.JS(), "origin", 4, "o")
	kinds := []jetstream.StreamConfig{
		{Name: "SEALED", Subjects: []string{"sealed"}},
		{Name: "MIRROR", Mirror: &jetstream.StreamSource{Name: "ORIGIN"}},
		{Name: "WORK", Subjects: []string{"work"}, Retention: jetstream.WorkQueuePolicy},
		{Name: "INTEREST", Subjects: []string{"interest"}, Retention: jetstream.InterestPolicy},
		{Name: "LIMITED", Subjects: []string{"limited"}, MaxMsgs: 3, MaxBytes: 1 << 20, MaxMsgsPerSubject: 3, MaxAge: time.Hour, DenyDelete: true, DenyPurge: true, AllowMsgTTL: true, Compression: jetstream.S2Compression},
		{Name: "FIRST", Subjects: []string{"first"}, FirstSeq: 1000, AllowDirect: true, Metadata: map[string]string{"a": "b"}},
		{Name: "EMPTY", Subjects: []string{"empty"}},
		{Name: "QUIET", Subjects: []string{"quiet"}, NoAck: true, SubjectTransform: &jetstream.SubjectTransformConfig{Source: "quiet", Destination: "loud"}},
		{Name: "MEMORY_WORK", Subjects: []string{"mw"}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.MemoryStorage},
	}
	c := js.New(srv.JS())
	for _, cfg := range kinds {
		w := world{srv, c, filepath.Join(t.TempDir(), cfg.Name)}
		s := testkit.Stream(t, srv.JS(), cfg)
		if cfg.Retention != jetstream.LimitsPolicy {
			testkit.Consumer(t, srv.JS(), cfg.Name, jetstream.ConsumerConfig{Durable: "C", AckPolicy: jetstream.AckExplicitPolicy})
		}
		if len(cfg.Subjects) > 0 && cfg.Name != "EMPTY" {
			testkit.Publish(t, srv.Conn(), cfg.Subjects[0], 5, "body")
		}
		want := uint64(5)
		switch cfg.Name {
		case "MIRROR":
			want = 4
		case "LIMITED":
			want = 3
		case "EMPTY":
			want = 0
		case "SEALED":
			sealed := cfg
			sealed.Sealed = true
			testkit.Eventually(t, time.Minute, "the messages are there", func() bool { return testkit.State(t, srv.JS(), cfg.Name).Msgs == want })
			if _, err := srv.JS().UpdateStream(t.Context(), sealed); err != nil {
				t.Fatal(err)
			}
		}
		testkit.Eventually(t, time.Minute, "the messages are there", func() bool { return testkit.State(t, srv.JS(), cfg.Name).Msgs == want })
		before := w.picture(t, cfg.Name)
		info, err := c.Info(t.Context(), s.CachedInfo().Config.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Save(t.Context(), c, info, w.dir, SaveOptions{Consumers: true, Idle: noWait, Now: time.Now()}); err != nil {
			t.Errorf("%s: %v", cfg.Name, err)
			continue
		}
		if err := srv.JS().DeleteStream(t.Context(), cfg.Name); err != nil {
			t.Fatal(err)
		}
		d, o := w.options(t)
		if r, err := Restore(t.Context(), c, d, o); err != nil || len(r.Notes) > 0 {
			t.Errorf("%s: %v, %v", cfg.Name, r.Notes, err)
			continue
		}
		after := w.picture(t, cfg.Name)
		same(t, cfg.Name, before, after)
		if b, a := before.Config, after.Config; b.Retention != a.Retention || b.MaxMsgs != a.MaxMsgs || b.MaxAge != a.MaxAge || b.DenyPurge != a.DenyPurge || b.Sealed != a.Sealed ||
			b.NoAck != a.NoAck || b.Compression != a.Compression || (b.Mirror == nil) != (a.Mirror == nil) || b.AllowMsgTTL != a.AllowMsgTTL {
			t.Errorf("%s: %+v, want %+v", cfg.Name, a, b)
		}
	}
}

// B2: the same on a cluster, where the server asked is not the one that holds the stream.
func TestB2_Cluster(t *testing.T) {
	t.Parallel()
	cl := testkit.Cluster(t, 3)
	js3 := cl.JS()
	for _, cfg := range []jetstream.StreamConfig{
		{Name: "ORDERS", Subjects: []string{"orders.>"}, Replicas: 3},
		{Name: "DATA", Subjects: []string{"data.>"}, Replicas: 1, Storage: jetstream.MemoryStorage},
	} {
		testkit.Stream(t, js3, cfg)
		subject := map[string]string{"ORDERS": "orders.new", "DATA": "data.x"}[cfg.Name]
		testkit.Store(t, js3, subject, 20, noise(3000))
		testkit.Consumer(t, js3, cfg.Name, jetstream.ConsumerConfig{Durable: "MEM", AckPolicy: jetstream.AckExplicitPolicy, MemoryStorage: true})
		testkit.Consumer(t, js3, cfg.Name, jetstream.ConsumerConfig{Durable: "DISK", AckPolicy: jetstream.AckExplicitPolicy})
		w := world{cl.Node(0), js.New(js3), filepath.Join(t.TempDir(), cfg.Name)}
		testkit.Eventually(t, time.Minute, "the consumers have leaders", func() bool {
			for _, name := range []string{"MEM", "DISK"} {
				one, err := js3.Consumer(t.Context(), cfg.Name, name)
				if err != nil || one.CachedInfo().Cluster == nil || one.CachedInfo().Cluster.Leader == "" {
					return false
				}
			}
			return true
		})
		info, err := w.c.Info(t.Context(), cfg.Name)
		if err != nil {
			t.Fatal(err)
		}
		saved, err := Save(t.Context(), w.c, info, w.dir, SaveOptions{Consumers: true, Idle: noWait, Now: time.Now()})
		if err != nil || saved.Consumers != 2 {
			t.Fatalf("%+v, %v", saved, err)
		}
		if err := js3.DeleteStream(t.Context(), cfg.Name); err != nil {
			t.Fatal(err)
		}
		d, o := w.options(t)
		if _, err := Restore(t.Context(), w.c, d, o); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, time.Minute, "both consumers are back", func() bool {
			s, err := js3.Stream(t.Context(), cfg.Name)
			return err == nil && s.CachedInfo().State.Consumers == 2
		})
		s, err := js3.Stream(t.Context(), cfg.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.CachedInfo(); got.State.Msgs != 20 || got.Config.Replicas != cfg.Replicas || got.Config.Storage != cfg.Storage || got.Config.Metadata[markKey] != "" {
			t.Errorf("%+v", got)
		}
	}
}
