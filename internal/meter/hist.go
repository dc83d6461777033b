package meter

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range and precision of a histogram: nanoseconds from 1 to an hour, three significant digits. Percentiles of longer
// times read as the longest one; count, sum, minimum and maximum are exact whatever the value.
const (
	lowest  = 1
	highest = int64(time.Hour)
	digits  = 3
)

// Hist is a distribution of times. Recording allocates nothing after the first value. It is not safe for concurrent use:
// each client has its own, and they are merged in the end.
type Hist struct {
	h        *hdrhistogram.Histogram // nil until something was recorded
	n        int64
	sum      int64
	hi, lo   uint64 // the sum of squares, 128 bits: exact, so that the deviation of large equal values is 0
	min, max int64
}

// Record adds one value; what is below zero counts as zero.
func (h *Hist) Record(d time.Duration) { h.RecordN(d, 1) }

// RecordN adds a value n times.
func (h *Hist) RecordN(d time.Duration, n int64) {
	if n <= 0 {
		return
	}
	v := max(int64(d), 0)
	if h.h == nil {
		h.h = hdrhistogram.New(lowest, highest, digits)
	}
	_ = h.h.RecordValues(min(v, highest), n) // cannot fail: the value is inside the range
	if h.n == 0 || v < h.min {
		h.min = v
	}
	h.max = max(h.max, v)
	h.n += n
	h.sum += v * n
	hi, lo := bits.Mul64(uint64(v), uint64(v))
	hi2, lo := bits.Mul64(lo, uint64(n))
	h.add(hi*uint64(n)+hi2, lo)
}

func (h *Hist) add(hi, lo uint64) {
	var carry uint64
	h.lo, carry = bits.Add64(h.lo, lo, 0)
	h.hi, _ = bits.Add64(h.hi, hi, carry)
}

// Merge adds all values of o.
func (h *Hist) Merge(o *Hist) {
	if o == nil || o.n == 0 {
		return
	}
	if h.h == nil {
		h.h = hdrhistogram.New(lowest, highest, digits)
	}
	h.h.Merge(o.h)
	if h.n == 0 || o.min < h.min {
		h.min = o.min
	}
	h.max = max(h.max, o.max)
	h.n += o.n
	h.sum += o.sum
	h.add(o.hi, o.lo)
}

// Reset forgets all values.
func (h *Hist) Reset() {
	if h.h != nil {
		h.h.Reset()
	}
	*h = Hist{h: h.h}
}

// Count is how many values were recorded.
func (h *Hist) Count() int64 { return h.n }

// Min is the smallest value, 0 without any.
func (h *Hist) Min() time.Duration { return time.Duration(h.min) }

// Max is the largest value.
func (h *Hist) Max() time.Duration { return time.Duration(h.max) }

// Mean is the average in nanoseconds.
func (h *Hist) Mean() float64 {
	if h.n == 0 {
		return 0
	}
	return float64(h.sum) / float64(h.n)
}

// Stddev is the population standard deviation in nanoseconds: 0 for one value, or for values that are all the same.
func (h *Hist) Stddev() float64 {
	if h.n == 0 {
		return 0
	}
	// n·Σx² − (Σx)², in integers: the difference of two large numbers of almost the same size is where floats go wrong.
	d := new(big.Int).Mul(h.squares(), big.NewInt(h.n))
	sum := big.NewInt(h.sum)
	d.Sub(d, sum.Mul(sum, sum))
	f, _ := new(big.Float).SetInt(d).Float64()
	return math.Sqrt(max(f, 0)) / float64(h.n)
}

func (h *Hist) squares() *big.Int {
	s := new(big.Int).SetUint64(h.hi)
	return s.Lsh(s, 64).Or(s, new(big.Int).SetUint64(h.lo))
}

// Percentile is the value that p percent of the values do not exceed, within three digits and never outside what was seen.
func (h *Hist) Percentile(p float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	return time.Duration(min(max(h.h.ValueAtPercentile(p), h.min), h.max))
}

type histJSON struct {
	Count   int64  `json:"count"`
	Sum     int64  `json:"sum_ns"`
	Squares string `json:"sum_squares"`
	Min     int64  `json:"min_ns"`
	Max     int64  `json:"max_ns"`
	HDR     string `json:"hdr"` // HdrHistogram V2, compressed, base64
}

// MarshalJSON writes all that Merge and the statistics need; the distribution is in the HdrHistogram V2 encoding.
func (h *Hist) MarshalJSON() ([]byte, error) {
	j := histJSON{Count: h.n, Sum: h.sum, Squares: h.squares().String(), Min: h.min, Max: h.max}
	if h.h != nil {
		enc, err := h.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
		if err != nil {
			return nil, fmt.Errorf("histogram: %w", err)
		}
		j.HDR = string(enc)
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Hist) UnmarshalJSON(data []byte) error {
	var j histJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	squares, ok := new(big.Int).SetString(j.Squares, 10)
	if !ok || squares.Sign() < 0 || squares.BitLen() > 128 {
		return fmt.Errorf("histogram: sum_squares %q is not a 128-bit number", j.Squares)
	}
	out := Hist{n: j.Count, sum: j.Sum, min: j.Min, max: j.Max}
	out.lo = new(big.Int).And(squares, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	out.hi = new(big.Int).Rsh(squares, 64).Uint64()
	if j.HDR != "" {
		dec, err := hdrhistogram.Decode([]byte(j.HDR))
		if err != nil {
			return fmt.Errorf("histogram: %w", err)
		}
		out.h = dec
	}
	if got := out.stored(); got != j.Count {
		return fmt.Errorf("histogram: it holds %d values and says %d", got, j.Count)
	}
	*h = out
	return nil
}

func (h *Hist) stored() int64 {
	if h.h == nil {
		return 0
	}
	return h.h.TotalCount()
}
