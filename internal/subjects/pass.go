package subjects

import (
	"cmp"
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/js/follow"
)

// broken is why a pass ended before its end: what is lacking has to be asked for otherwise.
type broken struct{ err error }

func (b *broken) Error() string { return b.err.Error() }
func (b *broken) Unwrap() error { return b.err }

// pass reads the subjects of a stream with a consumer.
type pass struct {
	lister *Lister
	stream js.Stream
	filter string
	seen   *set
	each   func(string, uint64) error

	late     uint64 // messages that were stored since the pass began
	doubtful bool   // what comes may have been told before
}

// run is nil at the end of the stream, a broken when a consumer cannot tell all, or what each returned.
func (p *pass) run(ctx context.Context) error {
	watched, release := context.WithCancel(ctx)
	if p.lister.Allowed != nil {
		release()
		watched, release = p.lister.Allowed(ctx)
	}
	defer release()
	client, info := p.lister.Client, p.stream.StreamInfo
	cfg := follow.Config{
		JS: p.lister.JetStream, Prefix: client.Subject(""), Timeout: 6 * client.Timeout(), // a server has to look at all subjects first
		Stream: info.Config.Name, Created: p.stream.Created, Keep: info.Config.ConsumerLimits.InactiveThreshold,
		HeadersOnly: true, Ahead: p.lister.ahead,
	}
	if p.filter != "" {
		cfg.Filters = []string{p.filter}
	}
	if uint64(p.stream.State.NumSubjects) != p.stream.State.Msgs {
		cfg.From.Policy = jetstream.DeliverLastPerSubjectPolicy
	}
	var told error
	err := follow.Read(watched, cfg, follow.Sink{
		Each: func(m *follow.Msg) error {
			told = p.hand(string(m.Subject), m.Sequence)
			if told == nil && p.late > p.stream.State.Msgs { // where more comes than can be read there is no end: as much again is enough
				return follow.ErrStop
			}
			return told
		},
		End: func() error { return follow.ErrStop },
	})
	p.doubtful = true
	switch {
	case told != nil:
		return told
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return &broken{err}
	}
	return nil
}

// hand hands a subject on. A message that was stored since the pass began may be on a subject that was listed, or be what is left
// of one that would have been.
func (p *pass) hand(subject string, seq uint64) error {
	if seq > p.stream.State.LastSeq {
		p.late++
		p.doubtful = true
	}
	return p.once(subject, 1)
}

// once tells a subject unless it was told before.
func (p *pass) once(subject string, messages uint64) error {
	if p.doubtful && p.seen.has(subject) {
		return nil
	}
	p.seen.add(subject)
	return p.each(subject, messages)
}

// firstPage tells subjects until a page is full; done says that these are all.
func (p *pass) firstPage(ctx context.Context, total func(int)) (done bool, err error) {
	all, n, limit := 0, 0, cmp.Or(p.lister.Few, pageSize)
	err = p.lister.Client.Subjects(ctx, p.stream.StreamInfo.Config.Name, p.filter, func(count int) {
		all = count
		if total != nil {
			total(count)
		}
	}, func(subject string, messages uint64) error {
		switch n++; {
		case all <= limit:
			return p.each(subject, messages)
		case n > limit:
			return js.ErrStop
		}
		return p.once(subject, messages)
	})
	p.doubtful = true
	return all <= limit, err
}
