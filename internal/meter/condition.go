package meter

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Condition is one threshold of a comparison: "p99>+10%", "rate<-5%", "p99.9>2ms", "lost>0".
type Condition struct {
	Text   string
	Metric string // as in Metrics, with "pub." or "sub." in front for one side of a run
	Op     string // > >= < <=
	// Relative compares the change in percent, Change the change in the metric's unit; neither the new value itself.
	Relative, Change bool
	Value            float64 // percent, or the metric's unit: nanoseconds, a second, or a count
}

// metric is one figure that can be compared.
type metric struct {
	unit   string // "ns", "/s", "B/s" or ""
	better int    // 1: more is better, -1: less is
	of     func(*Side) (float64, bool)
}

func latency(of func(*Latency) float64) metric {
	return metric{"ns", -1, func(s *Side) (float64, bool) {
		if s.Total.Latency == nil {
			return 0, false
		}
		return of(s.Total.Latency), true
	}}
}

func delivery(of func(*Delivery) int64) metric {
	return metric{"", -1, func(s *Side) (float64, bool) {
		if s.Total.Delivery == nil {
			return 0, false
		}
		return float64(of(s.Total.Delivery)), true
	}}
}

// Metrics are the names a condition may use, in the order of the comparison.
func Metrics() []string {
	return []string{"rate", "bytes", "messages", "min", "avg", "p50", "p90", "p99", "p99.9", "max", "stddev", "lost", "duplicates", "reordered", "denied", "unconfirmed"}
}

func lookup(name string) (metric, bool) {
	m, ok := map[string]metric{
		"rate":        {"/s", 1, func(s *Side) (float64, bool) { return s.Total.Rate, true }},
		"bytes":       {"B/s", 1, func(s *Side) (float64, bool) { return s.Total.BytesPerSecond, true }},
		"messages":    {"", 1, func(s *Side) (float64, bool) { return float64(s.Total.Messages), true }},
		"denied":      {"", -1, func(s *Side) (float64, bool) { return float64(s.Total.Denied), true }},
		"unconfirmed": {"", -1, func(s *Side) (float64, bool) { return float64(s.Total.Unconfirmed), true }},
		"min":         latency(func(l *Latency) float64 { return float64(l.Min) }),
		"avg":         latency(func(l *Latency) float64 { return l.Avg }),
		"max":         latency(func(l *Latency) float64 { return float64(l.Max) }),
		"stddev":      latency(func(l *Latency) float64 { return l.Stddev }),
		"p50":         latency(func(l *Latency) float64 { return float64(l.P50) }),
		"p90":         latency(func(l *Latency) float64 { return float64(l.P90) }),
		"p99":         latency(func(l *Latency) float64 { return float64(l.P99) }),
		"p99.9":       latency(func(l *Latency) float64 { return float64(l.P999) }),
		"lost":        delivery(func(d *Delivery) int64 { return d.Lost }),
		"duplicates":  delivery(func(d *Delivery) int64 { return d.Duplicates }),
		"reordered":   delivery(func(d *Delivery) int64 { return d.Reordered }),
	}[name]
	return m, ok
}

// ParseConditions reads conditions separated by commas; nothing gives none.
func ParseConditions(text string) ([]Condition, error) {
	var out []Condition
	for _, part := range strings.Split(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		c, err := ParseCondition(part)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// ParseCondition reads one condition: a metric, one of > >= < <=, and a value. A value with a sign is a change against the
// older report, in percent or in the unit of the metric; without a sign it is the new figure itself.
func ParseCondition(text string) (Condition, error) {
	c := Condition{Text: strings.TrimSpace(text)}
	parts := regexp.MustCompile(`^\s*([a-zA-Z0-9._]+)\s*(>=|<=|>|<)\s*([-+]?)\s*(\S+)\s*$`).FindStringSubmatch(text)
	if parts == nil {
		return c, fmt.Errorf("condition %q: write it as METRIC>VALUE or METRIC<VALUE, such as p99>+10%%", c.Text)
	}
	c.Metric, c.Op = strings.ToLower(parts[1]), parts[2]
	_, name := splitSide(c.Metric)
	m, ok := lookup(name)
	if !ok {
		return c, fmt.Errorf("condition %q: there is no metric %q; known are %s", c.Text, parts[1], strings.Join(Metrics(), " "))
	}
	c.Change = parts[3] != ""
	value := parts[4]
	if bare, percent := strings.CutSuffix(value, "%"); percent {
		if !c.Change {
			return c, fmt.Errorf("condition %q: a percentage is a change and needs a sign, such as +%s", c.Text, value)
		}
		c.Relative, value = true, bare
	}
	v, err := parseValue(value, m.unit, c.Relative)
	if err != nil {
		return c, fmt.Errorf("condition %q: %w", c.Text, err)
	}
	if parts[3] == "-" {
		v = -v
	}
	c.Value = v
	return c, nil
}

// splitSide takes the name of a side off a metric: "sub.p99" is the p99 of the consumers.
func splitSide(name string) (Role, string) {
	if rest, ok := strings.CutPrefix(name, "pub."); ok {
		return Publisher, rest
	}
	if rest, ok := strings.CutPrefix(name, "sub."); ok {
		return Consumer, rest
	}
	return "", name
}

func parseValue(value, unit string, relative bool) (float64, error) {
	if unit == "ns" && !relative {
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("%q is not a time such as 250us or 2ms", value)
		}
		return float64(d), nil
	}
	v, err := strconv.ParseFloat(value, 64)
	if err != nil || v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is not a number", value)
	}
	return v, nil
}

func (c Condition) holds(v float64) bool {
	switch c.Op {
	case ">":
		return v > c.Value
	case ">=":
		return v >= c.Value
	case "<":
		return v < c.Value
	}
	return v <= c.Value
}
