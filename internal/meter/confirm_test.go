package meter

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestSamplerTimesOneMessageAtATime answers the PINGs of a sampler by hand.
func TestSamplerTimesOneMessageAtATime(t *testing.T) {
	run := NewRun(1, 0)
	probe := run.Probes()[0]
	probe.Begin(0)
	var sent []func(error)
	answer := func() { sent[len(sent)-1](nil) }
	c := NewSampler(t.Context(), probe, func(f func(error)) error {
		sent = append(sent, f)
		return nil
	}, func(context.Context) error {
		answer() // the server answers in order
		return nil
	})
	offer := func() {
		c.Offer(run.Now(), -1)
		c.Offer(run.Now()+time.Hour, -1) // of a chunk the first message counts
		c.Flushed()
	}
	if !c.Due() {
		t.Error("no PING is due at the start")
	}
	offer()
	if c.Due() {
		t.Error("a second PING is due while the first is under way")
	}
	offer() // while a PING is under way none follows
	if len(sent) != 1 || probe.lat.Count() != 0 {
		t.Fatalf("%d PINGs, %d latencies, want 1 and 0", len(sent), probe.lat.Count())
	}
	answer()
	offer()
	if len(sent) != 2 || probe.lat.Count() != 1 {
		t.Fatalf("%d PINGs, %d latencies, want 2 and 1", len(sent), probe.lat.Count())
	}
	c.Stop() // waits for the second answer
	if probe.lat.Count() != 2 || probe.lat.Max() > time.Minute || probe.lat.Min() < 0 {
		t.Errorf("%d latencies from %s to %s, want 2 between 0 and a minute", probe.lat.Count(), probe.lat.Min(), probe.lat.Max())
	}
}

// TestSamplerEndsWithTheConnection has a PING fail, and one answered after the end.
func TestSamplerEndsWithTheConnection(t *testing.T) {
	run := NewRun(1, 0)
	probe := run.Probes()[0]
	probe.Begin(0)
	pings := 0
	var late func(error)
	mark := func(f func(error)) error {
		pings++
		late = f
		return nil
	}
	unanswered := func(context.Context) error { return context.DeadlineExceeded }
	c := NewSampler(t.Context(), probe, mark, unanswered)
	c.Offer(0, -1)
	c.Flushed()
	late(errors.New("gone"))
	c.Offer(0, -1)
	c.Flushed()
	c.Stop()
	if pings != 1 || probe.lat.Count() != 0 {
		t.Errorf("%d PINGs, %d latencies, want 1 and 0", pings, probe.lat.Count())
	}
	c = NewSampler(t.Context(), probe, mark, unanswered)
	c.Offer(0, -1)
	c.Flushed()
	c.Stop()
	late(nil)
	if probe.lat.Count() != 0 {
		t.Error("an answer after the end was counted")
	}
}
