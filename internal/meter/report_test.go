package meter_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/natskit/natskit/internal/meter"
)

const us = time.Microsecond

// twoClients is a run whose figures were computed by hand: client 1 sends 600 messages of 100 bytes from 1 s to 3 s, client
// 2 sends 400 from 2 s to 6 s.
func twoClients() *meter.Report {
	run := meter.NewRun(2, 0)
	a, b := run.Probes()[0], run.Probes()[1]
	a.Begin(time.Second)
	a.Add(600, 60000, 3*time.Second)
	a.Latency(3170, 3*time.Second)
	b.Begin(2 * time.Second)
	b.Add(400, 40000, 6*time.Second)
	b.Latency(6930, 6*time.Second)
	s := meter.Side{Label: "Core NATS publisher", Role: meter.Publisher, Engine: "wire", Clients: []meter.Client{a.Client("send to confirmation"), b.Client("send to confirmation")}}
	s.Sum()
	return &meter.Report{Schema: meter.Schema, Bench: "pub", RunID: "RUN", Started: time.Unix(1700000000, 0), Outcome: meter.Complete,
		Config: map[string]any{"clients": 2.0, "subject": "a"}, Host: meter.Host{OS: "linux", CPUs: 2}, Sides: []meter.Side{s}, Errors: []string{}, Notes: []string{}}
}

