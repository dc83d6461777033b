package events

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/env"
)

// message is one that may hold an event. The sequence and stored time are of the stream it was read from, if any; err is the
// end of the source.
type message struct {
	subject  string
	data     []byte
	received time.Time
	sequence uint64
	stored   time.Time
	err      error
}

// listening is a subject and what a person is told about it.
type listening struct{ banner, subject string }

func choose(o eventsOptions, prefix string) []listening {
	var out []listening
	if o.advice || o.all {
		out = append(out, listening{"Advisories", jsm.EventSubject(api.JSAdvisoryPrefix+".>", prefix)})
	}
	if o.metrics || o.all {
		out = append(out, listening{"Metrics", jsm.EventSubject(api.JSMetricPrefix+".>", prefix)})
	}
	if o.server || o.all {
		out = append(out, listening{"Client Connection events", "$SYS.ACCOUNT.*.CONNECT"},
			listening{"Client Disconnection events", "$SYS.ACCOUNT.*.DISCONNECT"},
			listening{"Authentication Errors events", "$SYS.SERVER.*.CLIENT.AUTH.ERR"})
	}
	for _, s := range o.subjects {
		out = append(out, listening{"advisories", s})
	}
	return out
}

// fromSubjects subscribes to everything that was chosen; the server has taken the subscriptions when it returns.
func fromSubjects(ctx context.Context, e *env.Env, o eventsOptions, in chan<- message) (stop func(), err error) {
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return nil, err
	}
	var subs []*nats.Subscription
	// Handlers that wait for room must end when the command does.
	running, cancel := context.WithCancel(ctx)
	end := func() {
		cancel()
		for _, s := range subs {
			_ = s.Unsubscribe()
		}
	}
	defer func() {
		if err != nil {
			end()
		}
	}()
	chosen := choose(o, e.Nats.Effective().JSEventPrefix)
	for _, l := range chosen {
		s, err := nc.Subscribe(l.subject, func(m *nats.Msg) {
			push(running, in, message{subject: m.Subject, data: m.Data, received: e.Clock.Now()})
		})
		if err != nil {
			return nil, fmt.Errorf("subscribing to %s: %w", l.subject, err)
		}
		subs = append(subs, s)
		if err := s.SetPendingLimits(-1, -1); err != nil {
			return nil, fmt.Errorf("subscribing to %s: %w", l.subject, err)
		}
	}
	waiting, done := e.Nats.Deadline(ctx)
	defer done()
	if err := nc.FlushWithContext(waiting); err != nil {
		return nil, fmt.Errorf("subscribing: %w", err)
	}
	alone := !o.advice && !o.metrics && len(o.subjects) == 0
	if !nc.IsSystemAccount() && (o.all || o.server && (o.asked || alone)) {
		e.IO.Warn("connection events come to users of the system account only; this user is not one")
	}
	if !e.Out.Machine() {
		for _, l := range chosen {
			e.Say("Listening for %s on %s", l.banner, l.subject)
		}
	}
	return end, nil
}

func push(ctx context.Context, in chan<- message, m message) {
	select {
	case in <- m:
	case <-ctx.Done():
	}
}

// fromStream reads a stream from the place that was asked for, in order, and goes on with what is stored from then on. The
// consumer is removed by stop.
func fromStream(ctx context.Context, e *env.Env, o eventsOptions, in chan<- message) (stop func(), err error) {
	client, err := e.Nats.JetStream(ctx)
	if err != nil {
		return nil, err
	}
	waiting, done := e.Nats.Deadline(ctx)
	defer done()
	cfg, err := start(waiting, e, o, client)
	if err != nil {
		return nil, err
	}
	cons, err := client.OrderedConsumer(waiting, o.stream, cfg)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", o.stream, err)
	}
	it, err := cons.Messages()
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", o.stream, err)
	}
	ended := make(chan struct{})
	running, cancel := context.WithCancel(ctx)
	go func() {
		defer close(ended)
		for {
			m, err := it.Next(jetstream.NextContext(running))
			if err != nil {
				push(running, in, message{err: err})
				return
			}
			next := message{subject: m.Subject(), data: m.Data(), received: e.Clock.Now()}
			if meta, err := m.Metadata(); err == nil {
				next.sequence, next.stored = meta.Sequence.Stream, meta.Timestamp
			}
			push(running, in, next)
		}
	}()
	if !e.Out.Machine() {
		from := ""
		switch {
		case o.since.Given:
			from = " since " + o.since.String()
		case o.last > 0:
			from = fmt.Sprintf(", the last %d", o.last)
		}
		e.Say("Listening for Events in stream %s%s", o.stream, from)
	}
	return func() {
		cancel()
		it.Stop()
		<-ended
		ctx, done := e.Nats.Deadline(context.WithoutCancel(ctx))
		defer done()
		if i := cons.CachedInfo(); i != nil {
			_ = client.DeleteConsumer(ctx, o.stream, i.Name) // the server removes it anyway when it is idle
		}
	}, nil
}

// start is where to begin.
func start(ctx context.Context, e *env.Env, o eventsOptions, client jetstream.JetStream) (jetstream.OrderedConsumerConfig, error) {
	cfg := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy}
	if at, ok := o.since.At(e.Clock.Now()); ok {
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &at
	} else if o.since.IsSequence() {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, o.since.Sequence
	}
	if o.last == 0 {
		return cfg, nil
	}
	s, err := client.Stream(ctx, o.stream)
	if err != nil {
		return cfg, fmt.Errorf("stream %s: %w", o.stream, err)
	}
	info, err := s.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return cfg, fmt.Errorf("stream %s: %w", o.stream, err)
	}
	cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, lastOf(info.State, o.last)
	return cfg, nil
}

// lastOf is the sequence with which the last n messages of a stream begin, whatever was deleted between them.
func lastOf(s jetstream.StreamState, n uint64) uint64 {
	seq := s.LastSeq
	gaps := s.Deleted
	for ; seq > s.FirstSeq; seq-- {
		if len(gaps) > 0 && gaps[len(gaps)-1] == seq {
			gaps = gaps[:len(gaps)-1]
			continue
		}
		if n--; n == 0 {
			break
		}
	}
	return max(seq, 1)
}
