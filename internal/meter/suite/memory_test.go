//go:build unix

package suite

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/meter/load"
)

// memory is what heap and stacks of this process take.
func memory() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// A connection takes less than a mebibyte of this process, whether it publishes or receives. A thousand of them in the soak.
func TestConnectionsAreSmall(t *testing.T) {
	many := 100
	if os.Getenv("NATSKIT_SOAK") != "" {
		many = 1000
	}
	srv := startServer(t)
	for _, engine := range []string{crew.Wire, crew.NatsGo} {
		for name, s := range map[string]crew.Spec{
			"publishers":  {Kind: "pub", Clients: many, Messages: int64(many) * 100},
			"subscribers": {Kind: "pubsub", Clients: 1, Subscribers: many, Messages: 100, Stamp: true},
		} {
			s.Engine, s.Subject, s.Size, s.Idle, s.Wait = engine, "s", 128, time.Minute, time.Minute
			runtime.GC()
			before, most := memory(), int64(0)
			w := world(srv.url)
			w.Watch = func([]crew.Progress, bool) { most = max(most, memory()) }
			r, err := load.Run(t.Context(), w, s)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(r.Sides[len(r.Sides)-1].Clients); got != many {
				t.Errorf("%s: %d clients", name, got)
			}
			each := (most - before) / int64(many)
			t.Logf("%s on %s: %d bytes for each connection", name, engine, each)
			if each > 1<<20 {
				t.Errorf("%s on %s: %d bytes for each connection", name, engine, each)
			}
		}
	}
}
