package latency

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

// TestShortRunsEnd: half a second of a hundred a second is fifty messages.
func TestShortRunsEnd(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	srv := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	var r result
	if err := json.Unmarshal([]byte(c.OK("latency --duration 500ms --rate 100 --json --server-b "+srv.URL()).Out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Messages != 50 || r.Received != 50 || r.Lost != 0 || r.Min <= 0 || r.Max < r.Median || r.Median < r.Min || len(r.Percentiles) != 12 {
		t.Errorf("result is %+v", r)
	}
	if r.LastSent < 490*time.Millisecond-time.Millisecond {
		t.Errorf("the last was sent after %s", r.LastSent)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	out := c.OK("latency --duration 20ms --rate 1000 --histogram h --server-b " + srv.URL()).Out
	for _, want := range []string{"Pub Server RTT : ", "Message Payload: 8B\n", "Target Band/Sec: 15.6K\n", "HDR Percentiles:\n10: ", "99.99999: ", "Median Latency : "} {
		if !strings.Contains(out, want) {
			t.Errorf("stdout does not say %q:\n%s", want, out)
		}
	}
	raw, err := os.ReadFile(c.Path("h.raw"))
	if err != nil || strings.Count(string(raw), "\n") != 20 {
		t.Errorf("raw file %q: %v", raw, err)
	}
	dist, err := os.ReadFile(c.Path("h.histogram"))
	if err != nil || !strings.Contains(string(dist), "1.000000000000         20            inf") {
		t.Errorf("histogram file %q: %v", dist, err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithAccounts())
	other := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	dead := testkit.Dead(t)
	c.Fails(fail.Usage, "latency --rate 0 --server-b "+srv.URL(), "--rate")
	c.Fails(fail.Usage, "latency --duration 0s --server-b "+srv.URL(), "--duration")
	c.Fails(fail.Usage, "latency --size 7 --server-b "+srv.URL(), "--size")
	c.Fails(fail.Usage, "latency", "server-b")
	c.Fails(fail.Unreachable, "latency --server-b "+dead, "second connection failed: ")
	clitest.New(t, Command()).Server(dead).Fails(fail.Unreachable, "latency --server-b "+srv.URL(), "first connection failed: ")
	c.Fails(fail.NoAnswer, "latency --server-b "+other.URL(), "couldn't receive end-to-end test message")
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	srv := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	r := c.Start("latency --duration 1h --rate 100 --server-b " + srv.URL())
	testkit.Eventually(t, time.Minute, "messages", func() bool {
		v, err := srv.Server().Varz(nil)
		return err == nil && v.InMsgs > 10
	})
	if done := r.Interrupt(); done.Code != fail.Interrupted {
		t.Errorf("exit code %d", done.Code)
	}
}

func TestLooks(t *testing.T) {
	r := &result{
		PubServer: "nats://a:4222", SubServer: "nats://b:4222", PubRTT: 266 * time.Microsecond, SubRTT: 1897 * time.Microsecond, Size: 8, Duration: time.Second, Rate: 100,
		Messages: 101, LastSent: 990 * time.Millisecond, LastReceived: 991 * time.Millisecond, Lost: 1,
	}
	for i := range 100 {
		r.samples = append(r.samples, time.Duration(100-i)*time.Millisecond)
	}
	r.sum()
	viewtest.Golden(t, "result", r)
	viewtest.Golden(t, "matrix", matrix{r, {PubServer: "nats://a:4222", SubServer: "nats://c:4222", Messages: 100, Error: "second connection failed", Percentiles: []percentile{}}})
}

// TestPercentiles against a hundred samples of 1 to 100 ms.
func TestPercentiles(t *testing.T) {
	t.Parallel()
	r := &result{}
	for i := range 100 {
		r.samples = append(r.samples, time.Duration(i+1)*time.Millisecond)
	}
	r.sum()
	if r.Mean != 50500*time.Microsecond || r.Median != 50*time.Millisecond || r.at(99) != 99*time.Millisecond || r.at(99.9) != 100*time.Millisecond || r.at(10) != 10*time.Millisecond {
		t.Errorf("mean %s median %s p99 %s p99.9 %s p10 %s", r.Mean, r.Median, r.at(99), r.at(99.9), r.at(10))
	}
}

// A second context brings its own server and credentials; flags and variables are about the first.
func TestContextB(t *testing.T) {
	t.Parallel()
	hub := testkit.Server(t, testkit.WithAccounts())
	leaf := testkit.Leaf(t, hub, testkit.WithAccounts())
	c := clitest.New(t, Command()).Server(hub.URL())
	dir := c.Path(filepath.Join("..", "config", "nats", "context"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"far": `{"url":"` + leaf.UserURL("app") + `"}`, "refused": `{"url":"` + strings.Replace(leaf.URL(), "://", "://app:wrong@", 1) + `"}`,
		"denied": `{"url":"` + leaf.UserURL("limited") + `","inbox_prefix":"secret"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var r result
	if err := json.Unmarshal([]byte(c.OK("latency --duration 50ms --rate 200 --json --context-b far").Out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Received != 10 || r.PubServer == r.SubServer || !strings.Contains(r.SubServer, strconv.Itoa(leaf.Port())) {
		t.Errorf("result is %+v", r)
	}
	c.Fails(fail.Unreachable, "latency --context-b refused", "second connection failed", "uthorization")
	c.Fails(fail.Unreachable, "latency --context-b denied", "second connection", "ermissions")
	c.Fails(fail.NotFound, "latency --context-b fra", "--context-b", "fra", "far")
	c.Fails(fail.Usage, "latency --context-b far --each --histogram h", "--histogram")
}

func TestEach(t *testing.T) {
	t.Parallel()
	testkit.Leaks(t)
	srv, other := testkit.Server(t), testkit.Server(t)
	dead := testkit.Dead(t)
	c := clitest.New(t, Command()).Server(srv.URL() + "," + other.URL())
	// Two servers that are no system: a message of one does not reach the other.
	r := c.Fails(fail.Partial, "latency --each --duration 20ms --rate 500 --json --server-b "+srv.URL()+","+dead, "3 of 4 pairs could not be measured")
	var m matrix
	if err := json.Unmarshal([]byte(r.Out), &m); err != nil || len(m) != 4 {
		t.Fatalf("%s: %v", r.Out, err)
	}
	if m[0].Received != 10 || m[0].Error != "" || m[1].Error == "" || m[1].SubServer != dead || m[2].Error == "" {
		t.Errorf("%+v %+v %+v", m[0], m[1], m[2])
	}
	if out := c.Server(srv.URL()).OK("latency --each --duration 20ms --server-b ''").Out; !strings.Contains(out, "Latencies") || !strings.Contains(out, "p99.9") {
		t.Errorf("stdout %s", out)
	}
	c.Server(dead).Fails(fail.Unreachable, "latency --each --server-b ''", "no pair could be measured")
}
