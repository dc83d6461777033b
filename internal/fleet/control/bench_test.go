package control_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleet/device"
	"github.com/natskit/natskit/internal/fleet/device/sim"
	"github.com/natskit/natskit/internal/fleet/fleettest"
	"github.com/natskit/natskit/internal/testkit"
)

// crowd is a fleet of n simulated devices without metrics.
func crowd(t testing.TB, n int) *control.Fleet {
	t.Helper()
	srv := testkit.Server(t)
	f := fleettest.Fleet(t, srv)
	conn := nats.GetDefaultOptions()
	conn.Servers = []string{srv.URL()}
	s, err := sim.Start(testkit.Context(t), sim.Options{Devices: n, Device: device.Options{Conn: conn, Interval: -1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), fleettest.Within)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return f
}

// ask gathers the answers of n devices and tells how many were selected.
func ask(t testing.TB, f *control.Fleet, n int) int {
	t.Helper()
	selected, p := 0, long
	p.Expect = n
	g, err := f.Query(testkit.Context(t), `os.name == "Android" && memory > 4e9`, p, func(a fleet.Answer) error {
		if a.Match {
			selected++
		}
		return nil
	})
	if err != nil || g.Answered != n || !g.Complete() {
		t.Fatalf("%+v %v", g, err)
	}
	return selected
}

func TestManyAnswer(t *testing.T) {
	t.Parallel()
	const n = 200
	f := crowd(t, n)
	p := control.Patience{Timeout: fleettest.Within, Quiet: time.Second, Expect: n}
	testkit.Eventually(t, fleettest.Within, "all to answer", func() bool { // one that has just joined may not hear the first question
		g, err := f.Query(testkit.Context(t), "", p, func(fleet.Answer) error { return nil })
		return err == nil && g.Answered == n && g.Complete()
	})
	if selected := ask(t, f, n); selected == 0 || selected == n {
		t.Errorf("%d are selected", selected)
	}
}

// BenchmarkQuery1000 is the time in which 1,000 devices answer:
//
//	go test ./internal/fleet/control -run '^$' -bench Query1000
func BenchmarkQuery1000(b *testing.B) {
	f := crowd(b, 1000)
	for b.Loop() {
		ask(b, f, 1000)
	}
}
