package load_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/meter/load"
	"github.com/natskit/natskit/internal/meter/streams"
	"github.com/natskit/natskit/internal/testkit"
)

func reading(kind string, messages int64, clients int) crew.Spec {
	return crew.Spec{Kind: kind, Engine: crew.NatsGo, Subject: "b", Clients: clients, Messages: messages, Size: 5, Idle: time.Minute, Wait: time.Minute,
		Stream: crew.Stream{Name: "B", Batch: 10, Consumer: "nats-bench", Acks: "explicit"}}
}

func filled(t *testing.T, n int) *testkit.NATS {
	srv := testkit.Server(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "B", Subjects: []string{"b"}, AllowDirect: true})
	testkit.Store(t, srv.JS(), "b", n, "12345")
	return srv
}

var readers = []string{"js consume", "js fetch", "js ordered", "js get sync", "js get batch", "oldjs ordered", "oldjs push", "oldjs pull"}

func each(clients int64, kind string) int64 {
	if kind == "js consume" || kind == "js fetch" || kind == "oldjs push" || kind == "oldjs pull" {
		return 1 // divided
	}
	return clients
}

func TestReading(t *testing.T) {
	t.Parallel()
	for _, kind := range readers {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			srv := filled(t, 60)
			for _, clients := range []int{1, 7} { // again with a consumer that an earlier run left behind
				r := run(t, world(t, srv.URL()), reading(kind, 30, clients))
				want := 30 * each(int64(clients), kind)
				if tot := r.Sides[0].Total; tot.Messages != want || tot.Bytes < 5*want || tot.Bytes > 5*want && kind[:6] != "js get" || r.Outcome != meter.Complete {
					t.Errorf("%d clients: %+v, want %d messages", clients, tot, want)
				}
			}
		})
	}
}

// More messages than there are: a partial report at once, not when patience ends.
func TestReadingMoreThanThereIs(t *testing.T) {
	t.Parallel()
	for _, kind := range readers {
		for _, clients := range []int{1, 3} {
			t.Run(kind, func(t *testing.T) {
				t.Parallel()
				srv := filled(t, 25)
				s := reading(kind, 100, clients)
				s.Idle, s.Wait = time.Hour, time.Hour
				r := fails(t, world(t, srv.URL()), s, fail.Partial, "messages: the stream ")
				if got, want := r.Sides[0].Total.Messages, 25*each(int64(clients), kind); got != want || r.Outcome != meter.Idle {
					t.Errorf("%d clients: %s with %d messages, want %d", clients, r.Outcome, got, want)
				}
			})
		}
	}
}

func TestReadingNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range readers {
		srv := filled(t, 0)
		s := reading(kind, 100, 2)
		s.Idle, s.Wait = time.Hour, time.Hour
		fails(t, world(t, srv.URL()), s, fail.NoAnswer, "0 of ")
		s.Stream.Name = "NOPE"
		if _, err := load.Run(t.Context(), world(t, srv.URL()), s); fail.CodeOf(err) != fail.NotFound {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestAcknowledging(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"js consume", "js fetch"} {
		for _, acks := range []string{"explicit", "none", "all", "double"} {
			t.Run(kind+" "+acks, func(t *testing.T) {
				t.Parallel()
				srv := filled(t, 40)
				s := reading(kind, 40, 2)
				s.Stream.Acks = acks
				if acks == "double" {
					s.Stream.Acks, s.Stream.DoubleAck = "explicit", true
				}
				run(t, world(t, srv.URL()), s)
				if _, err := srv.JS().Consumer(t.Context(), "B", "nats-bench"); fail.CodeOf(err) != fail.NotFound {
					t.Errorf("the consumer of the run is still there: %v", err)
				}
				s.Stream.Consumer = "mine"
				policy := map[string]jetstream.AckPolicy{"none": jetstream.AckNonePolicy, "all": jetstream.AckAllPolicy, "explicit": jetstream.AckExplicitPolicy}[s.Stream.Acks]
				cons := testkit.Consumer(t, srv.JS(), "B", jetstream.ConsumerConfig{Durable: "mine", AckPolicy: policy})
				run(t, world(t, srv.URL()), s)
				testkit.Eventually(t, time.Minute, "all is acknowledged", func() bool {
					i, err := cons.Info(t.Context())
					return err == nil && i.NumAckPending == 0 && i.NumPending == 0 && i.Delivered.Consumer >= 40
				})
				s.Stream.Consumer = "other"
				if _, err := load.Run(t.Context(), world(t, srv.URL()), s); fail.CodeOf(err) != fail.NotFound {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	w := world(t, srv.URL())
	put := crew.Spec{Kind: "kv put", Engine: crew.NatsGo, Clients: 3, Messages: 100, Size: 16, Bucket: crew.Bucket{Name: streams.DefaultBucket, History: 1, Replicas: 1}}
	get := crew.Spec{Kind: "kv get", Engine: crew.NatsGo, Clients: 3, Messages: 100, Size: 16, Bucket: crew.Bucket{Name: streams.DefaultBucket}}
	if _, err := load.Run(t.Context(), w, get); fail.CodeOf(err) != fail.NotFound {
		t.Errorf("%v", err)
	}
	r := run(t, w, put)
	if tot := r.Sides[0].Total; tot.Messages != 100 || tot.Bytes != 1600 || tot.Latency.Count != 100 {
		t.Errorf("%+v", tot)
	}
	r = run(t, w, get)
	if tot := r.Sides[0].Total; tot.Messages != 100 || tot.Bytes < 1600 || tot.Latency.Count != 100 {
		t.Errorf("%+v", tot)
	}
	get.Messages = 110
	fails(t, w, get, fail.NotFound, "getting key '10")
	get.Bucket.Randomize = 50
	run(t, w, get)
	put.Bucket.Purge, put.Messages, put.Bucket.Randomize = true, 10, 5
	run(t, w, put)
	if n := testkit.State(t, srv.JS(), "KV_"+streams.DefaultBucket).Msgs; n > 5 {
		t.Errorf("%d keys after a purge", n)
	}
	put.Bucket.Name = "own"
	if _, err := load.Run(t.Context(), w, put); fail.CodeOf(err) != fail.NotFound {
		t.Errorf("%v", err)
	}
	kv := testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "own", History: 7})
	run(t, w, put)
	if st, err := kv.Status(t.Context()); err != nil || st.History() != 7 || st.Values() == 0 {
		t.Errorf("a purge changed the bucket: %v %v", st, err)
	}
}
