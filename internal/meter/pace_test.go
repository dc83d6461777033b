package meter_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/meter"
)

func schedule(t *testing.T, segments ...meter.Segment) *meter.Schedule {
	t.Helper()
	s, err := meter.NewSchedule(segments...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	const ten = 10 * time.Second
	constant := schedule(t, meter.Segment{From: 1000, To: 1000})
	ramp := schedule(t, meter.Segment{From: 0, To: 1000, For: ten})
	down := schedule(t, meter.Segment{From: 1000, To: 0, For: ten})
	steps := schedule(t, meter.Segment{From: 100, To: 100, For: ten}, meter.Segment{For: ten}, meter.Segment{From: 200, To: 200, For: ten})
	rows := []struct {
		name string
		s    *meter.Schedule
		i    int64
		want time.Duration
	}{
		{"constant start", constant, 0, 0},
		{"constant", constant, 1500, 1500 * time.Millisecond},
		{"ramp start", ramp, 0, 0},
		{"ramp half way", ramp, 1250, 5 * time.Second}, // ½·100·5²
		{"ramp end", ramp, 5000, 10 * time.Second},
		{"down half way", down, 3750, 5 * time.Second},
		{"first step", steps, 500, 5 * time.Second},
		{"after the pause", steps, 1000, 20 * time.Second},
		{"last step", steps, 2000, 25 * time.Second},
	}
	for _, r := range rows {
		if got := r.s.At(r.i); got.Round(time.Microsecond) != r.want {
			t.Errorf("%s: message %d at %v, want %v", r.name, r.i, got, r.want)
		}
	}
	if constant.Total() != -1 || ramp.Total() != 5000 || steps.Total() != 3000 {
		t.Errorf("totals %d %d %d", constant.Total(), ramp.Total(), steps.Total())
	}
	if steps.Step(999) != 0 || steps.Step(1000) != 2 || steps.Step(2999) != 2 {
		t.Error("steps are numbered by segment")
	}
}

func TestScheduleErrors(t *testing.T) {
	t.Parallel()
	for _, g := range [][]meter.Segment{nil, {{From: 0, To: 0}}, {{From: -1, To: 5, For: 1}}, {{From: 1, To: 2}}, {{From: 1, To: 1}, {From: 2, To: 2, For: 1}}, {{From: 1, To: 1, For: -1}}} {
		if _, err := meter.NewSchedule(g...); err == nil {
			t.Errorf("%+v was accepted", g)
		}
	}
}

// Several clients together send exactly the schedule, each message once, whatever the machine does in between.
func TestPacersShareASchedule(t *testing.T) {
	t.Parallel()
	s := schedule(t, meter.Segment{From: 100, To: 900, For: 2 * time.Second})
	got := map[time.Duration]int{}
	for c := range 3 {
		p := s.NewPacer(c, 3)
		if _, ok := p.Due(-1); ok {
			t.Fatal("nothing is due before the start")
		}
		for {
			at, ok := p.Due(2*time.Second - 1) // a stall: all is due at once, with the times at which it should have gone
			if !ok {
				break
			}
			got[at]++
		}
		if p.Next() < 2*time.Second-1 {
			t.Error("what is next lies ahead")
		}
	}
	if len(got) != int(s.Total()) {
		t.Errorf("%d send times, want %d", len(got), s.Total())
	}
	for i := range s.Total() {
		if got[s.At(i)] != 1 {
			t.Fatalf("message %d was sent %d times", i, got[s.At(i)])
		}
	}
}

func TestWaitUntil(t *testing.T) {
	t.Parallel()
	base := time.Now()
	now := func() time.Duration { return time.Since(base) }
	if err := meter.WaitUntil(t.Context(), now, 5*time.Millisecond); err != nil || now() < 5*time.Millisecond {
		t.Errorf("came back at %v: %v", now(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := meter.WaitUntil(ctx, now, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}
