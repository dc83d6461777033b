package load_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/meter/load"
	"github.com/natskit/natskit/internal/testkit"
)

func TestStoring(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		// The server removes the directory of its streams with the last of them, at the same time as it makes the next one.
		testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "KEEP", Subjects: []string{"keep"}})
		for _, kind := range []string{"js pub sync", "js pub async", "js pub atomic", "js pub fast"} {
			if kind == "js pub fast" && engine == crew.NatsGo {
				continue
			}
			for i, s := range []crew.Spec{
				{Messages: 1200, Clients: 1, Size: 16},
				{Messages: 1201, Clients: 3, Size: 100, Header: nats.Header{"A": {"b"}}},
				{Messages: 7, Clients: 9, Size: 16, Multi: crew.Multi{On: true, Max: 10}, Stream: crew.Stream{Dedup: true}},
				{Messages: 300, Clients: 2, Size: 16, Segments: []crew.Pace{{From: 10000, To: 10000}}},
				{Duration: 100 * time.Millisecond, Clients: 1, Size: 16},
			} {
				name := fmt.Sprintf("B%s%d", kind[len("js pub "):], i) // the server removes the files of a deleted stream some time later
				s.Kind, s.Engine, s.Subject = kind, engine, "s"
				s.Stream.Name, s.Stream.Create, s.Stream.Replicas, s.Stream.Batch, s.Stream.MaxOutstanding = name, true, 1, 50, 2
				r := run(t, world(t, srv.URL()), s)
				tot := r.Sides[0].Total
				st := testkit.State(t, srv.JS(), name)
				if s.Messages > 0 && tot.Messages != s.Messages || int64(st.Msgs) != tot.Messages || tot.Unconfirmed != 0 || tot.Latency == nil || tot.Latency.Count != tot.Messages {
					t.Errorf("%s %d: reported %d, stored %d, %d unconfirmed, %+v", kind, i, tot.Messages, st.Msgs, tot.Unconfirmed, tot.Latency)
				}
				if err := srv.JS().DeleteStream(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestStoringFails(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		for _, kind := range []string{"js pub sync", "js pub async", "js pub atomic", "js pub fast"} {
			if kind == "js pub fast" && engine == crew.NatsGo {
				continue
			}
			srv := testkit.Server(t)
			s := crew.Spec{Kind: kind, Engine: engine, Subject: "s", Clients: 2, Messages: 100, Size: 16, Stream: crew.Stream{Name: "B", Batch: 10, Replicas: 1, MaxOutstanding: 1}}
			if _, err := load.Run(t.Context(), world(t, srv.URL()), s); fail.CodeOf(err) != fail.NotFound || !strings.Contains(err.Error(), "could not access stream B") {
				t.Errorf("%s: %v", kind, err)
			}
			s.Stream.Create, s.Stream.Cleanup, s.Stream.MaxBytes = true, true, 500
			r := fails(t, world(t, srv.URL()), s, fail.Failure, "maximum bytes exceeded")
			if tot := r.Sides[0].Total; kind != "js pub atomic" && (tot.Messages == 0 || tot.Messages > 20) {
				t.Errorf("%s: %+v", kind, tot)
			}
			if _, err := srv.JS().Stream(t.Context(), "B"); fail.CodeOf(err) != fail.NotFound {
				t.Errorf("%s: the stream is still there: %v", kind, err)
			}
		}
	})
}
