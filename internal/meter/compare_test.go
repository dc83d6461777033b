package meter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/meter"
)

func side(role meter.Role, rate float64, p99 time.Duration, lost int64) meter.Side {
	return meter.Side{Label: string(role), Role: role, Engine: "wire", Total: meter.Total{
		Messages: 100, Rate: rate, Latency: &meter.Latency{P99: p99, Avg: 5}, Delivery: &meter.Delivery{Lost: lost}}}
}

func report(sides ...meter.Side) *meter.Report {
	return &meter.Report{Schema: 1, Bench: "pub", Outcome: meter.Complete, Config: map[string]any{"size": 16.0}, Sides: sides}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	a, b := report(side(meter.Publisher, 1000, 100*us, 0)), report(side(meter.Publisher, 940, 115*us, 3))
	rows := map[string]bool{
		"p99>+10%": true, "p99>+15%": false, "p99>=+15%": true, "rate<-5%": true, "rate<-6%": false, "rate<=-6%": true,
		"p99>+10us": true, "p99>+15us": false, "p99>114us": true, "P99 > 1ms": false, "rate<1000": true, "rate<-50": true, "rate<-60": false,
		"lost>0": true, "lost>+5%": true, "lost>+2": true, "messages<100": false, "duplicates>0": false, "pub.p99>+10%": true,
	}
	for text, want := range rows {
		c, err := meter.ParseConditions(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := meter.Compare(a, b, c)
		if err != nil || (len(got.Failed) == 1) != want {
			t.Errorf("%s: failed %v, err %v, want %t", text, got, err, want)
		}
	}
}

func TestConditionErrors(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"p99":            "METRIC>VALUE",
		"p98>+10%":       `no metric "p98"; known are rate`,
		"p99>10%":        "needs a sign",
		"p99>10":         "not a time",
		"rate<x":         "not a number",
		"rate<-5%%":      "not a number",
		"p99>+-1ms":      "not a time",
		"pub.sub.p99>1s": "no metric",
		"p99=1ms":        "METRIC>VALUE",
		"rate<NaN":       "not a number",
	} {
		if _, err := meter.ParseConditions("rate>0, " + text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if c, err := meter.ParseConditions(" , "); err != nil || len(c) != 0 {
		t.Errorf("%v %v", c, err)
	}
}

func TestCompareSides(t *testing.T) {
	t.Parallel()
	a := report(side(meter.Publisher, 1000, 100*us, 0), side(meter.Consumer, 900, 200*us, 0))
	b := report(side(meter.Publisher, 1000, 100*us, 0), side(meter.Consumer, 450, 200*us, 0))
	c, _ := meter.ParseConditions("rate<-10%,pub.rate<-10%,sub.rate<-10%")
	got, err := meter.Compare(a, b, c)
	if err != nil || len(got.Failed) != 2 || !strings.Contains(got.Failed[0], "rate went from 900/s to 450/s (-50.0%)") {
		t.Errorf("%+v %v", got, err)
	}
	for _, f := range got.Rows {
		if want := map[string]int{"sub.rate": -1}[f.Metric]; f.Better != want {
			t.Errorf("%s: better %d", f.Metric, f.Better)
		}
	}
}

func TestCompareRefusesAndWarns(t *testing.T) {
	t.Parallel()
	a, b := report(side(meter.Publisher, 1, 1, 0)), report(side(meter.Publisher, 1, 1, 0))
	b.Config["size"], b.Config["clients"] = 64.0, 2.0
	b.Sides[0].Engine, b.Outcome = "nats.go", meter.Idle
	got, err := meter.Compare(a, b, nil)
	want := "clients differs: unset and 2|size differs: 16 and 64|engine differs: wire and nats.go|outcome differs: complete and idle"
	if err != nil || strings.Join(got.Warnings, "|") != want {
		t.Errorf("%q %v", got.Warnings, err)
	}
	b.Sides[0].Total.Latency = nil
	c, _ := meter.ParseConditions("p99>+1%")
	if _, err := meter.Compare(a, b, c); err == nil {
		t.Error("a condition on a figure that is missing must not pass")
	}
	b.Bench = "sub"
	if _, err := meter.Compare(a, b, nil); err == nil {
		t.Error("different benchmarks were compared")
	}
}

func FuzzCondition(f *testing.F) {
	f.Add("p99>+10%")
	f.Add("rate<-5%")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := meter.ParseCondition(text); err == nil {
			_, _ = meter.Compare(report(side(meter.Consumer, 1, 2, 0)), report(side(meter.Consumer, 2, 1, 1)), []meter.Condition{c})
		}
	})
}
