package flagval

import (
	"fmt"
	"strings"
	"time"
)

const day = 24 * time.Hour

// durationUnits is what a number in a duration may be followed by. M is a month and m a minute, so their case matters.
var durationUnits = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "μs": time.Microsecond, "ms": time.Millisecond,
	"s": time.Second, "m": time.Minute, "h": time.Hour,
	"d": day, "D": day, "w": 7 * day, "W": 7 * day, "M": 30 * day, "y": 365 * day, "Y": 365 * day,
}

const durationForm = "give a number and a unit (ns us ms s m h d w M y) such as 500ms, 90s, 1h30m or 1.5d"

// ParseDuration reads numbers with units, such as 1d12h, 1.5d or -30s; spaces may stand between the parts. Units are
// ns us ms s m h, d (24 hours), w (7 days), M (30 days) and y (365 days), the last four but M in either case. A leading
// minus negates the whole; 0 needs no unit. Fractions are exact and cut to nanoseconds. Anything else is an error, as is
// more than 292 years.
func ParseDuration(s string) (time.Duration, error) {
	rest := strings.TrimSpace(s)
	negative := strings.HasPrefix(rest, "-")
	rest = strings.TrimPrefix(rest, "-")
	if rest == "0" {
		return 0, nil
	}
	if rest == "" {
		return 0, fmt.Errorf("invalid duration %q: %s", s, durationForm)
	}
	var total time.Duration
	for rest != "" {
		number, after, ok := leadingDecimal(rest)
		if !ok {
			return 0, fmt.Errorf("invalid duration %q: %s", s, durationForm)
		}
		end := strings.IndexAny(after, "0123456789. -+\t")
		if end < 0 {
			end = len(after)
		}
		unit, known := durationUnits[after[:end]]
		if !known {
			return 0, badUnit(s, after[:end])
		}
		n, ok := number.times(uint64(unit))
		if !ok || total+time.Duration(n) < total {
			return 0, fmt.Errorf("invalid duration %q: longer than 292 years", s)
		}
		total += time.Duration(n)
		rest = strings.TrimLeft(after[end:], " \t")
	}
	if negative {
		total = -total
	}
	return total, nil
}

func badUnit(s, unit string) error {
	if unit == "" {
		return fmt.Errorf("invalid duration %q: %s", s, durationForm)
	}
	return fmt.Errorf("invalid duration %q: unknown unit %q, the units are ns us ms s m h d w M y", s, unit)
}

// Duration is a flag value: a time.Duration in the units of ParseDuration.
type Duration struct {
	p                  *time.Duration
	least, most        *time.Duration
	unlimited, noLimit bool
	none               time.Duration
}

// NewDuration is a value that sets p.
func NewDuration(p *time.Duration) *Duration { return &Duration{p: p} }

// Min refuses anything shorter than d.
func (v *Duration) Min(d time.Duration) *Duration { v.least = &d; return v }

// Max refuses anything longer than d.
func (v *Duration) Max(d time.Duration) *Duration { v.most = &d; return v }

// Positive refuses zero and negative durations.
func (v *Duration) Positive() *Duration { return v.Min(1) }

// Unlimited takes -1, "unlimited" and the empty text too, and sets none for them.
func (v *Duration) Unlimited(none time.Duration) *Duration {
	v.unlimited, v.none = true, none
	return v
}

// Set parses and stores s.
func (v *Duration) Set(s string) error {
	if v.unlimited && isUnlimited(s) {
		*v.p, v.noLimit = v.none, true
		return nil
	}
	d, err := ParseDuration(s)
	switch {
	case err != nil:
		return err
	case v.least != nil && d < *v.least && *v.least == 1:
		return fmt.Errorf("invalid duration %q: must be above zero", s)
	case v.least != nil && d < *v.least:
		return fmt.Errorf("invalid duration %q: must be at least %s", s, *v.least)
	case v.most != nil && d > *v.most:
		return fmt.Errorf("invalid duration %q: must be at most %s", s, *v.most)
	}
	*v.p, v.noLimit = d, false
	return nil
}

// String is the present value in a form that Set takes.
func (v *Duration) String() string {
	switch {
	case v.p == nil:
		return ""
	case v.noLimit:
		return "-1"
	}
	return v.p.String()
}

func isUnlimited(s string) bool {
	s = strings.TrimSpace(s)
	return s == "" || s == "-1" || strings.EqualFold(s, "unlimited")
}
