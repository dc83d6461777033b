package meter_test

import (
	"testing"
	"time"

	"github.com/natskit/natskit/internal/meter"
)

func observed(seqs ...uint64) *meter.Tracker {
	t := &meter.Tracker{}
	for _, s := range seqs {
		t.Observe(s)
	}
	return t
}

func TestDeliveryAccount(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name string
		seqs []uint64
		sent uint64
		want meter.Delivery
	}{
		{"nothing", nil, 0, meter.Delivery{}},
		{"nothing of five", nil, 5, meter.Delivery{Expected: 5, Lost: 5}},
		{"in order", []uint64{0, 1, 2}, 3, meter.Delivery{Expected: 3, Received: 3}},
		{"one lost", []uint64{0, 2}, 3, meter.Delivery{Expected: 3, Received: 2, Lost: 1, Gaps: 1}},
		{"the end lost", []uint64{0, 1}, 4, meter.Delivery{Expected: 4, Received: 2, Lost: 2}},
		{"the start lost", []uint64{2, 3}, 4, meter.Delivery{Expected: 4, Received: 2, Lost: 2, Gaps: 1}},
		{"late but there", []uint64{0, 2, 1, 3}, 4, meter.Delivery{Expected: 4, Received: 4, Reordered: 1, Gaps: 1}},
		{"twice", []uint64{0, 1, 1, 0, 2}, 3, meter.Delivery{Expected: 3, Received: 5, Duplicates: 2}},
		{"twice and out of order", []uint64{0, 3, 1, 1, 2, 3}, 0, meter.Delivery{Expected: 4, Received: 6, Duplicates: 2, Reordered: 2, Gaps: 1}},
		{"a gap larger than the memory", []uint64{0, 1, 200000, 1, 199999}, 0, meter.Delivery{Expected: 200001, Received: 5, Lost: 199996, Reordered: 1, Gaps: 1, Late: 1}},
		{"a window later the place is free again", []uint64{5, 5 + 65536, 6}, 65542, meter.Delivery{Expected: 65542, Received: 3, Lost: 65539, Gaps: 2, Reordered: 1}},
		{"a receiver that came later", []uint64{100, 101, 103}, 0, meter.Delivery{Expected: 4, Received: 3, Lost: 1, Gaps: 1}},
	}
	for _, r := range rows {
		if got := observed(r.seqs...).Result(r.sent); got != r.want {
			t.Errorf("%s:\n got %+v\nwant %+v", r.name, got, r.want)
		}
	}
}

// The ring must give the same account as a set that forgets nothing, for disorder that stays inside the window.
func TestTrackerAgainstASet(t *testing.T) {
	t.Parallel()
	seen := map[uint64]bool{}
	tr := &meter.Tracker{}
	var dup, lost int64
	x := uint64(88172645463325252)
	for i := range uint64(300_000) {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		s := i + x%5000
		if seen[s] {
			dup++
		}
		seen[s] = true
		tr.Observe(s)
	}
	var highest uint64
	for s := range seen {
		highest = max(highest, s)
	}
	lost = int64(highest) + 1 - int64(len(seen))
	got := tr.Result(1)
	if got.Duplicates != dup || got.Lost != lost || got.Late != 0 || got.Received != 300_000 {
		t.Errorf("%+v, want %d duplicates and %d lost", got, dup, lost)
	}
}

func TestDeliveryMergesAndJudges(t *testing.T) {
	t.Parallel()
	d := meter.Delivery{Expected: 3, Received: 3}
	if !d.Clean() {
		t.Error("all there is clean")
	}
	d.Merge(meter.Delivery{Expected: 4, Received: 2, Lost: 2, Duplicates: 1, Reordered: 1, Gaps: 1, Late: 1, Unnumbered: 1})
	if d != (meter.Delivery{Expected: 7, Received: 5, Lost: 2, Duplicates: 1, Reordered: 1, Gaps: 1, Late: 1, Unnumbered: 1}) || d.Clean() {
		t.Errorf("%+v", d)
	}
}

// A stamp holds the last 40 bits of a number: the account goes on when they come round.
func TestNumbersComeRound(t *testing.T) {
	t.Parallel()
	const most = 1<<40 - 1
	var tr meter.Tracker
	tr.Observe(most - 2)
	for n := range uint64(10) {
		if n != 4 { // and one is lost on the way
			tr.Observe((most - 1 + n) & most)
		}
	}
	tr.Observe(1) // again
	if d := tr.Result(0); d.Expected != 11 || d.Lost != 1 || d.Duplicates != 1 || d.Gaps != 1 || d.Late != 0 || d.Reordered != 0 {
		t.Errorf("%+v", d)
	}
}

// The ids of two processes' publishers differ, and stay within a stamp.
func TestPublisherIDs(t *testing.T) {
	t.Parallel()
	if a, b := meter.PublisherID(1<<24-1, 0), meter.PublisherID(1<<24-1, 1); a != 1<<24-1 || b != 0 {
		t.Errorf("%d %d", a, b)
	}
	seen := map[uint32]bool{}
	for range 20 {
		seen[meter.PublisherIDs()] = true
	}
	if len(seen) < 15 {
		t.Errorf("processes begin at %v", seen)
	}
}

func TestStamp(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	buf := make([]byte, 20)
	for _, away := range []time.Duration{5, -5, time.Hour, -time.Hour, 0} { // clocks of two machines differ
		for range 100 { // all over the range in which the clock of stamps comes round
			now = now.Add(time.Hour)
			meter.PutStamp(buf, now.UnixNano(), 1<<24-1, 1<<40-1)
			sent, pub, seq, ok := meter.ReadStamp(buf, now.Add(away).UnixNano())
			if !ok || sent != now.UnixNano() || pub != 1<<24-1 || seq != 1<<40-1 {
				t.Errorf("%s after %s: %d %d %d %t", away, now, sent, pub, seq, ok)
			}
		}
	}
	if _, _, _, ok := meter.ReadStamp(buf, now.Add(time.Hour+1).UnixNano()); ok {
		t.Error("a stamp of long ago is none of this run")
	}
	for _, bad := range [][]byte{nil, buf[:15], make([]byte, 16), []byte("0123456789abcdef")} {
		if _, _, _, ok := meter.ReadStamp(bad, now.UnixNano()); ok {
			t.Errorf("%q is no stamp", bad)
		}
	}
}