func TestTextOfSeveralClients(t *testing.T) {
	t.Parallel()
	want := `
  [1] 300 msgs/sec ~ 29 KiB/sec ~ min: 3.17us ~ avg: 3.17us ~ max: 3.17us ~ P50: 3.17us ~ P90: 3.17us ~ P99: 3.17us ~ P99.9: 3.17us (600 msgs)
  [2] 100 msgs/sec ~ 9.8 KiB/sec ~ min: 6.93us ~ avg: 6.93us ~ max: 6.93us ~ P50: 6.93us ~ P90: 6.93us ~ P99: 6.93us ~ P99.9: 6.93us (400 msgs)

 NATS Core NATS publisher aggregated stats: 200 msgs/sec ~ 20 KiB/sec
 message rates min 100 | avg 200 | max 300 | stddev 100 msgs
 latencies per operation min 3.17us | avg 5.05us | max 6.93us | stddev 1.88us | P50 3.17us | P90 6.93us | P99 6.93us | P99.9: 6.93us

Core NATS publisher: 1,000 messages, 98 KiB in 5s
Latency of the Core NATS publisher: from send to confirmation (2 samples, stddev 1.88us)
Engine: wire`
	if got := strings.Join(twoClients().Text(), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTextOfOneClientAndOfNone(t *testing.T) {
	t.Parallel()
	r := twoClients()
	r.Sides[0].Clients = r.Sides[0].Clients[:1]
	r.Sides[0].Clients[0].Latency = nil
	r.Sides[0].Sum()
	got := strings.Join(r.Text(), "\n")
	if want := "\nNATS Core NATS publisher stats: 300 msgs/sec ~ 29 KiB/sec\n\nCore NATS publisher: 600 messages, 59 KiB in 2s\nEngine: wire"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for outcome, says := range map[meter.Outcome]string{meter.Interrupted: "interrupted", meter.Idle: "fewer messages came", meter.Failed: "a client failed"} {
		r.Outcome = outcome
		if got := strings.Join(r.Text(), "\n"); !strings.Contains(got, "\nThe run ended before its time, "+says) {
			t.Errorf("%s: %q", outcome, got)
		}
	}
	none := meter.Report{}
	if got := strings.Join(none.Text(), "\n"); got != "No publisher or subscribers. Nothing to report." {
		t.Errorf("got %q", got)
	}
}

// What a receiver's first read brought took a time that nobody knows: it must not make the rate look better.
func TestN5_ReceiverRates(t *testing.T) {
	t.Parallel()
	run := meter.NewRun(3, 0)
	one, burst, many := run.Probes()[0], run.Probes()[1], run.Probes()[2]
	one.Add(1, 10, time.Second)
	burst.Add(100, 1000, time.Second)
	many.Add(50, 500, time.Second)
	many.Add(100, 1000, 3*time.Second)
	for i, p := range []*meter.Probe{one, burst} {
		if c := p.Client(""); c.Measured || c.Rate != 0 || c.BytesPerSecond != 0 {
			t.Errorf("client %d: %+v", i, c)
		}
	}
	if c := many.Client(""); !c.Measured || c.Rate != 50 || c.BytesPerSecond != 500 || c.Messages != 150 {
		t.Errorf("%+v", c)
	}
	s := meter.Side{Role: meter.Consumer, Clients: []meter.Client{one.Client(""), burst.Client(""), many.Client("")}}
	s.Sum()
	if s.Total.Messages != 251 || s.Total.Rate != 50 || s.Total.Duration != 2*time.Second {
		t.Errorf("%+v", s.Total)
	}
}

func TestWarmupIsNotCounted(t *testing.T) {
	t.Parallel()
	run := meter.NewRun(2, 2*time.Second)
	snd, rcv := run.Probes()[0], run.Probes()[1]
	snd.Begin(0)
	snd.Add(1000, 1000, 1900*time.Millisecond)
	snd.Latency(time.Hour, time.Second)
	snd.Add(10, 100, 3900*time.Millisecond)
	snd.Latency(5*us, 3900*time.Millisecond)
	if c := snd.Client("x"); c.Messages != 10 || c.Bytes != 100 || c.Rate != 5 || c.Latency.Count != 1 || c.Latency.Max != 5*us {
		t.Errorf("sender %+v", c)
	}
	rcv.Add(7, 7, time.Second)
	rcv.Add(7, 7, 2900*time.Millisecond)
	rcv.Add(4, 4, 4*time.Second)
	rcv.Add(6, 6, 6*time.Second)
	if c := rcv.Client("x"); c.Messages != 10 || c.Rate != 3 {
		t.Errorf("receiver %+v", c)
	}
	if run.Seen() != 1010+24 {
		t.Errorf("seen %d", run.Seen())
	}
}

// A step is as fast as its messages were done, whatever its schedule: neither a slow system nor the end of a run before its time
// shows as the rate that was aimed at, and messages without an end of their schedule have a rate, too.
func TestStepRates(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		name   string
		lasts  time.Duration // of the step
		n      int           // messages meant to be sent, one each millisecond
		behind time.Duration // each later than the one before
		want   float64
	}{
		{"keeps up", 100 * time.Millisecond, 100, 0, 1000},
		{"half as fast as aimed at", 100 * time.Millisecond, 101, time.Millisecond, 505}, // 101 in 200 ms
		{"ended half way", 100 * time.Millisecond, 50, 0, 1000},
		{"without an end", 0, 50, 0, 1000},
		{"one message", 100 * time.Millisecond, 1, 0, 10},
		{"one message without an end", 0, 1, 0, 0},
		{"nothing", 100 * time.Millisecond, 0, 0, 0},
	} {
		run := meter.NewRun(2, 0)
		for i := range r.n { // the clients take turns
			at := time.Duration(i) * (time.Millisecond + r.behind)
			run.Probes()[i%2].Step(0, time.Duration(i)*r.behind, at)
		}
		s := meter.Side{Role: meter.Publisher, Clients: []meter.Client{run.Probes()[0].Client(""), run.Probes()[1].Client("")}}
		schedule, err := meter.NewSchedule(meter.Segment{From: 1000, To: 1000, For: r.lasts})
		if err != nil {
			t.Fatal(err)
		}
		s.SumSteps(schedule, "")
		if st := s.Steps[0]; st.Messages != int64(r.n) || st.Rate < r.want*0.9999 || st.Rate > r.want*1.0001 {
			t.Errorf("%s: %d messages, %g a second, want %g", r.name, st.Messages, st.Rate, r.want)
		}
	}
}

func TestTimelineStaysBounded(t *testing.T) {
	t.Parallel()
	run := meter.NewRun(1, 0)
	run.Sample()
	if len(run.Timeline()) != 0 {
		t.Error("the timeline begins with the first message")
	}
	run.Probes()[0].Add(5, 50, run.Now())
	run.Sample()
	run.Sample()
	if tl := run.Timeline(); len(tl) != 1 || tl[0] != (meter.Point{Messages: 5, Bytes: 50}) {
		t.Errorf("%+v", tl)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := twoClients().WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	want := `#RunID,ClientID,MsgCount,MsgBytes,MsgsPerSec,BytesPerSec,DurationSecs,MinLatencyMicroSecs,AvgLatencyMicroSecs,MaxLatencyMicroSecs,P50LatencyMicroSecs,P90LatencyMicroSecs,P99LatencyMicroSecs,P99.9LatencyMicroSecs,StdDevLatencyMicroSecs
RUN,P0,600,60000,300.000000,30000.000000,2.000000,3.170000,3.170000,3.170000,3.170000,3.170000,3.170000,3.170000,0.000000
RUN,P1,400,40000,100.000000,10000.000000,4.000000,6.930000,6.930000,6.930000,6.930000,6.930000,6.930000,6.930000,0.000000
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
	r := twoClients()
	for i := range r.Sides[0].Clients {
		r.Sides[0].Clients[i].Latency = nil
	}
	r.Sides[0].Role = meter.Consumer
	r.Sides[0].Sum()
	b.Reset()
	_ = r.WriteCSV(&b)
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 3 || len(rows[0]) != 7 || rows[2][1] != "S1" {
		t.Errorf("%v %v", rows, err)
	}
}

func TestJSONIsReadBack(t *testing.T) {
	t.Parallel()
	r := twoClients()
	data, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	back, err := meter.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := back.JSON()
	if !bytes.Equal(data, again) {
		t.Errorf("got\n%s\nwant\n%s", again, data)
	}
	for _, bad := range []string{"", "{}", "[]", `{"schema":1}`, strings.Replace(string(data), `"schema": 1`, `"schema": 99`, 1)} {
		if _, err := meter.Parse([]byte(bad)); err == nil {
			t.Errorf("%.20q was read", bad)
		}
	}
}

func TestHDRFiles(t *testing.T) {
	t.Parallel()
	r := twoClients()
	var b bytes.Buffer
	if err := r.WriteHDR(&b, "x.hgrm"); err != nil || !strings.Contains(b.String(), "6.931     1.000000            2") || !strings.Contains(b.String(), "Percentile") {
		t.Errorf("%v\n%s", err, b.String())
	}
	b.Reset()
	if err := r.WriteHDR(&b, "x.hlog"); err != nil {
		t.Fatal(err)
	}
	h, err := hdrhistogram.NewHistogramLogReader(&b).NextIntervalHistogram()
	if err != nil || h == nil || h.TotalCount() != 2 || h.Max() < 6900 || h.Max() > 7000 {
		t.Errorf("%v %v", h, err)
	}
	if err := (&meter.Report{}).WriteHDR(&b, "x"); err == nil {
		t.Error("no latencies, no file")
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	r := twoClients()
	r.Config["subject"] = "a|<b>\n|"
	r.Notes = []string{"a <script> note"}
	r.Timeline = []meter.Point{{At: 0}, {At: time.Second, Messages: 10}, {At: 2 * time.Second, Messages: 30}}
	var md, page bytes.Buffer
	if err := r.WriteMarkdown(&md); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# nats bench pub\n", "| Latency P99 | 6.93us |", "| subject | a\\|&lt;b> \\| |", "* a &lt;script> note"} {
		if !strings.Contains(md.String(), want) {
			t.Errorf("Markdown lacks %q:\n%s", want, md.String())
		}
	}
	p := page.String()
	if n := strings.Count(p, "<svg "); n != 3 {
		t.Errorf("%d charts", n)
	}
	for _, bad := range []string{"<script", "src=", "href=", "url(", "@import", "<b>"} {
		if strings.Contains(p, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
}

// Machines get a time with its offset, people one that is what its label says.
func TestN6_TimesAreWhatTheirLabelsSay(t *testing.T) {
	t.Parallel()
	r := twoClients()
	r.Started = time.Date(2026, 1, 2, 8, 30, 0, 0, time.FixedZone("far east", 9*3600))
	data, err := r.JSON()
	if err != nil || !strings.Contains(string(data), `"started": "2026-01-02T08:30:00+09:00"`) {
		t.Errorf("%v %s", err, data)
	}
	var md, page bytes.Buffer
	if err := errors.Join(r.WriteMarkdown(&md), r.WriteHTML(&page)); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{md.String(), page.String()} {
		if !strings.Contains(text, "started 2026-01-01 23:30:00 UTC") {
			t.Errorf("%s", text)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := meter.Commas(n); got != want {
			t.Errorf("Commas(%d) = %q", n, got)
		}
	}
	for n, want := range map[float64]string{0: "0 B", 128: "128 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 10240: "10 KiB", 1 << 20: "1.0 MiB", 191889408: "183 MiB", 1048575: "1.0 MiB"} {
		if got := meter.IEC(n); got != want {
			t.Errorf("IEC(%g) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", 999: "999ns", 1234567: "1.235ms", 12345678: "12.35ms", 1234567890: "1.235s", 3600*time.Second + 1: "1h0m0s"} {
		if got := meter.Brief(d); got != want {
			t.Errorf("Brief(%d) = %q, want %q", d, got, want)
		}
	}
	if got := meter.Micros(1147490); got != "1,147.49us" {
		t.Errorf("Micros = %q", got)
	}
}
