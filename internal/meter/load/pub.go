package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/wire"
)

// outlet is a connection that messages go out on, in either engine.
type outlet interface {
	// put hands over one message; its arguments may be reused afterwards.
	// from is when its latency begins and step its step of the schedule, for outlets that learn of each message by themselves.
	put(subject, body []byte, from time.Duration, step int) error
	// repeat hands over the same message n times and writes it.
	repeat(subject, body []byte, n int) error
	// flush writes what was handed over.
	flush() error
	// ping waits until the server has processed what was flushed. It may be called beside the others.
	ping(context.Context) error
	// failed is why publishing has to end, nil while it has not.
	failed() error
	// denied is how many messages the server refused.
	denied() int64
	// wireBytes is what went over the connection in both directions.
	wireBytes() int64
	close()
}

// storer is an outlet whose messages are acknowledged one by one or in batches: it counts them and their latencies itself.
type storer interface {
	outlet
	// begin is called when the clock runs, before the first message.
	begin(ctx context.Context)
	// drain waits until all is acknowledged and returns how many messages are not.
	drain(ctx context.Context) (left int64, err error)
}

// publish is the work of a core publisher.
func publish(ctx context.Context, w *worker) error { return publishTo(ctx, w, dialOutlet) }

func publishTo(ctx context.Context, w *worker, dial func(context.Context, *group, *worker) (outlet, error)) error {
	g := w.group
	out, err := dial(ctx, g, w)
	if err != nil {
		return fmt.Errorf("client number %d failed to connect: %w", w.Number(), err)
	}
	defer out.close()
	if err := w.ready(ctx); err != nil {
		return err
	}
	if err := stagger(ctx, w); err != nil {
		return err
	}
	p := &publisher{w: w, out: out, src: newSource(g.spec, w), spec: g.spec}
	err = p.send(ctx)
	return p.finish(ctx, err)
}

// stagger lets all clients but the first begin at different times within one sleep.
func stagger(ctx context.Context, w *worker) error {
	if w.group.spec.Sleep <= 0 || w.index == 0 {
		return nil
	}
	return pause(ctx, randomBelow(w.group.spec.Sleep))
}

// publisher sends the messages of one client.
type publisher struct {
	w       *worker
	out     outlet
	src     *source
	spec    *Spec
	confirm *meter.Confirmer // nil for a storer
	stored  bool             // the outlet is a storer
	sent    int64            // handed over, warm-up included
	counted int64            // of these: after the warm-up
	start   time.Duration
}

func (p *publisher) send(ctx context.Context) error {
	p.w.Set(meter.Publishing)
	schedule, err := p.spec.schedule()
	if err != nil {
		return err
	}
	run := p.w.Run()
	p.start = run.Now()
	p.w.Begin(p.start)
	if st, ok := p.out.(storer); ok {
		p.stored = true
		st.begin(ctx)
	} else {
		p.confirm = meter.NewConfirmer(context.WithoutCancel(ctx), p.w.Probe, schedule == nil, p.ping, p.out.wireBytes)
		defer p.confirm.Stop()
	}
	switch {
	case schedule != nil:
		return p.paced(ctx, schedule)
	case p.spec.Sleep > 0:
		return p.leisurely(ctx)
	case p.src.constant() && !p.stored:
		return p.repeat(ctx)
	}
	return p.stream(ctx)
}

// ping bounds a wait for the server by the timeout of the run.
func (p *publisher) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.w.group.w.Timeout)
	defer cancel()
	return p.out.ping(ctx)
}

// enough reports that the client has sent its share, or that its time is over.
func (p *publisher) enough(now time.Duration) bool {
	if p.spec.bounded() {
		return p.counted >= p.w.share.Messages
	}
	return now-p.start >= p.spec.Warmup+p.spec.Duration
}

