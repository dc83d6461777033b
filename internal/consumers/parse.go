package consumers

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/jsconf"
)

// Start is where a consumer begins: a deliver policy with what it needs.
type Start struct {
	Policy   string    // all, last, new, last_per_subject, by_start_sequence, by_start_time
	Sequence uint64    // of by_start_sequence
	Time     time.Time // of by_start_time
}

// ParseStart reads a start policy: all, last, new or next, subject or last_per_subject, a sequence, a duration before now, or
// a moment.
func ParseStart(text string, now time.Time) (Start, error) {
	switch text {
	case "all", "last", "new", "last_per_subject":
		return Start{Policy: text}, nil
	case "next":
		return Start{Policy: "new"}, nil
	case "subject":
		return Start{Policy: "last_per_subject"}, nil
	}
	if seq, err := strconv.ParseUint(text, 10, 64); err == nil {
		if seq == 0 {
			return Start{}, fmt.Errorf("sequences begin at 1")
		}
		return Start{Policy: "by_start_sequence", Sequence: seq}, nil
	}
	if d, err := flagval.ParseDuration(text); err == nil {
		return Start{Policy: "by_start_time", Time: now.Add(-d.Abs()).UTC()}, nil
	}
	if s, err := flagval.ParseSince(text); err == nil && !s.IsSequence() {
		if at, ok := s.At(now); ok {
			return Start{Policy: "by_start_time", Time: at.UTC()}, nil
		}
	}
	return Start{}, fmt.Errorf("%q is no start policy: give all, new, last, subject, a sequence, a duration such as 1h, or a time such as 2026-01-02T15:04:05Z", text)
}

// Apply puts the start policy into a configuration. The last message of each subject needs a filter: without one it is every
// subject.
func (s Start) Apply(cfg *jsconf.Config) error {
	cfg.Unset("opt_start_seq")
	cfg.Unset("opt_start_time")
	if err := cfg.Set(s.Policy, "deliver_policy"); err != nil {
		return err
	}
	switch s.Policy {
	case "by_start_sequence":
		return cfg.Set(s.Sequence, "opt_start_seq")
	case "by_start_time":
		return cfg.Set(s.Time, "opt_start_time")
	case "last_per_subject":
		if !cfg.Has("filter_subject") && !cfg.Has("filter_subjects") {
			return cfg.Set(">", "filter_subject")
		}
	}
	return nil
}

// MaxBackoff bounds the entries of a backoff policy that can be generated.
const MaxBackoff = 1000

// Backoff makes the waits before redeliveries: of mode linear or exponential, from least to most in steps entries; none is no
// backoff; any other text is the list itself, such as 1s,5s,1m.
func Backoff(mode string, steps int, least, most time.Duration) ([]time.Duration, error) {
	switch mode {
	case "none":
		return nil, nil
	case "linear", "exponential":
	default:
		return backoffList(mode)
	}
	switch {
	case steps < 1 || steps > MaxBackoff:
		return nil, fmt.Errorf("a backoff has 1 to %d steps, not %d", MaxBackoff, steps)
	case least <= 0:
		return nil, fmt.Errorf("the shortest backoff must be longer than nothing")
	case most < least:
		return nil, fmt.Errorf("the longest backoff, %s, is shorter than the shortest, %s", most, least)
	case steps == 1:
		return []time.Duration{least}, nil
	}
	out := make([]time.Duration, steps)
	for i := range out {
		part := float64(i) / float64(steps-1)
		if mode == "linear" {
			out[i] = least + time.Duration(part*float64(most-least))
		} else {
			out[i] = time.Duration(float64(least) * math.Pow(float64(most)/float64(least), part))
		}
	}
	// The ends are exact whatever the arithmetic between them.
	out[0], out[steps-1] = least, most
	return out, nil
}

func backoffList(text string) ([]time.Duration, error) {
	parts := flagval.SplitList(text)
	out := make([]time.Duration, 0, len(parts))
	for _, p := range parts {
		d, err := flagval.ParseDuration(p)
		if err != nil || d <= 0 {
			return nil, fmt.Errorf("%q is no backoff policy: give linear, exponential, none, or a list such as 1s,5s,1m", text)
		}
		out = append(out, d)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the backoff policy is empty: give linear, exponential, none, or a list such as 1s,5s,1m")
	}
	return out, nil
}

