package meter

import (
	"fmt"
	"strings"
)

// Text is the report for people, as lines: for each side the line of a single client, or one line a client and the total.
func (r *Report) Text() []string {
	var out []string
	for i := range r.Sides {
		out = append(out, r.Sides[i].text()...)
	}
	if len(out) == 0 {
		return []string{"No publisher or subscribers. Nothing to report."}
	}
	return append(out, r.remarks()...)
}

func (s *Side) text() []string {
	switch {
	case len(s.Clients) == 0:
		return nil
	case len(s.Clients) == 1:
		return []string{"", "NATS " + s.Label + " stats: " + s.Clients[0].line(), ""}
	}
	out := []string{""}
	for _, c := range s.Clients {
		agent := ""
		if c.Agent != "" {
			agent = c.Agent + " "
		}
		out = append(out, fmt.Sprintf("  [%s%d] %s (%s msgs)", agent, c.Number, c.line(), Commas(c.Messages)))
	}
	out = append(out, "")
	for _, a := range s.Agents {
		out = append(out, fmt.Sprintf("  %s: %s ~ %s (%s msgs)", a.Name, speed(a.Total.Rate, a.Total.BytesPerSecond), clients(a.Total.Clients), Commas(a.Total.Messages)))
	}
	if len(s.Agents) > 0 {
		out = append(out, "")
	}
	t := s.Total
	out = append(out, " NATS "+s.Label+" aggregated stats: "+speed(t.Rate, t.BytesPerSecond),
		fmt.Sprintf(" message rates min %s | avg %s | max %s | stddev %s msgs", rate(t.Rates.Min), rate(t.Rates.Avg), rate(t.Rates.Max), rate(t.Rates.Stddev)))
	if l := t.Latency; l != nil {
		out = append(out, fmt.Sprintf(" latencies per operation min %s | avg %s | max %s | stddev %s | P50 %s | P90 %s | P99 %s | P99.9: %s",
			Micros(float64(l.Min)), Micros(l.Avg), Micros(float64(l.Max)), Micros(l.Stddev),
			Micros(float64(l.P50)), Micros(float64(l.P90)), Micros(float64(l.P99)), Micros(float64(l.P999))))
	}
	return append(out, "")
}

func clients(n int) string {
	if n == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", n)
}

func samples(n int64) string {
	if n == 1 {
		return "1 sample"
	}
	return Commas(n) + " samples"
}

func messages(n int64, one, more string) string {
	if n == 1 {
		return "1 message " + one
	}
	return Commas(n) + " messages " + more
}

func (c *Client) line() string {
	out := speed(c.Rate, c.BytesPerSecond)
	if l := c.Latency; l != nil {
		out += fmt.Sprintf(" ~ min: %s ~ avg: %s ~ max: %s ~ P50: %s ~ P90: %s ~ P99: %s ~ P99.9: %s",
			Micros(float64(l.Min)), Micros(l.Avg), Micros(float64(l.Max)),
			Micros(float64(l.P50)), Micros(float64(l.P90)), Micros(float64(l.P99)), Micros(float64(l.P999)))
	}
	return out
}

func speed(messages, bytes float64) string {
	return rate(messages) + " msgs/sec ~ " + IEC(bytes) + "/sec"
}

// remarks say what the figures mean and what they leave out.
func (r *Report) remarks() []string {
	var out []string
	if why, early := map[Outcome]string{Idle: "fewer messages came than were asked for", Interrupted: "interrupted", Failed: "a client failed"}[r.Outcome]; early {
		out = append(out, "The run ended before its time, "+why+": the figures are of what was measured until then")
	}
	for i := range r.Sides {
		s := &r.Sides[i]
		out = append(out, fmt.Sprintf("%s: %s messages, %s in %s", s.Label, Commas(s.Total.Messages), IEC(float64(s.Total.Bytes)), Brief(s.Total.Duration)))
		if l := s.Total.Latency; l != nil {
			out = append(out, fmt.Sprintf("Latency of the %s: from %s (%s, stddev %s)", s.Label, l.Covers, samples(l.Count), Micros(l.Stddev)))
		}
		if l := s.Total.Lag; l != nil {
			out = append(out, fmt.Sprintf("Sent later than intended: avg %s, P99 %s, max %s", Micros(l.Avg), Micros(float64(l.P99)), Micros(float64(l.Max))))
		}
		for _, st := range s.Steps {
			out = append(out, st.text())
		}
		if d := s.Total.Delivery; d != nil {
			out = append(out, d.text())
		}
		if n := s.Total.Denied; n > 0 {
			out = append(out, messages(n, "was", "were")+" denied by the server")
		}
		if n := s.Total.Unconfirmed; n > 0 {
			out = append(out, messages(n, "is", "are")+" in doubt: no word came from the server")
		}
	}
	out = append(out, r.Notes...)
	if engines := r.Engines(); engines != "" {
		out = append(out, "Engine: "+engines)
	}
	return out
}

func (st Step) text() string {
	target := rate(st.From)
	if st.To != st.From {
		target += " to " + rate(st.To)
	}
	out := fmt.Sprintf("At %s msgs/sec: %s msgs/sec, %s msgs", target, rate(st.Rate), Commas(st.Messages))
	if l := st.Latency; l != nil {
		out += fmt.Sprintf(", P50 %s, P99 %s, max %s", Micros(float64(l.P50)), Micros(float64(l.P99)), Micros(float64(l.Max)))
	}
	return out
}

func (d *Delivery) text() string {
	out := fmt.Sprintf("Delivery: expected %s | received %s | lost %s | duplicates %s | reordered %s | gaps %s",
		Commas(d.Expected), Commas(d.Received), Commas(d.Lost), Commas(d.Duplicates), Commas(d.Reordered), Commas(d.Gaps))
	if d.Shared {
		out = fmt.Sprintf("Delivery: received %s | duplicates %s | the queue group shares the messages, so that losses cannot be told", Commas(d.Received), Commas(d.Duplicates))
	}
	if d.Late > 0 {
		out += " | too late to tell " + Commas(d.Late)
	}
	if d.Unnumbered > 0 {
		out += " | without a number " + Commas(d.Unnumbered)
	}
	return out
}

// Engines names the engines of all sides, each once.
func (r *Report) Engines() string {
	var names []string
	seen := map[string]bool{}
	for _, s := range r.Sides {
		if s.Engine != "" && !seen[s.Engine] {
			seen[s.Engine] = true
			names = append(names, s.Engine)
		}
	}
	return strings.Join(names, ", ")
}
