package load_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/meter/load"
	"github.com/natskit/natskit/internal/meter/streams"
	"github.com/natskit/natskit/internal/testkit"
)

// kinds are all benchmarks, with the engines that can run them.
func kinds() map[string][]string {
	both, wire, lib := []string{crew.Wire, crew.NatsGo}, []string{crew.Wire}, []string{crew.NatsGo}
	return map[string][]string{
		"pub": both, "sub": both, "pubsub": both, "service request": both, "service serve": both,
		"js pub sync": both, "js pub async": both, "js pub atomic": both, "js pub fast": wire,
		"js ordered": lib, "js consume": lib, "js fetch": lib, "js get sync": lib, "js get batch": lib,
		"oldjs ordered": lib, "oldjs push": lib, "oldjs pull": lib, "kv put": lib, "kv get": lib,
	}
}

func everyKind(t *testing.T, f func(t *testing.T, kind, engine string)) {
	for kind, engines := range kinds() {
		for _, engine := range engines {
			t.Run(kind+"/"+engine, func(t *testing.T) { t.Parallel(); f(t, kind, engine) })
		}
	}
}

// endless is a run of a kind that would go on for long and has patience: what ends it has to end it at once.
func endless(kind, engine string) crew.Spec {
	return crew.Spec{
		Kind: kind, Engine: engine, Subject: "b", Clients: 2, Subscribers: 1, Messages: 100_000, Size: 32, Sleep: time.Millisecond, Idle: time.Hour, Wait: time.Hour,
		Stream: crew.Stream{Name: "B", Batch: 5, Consumer: "nats-bench", Acks: "explicit", MaxOutstanding: 1},
		Bucket: crew.Bucket{Name: streams.DefaultBucket, Replicas: 1, History: 1, Randomize: 5},
	}
}

// serving makes a server on which any kind can run: it has a stream and a bucket, and messages, requests and replies for those who
// wait for them.
func serving(t *testing.T, kind string) *testkit.NATS {
	srv := testkit.Server(t)
	switch {
	case strings.HasPrefix(kind, "js") || strings.HasPrefix(kind, "oldjs"):
		testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "B", Subjects: []string{"b"}, Storage: jetstream.MemoryStorage, AllowDirect: true, AllowAtomicPublish: true, AllowBatchPublish: true})
		testkit.Store(t, srv.JS(), "b", 2000, "12345")
	case strings.HasPrefix(kind, "kv"):
		kv := testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: streams.DefaultBucket, History: 1, Replicas: 1})
		for _, key := range []string{"0", "1", "2", "3", "4"} {
			if _, err := kv.PutString(t.Context(), key, "v"); err != nil {
				t.Fatal(err)
			}
		}
	case kind == "service request":
		testkit.Respond(t, srv.Conn(), "b", "ok")
	case kind == "sub" || kind == "service serve":
		feed(t, srv.URL())
	}
	return srv
}

