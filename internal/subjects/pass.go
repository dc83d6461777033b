package subjects

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

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

	// What take alone touches, which is called for one message after the other.
	delivered uint64 // the consumer's own count
	late      uint64 // messages that were stored since the pass began
	doubtful  bool   // what comes may have been told before
	over      bool

	done chan error
	read atomic.Uint64 // messages that were handed on
	busy atomic.Bool   // one is being handed on
}

const (
	// window is how many messages are on their way at a time. They are small: bodies are left out.
	window = 10_000
	// patience is how long nothing may come before the server is asked whether anything is left.
	patience = time.Second
)

// run is nil at the end of the stream, a broken when a consumer cannot tell all, or what each returned.
func (p *pass) run(ctx context.Context) error {
	watched, release := context.WithCancel(ctx)
	if p.lister.Allowed != nil {
		release()
		watched, release = p.lister.Allowed(ctx)
	}
	defer release()
	cfg := jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckNonePolicy, HeadersOnly: true, MemoryStorage: true, Replicas: 1,
		InactiveThreshold: 30 * time.Second, FilterSubject: p.filter,
	}
	if uint64(p.stream.State.NumSubjects) != p.stream.State.Msgs {
		cfg.DeliverPolicy = jetstream.DeliverLastPerSubjectPolicy
	}
	name := p.stream.StreamInfo.Config.Name
	bounded, cancel := context.WithTimeout(watched, 6*p.lister.Client.Timeout()) // a server has to look at all subjects first
	consumer, err := p.lister.JetStream.CreateConsumer(bounded, name, cfg)
	cancel()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return &broken{err}
	}
	defer p.remove(ctx, name, consumer.CachedInfo().Name)
	if consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	p.done = make(chan error, 1)
	cc, err := consumer.Consume(p.take, jetstream.PullMaxMessages(cmp.Or(p.lister.ahead, window)), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
		select {
		case p.done <- &broken{err}:
		default:
		}
	}))
	if err != nil {
		return &broken{err}
	}
	err = p.wait(ctx, watched, consumer)
	cc.Stop()
	<-cc.Closed()
	p.doubtful = true
	return err
}

// wait waits for the end. watched ends before ctx when the server refuses something.
func (p *pass) wait(ctx, watched context.Context, consumer jetstream.Consumer) error {
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for last := uint64(0); ; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-watched.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return &broken{context.Cause(watched)}
		case err := <-p.done:
			return err
		case <-tick.C:
			if n := p.read.Load(); n != last || p.busy.Load() {
				last = n
				continue
			}
			bounded, cancel := context.WithTimeout(watched, p.lister.Client.Timeout())
			info, err := consumer.Info(bounded)
			cancel()
			switch {
			case err != nil || info.NumPending > 0 && p.read.Load() == last:
				return &broken{errors.New("the consumer stands still")}
			case info.NumPending == 0 && p.read.Load() == last && !p.busy.Load():
				return nil
			}
		}
	}
}

// take hands on the subject of a message.
func (p *pass) take(m jetstream.Msg) {
	if p.over {
		return
	}
	p.busy.Store(true)
	defer p.busy.Store(false)
	meta, ok, err := follow.OriginOf([]byte(m.Reply()))
	p.delivered++
	if !ok || err != nil || meta.Delivered != p.delivered {
		p.end(&broken{errors.New("messages were lost on the way")})
		return
	}
	p.read.Add(1)
	if err := p.hand(m.Subject(), meta.Sequence); err != nil {
		p.end(err)
		return
	}
	// Where more comes than can be read there is no end: as much again is enough.
	if meta.Pending == 0 || p.late > p.stream.State.Msgs {
		p.end(nil)
	}
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

func (p *pass) end(err error) {
	p.over = true
	select {
	case p.done <- err:
	default:
	}
}

// remove takes the consumer away at once, also after an interrupt.
func (p *pass) remove(ctx context.Context, stream, consumer string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(p.lister.Client.Timeout(), 5*time.Second))
	defer cancel()
	if p.lister.Allowed != nil {
		allowed, release := p.lister.Allowed(ctx)
		defer release()
		ctx = allowed
	}
	_ = p.lister.JetStream.DeleteConsumer(ctx, stream, consumer) // it goes by itself if this fails
}
