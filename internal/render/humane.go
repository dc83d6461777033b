package render

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// HumaneDuration is a duration as people read it: 107µs, 25ms, 3.70s, 1m30s, 1h0m0s, 1d2h0m0s, 1y0d0h0m0s. The longest
// duration there is stands for "never". From a minute on, parts of a second are left out.
func HumaneDuration(d time.Duration) string {
	switch {
	case d == math.MaxInt64:
		return "never"
	case d == math.MinInt64:
		return "-" + HumaneDuration(math.MaxInt64-1)
	case d < 0:
		return "-" + HumaneDuration(-d)
	case d.Round(time.Microsecond) < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d.Round(time.Millisecond) < time.Second:
		return d.Round(time.Millisecond).String()
	case d.Round(10*time.Millisecond) < time.Minute:
		return strconv.FormatFloat(d.Round(10*time.Millisecond).Seconds(), 'f', 2, 64) + "s"
	case d < time.Minute:
		return "1m0s"
	}
	years, d := d/year, d%year
	days, d := d/day, d%day
	hours, d := d/time.Hour, d%time.Hour
	minutes, seconds := d/time.Minute, d%time.Minute/time.Second
	switch {
	case years > 0:
		return fmt.Sprintf("%dy%dd%dh%dm%ds", years, days, hours, minutes, seconds)
	case days > 0:
		return fmt.Sprintf("%dd%dh%dm%ds", days, hours, minutes, seconds)
	case hours > 0:
		return fmt.Sprintf("%dh%dm%ds", hours, minutes, seconds)
	}
	return fmt.Sprintf("%dm%ds", minutes, seconds)
}

// HumaneBytes is a size in powers of 1024: 4 B, 34 KiB, 1.0 MiB; one decimal below ten.
func HumaneBytes(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return strconv.FormatUint(n, 10) + " B"
	}
	f, unit := float64(n)/1024, 0
	for f >= 1024 {
		f /= 1024
		unit++
	}
	f = math.Floor(f*10+0.5) / 10
	decimals := 0
	if f < 10 {
		decimals = 1
	}
	return strconv.FormatFloat(f, 'f', decimals, 64) + " " + units[unit:unit+1] + "iB"
}

// HumaneCount is a number with a comma between thousands: 12,345.
func HumaneCount(n uint64) string { return commas(strconv.FormatUint(n, 10)) }

func humaneSigned(n int64) string {
	if n < 0 {
		return "-" + commas(strconv.FormatInt(n, 10)[1:])
	}
	return HumaneCount(uint64(n))
}

// humaneFloat is f with at most the given number of decimals and commas between thousands.
func humaneFloat(f float64, decimals int) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "-"
	}
	s := strconv.FormatFloat(f, 'f', decimals, 64)
	if decimals > 0 {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	if s == "0" {
		sign = ""
	}
	whole, fraction, has := strings.Cut(s, ".")
	s = sign + commas(whole)
	if has {
		s += "." + fraction
	}
	return s
}

func exactFloat(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ""
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func commas(digits string) string {
	if len(digits) <= 3 {
		return digits
	}
	b := make([]byte, 0, len(digits)+len(digits)/3)
	head := len(digits) % 3
	if head == 0 {
		head = 3
	}
	b = append(b, digits[:head]...)
	for i := head; i < len(digits); i += 3 {
		b = append(b, ',')
		b = append(b, digits[i:i+3]...)
	}
	return string(b)
}
