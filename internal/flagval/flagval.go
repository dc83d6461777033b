// Package flagval holds the values that flags and arguments take: durations, sizes, points in time, headers, subjects.
// Each is a fisk.Value over a variable of the command's options, beside the plain function that parses one text:
//
//	flagval.DurationVar(c.Flag("max-age", "…"), &o.MaxAge)
//	c.Flag("size", "…").Default("1MB").SetValue(flagval.NewBytes(&o.Size).Unlimited())
//
// Errors say what was given and what is accepted; the name of the flag is put in front by the shell. Parsing is strict:
// what the reference skips or wraps around is refused here.
package flagval

import (
	"math/bits"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"
)

// DurationVar makes c a duration; see NewDuration for limits.
func DurationVar(c fisk.Settings, p *time.Duration) { c.SetValue(NewDuration(p)) }

// BytesVar makes c a size in bytes; see NewBytes for "unlimited".
func BytesVar(c fisk.Settings, p *int64) { c.SetValue(NewBytes(p)) }

// SinceVar makes c a point to start from.
func SinceVar(c fisk.Settings, p *Since) { c.SetValue(NewSince(p)) }

// HeaderVar makes c a repeatable K:V header.
func HeaderVar(c fisk.Settings, p *nats.Header) { c.SetValue(NewHeader(p)) }

// MapVar makes c a repeatable key=value pair.
func MapVar(c fisk.Settings, p *map[string]string) { c.SetValue(NewMap(p)) }

// SubjectsVar makes c a repeatable list of subjects, wildcards allowed.
func SubjectsVar(c fisk.Settings, p *[]string) { c.SetValue(NewSubjects(p)) }

// Int64Var makes c a whole number.
func Int64Var(c fisk.Settings, p *int64) { c.SetValue(NewInt64(p)) }

// Uint64Var makes c a whole number that is not negative.
func Uint64Var(c fisk.Settings, p *uint64) { c.SetValue(NewUint64(p)) }

// ExistingFileVar makes c the path of a file that is there.
func ExistingFileVar(c fisk.Settings, p *string) { c.SetValue(NewExistingFile(p)) }

// decimal is a number without a sign and without rounding: whole + frac/scale.
type decimal struct {
	whole, frac, scale uint64
	fraction           bool // there was a decimal point
	overflow           bool // the whole part is beyond 64 bits
}

// leadingDecimal reads digits with at most one decimal point from the start of s; ok is false when there is no digit, or none
// after the point. Digits of the fraction past the 18th are beyond what any unit here can show.
func leadingDecimal(s string) (d decimal, rest string, ok bool) {
	d.scale = 1
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '.' && !d.fraction:
			d.fraction, ok = true, false
		case c < '0' || c > '9':
			return d, s[i:], ok
		case d.fraction:
			ok = true
			if d.scale < 1e18 {
				d.frac, d.scale = d.frac*10+uint64(c-'0'), d.scale*10
			}
		default:
			ok = true
			hi, lo := bits.Mul64(d.whole, 10)
			sum, carry := bits.Add64(lo, uint64(c-'0'), 0)
			d.whole, d.overflow = sum, d.overflow || hi != 0 || carry != 0
		}
	}
	return d, "", ok
}

// times is d multiplied by unit, cut to a whole number; ok is false on overflow of an int64.
func (d decimal) times(unit uint64) (n int64, ok bool) {
	hi, lo := bits.Mul64(d.whole, unit)
	fh, fl := bits.Mul64(d.frac, unit)
	part, _ := bits.Div64(fh, fl, d.scale) // frac < scale, so the quotient is below unit
	sum, carry := bits.Add64(lo, part, 0)
	if d.overflow || hi != 0 || carry != 0 || sum > 1<<63-1 {
		return 0, false
	}
	return int64(sum), true
}

// Nearest returns the option closest to a mistyped word, for a "did you mean"; empty when none is close. Letter case does not
// count, and a word that begins an option is close to it.
func Nearest(word string, options []string) string {
	word = strings.ToLower(word)
	best, least := "", 1+len(word)/3
	for _, o := range options {
		low := strings.ToLower(o)
		if len(word) >= 2 && strings.HasPrefix(low, word) {
			return o
		}
		if d := distance(word, low); d <= least && (best == "" || d < least) {
			best, least = o, d
		}
	}
	return best
}

// distance counts the letters to add, drop, change or swap with their neighbour to turn a into b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, prev, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(y)]
}