// chunk is how many messages to hand over before looking at the clock: some 256 KiB.
func (p *publisher) chunk() int64 {
	n := max(256<<10/(p.src.low+p.src.vary+32), 1)
	if p.spec.bounded() && p.spec.Warmup == 0 {
		n = min(n, p.w.share.Messages-p.sent)
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
	return p.out.failed()
}

// repeat sends the same bytes as fast as they are taken.
func (p *publisher) repeat(ctx context.Context) error {
	subject, body := p.src.subjectOf(0), p.src.bodyOf(0, 0)
	size := int64(len(body)) + p.headerSize()
	for now := p.start; !p.enough(now); {
		if err := p.check(ctx); err != nil {
			return err
		}
		n := p.chunk()
		p.offer(now, -1)
		if err := p.out.repeat(subject, body, int(n)); err != nil {
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
	header := p.headerSize()
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
			body := p.src.bodyOf(p.sent+i, at)
			size += int64(len(body)) + header
			if err := p.out.put(p.src.subjectOf(p.sent+i), body, now, -1); err != nil {
				return err
			}
		}
		if !p.stored { // a storer writes when its window is full
			if err := p.out.flush(); err != nil {
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
		body := p.src.bodyOf(p.sent, run.Wall(now).UnixNano())
		p.offer(now, -1)
		if err := p.out.put(p.src.subjectOf(p.sent), body, now, -1); err != nil {
			return err
		}
		if err := p.out.flush(); err != nil {
			return err
		}
		p.flushed()
		p.account(1, int64(len(body))+p.headerSize(), run.Now())
		if err := pause(ctx, p.spec.Sleep); err != nil {
			return err
		}
	}
	return nil
}

// paced sends each message at its intended time, or as soon after it as it can.
func (p *publisher) paced(ctx context.Context, schedule *meter.Schedule) error {
	run := p.w.Run()
	pacer := schedule.NewPacer(p.spec.FirstClient+p.w.index, p.spec.all())
	header := p.headerSize()
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
			if !due || p.spec.bounded() && p.counted+n >= p.w.share.Messages {
				break
			}
			intended += p.start
			body := p.src.bodyOf(p.sent+n, run.Wall(intended).UnixNano())
			step := schedule.Step(number)
			if err := p.out.put(p.src.subjectOf(p.sent+n), body, intended, step); err != nil {
				return err
			}
			p.offer(intended, step)
			p.w.Lag(now-intended, now)
			n++
			size += int64(len(body)) + header
		}
		if err := p.out.flush(); err != nil {
			return err
		}
		p.flushed()
		p.account(n, size, run.Now())
	}
	return nil
}

func (p *publisher) headerSize() int64 { return int64(headerSize(p.spec.Header)) }

// finish waits for the server's word on everything sent, also after an error, and fills in what became of it.
func (p *publisher) finish(ctx context.Context, err error) error {
	p.w.Set(meter.AckWait)
	if st, ok := p.out.(storer); ok && p.stored {
		return p.finishStored(ctx, st, err)
	}
	flushErr := p.out.flush()
	confirmErr := flushErr
	if flushErr == nil && !errors.Is(err, nats.ErrDisconnected) {
		confirmErr = p.ping(context.WithoutCancel(ctx))
	}
	p.w.End(p.w.Run().Now())
	failed := p.out.failed()
	p.out.close()
	p.w.extra.WireBytes = p.out.wireBytes()
	if n := p.out.denied(); n > 0 { // what the server refused was not published
		p.w.extra.Denied = n
		p.w.Take(n, n*(p.src.low+p.headerSize()))
	}
	if failed != nil && (err == nil || errors.Is(err, errEnough)) {
		err = failed
	}
	if confirmErr != nil {
		p.w.extra.Unconfirmed = p.sent - p.w.extra.Denied
		if err == nil || errors.Is(err, errEnough) {
			err = fmt.Errorf("waiting for the server to confirm the messages: %w", confirmErr)
		}
	}
	if err != nil && !errors.Is(err, errEnough) && ctx.Err() == nil {
		return fmt.Errorf("publishing: %w", err)
	}
	return err
}

// finishStored waits for the acknowledgements that are still to come.
func (p *publisher) finishStored(ctx context.Context, st storer, err error) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.w.group.w.Timeout)
	defer cancel()
	left, drainErr := st.drain(bounded)
	failed := st.failed()
	st.close()
	p.w.extra.WireBytes, p.w.extra.Denied, p.w.extra.Unconfirmed = st.wireBytes(), st.denied(), left
	if err == nil || errors.Is(err, errEnough) {
		switch {
		case failed != nil:
			err = failed
		case drainErr != nil:
			err = drainErr
		}
	}
	if err != nil && !errors.Is(err, errEnough) && ctx.Err() == nil {
		return fmt.Errorf("publishing: %w", err)
	}
	return err
}

// headerSize is how many bytes headers take in a message.
func headerSize(h nats.Header) int {
	if len(h) == 0 {
		return 0
	}
	b, err := wire.AppendHeader(nil, h)
	if err != nil {
		return 0
	}
	return len(b)
}
