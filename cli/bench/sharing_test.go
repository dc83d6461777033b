package bench

import (
	"strconv"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// The members of a queue group see each a part of the numbers: the others' messages are not lost.
func TestQueueGroupsShareWithoutLoss(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		c := clitest.New(t, Command()).Server(srv.URL())
		line := "bench sub b --queue q --latency --clients 2 --duration 300ms" + engine
		one, two := c.Start(line), c.Start(line+" --json")
		subscribers(t, srv, "b", 4)
		c.OK("bench pub b --latency --throughput 5000 --duration 500ms")
		a, b := one.Wait(), two.Wait()
		if a.Code != fail.OK || b.Code != fail.OK {
			t.Fatalf("%d %d\n%s\n%s", a.Code, b.Code, a.Err, b.Err)
		}
		lines(t, a.Out, `^Delivery: received [0-9,]+ \| duplicates 0 \| the queue group shares`)
		if d := parse(t, b.Out).Sides[0].Total.Delivery; d == nil || !d.Shared || d.Received == 0 || !d.Clean() {
			t.Errorf("%s", b.Out)
		}
	})
}

func TestHeaderTemplates(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		c := clitest.New(t, Command()).Server(srv.URL())
		c.Fails(fail.Usage, "bench pub b -H 'A:{{Bogus}}'"+engine, "Bogus")
		got := testkit.Subscribe(t, srv.Conn(), "b")
		c.OK("bench pub b --msgs 5 --clients 2 -H 'N:{{Count}}' -H 'A:b'" + engine)
		numbers := map[string]bool{}
		for range 5 {
			m := got.Next()
			numbers[m.Header.Get("N")] = true
			if m.Header.Get("A") != "b" {
				t.Errorf("%v", m.Header)
			}
		}
		for i := range 5 {
			if !numbers[strconv.Itoa(i+1)] {
				t.Errorf("no message has the number %d: %v", i+1, numbers)
			}
		}
		testkit.Respond(t, srv.Conn(), "svc", "ok")
		c.OK("bench service request svc --msgs 20 -H 'N:{{Count}}'" + engine)
		for _, kind := range []string{"sync", "async", "atomic --batch 3", "fast"} {
			if strings.HasPrefix(kind, "fast") && strings.Contains(engine, crew.NatsGo) {
				continue
			}
			line := "bench js pub " + kind + " s.a --create --purge --msgs 7 -H 'N:{{Count}}'"
			if !strings.HasPrefix(kind, "fast") {
				line += engine
			}
			c.OK(line)
			stored := map[string]bool{}
			for _, m := range testkit.Stored(t, srv.JS(), "benchstream") {
				stored[m.Header.Get("N")] = true
			}
			if len(stored) != 7 || !stored["1"] || !stored["7"] {
				t.Errorf("%s: %v", kind, stored)
			}
		}
	})
}

// Publishers of several processes number their messages each for itself: a subscriber keeps them apart.
func TestPublishersOfTwoProcesses(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		c := clitest.New(t, Command()).Server(srv.URL())
		sub := c.Start("bench sub b --latency --msgs 1100 --json" + engine)
		subscribers(t, srv, "b", 1)
		one := c.Start("bench pub b --latency --clients 2 --msgs 600" + engine)
		two := c.Start("bench pub b --latency --clients 2 --msgs 500 --size 16" + engine)
		if a, b := one.Wait(), two.Wait(); a.Code != fail.OK || b.Code != fail.OK {
			t.Fatalf("%d %d\n%s\n%s", a.Code, b.Code, a.Err, b.Err)
		}
		r := sub.Wait()
		d := parse(t, r.Out).Sides[0].Total.Delivery
		if r.Code != fail.OK || d == nil || *d != (meter.Delivery{Expected: 1100, Received: 1100}) {
			t.Errorf("%d\n%s\n%+v", r.Code, r.Err, d)
		}
	})
}
