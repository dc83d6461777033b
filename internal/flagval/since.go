package flagval

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Since is a point to start from: some time ago, a moment, or a sequence of a stream. The zero value is none of them.
type Since struct {
	Ago      time.Duration // how long before now; meant when Time is zero, Sequence is 0 and Given is set
	Time     time.Time     // a moment, or zero
	Sequence uint64        // the first message, or 0
	Given    bool          // one of the three was set
	text     string
}

// firstUnix parts bare numbers: below it, in 2001, they are sequences, from it on unix seconds, up to the year 9999.
const (
	firstUnix = 1_000_000_000
	lastUnix  = 253_402_300_799
)

const sinceForm = "give a duration (1h), a time (2026-01-02T15:04:05Z), unix seconds (@1767366245) or a sequence (seq:100)"

var localForms = []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// ParseSince reads a point to start from:
//
//	1h30m, 0               that long ago, in the units of ParseDuration; a leading minus changes nothing
//	2026-01-02T15:04:05Z   a moment, RFC 3339
//	2026-01-02 15:04:05    the same in local time, as the tables print it; date or date and minutes will do
//	@1767366245            unix seconds, fractions allowed
//	seq:100, #100          a sequence of the stream
//	1767366245             a bare number from 1,000,000,000 (September 2001) on: unix seconds
//	100                    a smaller bare number: a sequence
func ParseSince(s string) (Since, error) {
	text := strings.TrimSpace(s)
	given := Since{Given: true, text: text}
	bad := func(why string) (Since, error) { return Since{}, fmt.Errorf("invalid start %q: %s", s, why) }
	var err error
	switch {
	case strings.HasPrefix(text, "@"):
		if given.Time, err = unixTime(text[1:]); err != nil {
			return bad("after @ stand unix seconds")
		}
		return given, nil
	case strings.HasPrefix(text, "#"), strings.HasPrefix(strings.ToLower(text), "seq:"):
		number := strings.TrimPrefix(text, "#")
		if number == text {
			number = text[len("seq:"):]
		}
		if given.Sequence, err = strconv.ParseUint(number, 10, 64); err != nil || given.Sequence == 0 {
			return bad("a sequence is a whole number from 1 on")
		}
		return given, nil
	case text == "":
		return bad(sinceForm)
	case text != "0" && strings.Trim(text, "0123456789") == "":
		n, err := strconv.ParseUint(text, 10, 64)
		switch {
		case err != nil || n == 0:
			return bad(sinceForm)
		case n < firstUnix:
			given.Sequence = n
		case n > lastUnix: // milliseconds, or a sequence that needs its prefix
			return bad("too large for unix seconds; write seq:" + text + " for a sequence")
		default:
			given.Time = time.Unix(int64(n), 0)
		}
		return given, nil
	case looksLikeDate(text):
		if given.Time, err = parseMoment(text); err != nil {
			return bad("write times as 2026-01-02T15:04:05Z or 2026-01-02 15:04:05")
		}
		return given, nil
	}
	if given.Ago, err = ParseDuration(strings.TrimPrefix(text, "-")); err != nil || given.Ago < 0 {
		return bad(sinceForm)
	}
	return given, nil
}

// looksLikeDate tells 2026-… from a duration.
func looksLikeDate(s string) bool {
	return len(s) > 5 && s[4] == '-' && strings.Trim(s[:4], "0123456789") == ""
}

func parseMoment(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	for _, form := range localForms {
		if err == nil {
			break
		}
		t, err = time.ParseInLocation(form, s, time.Local)
	}
	return t, err
}

func unixTime(s string) (time.Time, error) {
	d, rest, ok := leadingDecimal(s)
	if !ok || rest != "" || d.overflow || d.whole > lastUnix {
		return time.Time{}, strconv.ErrSyntax
	}
	nanos, _ := decimal{frac: d.frac, scale: d.scale}.times(uint64(time.Second))
	return time.Unix(int64(d.whole), nanos), nil
}

// At is the moment meant, for a clock that shows now; ok is false when a sequence was given, or nothing.
func (s Since) At(now time.Time) (at time.Time, ok bool) {
	switch {
	case !s.Given || s.Sequence > 0:
		return time.Time{}, false
	case !s.Time.IsZero():
		return s.Time, true
	}
	return now.Add(-s.Ago), true
}

// IsSequence reports whether a sequence was given.
func (s Since) IsSequence() bool { return s.Sequence > 0 }

// String is what was given.
func (s Since) String() string { return s.text }

// SinceValue is a flag value: a point to start from.
type SinceValue struct {
	p         *Since
	timesOnly bool
}

// NewSince is a value that sets p.
func NewSince(p *Since) *SinceValue { return &SinceValue{p: p} }

// TimesOnly refuses sequences, where there is no one stream to count in.
func (v *SinceValue) TimesOnly() *SinceValue { v.timesOnly = true; return v }

// Set parses and stores s.
func (v *SinceValue) Set(s string) error {
	since, err := ParseSince(s)
	switch {
	case err != nil:
		return err
	case v.timesOnly && since.IsSequence():
		return fmt.Errorf("invalid start %q: a sequence has no meaning here, give a duration (1h) or a time (2026-01-02T15:04:05Z)", s)
	}
	*v.p = since
	return nil
}

// String is the text last set.
func (v *SinceValue) String() string {
	if v.p == nil {
		return ""
	}
	return v.p.text
}
