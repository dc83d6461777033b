package latency

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/natskit/natskit/internal/chart"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
)

// result is what was measured. Latencies are from the time at which a message was meant to be sent to its arrival.
type result struct {
	PubServer    string        `json:"pub_server"`
	SubServer    string        `json:"sub_server"`
	PubRTT       time.Duration `json:"pub_rtt_ns"`
	SubRTT       time.Duration `json:"sub_rtt_ns"`
	Size         int64         `json:"size"`
	Duration     time.Duration `json:"duration_ns"`
	Rate         int64         `json:"rate"`
	ActualRate   float64       `json:"actual_rate"`
	Messages     int           `json:"messages"`
	Received     int           `json:"received"`
	Lost         int           `json:"lost"`
	Min          time.Duration `json:"min_ns"`
	Median       time.Duration `json:"median_ns"`
	Mean         time.Duration `json:"mean_ns"`
	Max          time.Duration `json:"max_ns"`
	Percentiles  []percentile  `json:"percentiles"`
	FirstSent    time.Duration `json:"first_sent_ns"`
	LastSent     time.Duration `json:"last_sent_ns"`
	LastReceived time.Duration `json:"last_received_ns"`
	Error        string        `json:"error,omitempty"` // why the pair could not be measured, with --each

	samples []time.Duration // in the order of arrival
	sorted  []time.Duration
}

type percentile struct {
	Percentile float64       `json:"percentile"`
	Latency    time.Duration `json:"latency_ns"`
}

func (r *result) percents() []float64 {
	return []float64{10, 25, 50, 75, 90, 99, 99.9, 99.99, 99.999, 99.9999, 99.99999, 100}
}

// sum makes the figures of the samples.
func (r *result) sum() {
	r.Received = len(r.samples)
	r.Percentiles = []percentile{}
	if r.LastSent > 0 && r.Messages > 1 {
		r.ActualRate = float64(r.Messages-1) / (r.LastSent - r.FirstSent).Seconds()
	}
	if r.Received == 0 {
		return
	}
	r.sorted = slices.Sorted(slices.Values(r.samples))
	var total time.Duration
	for _, s := range r.sorted {
		total += s
	}
	r.Min, r.Max, r.Median, r.Mean = r.sorted[0], r.sorted[r.Received-1], r.at(50), total/time.Duration(r.Received)
	for _, p := range r.percents() {
		r.Percentiles = append(r.Percentiles, percentile{p, r.at(p)})
	}
}

// at is the smallest sample that p percent of the samples do not exceed.
func (r *result) at(p float64) time.Duration {
	n := float64(len(r.sorted)) * p / 100
	i := int(n)
	if float64(i) < n {
		i++
	}
	return r.sorted[min(max(i, 1), len(r.sorted))-1]
}

// View is the report for people; in formats of rows it is one.
func (r *result) View(p *render.Page) {
	if k := p.Options().Kind; k != render.Text && k != render.Wide {
		table(p, []*result{r})
		return
	}
	const rule = "=============================="
	p.Line(rule)
	p.Line("Pub Server RTT : %s", r.PubRTT)
	p.Line("Sub Server RTT : %s", r.SubRTT)
	p.Line("Message Payload: %s", short(float64(r.Size), "B"))
	p.Line("Target Duration: %s", r.Duration)
	p.Line("Target Msgs/Sec: %d", r.Rate)
	p.Line("Target Band/Sec: %s", short(float64(r.Rate*r.Size*2), ""))
	p.Line(rule)
	if r.Received > 0 {
		p.Line("HDR Percentiles:")
		for _, x := range r.Percentiles {
			p.Line("%-9s %s", trimmed(x.Percentile)+":", x.Latency)
		}
		p.Line(rule)
		p.Block(r.bars(max(min(p.Options().Width, 100)-40, 30)))
		p.Line(rule)
	}
	p.Line("Actual Msgs/Sec: %.0f", r.ActualRate)
	p.Line("Actual Band/Sec: %s", short(r.ActualRate*float64(r.Size)*2, ""))
	if r.Received > 0 {
		p.Line("Minimum Latency: %s", r.Min)
		p.Line("Median Latency : %s", r.Median)
		p.Line("Mean Latency   : %s", r.Mean)
		p.Line("Maximum Latency: %s", r.Max)
	}
	p.Line("1st Sent Wall Time : %s", r.FirstSent)
	p.Line("Last Sent Wall Time: %s", r.LastSent)
	p.Line("Last Recv Wall Time: %s", r.LastReceived)
	if r.Lost > 0 {
		p.Line("Lost Messages  : %s", render.Bad(fmt.Sprint(r.Lost)))
	}
}

// bars is the distribution up to the 99th percentile: the few above would flatten it.
func (r *result) bars(width int) []string {
	most := r.at(99)
	var values []float64
	for _, s := range r.sorted {
		if s <= most {
			values = append(values, float64(s))
		}
	}
	return chart.Histogram(chart.Spread(values, 12), width, func(v float64) string {
		return time.Duration(v).Round(time.Microsecond).String()
	})
}

func trimmed(p float64) string { return strings.TrimSuffix(fmt.Sprint(p), ".0") }

// short is a number in powers of 1024, one decimal where there is one.
func short(n float64, unit string) string {
	for _, u := range []string{unit, "K", "M", "G"} {
		if n < 1024 || u == "G" {
			text := strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0")
			return text + u
		}
		n /= 1024
	}
	return ""
}

// files writes the samples in milliseconds, and their distribution in the text format of HdrHistogram.
func (r *result) files(e *env.Env, prefix string) error {
	var raw, dist bytes.Buffer
	for _, s := range r.samples {
		fmt.Fprintf(&raw, "%f\n", millis(s))
	}
	fmt.Fprintf(&dist, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")
	for _, p := range r.percents() {
		value := r.at(p)
		count, _ := slices.BinarySearch(r.sorted, value+1)
		inverse := "inf"
		if p < 100 {
			inverse = fmt.Sprintf("%.2f", 1/(1-p/100))
		}
		fmt.Fprintf(&dist, "%12.6f %14.12f %10d %14s\n", millis(value), p/100, count, inverse)
	}
	fmt.Fprintf(&dist, "#[Mean    = %12.6f]\n#[Max     = %12.6f, Total count    = %12d]\n", millis(r.Mean), millis(r.Max), r.Received)
	for name, text := range map[string]*bytes.Buffer{prefix + ".raw": &raw, prefix + ".histogram": &dist} {
		if err := e.Files.WriteFile(name, text.Bytes()); err != nil {
			return fmt.Errorf("histogram file: %w", err)
		}
	}
	return nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