// feed publishes to b until the test ends or the server does.
func feed(t *testing.T, url string) {
	nc, err := nats.Connect(url, nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { stop(); wg.Wait(); nc.Close() })
	wg.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for nc.PublishRequest("b", "nobody", []byte("12345")) == nil {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// underWay calls f once, when the run has handled some messages.
func underWay(w *crew.World, f func()) {
	var once sync.Once
	w.Watch = func(sides []crew.Progress, over bool) {
		var done int64
		for _, c := range sides[len(sides)-1].Clients {
			done += c.Done
		}
		if done > 5 && !over {
			once.Do(f)
		}
	}
}

func TestWrongCredentialsEndEveryKind(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithUser("u", "right"))
	url := strings.Replace(srv.URL(), "//", "//u:wrong@", 1)
	everyKind(t, func(t *testing.T, kind, engine string) {
		w := world(t, url)
		w.Timeout = time.Hour
		r, err := load.Run(t.Context(), w, endless(kind, engine))
		if fail.CodeOf(err) != fail.Unreachable || !strings.Contains(strings.ToLower(err.Error()), "authorization") {
			t.Errorf("%v", err)
		}
		if r != nil && (r.Outcome != meter.Failed || len(r.Errors) == 0 || r.Sides[0].Total.Messages != 0) {
			t.Errorf("%s %v", r.Outcome, r.Errors)
		}
	})
}

// The server says at once that something is denied: nobody waits for an answer that cannot come, whichever request it is.
func TestDenialsEndEveryKind(t *testing.T) {
	t.Parallel()
	for name, deny := range map[string]string{
		"everything": `"$JS.API.>", "b"`,
		"work":       `"b", "$KV.>", "$JS.API.CONSUMER.MSG.NEXT.>", "$JS.API.CONSUMER.CREATE.>", "$JS.API.CONSUMER.DURABLE.>", "$JS.API.DIRECT.GET.>"`,
	} {
		t.Run(name, func(t *testing.T) {
			everyKind(t, func(t *testing.T, kind, engine string) {
				if kind == "sub" || kind == "service serve" {
					t.Skip("this kind sends nothing")
				}
				srv := testkit.Server(t, testkit.WithConfig(`authorization { users = [ { user: a, password: a }, { user: u, password: p, permissions: { publish: { deny: [`+deny+`] } } } ] }`))
				as := func(user string) string { return strings.Replace(srv.URL(), "//", "//"+user+"@", 1) }
				nc, err := nats.Connect(as("a:a"))
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				js, err := jetstream.New(nc)
				if err != nil {
					t.Fatal(err)
				}
				testkit.Stream(t, js, jetstream.StreamConfig{Name: "B", Subjects: []string{"b"}, Storage: jetstream.MemoryStorage, AllowDirect: true, AllowAtomicPublish: true, AllowBatchPublish: true})
				testkit.Store(t, js, "b", 20, "12345")
				testkit.Consumer(t, js, "B", jetstream.ConsumerConfig{Durable: "mine", AckPolicy: jetstream.AckExplicitPolicy})
				testkit.KV(t, js, jetstream.KeyValueConfig{Bucket: "mine"})
				w := world(t, as("u:p"))
				w.Timeout = time.Hour
				s := endless(kind, engine)
				s.Bucket.Name = "mine"
				if kind == "js consume" || kind == "js fetch" {
					s.Stream.Consumer = "mine"
				}
				r, err := load.Run(t.Context(), w, s)
				if fail.CodeOf(err) != fail.Unreachable || !strings.Contains(err.Error(), "ermissions") {
					t.Errorf("%v", err)
				}
				if r != nil && (r.Outcome != meter.Failed || r.Sides[0].Total.Messages != 0 || r.Sides[0].Total.Latency != nil) {
					t.Errorf("%s %+v", r.Outcome, r.Sides[0].Total)
				}
			})
		})
	}
}

func TestNoStreamEndsEveryKind(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	everyKind(t, func(t *testing.T, kind, engine string) {
		if kind == "kv put" || !strings.Contains(kind, "js ") && !strings.HasPrefix(kind, "kv") {
			t.Skip("this kind needs no stream, or makes its bucket")
		}
		w := world(t, srv.URL())
		w.Timeout = time.Hour
		if r, err := load.Run(t.Context(), w, endless(kind, engine)); fail.CodeOf(err) != fail.NotFound || r != nil {
			t.Errorf("%v %+v", err, r)
		}
	})
}

func TestInterruptEndsEveryKind(t *testing.T) {
	t.Parallel()
	everyKind(t, func(t *testing.T, kind, engine string) {
		srv := serving(t, kind)
		ctx, stop := context.WithCancelCause(t.Context())
		w := world(t, srv.URL())
		underWay(&w, func() { stop(fail.ErrInterrupted) })
		r, err := load.Run(ctx, w, endless(kind, engine))
		if kind == "service serve" { // an interrupt is its normal end
			if err != nil || r.Outcome != meter.Complete || r.Sides[0].Total.Messages == 0 {
				t.Errorf("%v %+v", err, r)
			}
			return
		}
		if fail.CodeOf(err) != fail.Interrupted || r == nil || r.Outcome != meter.Interrupted || r.Sides[len(r.Sides)-1].Total.Messages == 0 {
			t.Errorf("%v %+v", err, r)
		}
	})
}

func TestKilledServerEndsEveryKind(t *testing.T) {
	t.Parallel()
	everyKind(t, func(t *testing.T, kind, engine string) {
		srv := serving(t, kind)
		w := world(t, srv.URL())
		var stopping sync.WaitGroup
		underWay(&w, func() { stopping.Go(srv.Stop) })
		r, err := load.Run(t.Context(), w, endless(kind, engine))
		stopping.Wait()
		if fail.CodeOf(err) != fail.Unreachable || r == nil || r.Outcome != meter.Failed || r.Sides[len(r.Sides)-1].Total.Messages == 0 {
			t.Errorf("%v (code %d) %+v", err, fail.CodeOf(err), r)
		}
	})
}
