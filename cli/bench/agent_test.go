package bench

import (
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

func TestAgents(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	c.Fails(fail.NoAnswer, "bench pub b --msgs 10 --clients 2 --agents 2 --timeout 300ms", "0 of 2 agents of group default answered", "nats bench agent")
	one, two := c.Start("bench agent --name one"), c.Start("bench agent --name two --json")
	one.Says("Waiting for a controller")
	two.Says("Waiting for a controller")
	other := c.Start("bench agent --name three --group other")
	other.Says("Waiting for a controller")

	r := c.OK("bench pub b --msgs 1001 --clients 3 --agents 2 --steps 1000,2000 --duration 300ms --json")
	rep := parse(t, r.Out)
	s := rep.Sides[0]
	if s.Total.Messages != 450 || len(s.Clients) != 3 || s.Total.Latency.Count != 450 || rep.Host.Agents != 2 || len(s.Agents) != 2 {
		t.Errorf("%s", r.Out)
	}
	if s.Clients[2].Number != 3 || s.Clients[2].Agent != "two" || s.Agents[0].Total.Clients != 2 || s.Steps[1].Messages != 300 || s.Steps[1].Latency.Count != s.Steps[1].Messages {
		t.Errorf("%s", r.Out)
	}
	r = c.OK("bench js pub async st --create --msgs 500 --clients 2 --agents 2")
	lines(t, r.Out, `^  \[one 1\] .* \(250 msgs\)$`, `^  two: .*1 client \(250 msgs\)$`)
	if n := testkit.State(t, srv.JS(), "benchstream").Msgs; n != 500 {
		t.Errorf("%d messages are stored", n)
	}
	c.Fails(fail.NotFound, "bench js ordered --stream NOPE --clients 2 --agents 2", "nats: error: agent ", "getting stream 'NOPE'")
	run := c.Start("bench pub b --msgs 1000000000 --throughput 2000 --clients 2 --agents 2 --json")
	before, _ := srv.Server().Varz(nil)
	testkit.Eventually(t, 20e9, "messages flow", func() bool { v, _ := srv.Server().Varz(nil); return v.InMsgs > before.InMsgs+300 })
	end := run.Interrupt()
	if rep := parse(t, end.Out); end.Code != fail.Interrupted || rep.Outcome != meter.Interrupted || rep.Sides[0].Total.Messages == 0 || len(rep.Sides[0].Clients) != 2 {
		t.Errorf("%d\n%s\n%s", end.Code, end.Out, end.Err)
	}
	if r := two.Interrupt(); r.Code != fail.OK {
		t.Errorf("%d %s", r.Code, r.Err)
	}
	if r := one.Terminate(); r.Code != fail.OK {
		t.Errorf("%d %s", r.Code, r.Err)
	}
	if r := other.Interrupt(); r.Code != fail.OK || r.Out != "" {
		t.Errorf("an agent of another group took part: %d %s", r.Code, r.Out)
	}
}

func TestAgentUsage(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server("nats://127.0.0.1:1")
	c.Fails(fail.Usage, "bench pub b --agents 2", "every one needs a client")
	c.Fails(fail.Usage, "bench pubsub b --agents 1", "does not go with")
	c.Fails(fail.Usage, "bench service serve b --agents 1", "does not go with")
	c.Fails(fail.Usage, "bench js pub sync b --create --cleanup --agents 1", "does not go with --cleanup")
	c.Fails(fail.Usage, "bench agent --group a.b", "--group")
}
