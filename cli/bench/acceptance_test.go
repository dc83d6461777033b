package bench

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// The acceptance cases of this group, by their numbers.

func TestF78_PublishersAndCSV(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	r := c.OK("bench pub b --msgs 2000 --clients 3 --no-progress --csv f")
	for _, n := range []string{"1", "2", "3"} {
		lines(t, r.Out, `^  \[`+n+`\] `+speed)
	}
	lines(t, r.Out, `aggregated stats: `+speed, `^ message rates min [\d,]+ \| avg [\d,]+ \| max [\d,]+ \| stddev [\d,]+ msgs$`, `^Saved metric data in csv file f$`)
	data, err := os.ReadFile(c.Path("f"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%v\n%s", err, data)
	}
	const head = "#RunID,ClientID,MsgCount,MsgBytes,MsgsPerSec,BytesPerSec,DurationSecs,MinLatencyMicroSecs,AvgLatencyMicroSecs,MaxLatencyMicroSecs,P50LatencyMicroSecs,P90LatencyMicroSecs,P99LatencyMicroSecs,P99.9LatencyMicroSecs,StdDevLatencyMicroSecs"
	if got := strings.Join(rows[0], ","); got != head {
		t.Errorf("%s", got)
	}
	if info, err := os.Stat(c.Path("f")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	c.OK("bench pub b --msgs 1 --csv one")
	if data, _ = os.ReadFile(c.Path("one")); !strings.HasSuffix(strings.TrimSpace(string(data)), ",0.000000") {
		t.Errorf("the deviation of one sample is not 0: %s", data)
	}
}

func TestF79_StreamStaysAndIsPurged(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	for _, line := range []string{"bench js pub async s --create --msgs 1200", "bench js pub async s --create --msgs 1200 --purge"} {
		c.OK(line)
		if n := testkit.State(t, srv.JS(), "benchstream").Msgs; n != 1200 {
			t.Errorf("%s: %d messages are stored", line, n)
		}
	}
}

func TestF80_ConsumersEnd(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	c.OK("bench js pub async s --create --msgs 60")
	for _, line := range []string{"consume", "fetch"} {
		c.OK("bench js " + line + " --msgs 30 --clients 7")
		c.OK("bench js " + line + " --msgs 5 --clients 9")
		r := c.Fails(fail.Partial, "bench js "+line+" --msgs 100 --clients 2 --json", "60 of 100 messages")
		if rep := parse(t, r.Out); rep.Outcome != meter.Idle || rep.Sides[0].Total.Messages != 60 {
			t.Errorf("%s", r.Out)
		}
	}
}

func TestF81_DeniedPublisherFails(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t, testkit.WithAccountsLimited())
		c := clitest.New(t, Command()).Server(srv.UserURL("limited"))
		r := c.Fails(fail.Unreachable, "bench pub notok --msgs 2000"+engine, "Permissions Violation")
		lines(t, r.Out, `stats: 0 msgs/sec`)
		c.OK("bench pub ok.a --msgs 2000" + engine)
	})
}

// Want 15: messages that are lost or come twice are counted, and make the run fail.
func TestWant15_LossAndRepetitionFail(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		c := clitest.New(t, Command()).Server(srv.URL())
		sub := c.Start("bench sub b --latency --msgs 6 --json" + engine)
		srv.AwaitInterest("b")
		payload := make([]byte, 32)
		for _, number := range []uint64{0, 1, 4, 4, 3, 5} { // 2 is lost, 4 comes twice, 3 late
			meter.PutStamp(payload, time.Now().UnixNano(), 7, number)
			if err := srv.Conn().Publish("b", payload); err != nil {
				t.Fatal(err)
			}
		}
		r := sub.Wait()
		rep := parse(t, r.Out)
		want := meter.Delivery{Expected: 6, Received: 6, Lost: 1, Duplicates: 1, Reordered: 1, Gaps: 1}
		if d := rep.Sides[0].Total.Delivery; r.Code != fail.Partial || rep.Outcome != meter.Lossy || d == nil || *d != want {
			t.Errorf("%d %s %+v", r.Code, rep.Outcome, d)
		}
		if !strings.Contains(r.Err, "1 of 6 messages were lost, 1 came more than once") {
			t.Errorf("%s", r.Err)
		}
	})
}
