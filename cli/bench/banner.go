package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
)

// settings are the arguments of a banner, by name.
type settings map[string]any

// count is a number that people read with commas, size one of bytes.
type (
	count int64
	size  int64
)

func (s settings) String() string {
	var out []string
	for k, v := range s {
		switch v := v.(type) {
		case count:
			out = append(out, k+"="+meter.Commas(int64(v)))
		case size:
			out = append(out, k+"="+meter.IEC(float64(v)))
		default:
			out = append(out, fmt.Sprintf("%s=%v", k, v))
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// base are the arguments that every banner has.
func base(s crew.Spec) settings {
	out := settings{"clients": s.Clients, "msg-size": size(s.Size), "msgs": count(s.Messages), "engine": s.Engine}
	if s.SizeMax > s.Size {
		out["msg-size"] = meter.IEC(float64(s.Size)) + "-" + meter.IEC(float64(s.SizeMax))
	}
	if n := len(s.Payload); n > 0 {
		out["msg-size"] = size(n)
	}
	if s.Duration > 0 {
		out["duration"] = s.Duration
	}
	if s.Warmup > 0 {
		out["warmup"] = s.Warmup
	}
	return out
}

// withPacing adds what a schedule says.
func (s settings) withPacing(o pacing) settings {
	if o.throughput > 0 {
		s["throughput"] = count(o.throughput)
	}
	if o.ramp != "" {
		s["ramp"] = o.ramp
	}
	if o.steps != "" {
		s["steps"] = o.steps
	}
	return s
}

// withMulti adds how messages are spread over subjects.
func (s settings) withMulti(m multi) settings {
	s["multi-subject"], s["multi-subject-max"], s["multi-subject-randomize"] = m.on, count(m.most), m.random
	return s
}

// introduce says what begins: a line for the benchmark and one for each client of a moderate number.
func introduce(e *env.Env, s crew.Spec, args settings) {
	k, _ := crew.KindOf(s.Kind)
	label := k.Label
	if s.Kind == "pubsub" {
		label = "Core NATS publisher and subscriber"
	}
	e.Say("Starting %s benchmark [%s]", label, args)
	const most = 100
	shares := make([]meter.Share, s.Clients)
	if k.Divide && s.Messages > 0 {
		n := int64(s.Clients)
		if k.Clamp {
			n = min(n, s.Messages)
		}
		shares = meter.Divide(s.Messages, int(n))[:min(n, int64(s.Clients))]
	}
	for i, share := range shares {
		if i >= most {
			e.Say("… and %s more clients", meter.Commas(int64(len(shares)-most)))
			break
		}
		e.Say("[%d] Starting %s, %s", i+1, label, errand(k, s, share))
	}
}

// errand is what one client is about to do.
func errand(k crew.Kind, s crew.Spec, share meter.Share) string {
	n := s.Messages
	if k.Divide {
		n = share.Messages
	}
	switch {
	case s.Kind == "service serve":
		return "waiting for requests, hit control-c to stop"
	case s.Kind == "pubsub":
		return "both sides in this process"
	case s.Messages == 0:
		return fmt.Sprintf("%s for %s", k.Verb, s.Duration.Round(time.Millisecond))
	case s.Kind == "sub":
		return fmt.Sprintf("Subscribing on %s, expecting %s messages", s.Subject, meter.Commas(n))
	}
	return fmt.Sprintf("%s %s messages", k.Verb, meter.Commas(n))
}
