package request

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/asking"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

// TestConcurrency: the answers are held back until four requests have come, so that one after the other would not end.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	c, srv := setup(t)
	var mu sync.Mutex
	var held []*nats.Msg
	most := 0
	testkit.Handle(t, srv.Conn(), "svc", func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		held = append(held, m)
		most = max(most, len(held))
		if len(held) < 4 {
			return
		}
		for _, h := range held {
			_ = h.Respond(h.Data)
		}
		held = nil
	})
	r := c.OK("req svc '{{Count}}' --count 12 --concurrency 4 --json --timeout 1m")
	seen := map[int]string{}
	for _, line := range strings.Split(strings.TrimSpace(r.Out), "\n") {
		var a asking.Answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		seen[a.Request] = *a.Data
	}
	if len(seen) != 12 || seen[1] != "1" || seen[12] != "12" {
		t.Errorf("answers are %v", seen)
	}
	if most != 4 {
		t.Errorf("%d requests were under way at a time", most)
	}
	if r := c.OK("req svc x --count 8 --concurrency 4"); strings.Count(r.Out, "x\n\n\n") != 8 || !strings.Contains(r.Err, "Received 8 replies to 8 requests") {
		t.Errorf("stdout %q stderr %q", r.Out, r.Err)
	}
}

func TestConcurrencyFailures(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	c, srv := setup(t)
	c.Fails(fail.NoAnswer, "req nosvc x --count 50 --concurrency 10", "no responders are available")
	testkit.Handle(t, srv.Conn(), "half", func(m *nats.Msg) {
		if string(m.Data) != "2" {
			_ = m.Respond(m.Data)
		}
	})
	c.Fails(fail.Partial, "req half '{{Count}}' --count 4 --concurrency 4 --timeout 2s", "1 of 4 requests were not answered")
	c.Fails(fail.Usage, "req half x --concurrency 0", "--concurrency")
	testkit.Subscribe(t, srv.Conn(), "slow")
	run := c.Start("req slow x --count 20 --concurrency 5 --timeout 5m").Says("Sending request")
	if r := run.Interrupt(); r.Code != fail.Interrupted {
		t.Errorf("exit code %d", r.Code)
	}
	c.Server(srv.UserURL("limited")).Fails(fail.Unreachable, "req notok x --count 20 --concurrency 5 --timeout 5m", "Permissions Violation")
}
