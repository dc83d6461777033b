package counter

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

// fresh is a server with a counter stream, one that gathers from it, and one that is none.
func fresh(t *testing.T) (*testkit.NATS, *clitest.CLI) {
	t.Helper()
	srv := testkit.Server(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "CTR", Subjects: []string{"ctr.>"}, AllowMsgCounter: true, AllowDirect: true})
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	return srv, clitest.New(t, Command()).Server(srv.URL())
}

func says(t *testing.T, got string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(got, p) {
			t.Errorf("%q is missing in\n%s", p, got)
		}
	}
}

func equal(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestCounting(t *testing.T) {
	t.Parallel()
	_, c := fresh(t)
	for _, r := range [][2]string{
		{"counter inc ctr.a 1", "1"}, {"counter inc ctr.a 41", "42"}, {"counter dec ctr.a 2", "40"}, {"counter incr ctr.a -- -5", "35"}, {"ctr incr ctr.a -5", "30"},
		{"counter decr ctr.a -5", "35"}, {"counter incr ctr.a 99999999999999999999999999 --stream CTR", "100000000000000000000000034"}, {"counter get ctr.a", "100000000000000000000000034"},
	} {
		equal(t, c.OK(r[0]).Out, r[1]+"\n")
	}
	equal(t, c.OK("counter get ctr.a --jq .value").Out, "100000000000000000000000034\n")
	c.OK("counter incr ctr.b 7")
	equal(t, c.OK("counter get ctr.b ctr.a").Out, "ctr.b: 7\nctr.a: 100000000000000000000000034\n")
	r := c.Fails(fail.Partial, "counter get ctr.b ctr.none", "ctr.none")
	equal(t, r.Out, "ctr.b: 7\n")
	c.Fails(fail.Usage, "counter incr ctr.a 1.5", "invalid value")
	c.Fails(fail.Usage, "counter incr ctr.a", "value")
	c.Fails(fail.Usage, "counter get 'ctr.*'", "wildcards")
	c.Fails(fail.Usage, "counter view 'ctr.>'", "wildcards")
	c.Fails(fail.NotFound, "counter get ctr.none", "counter not initialized for subject: ctr.none")
	c.Fails(fail.Failure, "counter get orders.new", `"ORDERS" is not a valid counter stream`)
	c.Fails(fail.NotFound, "counter get nothing.here", "nothing.here")
	c.Fails(fail.NotFound, "counter get ctr.a --stream CTRS", "CTRS", "did you mean CTR?")
	equal(t, c.OK("counter set ctr.b 3").Out, "3\n")
	equal(t, c.OK("counter set ctr.new 12").Out, "12\n")
}

func TestView(t *testing.T) {
	t.Parallel()
	srv, c := fresh(t)
	c.OK("counter incr ctr.a 100000000000000000000000034")
	equal(t, c.OK("counter view ctr.a").Out, "Counter ctr.a\n\n      Value: 100,000,000,000,000,000,000,000,034\n  Increment: 100,000,000,000,000,000,000,000,034\n    Subject: ctr.a\n\n No source information found\n")
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "ALL", AllowMsgCounter: true, AllowDirect: true, Sources: []*jetstream.StreamSource{{Name: "CTR"}}})
	testkit.Eventually(t, time.Minute, "the counter is gathered", func() bool { return testkit.State(t, srv.JS(), "ALL").Msgs == 1 })
	says(t, c.OK("counter view ctr.a --stream ALL").Out, "      Value: 100,000,000,000,000,000,000,000,034\n", "\n\nSources:\n\n        CTR: ctr.a: 100000000000000000000000034\n")
	c.Fails(fail.Usage, "counter view ctr.a.b c", "unexpected")
}

func TestList(t *testing.T) {
	t.Parallel()
	_, c := fresh(t)
	c.OK("counter incr ctr.b 2")
	c.OK("counter incr ctr.a 1234")
	equal(t, c.OK("counter ls 'ctr.>'").Out, "ctr.a\nctr.b\n")
	equal(t, c.OK("counter l --stream CTR --format names").Out, "ctr.a\nctr.b\n")
	says(t, c.OK("counter list --stream CTR -v").Out, "│ ctr.a   │ 1,234 │")
	var list []struct {
		Subject string      `json:"subject"`
		Value   json.Number `json:"value"`
	}
	if err := json.Unmarshal([]byte(c.OK("counter ls 'ctr.>' --json").Out), &list); err != nil || len(list) != 2 || list[0].Subject != "ctr.a" || list[0].Value != "1234" {
		t.Errorf("%v %+v", err, list)
	}
	c.Fails(fail.Usage, "counter ls", "--stream")
	c.Fails(fail.NotFound, "counter ls 'ctr.x.>'", "ctr.x.>")
	equal(t, c.OK("counter ls 'ctr.x.>' --json").Out, "[]\n")
}

func TestWatch(t *testing.T) {
	t.Parallel()
	srv, c := fresh(t)
	c.OK("counter incr ctr.a 5")
	w := c.Start("counter watch 'ctr.*'").Says("Watching ctr.* in stream CTR").Says("ctr.a: 5 (+5)")
	c.OK("counter decr ctr.a 7")
	w.Says("ctr.a: -2 (-7)")
	if r := w.Interrupt(); r.Code != fail.OK {
		t.Errorf("ended with %d", r.Code)
	}
	if n := testkit.State(t, srv.JS(), "CTR").Consumers; n != 0 {
		t.Errorf("%d consumers left", n)
	}
	equal(t, c.OK("counter watch ctr.a --count 1 --jq .value").Out, "-2\n")
}

func TestViews(t *testing.T) {
	t.Parallel()
	huge, _ := new(big.Int).SetString("-100000000000000000000000034", 10)
	one := count{Subject: "ctr.a", Stream: "CTR", Value: huge, Increment: big.NewInt(-5), Sequence: 12, Time: viewtest.Now,
		Sources: map[string]map[string]*big.Int{"EAST": {"ctr.a": big.NewInt(7), "ctr.b": big.NewInt(8)}, "WEST": {"ctr.a": huge}}}
	viewtest.Golden(t, "count", one)
	viewtest.Golden(t, "screen", screen{one})
	viewtest.Golden(t, "listing", listing{values: true, list: counts{one, {Subject: "ctr.b", Stream: "CTR", Value: big.NewInt(1), Time: viewtest.Now}}})
	viewtest.Golden(t, "receipt", receipt{Subject: "ctr.a", Stream: "CTR", Increment: big.NewInt(1), Value: huge})
	viewtest.Golden(t, "change", change{one})
}
