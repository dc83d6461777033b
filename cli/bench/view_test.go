package bench

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

// clientOf is what a client measured that handled n messages of 100 bytes between two times, with a few latencies.
func clientOf(p *meter.Probe, agent string, n int64, from, to time.Duration, latencies ...time.Duration) meter.Client {
	p.Begin(from)
	if len(latencies) > 0 {
		p.Step(0, latencies[0], from)
	}
	for _, l := range latencies {
		p.Latency(l, to)
	}
	p.Add(n, 100*n, to)
	c := p.Client("the hand-over by the publisher to the arrival")
	c.Agent, c.WireBytes = agent, 120*n
	return c
}

func reportOf(bench string, sides ...meter.Side) *meter.Report {
	r := &meter.Report{Schema: meter.Schema, Bench: bench, RunID: "RUN", Started: viewtest.Now, Outcome: meter.Complete,
		Config: map[string]any{"clients": len(sides), "subject": "demo|<b>"}, Host: meter.Host{Tool: "1.0.0", OS: "linux", Arch: "amd64", CPUs: 2, Server: "2.14.0"},
		Sides: sides, Errors: []string{}, Notes: []string{}}
	for i := range r.Sides {
		r.Sides[i].Sum()
	}
	return r
}

func oneClient() *meter.Report {
	p := meter.NewRun(1, 0).Probes()[0]
	return reportOf("pub", meter.Side{Label: "Core NATS publisher", Role: meter.Publisher, Engine: "wire",
		Clients: []meter.Client{clientOf(p, "", 2_000_000, time.Second, 2*time.Second, 40*time.Microsecond, 2*time.Millisecond)}})
}

// manySides has two machines, a schedule, and everything that can go wrong.
func manySides(t *testing.T) *meter.Report {
	run := meter.NewRun(4, 0).Probes()
	pub := meter.Side{Label: "Core NATS publisher", Role: meter.Publisher, Engine: "wire", Clients: []meter.Client{
		clientOf(run[0], "east", 600, time.Second, 3*time.Second, 3*time.Microsecond), clientOf(run[1], "west", 400, 2*time.Second, 6*time.Second, 7*time.Microsecond)}}
	pub.Clients[1].Denied, pub.Clients[1].Unconfirmed, pub.Clients[1].Error = 5, 3, "nats: permissions violation"
	schedule, err := meter.NewSchedule(meter.Segment{From: 100, To: 500, For: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	pub.SumSteps(schedule, "the intended send time to the server's confirmation (PONG)")
	sub := meter.Side{Label: "Core NATS subscriber", Role: meter.Consumer, Engine: "nats.go", Clients: []meter.Client{
		clientOf(run[2], "east", 590, time.Second, 3*time.Second, 90*time.Microsecond, 110*time.Microsecond), clientOf(run[3], "west", 0, 0, 0)}}
	sub.Clients[0].Delivery = &meter.Delivery{Expected: 1000, Received: 590, Lost: 412, Duplicates: 2, Reordered: 1, Gaps: 3, Late: 1, Unnumbered: 4}
	r := reportOf("pubsub", pub, sub)
	r.Outcome, r.Host.Agents = meter.Failed, 2
	r.Errors, r.Notes = []string{"412 of 1000 messages were lost"}, []string{"the measurement lasted only 2ms"}
	r.Timeline = []meter.Point{{At: 0, Messages: 10, Bytes: 1000}, {At: time.Second, Messages: 500, Bytes: 50000}, {At: 2 * time.Second, Messages: 1590, Bytes: 159000}}
	return r
}

func TestReportViews(t *testing.T) {
	t.Parallel()
	shared := reportOf("sub", meter.Side{Label: "Core NATS subscriber", Role: meter.Consumer, Engine: "wire",
		Clients: []meter.Client{clientOf(meter.NewRun(1, 0).Probes()[0], "", 500, time.Second, 2*time.Second, 90*time.Microsecond)}})
	d := meter.Delivery{Received: 500, Lost: 20, Duplicates: 1}.Share()
	shared.Sides[0].Total.Delivery = &d
	viewtest.Golden(t, "one", result{oneClient(), []string{"Saved metric data in csv file run.csv"}})
	viewtest.Golden(t, "many", result{Report: manySides(t)})
	viewtest.Golden(t, "queue", result{Report: shared})
	viewtest.Golden(t, "nothing", result{Report: reportOf("pub")})
	c, err := meter.Compare(oneClient(), manySides(t), nil)
	if err == nil {
		t.Errorf("reports of different benchmarks are compared: %v", c)
	}
	slower := oneClient()
	slower.Sides[0].Total.Rate /= 2
	slower.Sides[0].Total.Latency.P99 *= 3
	slower.Config["clients"] = 2
	conditions, err := meter.ParseConditions("rate<-10%, p99>1s")
	if err != nil {
		t.Fatal(err)
	}
	if c, err = meter.Compare(oneClient(), slower, conditions); err != nil {
		t.Fatal(err)
	}
	viewtest.Golden(t, "compare", comparison{c})
}

// A line is broken between words, none is longer than the terminal, and nothing is lost.
func TestFold(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "short", strings.Repeat("x", 100), strings.Repeat(" ", 100) + "x", strings.Repeat("é ü ", 60), "  [1] 5 msgs/sec ~ 3 KiB/sec ~ min: 4.00us ~ avg: 5.00us | a | b, c"} {
		for _, width := range []int{0, 1, 8, 9, 20, 40, 60} {
			got := fold(line, width)
			if strings.Join(strings.Fields(strings.Join(got, " ")), "") != strings.Join(strings.Fields(line), "") {
				t.Errorf("%q at %d: %q", line, width, got)
			}
			for _, part := range got {
				if width >= 8 && len([]rune(part)) > width {
					t.Errorf("%q at %d: %q", line, width, got)
				}
			}
		}
	}
	if got := fold("a: 1 ~ bcd: 2 ~ efgh: 3", 18); len(got) != 2 || got[0] != "a: 1 ~ bcd: 2 ~" || got[1] != "    efgh: 3" {
		t.Errorf("%q", got)
	}
}

// The files that --csv, --report and --hdr write.
func TestReportFiles(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*meter.Report{"one": oneClient(), "many": manySides(t)} {
		for ext, write := range map[string]func(io.Writer) error{
			"csv": r.WriteCSV, "md": r.WriteMarkdown, "html": r.WriteHTML,
			"hgrm": func(w io.Writer) error { return r.WriteHDR(w, "x.hgrm") },
		} {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+"."+ext)
			if viewtest.Updating() {
				if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || !bytes.Equal(b.Bytes(), want) {
				t.Errorf("%s (%v):\n%s", golden, err, b.Bytes())
			}
		}
	}
}
