package sub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/js/follow"
)

// startOf is where the flags say that a consumer begins.
func startOf(o *subOptions, now time.Time) follow.Start {
	switch {
	case o.startSeq > 0:
		return follow.Start{Policy: jetstream.DeliverByStartSequencePolicy, Seq: o.startSeq}
	case o.last:
		return follow.Start{Policy: jetstream.DeliverLastPolicy}
	case o.newOnly:
		return follow.Start{Policy: jetstream.DeliverNewPolicy}
	case o.since.Given && o.since.IsSequence():
		return follow.Start{Policy: jetstream.DeliverByStartSequencePolicy, Seq: o.since.Sequence}
	case o.since.Given:
		at, _ := o.since.At(now)
		return follow.Start{Policy: jetstream.DeliverByStartTimePolicy, Time: &at}
	case o.lastPerSubject:
		return follow.Start{Policy: jetstream.DeliverLastPerSubjectPolicy}
	}
	return follow.Start{Policy: jetstream.DeliverAllPolicy}
}

// placeOf is where the flags say that a reader without a consumer begins: one that knows neither the last message nor new ones.
func placeOf(ctx context.Context, r *replay, client *js.Client, stream jetstream.Stream, filter string) (follow.Start, error) {
	info, at := stream.CachedInfo(), startOf(r.o, r.e.Clock.Now())
	next := follow.Start{Policy: jetstream.DeliverByStartSequencePolicy, Seq: info.State.LastSeq + 1}
	switch at.Policy {
	case jetstream.DeliverNewPolicy:
		at = next
	case jetstream.DeliverLastPolicy:
		m, err := client.LastMessage(ctx, info.Config.Name, filter)
		switch {
		case err == nil:
			next.Seq = m.Sequence
		case !js.IsCode(err, 10037):
			return at, err
		}
		at = next
	}
	where := r.from()
	if len(r.o.starts()) == 0 || r.o.all {
		where = "starting with the first message received"
	}
	r.e.Say("Subscribing to JetStream Stream (direct) holding messages with subject %s %s ", filter, where)
	return at, nil
}

// openFlow reads a stream without changing anything in it.
func openFlow(ctx context.Context, r *replay, client *js.Client, stream jetstream.Stream, filter string, direct bool) (*follow.Reader, error) {
	info := stream.CachedInfo()
	opts, err := r.e.Nats.Options(ctx)
	if err != nil {
		return nil, err
	}
	cfg := follow.Config{
		JS: r.api, Prefix: client.Subject(""), Timeout: client.Timeout(), Options: &opts, Clock: r.e.Clock,
		Log:    func(format string, args ...any) { r.e.Log.Debug(fmt.Sprintf(format, args...)) },
		Stream: info.Config.Name, Created: info.Created, Keep: info.Config.ConsumerLimits.InactiveThreshold,
		Direct: direct, HeadersOnly: r.o.headersOnly || r.o.subjectsOnly, Limit: r.o.count,
	}
	if filter != ">" {
		cfg.Filters = []string{filter}
	}
	if direct {
		cfg.From, err = placeOf(ctx, r, client, stream, filter)
	} else {
		cfg.From = startOf(r.o, r.e.Clock.Now())
	}
	if err != nil {
		return nil, err
	}
	r.stored = stored{stream: cfg.Stream, direct: direct}
	reader, err := follow.Open(ctx, cfg)
	if err == nil && !direct {
		r.e.Say("Subscribing to subject %s %s ", filter, r.from())
	}
	return reader, err
}

// follow shows the stream to the end that the flags ask for.
func (r *replay) follow(ctx context.Context) error {
	output := false // the error came from there
	sink := follow.Sink{
		Each: func(w *follow.Msg) error {
			shown := r.shown
			done, err := r.receive(ctx, w)
			switch {
			case err != nil:
				output = true
				return err
			case done:
				return follow.ErrStop
			case r.shown == shown:
				return follow.ErrSkip
			}
			return nil
		},
		Idle: func() error {
			err := r.idle()
			output = err != nil
			return err
		},
		Tick: func(idle bool) error {
			done, err := r.ticked(idle)
			if done && err == nil {
				err = follow.ErrStop
			}
			return err
		},
		Every: r.every(),
	}
	if r.o.toEnd {
		sink.End = func() error { return follow.ErrStop }
	}
	err := r.flow.Run(ctx, sink)
	var failed *follow.ConnectError
	if errors.As(err, &failed) {
		return r.e.Nats.Explain(failed.Err)
	}
	seq := r.flow.Seq()
	if ctx.Err() != nil && seq > 0 && fail.Ended(ctx, err) == nil {
		r.e.Say("The last message is sequence %d of stream %s", seq, r.stored.stream)
	}
	if err == nil || seq == 0 || output || errors.Is(err, fail.ErrInterrupted) || errors.Is(err, fail.ErrTerminated) {
		return err
	}
	return fail.Hint(fmt.Errorf("after sequence %d: %w", seq, err), "go on with --start-sequence %d", seq+1)
}

// receive shows a message unless it is to be ignored. done says that it was the last.
func (r *replay) receive(ctx context.Context, w *follow.Msg) (done bool, err error) {
	r.seen = w.Arrived
	r.stored.sequence, r.stored.pending = w.Sequence, w.Pending
	m := &r.msg
	m.subject, m.reply, m.block, m.data, m.at, m.stored = w.Subject, w.Reply, w.Header, w.Data, w.Time, &r.stored
	m.header, m.unread = nil, w.Header != nil
	return r.present(ctx, m)
}