// ErrPast says of a time that it is not to come any more.
var ErrPast = errors.New("is in the past")

// ParseUntil reads a moment to come: a duration from now, RFC 3339, or a local time such as 2026-01-02 15:04:05.
func ParseUntil(text string, now time.Time) (time.Time, error) {
	if d, err := flagval.ParseDuration(text); err == nil {
		if d <= 0 {
			return time.Time{}, fmt.Errorf("%s %w", text, ErrPast)
		}
		return now.Add(d), nil
	}
	s, err := flagval.ParseSince(text)
	if err != nil || s.IsSequence() || s.Time.IsZero() {
		return time.Time{}, fmt.Errorf("%q is neither a duration such as 1h nor a time such as 2026-01-02T15:04:05Z or \"2026-01-02 15:04:05\" in local time", text)
	}
	if !s.Time.After(now) {
		return time.Time{}, fmt.Errorf("%s %w", s.Time.Format(time.RFC3339), ErrPast)
	}
	return s.Time, nil
}

// SetFilters puts filter subjects into a configuration; none removes them.
func SetFilters(cfg *jsconf.Config, subjects []string) error {
	cfg.Unset("filter_subject")
	cfg.Unset("filter_subjects")
	switch len(subjects) {
	case 0:
		return nil
	case 1:
		return cfg.Set(subjects[0], "filter_subject")
	}
	return cfg.Set(subjects, "filter_subjects")
}

// Rules are what the schema and the server would not tell in time: settings that exclude each other.
func Rules(cfg *jsconf.Config) ([]string, error) {
	c, err := Typed(cfg)
	if err != nil {
		return []string{err.Error()}, nil
	}
	var out []string
	add := func(cond bool, format string, args ...any) {
		if cond {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	pull := c.DeliverSubject == ""
	add(pull && c.RateLimit > 0, "rate_limit_bps: only push consumers have a rate limit")
	add(pull && c.Heartbeat > 0, "idle_heartbeat: only push consumers have a heartbeat")
	add(pull && c.FlowControl, "flow_control: only push consumers have flow control")
	add(pull && c.DeliverGroup != "", "deliver_group: only push consumers have a queue group")
	add(!pull && c.MaxWaiting > 0, "max_waiting: only pull consumers have waiting pulls")
	add(!pull && len(c.PriorityGroups) > 0, "priority_groups: only pull consumers have priority groups")
	add(c.FlowControl && c.Heartbeat <= 0, "flow_control: needs a heartbeat")
	add(len(c.BackOff) > 0 && c.MaxDeliver > 0 && c.MaxDeliver <= len(c.BackOff), "max_deliver: must be above the %d entries of the backoff", len(c.BackOff))
	add(c.Durable != "" && c.Name != "" && c.Durable != c.Name, "name: is %s but durable_name is %s", c.Name, c.Durable)
	for _, s := range append(slices.Clone(c.FilterSubjects), c.FilterSubject) {
		if s != "" {
			if why := jsconf.SubjectFault(s); why != "" {
				add(true, "filter_subject: %s %s", s, why)
			}
		}
	}
	for _, name := range []string{c.Durable, c.Name} {
		if name != "" {
			if err := jsconf.CheckName("consumer", name); err != nil {
				add(true, "%s", err)
			}
		}
	}
	return out, nil
}

// Schema is the schema that consumer configurations are validated against.
const Schema = "io.nats.jetstream.api.v1.consumer_configuration"

// Validate checks a configuration without a server, against the schema and the rules that the schema cannot say. The reasons are
// empty when nothing is wrong.
func Validate(cfg *jsconf.Config) ([]string, error) {
	raw, err := Ordered(cfg)
	if err != nil {
		return nil, err
	}
	reasons, err := jsconf.CheckSchema(Schema, raw)
	if err != nil {
		return nil, err
	}
	rules, err := Rules(cfg)
	return slices.Compact(append(reasons, rules...)), err
}
