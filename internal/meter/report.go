package meter

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Schema is the version of the JSON form of a Report. Readers refuse a higher one.
const Schema = 1

// Outcome says how a run ended.
type Outcome string

// The outcomes.
const (
	Complete    Outcome = "complete"
	Idle        Outcome = "idle"        // fewer messages came than asked for
	Interrupted Outcome = "interrupted" // someone stopped it
	Failed      Outcome = "failed"      // a client met an error
	Lossy       Outcome = "lossy"       // all clients ended, but messages were lost, denied or not acknowledged
)

// Report is what a run found: one value for people, scripts and later comparison.
type Report struct {
	Schema   int            `json:"schema"`
	Bench    string         `json:"bench"` // the words of the command: "pub", "js consume"
	RunID    string         `json:"run_id"`
	Started  time.Time      `json:"started"`
	Outcome  Outcome        `json:"outcome"`
	Config   map[string]any `json:"config"`
	Host     Host           `json:"host"`
	Sides    []Side         `json:"sides"`
	Errors   []string       `json:"errors"`
	Notes    []string       `json:"notes"`
	Timeline []Point        `json:"timeline,omitempty"`
}

// Host is where the run took place.
type Host struct {
	Tool   string `json:"tool"` // version of this program
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	CPUs   int    `json:"cpus"`
	Server string `json:"server,omitempty"` // version of the server
	Agents int    `json:"agents,omitempty"` // machines that took part, when there were several
}

// Role says what the clients of a side do.
type Role string

// The roles.
const (
	Publisher Role = "publisher" // sends, requests, puts
	Consumer  Role = "consumer"  // receives, gets
)

// Side is all clients of a run that do the same thing.
type Side struct {
	Label   string       `json:"label"`
	Role    Role         `json:"role"`
	Engine  string       `json:"engine"`
	Clients []Client     `json:"clients"`
	Total   Total        `json:"total"`
	Steps   []Step       `json:"steps,omitempty"`
	Agents  []AgentTotal `json:"agents,omitempty"`
}

// Client is what one client did.
type Client struct {
	Number         int           `json:"client"`
	Agent          string        `json:"agent,omitempty"`
	Messages       int64         `json:"messages"`
	Bytes          int64         `json:"bytes"` // payloads and headers, as the server counts them
	WireBytes      int64         `json:"wire_bytes"`
	Start          time.Duration `json:"start_ns"`
	Duration       time.Duration `json:"duration_ns"`
	Rate           float64       `json:"messages_per_second"`
	BytesPerSecond float64       `json:"bytes_per_second"`
	Measured       bool          `json:"measured"` // there was enough to measure a rate
	Latency        *Latency      `json:"latency,omitempty"`
	Lag            *Latency      `json:"send_lag,omitempty"`
	Delivery       *Delivery     `json:"delivery,omitempty"`
	Denied         int64         `json:"denied,omitempty"`
	Unconfirmed    int64         `json:"unconfirmed,omitempty"`
	Error          string        `json:"error,omitempty"`

	steps []stepCount
}

// Total is what all clients of a side did together.
type Total struct {
	Clients        int           `json:"clients"`
	Messages       int64         `json:"messages"`
	Bytes          int64         `json:"bytes"`
	WireBytes      int64         `json:"wire_bytes"`
	Duration       time.Duration `json:"duration_ns"` // earliest start to latest end
	Rate           float64       `json:"messages_per_second"`
	BytesPerSecond float64       `json:"bytes_per_second"`
	Rates          Spread        `json:"client_rates"`
	Latency        *Latency      `json:"latency,omitempty"`
	Lag            *Latency      `json:"send_lag,omitempty"`
	Delivery       *Delivery     `json:"delivery,omitempty"`
	Denied         int64         `json:"denied,omitempty"`
	Unconfirmed    int64         `json:"unconfirmed,omitempty"`
}

// Spread is the distribution of a figure over clients.
type Spread struct {
	Min    float64 `json:"min"`
	Avg    float64 `json:"avg"`
	Max    float64 `json:"max"`
	Stddev float64 `json:"stddev"`
}

// Latency is a distribution of times and what they cover.
type Latency struct {
	Covers string        `json:"covers"`
	Count  int64         `json:"count"`
	Min    time.Duration `json:"min_ns"`
	Avg    float64       `json:"avg_ns"`
	Max    time.Duration `json:"max_ns"`
	Stddev float64       `json:"stddev_ns"`
	P50    time.Duration `json:"p50_ns"`
	P90    time.Duration `json:"p90_ns"`
	P99    time.Duration `json:"p99_ns"`
	P999   time.Duration `json:"p99_9_ns"`
	Hist   *Hist         `json:"histogram,omitempty"`
}

// Step is what happened in one step of a schedule.
type Step struct {
	From     float64       `json:"from_per_second"`
	To       float64       `json:"to_per_second"`
	Duration time.Duration `json:"duration_ns"`
	Messages int64         `json:"messages"`
	Rate     float64       `json:"messages_per_second"`
	Latency  *Latency      `json:"latency,omitempty"`
}

// AgentTotal is what the clients of one machine did.
type AgentTotal struct {
	Name  string `json:"name"`
	Total Total  `json:"total"`
}

