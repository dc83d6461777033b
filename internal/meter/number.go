package meter

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Commas writes an integer with a comma between thousands.
func Commas(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	return sign + group(s)
}

func group(s string) string {
	if len(s) <= 3 {
		return s
	}
	return group(s[:len(s)-3]) + "," + s[len(s)-3:]
}

// rate writes a rate as an integer with commas.
func rate(f float64) string { return Commas(int64(math.Round(f))) }

// IEC writes a size in powers of 1024, one decimal below ten: "128 B", "1.5 KiB", "183 MiB".
func IEC(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	i := 0
	for n >= 1023.5 && i < len(units)-1 {
		n /= 1024
		i++
	}
	if i > 0 && n < 9.95 {
		return strconv.FormatFloat(n, 'f', 1, 64) + " " + units[i]
	}
	return strconv.FormatFloat(n, 'f', 0, 64) + " " + units[i]
}

// Micros writes nanoseconds as microseconds with two decimals and commas: "1,147.49us".
func Micros(ns float64) string {
	s := strconv.FormatFloat(ns/1000, 'f', 2, 64)
	whole, frac, _ := strings.Cut(s, ".")
	return group(whole) + "." + frac + "us"
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }

// Brief writes a duration with four digits or so: "1.235s", "19.07ms".
func Brief(d time.Duration) string {
	for unit := 1000 * time.Second; unit >= time.Microsecond; unit /= 10 {
		if d >= unit {
			return d.Round(unit / 1000).String()
		}
	}
	return d.String()
}
