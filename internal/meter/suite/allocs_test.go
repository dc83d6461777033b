//go:build unix

package suite

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/meter/load"
)

func world(url string) crew.World {
	return crew.World{
		Options: func(context.Context) (nats.Options, error) {
			o := nats.GetDefaultOptions()
			o.Url = url
			return o, nil
		},
		Dial: func(_ context.Context, opts ...nats.Option) (*nats.Conn, error) { return nats.Connect(url, opts...) },
		JetStream: func(nc *nats.Conn, opts ...jetstream.JetStreamOpt) (jetstream.JetStream, error) {
			return jetstream.New(nc, opts...)
		},
		Timeout: 30 * time.Second,
		Say:     func(string, ...any) {},
	}
}

// The wire engine allocates nothing for a message: what three times as many messages allocate more is less than one object for
// ten of them. The server is another process, so that only the client's objects count.
func TestNothingIsAllocatedForAMessage(t *testing.T) {
	srv := startServer(t)
	stream := crew.Stream{Name: "B", Create: true, Replicas: 1, Batch: 100, MaxOutstanding: 2, Storage: "memory", Purge: true}
	header := nats.Header{"A": {"b"}}
	for name, s := range map[string]crew.Spec{
		"pub":           {Kind: "pub"},
		"pub headers":   {Kind: "pub", Header: header},
		"pub subjects":  {Kind: "pub", Multi: crew.Multi{On: true, Max: 100}},
		"pub stamped":   {Kind: "pub", Stamp: true},
		"pub sizes":     {Kind: "pub", SizeMax: 100},
		"pub paced":     {Kind: "pub", Segments: []crew.Pace{{From: 1e9, To: 1e9}}},
		"pubsub":        {Kind: "pubsub", Subscribers: 1},
		"pubsub stamp":  {Kind: "pubsub", Subscribers: 1, Stamp: true, Header: header},
		"js pub sync":   {Kind: crew.ModeSync, Stream: stream},
		"js pub async":  {Kind: crew.ModeAsync, Stream: stream, Header: header},
		"js pub fast":   {Kind: crew.ModeFast, Stream: stream},
		"js pub atomic": {Kind: crew.ModeAtomic, Stream: stream},
	} {
		t.Run(name, func(t *testing.T) {
			s.Engine, s.Subject, s.Clients, s.Idle, s.Wait = crew.Wire, "s", 1, time.Minute, time.Minute
			s.Size = max(s.Size, meter.StampSize)
			n, most := int64(20_000), 0.05
			if len(s.Stream.Name) > 0 {
				n, most = 2_000, 0.1 // each takes longer, and what watches the run takes its share of the time
			}
			objects := func(messages int64) int64 {
				s.Messages = messages
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				if _, err := load.Run(t.Context(), world(srv.url), s); err != nil {
					t.Fatal(err)
				}
				runtime.ReadMemStats(&after)
				return int64(after.Mallocs - before.Mallocs)
			}
			objects(n) // the first of its kind
			few, many := objects(n), objects(4*n)
			if each := float64(many-few) / float64(3*n); each > most {
				t.Errorf("%.3f objects for each message: %d for %d messages, %d for %d", each, few, n, many, 4*n)
			}
		})
	}
}
