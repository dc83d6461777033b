package crew

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/wire"
)

// PublishTo is the work of a publisher on the outlet that dial makes once the client may connect.
func PublishTo(ctx context.Context, w *Worker, dial func(context.Context, *Group, *Worker) (Outlet, error)) error {
	g := w.Group
	out, err := dial(ctx, g, w)
	if err != nil {
		return fmt.Errorf("client number %d failed to connect: %w", w.Number(), err)
	}
	defer out.Close()
	if err := w.Ready(ctx); err != nil {
		return err
	}
	if err := Stagger(ctx, w); err != nil {
		return err
	}
	src, err := NewSource(g.Spec, w)
	if err != nil {
		return err
	}
	p := &publisher{w: w, out: out, src: src, spec: g.Spec}
	if err := p.head(0); err != nil {
		return err
	}
	err = p.send(ctx)
	return p.finish(ctx, err)
}

// Stagger lets all clients but the first begin at different times within one sleep.
func Stagger(ctx context.Context, w *Worker) error {
	if w.Group.Spec.Sleep <= 0 || w.Index == 0 {
		return nil
	}
	return Pause(ctx, randomBelow(w.Group.Spec.Sleep))
}

// publisher sends the messages of one client.
type publisher struct {
	w       *Worker
	out     Outlet
	src     *Source
	spec    *Spec
	confirm *meter.Confirmer // nil for a storer
	stored  bool             // the outlet is a storer
	sent    int64            // handed over, warm-up included
	counted int64            // of these: after the warm-up
	start   time.Duration
	header  int64 // bytes of the header of a message
}

func (p *publisher) send(ctx context.Context) error {
	p.w.Set(meter.Publishing)
	schedule, err := p.spec.Schedule()
	if err != nil {
		return err
	}
	run := p.w.Run()
	p.start = run.Now()
	p.w.Begin(p.start)
	if st, ok := p.out.(Storer); ok {
		p.stored = true
		st.Begin(ctx)
	} else {
		p.confirm = p.newConfirmer(context.WithoutCancel(ctx), schedule == nil)
		defer p.confirm.Stop()
	}
	switch {
	case schedule != nil:
		return p.paced(ctx, schedule)
	case p.spec.Sleep > 0:
		return p.leisurely(ctx)
	case p.src.Constant() && !p.stored:
		return p.repeat(ctx)
	}
	if f, ok := p.out.(framer); ok && p.src.stampOnly() {
		return p.stampFrames(ctx, f)
	}
	return p.stream(ctx)
}

// newConfirmer learns the latency of every message, or with sampling that of one at a time.
func (p *publisher) newConfirmer(ctx context.Context, sampling bool) *meter.Confirmer {
	if m, ok := p.out.(marker); ok && sampling {
		return meter.NewSampler(ctx, p.w.Probe, m.Mark, p.ping)
	}
	return meter.NewConfirmer(ctx, p.w.Probe, sampling, p.ping, p.out.WireBytes)
}

// ping bounds a wait for the server by the timeout of the run.
func (p *publisher) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.w.Group.World.Timeout)
	defer cancel()
	return p.out.Ping(ctx)
}

// enough reports that the client has sent its share, or that its time is over.
func (p *publisher) enough(now time.Duration) bool {
	if p.spec.Bounded() {
		return p.counted >= p.w.Share.Messages
	}
	return now-p.start >= p.spec.Warmup+p.spec.Duration
}

// chunk is how many messages to hand over before looking at the clock: some 512 KiB.
func (p *publisher) chunk() int64 {
	n := max(512<<10/(p.src.low+p.src.vary+32), 1)
	if p.spec.Bounded() && p.spec.Warmup == 0 {
		n = min(n, p.w.Share.Messages-p.sent)
	}
	return n
}

// account counts n messages of size bytes that were written by now.
func (p *publisher) account(n, size int64, now time.Duration) {
	p.sent += n
	if !p.w.Warm(now) {
		p.counted += n
	}
	if !p.stored {
		p.w.Add(n, size, now)
	}
}

func (p *publisher) check(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return p.out.Failed()
}

// repeat sends the same bytes as fast as they are taken.
func (p *publisher) repeat(ctx context.Context) error {
	subject, body := p.src.SubjectOf(0), p.src.BodyOf(0, 0)
	size := int64(len(body)) + p.header
	for now := p.start; !p.enough(now); {
		if err := p.check(ctx); err != nil {
			return err
		}
		n := p.chunk()
		if p.confirm.Due() {
			n = 1 // the PING goes right behind the message that it times
		}
		p.offer(now, -1)
		if err := p.out.Repeat(subject, body, int(n)); err != nil {
			return err
		}
		p.flushed()
		now = p.w.Run().Now()
		p.account(n, n*size, now)
	}
	return nil
}

// stream sends messages that differ, as fast as they are taken. Those of a chunk carry the time at which it was begun.
func (p *publisher) stream(ctx context.Context) error {
	run := p.w.Run()
	for now := p.start; !p.enough(now); {
		if err := p.check(ctx); err != nil {
			return err
		}
		n := min(p.chunk(), 512)
		if p.stored {
			n = 1 // each has its own time
		}
		var size int64
		at := run.Wall(now).UnixNano()
		p.offer(now, -1)
		for i := range n {
			each, err := p.message(p.sent+i, now, at, -1)
			if err != nil {
				return err
			}
			size += each
		}
		if !p.stored { // a storer writes when its window is full
			if err := p.out.Flush(); err != nil {
				return err
			}
		}
		p.flushed()
		now = run.Now()
		p.account(n, size, now)
	}
	return nil
}