// Summarize makes the statistics of h; nil when it holds nothing.
func Summarize(h *Hist, covers string) *Latency {
	if h == nil || h.Count() == 0 {
		return nil
	}
	return &Latency{
		Covers: covers, Count: h.Count(), Min: h.Min(), Avg: h.Mean(), Max: h.Max(), Stddev: h.Stddev(),
		P50: h.Percentile(50), P90: h.Percentile(90), P99: h.Percentile(99), P999: h.Percentile(99.9), Hist: h,
	}
}

// SpreadOf is the distribution of values; the deviation is that of the population.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	s := Spread{Min: values[0], Max: values[0]}
	for _, v := range values {
		s.Min, s.Max = min(s.Min, v), max(s.Max, v)
		s.Avg += v
	}
	s.Avg /= float64(len(values))
	var squares float64
	for _, v := range values {
		squares += (v - s.Avg) * (v - s.Avg)
	}
	s.Stddev = math.Sqrt(squares / float64(len(values)))
	return s
}

// Client is what the probe measured; covers says what its latencies cover.
func (p *Probe) Client(covers string) Client {
	c := Client{Number: p.number, Messages: p.messages, Bytes: p.bytes}
	if p.started {
		c.Start, c.Duration = p.start, p.last-p.start
	}
	c.Rate, c.BytesPerSecond, c.Measured = p.Rate()
	c.Latency = Summarize(&p.lat, covers)
	c.Lag = Summarize(&p.lag, "the intended send time to the hand-over to the connection")
	c.steps = p.steps
	return c
}

// Sum makes the total of the side, and of each agent that took part. A client that had too little to measure a rate counts
// with its messages and not with its time.
func (s *Side) Sum() {
	s.Total = sum(s.Clients, s.Role == Consumer)
	byAgent := map[string][]Client{}
	var order []string
	for _, c := range s.Clients {
		if c.Agent == "" {
			return
		}
		if byAgent[c.Agent] == nil {
			order = append(order, c.Agent)
		}
		byAgent[c.Agent] = append(byAgent[c.Agent], c)
	}
	s.Agents = nil
	for _, name := range order {
		s.Agents = append(s.Agents, AgentTotal{Name: name, Total: sum(byAgent[name], s.Role == Consumer)})
	}
}

func sum(clients []Client, receiving bool) Total {
	t := Total{Clients: len(clients)}
	var rates []float64
	var from, to time.Duration
	var lat, lag Hist
	var covers, lagCovers string
	var measured, measuredBytes float64
	for _, c := range clients {
		t.Messages += c.Messages
		t.Bytes += c.Bytes
		t.WireBytes += c.WireBytes
		t.Denied += c.Denied
		t.Unconfirmed += c.Unconfirmed
		if c.Delivery != nil {
			if t.Delivery == nil {
				t.Delivery = &Delivery{}
			}
			t.Delivery.Merge(*c.Delivery)
		}
		covers, lagCovers = mergeLatency(&lat, c.Latency, covers), mergeLatency(&lag, c.Lag, lagCovers)
		if !c.Measured {
			continue
		}
		if len(rates) == 0 || c.Start < from {
			from = c.Start
		}
		to = max(to, c.Start+c.Duration)
		rates = append(rates, c.Rate)
		measured += c.Rate * c.Duration.Seconds()
		measuredBytes += c.BytesPerSecond * c.Duration.Seconds()
	}
	t.Rates, t.Latency, t.Lag = SpreadOf(rates), Summarize(&lat, covers), Summarize(&lag, lagCovers)
	t.Duration = to - from
	if d := t.Duration.Seconds(); d > 0 {
		if !receiving {
			measured, measuredBytes = float64(t.Messages), float64(t.Bytes)
		}
		t.Rate, t.BytesPerSecond = measured/d, measuredBytes/d
	}
	return t
}

func mergeLatency(into *Hist, l *Latency, covers string) string {
	if l == nil {
		return covers
	}
	into.Merge(l.Hist)
	return l.Covers
}

// SumSteps adds what the clients did in each segment of the schedule they worked off. The rate is that of the messages that were
// done, which is lower than the one aimed at when the system under test does not keep up.
func (s *Side) SumSteps(schedule *Schedule, covers string) {
	for k, g := range schedule.Segments() {
		var all stepCount
		for _, c := range s.Clients {
			if k < len(c.steps) {
				all.join(&c.steps[k])
			}
		}
		s.Steps = append(s.Steps, Step{From: g.From, To: g.To, Duration: g.For, Messages: all.messages, Rate: all.rate(g.For), Latency: Summarize(&all.latency, covers)})
	}
}

// Parse reads a report as WriteJSON wrote it.
func Parse(data []byte) (*Report, error) {
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("not a report of nats bench: %w", err)
	}
	if r.Schema < 1 || r.Bench == "" || len(r.Sides) == 0 {
		return nil, fmt.Errorf("not a report of nats bench")
	}
	if r.Schema > Schema {
		return nil, fmt.Errorf("the report has schema %d, this program knows %d", r.Schema, Schema)
	}
	return &r, nil
}

// JSON is the report as Parse reads it.
func (r *Report) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}
