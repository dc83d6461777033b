package meter_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/meter"
)

func hist(values ...int64) *meter.Hist {
	h := &meter.Hist{}
	for _, v := range values {
		h.Record(time.Duration(v))
	}
	return h
}

func TestN5_StatisticsByHand(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name          string
		values        []int64
		min, max, p50 time.Duration
		mean, stddev  float64
	}{
		{"nothing", nil, 0, 0, 0, 0, 0},
		{"one sample deviates by nothing", []int64{5051000}, 5051000, 5051000, 5051000, 5051000, 0},
		{"two samples", []int64{3170, 6930}, 3170, 6930, 3170, 5050, 1880},
		{"eight samples", []int64{2, 4, 4, 4, 5, 5, 7, 9}, 2, 9, 4, 5, 2},
		{"equal and large", []int64{3599999999999, 3599999999999, 3599999999999}, 3599999999999, 3599999999999, 3599999999999, 3599999999999, 0},
		{"large and close", []int64{3000000000000, 3000000000002}, 3000000000000, 3000000000002, 3000000000000, 3000000000001, 1},
		{"longer than the range", []int64{int64(2 * time.Hour)}, 2 * time.Hour, 2 * time.Hour, 2 * time.Hour, float64(2 * time.Hour), 0},
		{"before its time", []int64{-5}, 0, 0, 0, 0, 0},
	}
	for _, r := range rows {
		h := hist(r.values...)
		if h.Min() != r.min || h.Max() != r.max || h.Mean() != r.mean || h.Stddev() != r.stddev {
			t.Errorf("%s: min %d max %d mean %g stddev %g", r.name, h.Min(), h.Max(), h.Mean(), h.Stddev())
		}
		if got := h.Percentile(50); math.Abs(float64(got-r.p50)) > float64(r.p50)/1000 {
			t.Errorf("%s: p50 %d, want %d", r.name, got, r.p50)
		}
	}
}

func TestPercentiles(t *testing.T) {
	t.Parallel()
	h := &meter.Hist{}
	for i := range 1000 {
		h.Record(time.Duration(i + 1)) // 1..1000, exact in the histogram
	}
	for p, want := range map[float64]time.Duration{50: 500, 90: 900, 99: 990, 99.9: 999, 100: 1000} {
		if got := h.Percentile(p); got != want {
			t.Errorf("P%g = %d, want %d", p, got, want)
		}
	}
}

func TestHistogramMergeAndJSON(t *testing.T) {
	t.Parallel()
	all, a, b := &meter.Hist{}, &meter.Hist{}, &meter.Hist{}
	for i := range int64(5000) {
		v := time.Duration(i * i * 977)
		all.Record(v)
		if i%3 == 0 {
			a.Record(v)
		} else {
			b.Record(v)
		}
	}
	data, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var back meter.Hist
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	a.Merge(&back)
	a.Merge(nil)
	a.Merge(&meter.Hist{})
	want, got := meter.Summarize(all, "x"), meter.Summarize(a, "x")
	want.Hist, got.Hist = nil, nil
	if *want != *got {
		t.Errorf("merged %+v, want %+v", got, want)
	}
	if meter.Summarize(&meter.Hist{}, "x") != nil {
		t.Error("nothing recorded has no latency")
	}
	for _, bad := range []string{`{"count":1,"sum_squares":"0"}`, `{"count":0,"sum_squares":"-1"}`, `{"count":0,"sum_squares":"x"}`, `{"count":1,"sum_squares":"0","hdr":"@@"}`, `[]`} {
		if json.Unmarshal([]byte(bad), &back) == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestHistogramOfManyEqualValues(t *testing.T) {
	t.Parallel()
	h := &meter.Hist{}
	h.RecordN(10*time.Microsecond, 3_000_000)
	h.RecordN(20*time.Microsecond, 1_000_000)
	h.RecordN(time.Second, 0)
	if h.Count() != 4_000_000 || h.Mean() != 12500 || math.Abs(h.Stddev()-4330.127018922193) > 1e-6 {
		t.Errorf("count %d mean %g stddev %g", h.Count(), h.Mean(), h.Stddev())
	}
	h.Reset()
	if h.Count() != 0 || h.Stddev() != 0 || h.Percentile(50) != 0 {
		t.Error("a reset histogram is empty")
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	if got := meter.SpreadOf([]float64{2, 4, 4, 4, 5, 5, 7, 9}); got != (meter.Spread{Min: 2, Avg: 5, Max: 9, Stddev: 2}) {
		t.Errorf("%+v", got)
	}
	if got := meter.SpreadOf([]float64{7}); got != (meter.Spread{Min: 7, Avg: 7, Max: 7}) {
		t.Errorf("%+v", got)
	}
	if meter.SpreadOf(nil) != (meter.Spread{}) {
		t.Error("no values, no spread")
	}
}

func TestDivide(t *testing.T) {
	t.Parallel()
	got := meter.Divide(2000, 3)
	want := []meter.Share{{667, 0}, {667, 667}, {666, 1334}}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("share %d = %+v, want %+v", i, got[i], want[i])
		}
	}
	for _, r := range []struct {
		n       int64
		clients int
	}{{0, 4}, {3, 7}, {1, 1}, {5, 0}, {-3, 2}} {
		var sum int64
		for _, s := range meter.Divide(r.n, r.clients) {
			if s.Offset != sum || s.Messages < 0 {
				t.Errorf("%d among %d: %+v", r.n, r.clients, s)
			}
			sum += s.Messages
		}
		if sum != max(r.n, 0) {
			t.Errorf("%d among %d sum to %d", r.n, r.clients, sum)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	b.ReportAllocs()
	h := &meter.Hist{}
	h.Record(1)
	b.ResetTimer()
	for i := range b.N {
		h.Record(time.Duration(i & 0xfffff))
	}
}

func TestRecordingAllocatesNothing(t *testing.T) {
	h := &meter.Hist{}
	var tr meter.Tracker
	h.Record(1)
	tr.Observe(0)
	seq := uint64(0)
	payload := make([]byte, meter.StampSize)
	if n := testing.AllocsPerRun(1000, func() {
		seq += 2
		h.Record(time.Duration(seq) * 1000)
		tr.Observe(seq)
		meter.PutStamp(payload, 1, 2, seq)
	}); n != 0 {
		t.Errorf("%g allocations a message", n)
	}
}