func (p *publisher) offer(from time.Duration, step int) {
	if p.confirm != nil {
		p.confirm.Offer(from, step)
	}
}

func (p *publisher) flushed() {
	if p.confirm != nil {
		p.confirm.Flushed()
	}
}

// leisurely pauses after each message.
func (p *publisher) leisurely(ctx context.Context) error {
	run := p.w.Run()
	for now := p.start; !p.enough(now); now = run.Now() {
		if err := p.check(ctx); err != nil {
			return err
		}
		p.offer(now, -1)
		size, err := p.message(p.sent, now, run.Wall(now).UnixNano(), -1)
		if err != nil {
			return err
		}
		if err := p.out.Flush(); err != nil {
			return err
		}
		p.flushed()
		p.account(1, size, run.Now())
		if err := Pause(ctx, p.spec.Sleep); err != nil {
			return err
		}
	}
	return nil
}

// paced sends each message at its intended time, or as soon after it as it can.
func (p *publisher) paced(ctx context.Context, schedule *meter.Schedule) error {
	run := p.w.Run()
	pacer := schedule.NewPacer(p.spec.FirstClient+p.w.Index, p.spec.All())
	elapsed := func() time.Duration { return run.Now() - p.start }
	for !p.enough(run.Now()) {
		if err := meter.WaitUntil(ctx, elapsed, pacer.Next()); err != nil {
			return context.Cause(ctx)
		}
		if err := p.check(ctx); err != nil {
			return err
		}
		now := run.Now()
		var n, size int64
		for n < 512 {
			number := pacer.Number()
			intended, due := pacer.Due(now - p.start)
			if !due || p.spec.Bounded() && p.counted+n >= p.w.Share.Messages {
				break
			}
			intended += p.start
			step := schedule.Step(number)
			each, err := p.message(p.sent+n, intended, run.Wall(intended).UnixNano(), step)
			if err != nil {
				return err
			}
			p.offer(intended, step)
			p.w.Lag(now-intended, now)
			n++
			size += each
		}
		if err := p.out.Flush(); err != nil {
			return err
		}
		p.flushed()
		p.account(n, size, run.Now())
	}
	return nil
}

// head sets the header of message i.
func (p *publisher) head(i int64) error {
	h, err := p.src.Header(i)
	if err == nil {
		p.header = int64(HeaderSize(h))
		err = p.out.Head(h)
	}
	if err != nil {
		return fmt.Errorf("the header of message %d: %w", i+1, err)
	}
	return nil
}

// message makes and hands over message i, and returns its size.
func (p *publisher) message(i int64, from time.Duration, at int64, step int) (int64, error) {
	if !p.src.headers.Literal() {
		if err := p.head(i); err != nil {
			return 0, err
		}
	}
	body := p.src.BodyOf(i, at)
	return int64(len(body)) + p.header, p.out.Put(p.src.SubjectOf(i), body, from, step)
}

// finish waits for the server's word on everything sent, also after an error, and fills in what became of it.
func (p *publisher) finish(ctx context.Context, err error) error {
	p.w.Set(meter.AckWait)
	if st, ok := p.out.(Storer); ok && p.stored {
		return p.finishStored(ctx, st, err)
	}
	flushErr := p.out.Flush()
	confirmErr := flushErr
	if flushErr == nil && !errors.Is(err, nats.ErrDisconnected) {
		confirmErr = p.ping(context.WithoutCancel(ctx))
	}
	p.w.End(p.w.Run().Now())
	failed := p.out.Failed()
	p.out.Close()
	p.w.Extra.WireBytes = p.out.WireBytes()
	if n := p.out.Denied(); n > 0 { // what the server refused was not published
		p.w.Extra.Denied = n
		p.w.Take(n, n*(p.src.low+p.header))
	}
	if failed != nil && (err == nil || errors.Is(err, ErrEnough)) {
		err = failed
	}
	if confirmErr != nil {
		p.w.Extra.Unconfirmed = p.sent - p.w.Extra.Denied
		if err == nil || errors.Is(err, ErrEnough) {
			err = fmt.Errorf("waiting for the server to confirm the messages: %w", confirmErr)
		}
	}
	if err != nil && !errors.Is(err, ErrEnough) && ctx.Err() == nil {
		return fmt.Errorf("publishing: %w", err)
	}
	return err
}

// finishStored waits for the acknowledgements that are still to come.
func (p *publisher) finishStored(ctx context.Context, st Storer, err error) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.w.Group.World.Timeout)
	defer cancel()
	left, drainErr := st.Drain(bounded)
	failed := st.Failed()
	st.Close()
	p.w.Extra.WireBytes, p.w.Extra.Denied, p.w.Extra.Unconfirmed = st.WireBytes(), st.Denied(), left
	if err == nil || errors.Is(err, ErrEnough) {
		switch {
		case failed != nil:
			err = failed
		case drainErr != nil:
			err = drainErr
		}
	}
	if err != nil && !errors.Is(err, ErrEnough) && ctx.Err() == nil {
		return fmt.Errorf("publishing: %w", err)
	}
	return err
}

// HeaderSize is how many bytes headers take in a message.
func HeaderSize(h nats.Header) int {
	if len(h) == 0 {
		return 0
	}
	b, err := wire.AppendHeader(nil, h)
	if err != nil {
		return 0
	}
	return len(b)
}
