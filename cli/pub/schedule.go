package pub

import (
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
)

// schedule are the flags for messages that a stream sends later, or again and again, by headers (server 2.12 and later).
type schedule struct {
	dest, source, at, cron        string
	after, every, ttl             time.Duration
	afterSet, everySet, ttlSet    bool
	destSet, atSet, cronSet, srcd bool
}

func (s *schedule) bind(c *fisk.CmdClause) {
	c.Flag("schedule-dest", "Subject that the scheduled message is sent to").PlaceHolder("SUBJECT").IsSetByUser(&s.destSet).StringVar(&s.dest)
	flagval.DurationVar(c.Flag("schedule-after", "Send it once, this long from now").PlaceHolder("DURATION").IsSetByUser(&s.afterSet), &s.after)
	c.Flag("schedule-at", "Send it once, at this time").PlaceHolder("RFC3339").IsSetByUser(&s.atSet).StringVar(&s.at)
	flagval.DurationVar(c.Flag("schedule-every", "Send it again and again, this far apart").PlaceHolder("DURATION").IsSetByUser(&s.everySet), &s.every)
	c.Flag("schedule-cron", "Send it by this cron line").PlaceHolder("CRON").IsSetByUser(&s.cronSet).StringVar(&s.cron)
	c.Flag("schedule-source", "Send the last message of this subject instead of the body").PlaceHolder("SUBJECT").IsSetByUser(&s.srcd).StringVar(&s.source)
	flagval.DurationVar(c.Flag("schedule-ttl", "Time to live of the messages that are sent").PlaceHolder("DURATION").IsSetByUser(&s.ttlSet), &s.ttl)
}

func (s *schedule) given() bool {
	return s.destSet || s.afterSet || s.atSet || s.everySet || s.cronSet || s.srcd || s.ttlSet
}

func (s *schedule) check() error {
	if !s.given() {
		return nil
	}
	when := 0
	for _, set := range []bool{s.afterSet, s.atSet, s.everySet, s.cronSet} {
		if set {
			when++
		}
	}
	switch {
	case s.dest == "":
		return fail.Usagef("a schedule needs a destination: pass --schedule-dest")
	case when > 1:
		return fail.Usagef("--schedule-after, --schedule-at, --schedule-every and --schedule-cron exclude each other")
	case when == 0:
		return fail.Usagef("a schedule needs a time: pass --schedule-after, --schedule-at, --schedule-every or --schedule-cron")
	case s.afterSet && s.after <= 0:
		return fail.Usagef("--schedule-after: must be more than 0")
	case s.everySet && s.every <= 0:
		return fail.Usagef("--schedule-every: must be more than 0")
	case s.cronSet && s.cron == "":
		return fail.Usagef("--schedule-cron: is empty")
	}
	if s.atSet {
		if _, err := time.Parse(time.RFC3339, s.at); err != nil {
			return fail.Usagef("--schedule-at: %q is no time such as 2026-01-02T15:04:05Z", s.at)
		}
	}
	return flagval.CheckSubject(s.dest, false)
}

// header is what tells the stream of the schedule; nil without one.
func (s *schedule) header(now time.Time) nats.Header {
	if !s.given() {
		return nil
	}
	h := nats.Header{"Nats-Schedule-Target": {s.dest}}
	switch {
	case s.afterSet:
		h["Nats-Schedule"] = []string{"@at " + now.Add(s.after).UTC().Format(time.RFC3339)}
	case s.atSet:
		at, _ := time.Parse(time.RFC3339, s.at) // checked before
		h["Nats-Schedule"] = []string{"@at " + at.UTC().Format(time.RFC3339)}
	case s.everySet:
		h["Nats-Schedule"] = []string{"@every " + s.every.String()}
	default:
		h["Nats-Schedule"] = []string{s.cron}
	}
	if s.ttlSet {
		h["Nats-Schedule-TTL"] = []string{s.ttl.String()}
	}
	if s.srcd {
		h["Nats-Schedule-Source"] = []string{s.source}
	}
	return h
}
