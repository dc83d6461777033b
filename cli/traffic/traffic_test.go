package traffic

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	var s second
	for _, subject := range []string{
		"$NRG.V.a", "$NRG.AE.a", "$NRG.AE.b", "$NRG.R.a", "$NRG.RP.a", "$NRG.P.a", "$NRG.new.a",
		"$JSC.ARU.x", "$JSC.SI.x", "$JSC.CI.x", "$JSC.SYNC.x", "$JSC.ACK.x", "$JSC.R.x",
		"$JS.API.INFO", "$JS.ACK.S", "$SYS.x", "a", "$other",
	} {
		s.count([]byte(subject), false, 10)
	}
	s.count([]byte("b"), true, 10)
	want := second{
		Raft: raft{1, 2, 1, 1, 1, 7}, Cluster: cluster{1, 1, 1, 1, 2, 6},
		General: general{Requests: 1, API: 1, Ack: 1, System: 1, Rest: 2, Bytes: 60, Messages: 6},
	}
	if s != want {
		t.Errorf("%+v\nwant %+v", s, want)
	}
	var sum second
	sum.add(&s)
	sum.add(&s)
	if sum.Raft.Append != 4 || sum.Cluster.Reply != 4 || sum.General.Bytes != 120 {
		t.Errorf("the sum is %+v", sum)
	}
}

func TestLooks(t *testing.T) {
	s := second{Time: viewtest.Now}
	s.count([]byte("$NRG.V.a"), false, 1)
	s.count([]byte("$JSC.SI.a"), false, 1)
	s.count([]byte("a"), true, 2048)
	viewtest.Golden(t, "second", s)
}

func TestRuns(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	srv := testkit.Server(t, testkit.WithAccounts())
	c := clitest.New(t, Command()).Server(srv.URL())
	r := c.Start("traffic 'a.>' --json")
	srv.AwaitInterest("a.b")
	testkit.Publish(t, srv.Conn(), "a.b", 5, "12")
	r.Says(`"messages":5`)
	done := r.Interrupt()
	if done.Code != fail.OK {
		t.Errorf("exit code %d: %s", done.Code, done.Err)
	}
	lines := strings.Split(strings.TrimSpace(done.Out), "\n")
	var total second
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &total); err != nil {
		t.Fatal(err)
	}
	if !total.Total || total.General.Rest != 5 || total.General.Bytes != 10 {
		t.Errorf("total is %+v", total)
	}
	c.Fails(fail.Usage, "traffic 'a b'")
	c.Server(srv.UserURL("limited")).Fails(fail.Unreachable, "traffic notok", "Permissions Violation")
	clitest.New(t, Command()).Server(testkit.Dead(t)).Fails(fail.Unreachable, "traffic")
}
