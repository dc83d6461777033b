package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/wire"
)

// requester sends requests one after the other and times their replies. With a schedule the time counts from when a request
// was meant to be sent, so that waiting for a slow reply shows in the latency of the requests behind it.
type requester struct {
	w     *crew.Worker
	spec  *crew.Spec
	pacer *meter.Pacer
	sched *meter.Schedule
	src   *crew.Source

	start  time.Duration
	from   time.Duration // when the latency of the request under way begins
	step   int
	sent   int64
	got    int64 // after the warm-up
	header nats.Header
	block  []byte // the header, encoded
	size   int64  // of header and body under way
}

// request is the work of a service requester.
func request(ctx context.Context, w *crew.Worker) error {
	r := &requester{w: w, spec: w.Group.Spec, step: -1}
	var err error
	if r.src, err = crew.NewSource(r.spec, w); err != nil {
		return err
	}
	if r.sched, err = r.spec.Schedule(); err != nil {
		return err
	}
	if r.sched != nil {
		r.pacer = r.sched.NewPacer(r.spec.FirstClient+w.Index, r.spec.All())
	}
	if r.spec.Engine == crew.NatsGo {
		err = r.natsGo(ctx)
	} else {
		err = r.wire(ctx)
	}
	w.End(w.Run().Now())
	if err != nil && !errors.Is(err, crew.ErrEnough) && ctx.Err() == nil {
		return fmt.Errorf("requesting: %w", err)
	}
	return err
}

func (r *requester) begin(ctx context.Context) error {
	if err := r.w.Ready(ctx); err != nil {
		return err
	}
	if err := crew.Stagger(ctx, r.w); err != nil {
		return err
	}
	r.w.Set(meter.Requesting)
	r.start = r.w.Run().Now()
	r.w.Begin(r.start)
	return nil
}

// next waits for the time of the next request and starts its clock.
func (r *requester) next(ctx context.Context) error {
	run := r.w.Run()
	if r.pacer == nil {
		r.from = run.Now()
		return ctx.Err()
	}
	if err := meter.WaitUntil(ctx, func() time.Duration { return run.Now() - r.start }, r.pacer.Next()); err != nil {
		return context.Cause(ctx)
	}
	r.step = r.sched.Step(r.pacer.Number())
	now := run.Now()
	intended, _ := r.pacer.Due(now - r.start)
	r.from = r.start + intended
	r.w.Lag(now-r.from, now)
	return nil
}

// compose makes the header and the body of the next request.
func (r *requester) compose() (body []byte, err error) {
	if r.header, err = r.src.Header(r.sent); err != nil {
		return nil, err
	}
	if r.block, err = wire.AppendHeader(r.block[:0], r.header); err != nil {
		return nil, err
	}
	body = r.src.BodyOf(r.sent, 0)
	r.size = int64(len(r.block) + len(body))
	return body, nil
}

// replied records a reply and reports whether it was the last.
func (r *requester) replied(ctx context.Context, header, body []byte) (last bool, err error) {
	now := r.w.Run().Now()
	if err := goodReply(header, body); err != nil {
		return true, err
	}
	if r.step >= 0 {
		r.w.Step(r.step, now-r.from, now)
	}
	r.w.Latency(now-r.from, now)
	r.w.Add(1, r.size, now)
	if !r.w.Warm(now) {
		r.got++
	}
	r.sent++
	if r.spec.Bounded() {
		last = r.got >= r.w.Share.Messages
	} else {
		last = now-r.start >= r.spec.Warmup+r.spec.Duration
	}
	if !last {
		err = crew.Pause(ctx, r.spec.Sleep)
	}
	return last, err
}

// goodReply refuses the replies that say something went wrong.
func goodReply(header, body []byte) error {
	if code, text := wire.Status(header); code == 503 {
		return nats.ErrNoResponders
	} else if code != 0 {
		return fmt.Errorf("the reply has status %d %s", code, text)
	}
	if len(body) == 0 || body[0] == '-' || bytes.Contains(body, []byte("error")) {
		return fmt.Errorf("request did not receive a good reply: %q", body[:min(len(body), 256)])
	}
	return nil
}

func (r *requester) wire(ctx context.Context) error {
	g := r.w.Group
	c, err := g.DialWire(ctx)
	if err != nil {
		return fmt.Errorf("client number %d failed to connect: %w", r.w.Number(), err)
	}
	defer func() {
		st := c.Stats()
		r.w.Extra.WireBytes = int64(st.InBytes + st.OutBytes)
		_ = c.Close()
	}()
	o, err := g.World.Options(ctx)
	if err != nil {
		return err
	}
	inbox := crew.NewInbox(o.InboxPrefix)
	if _, err := c.Subscribe(inbox, ""); err != nil {
		return err
	}
	if err := c.Ping(ctx); err != nil {
		return err
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	out := c.Writer()
	ask := func() error {
		if err := r.next(ctx); err != nil {
			return err
		}
		body, err := r.compose()
		if err != nil {
			return err
		}
		if err := out.Pub(r.spec.Subject, inbox, r.block, body); err != nil {
			return err
		}
		return out.Flush()
	}
	if err := ask(); err != nil {
		return err
	}
	return crew.Known(ctx, c, c.Read(ctx, wire.Handler{Msg: func(m *wire.Msg) error {
		last, err := r.replied(ctx, m.Header, m.Payload)
		if err != nil {
			return err
		}
		if last {
			return wire.ErrStop
		}
		return ask()
	}}))
}

func (r *requester) natsGo(ctx context.Context) error {
	failed := make(chan error, 1)
	c, err := r.w.Group.DialNats(ctx, func(err error) {
		select {
		case failed <- err:
		default:
		}
	})
	if err != nil {
		return fmt.Errorf("client number %d failed to connect: %w", r.w.Number(), err)
	}
	defer func() {
		r.w.Extra.WireBytes = c.WireBytes()
		c.Shut()
	}()
	if err := r.begin(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	defer close(stop)
	go func() { // a denied request would wait for its whole timeout
		select {
		case err := <-failed:
			cancel(err)
		case <-stop:
		}
	}()
	for last := false; !last; {
		if err := r.next(ctx); err != nil {
			return context.Cause(ctx)
		}
		m, err := r.once(ctx, c)
		if errors.Is(err, nats.ErrNoResponders) {
			return c.Known(err)
		}
		if err != nil {
			return err
		}
		if last, err = r.replied(ctx, nil, m.Data); err != nil {
			return err
		}
	}
	return nil
}

func (r *requester) once(ctx context.Context, c *crew.Client) (*nats.Msg, error) {
	bounded, cancel := context.WithTimeout(ctx, r.w.Group.World.Timeout)
	defer cancel()
	body, err := r.compose()
	if err != nil {
		return nil, err
	}
	m, err := c.RequestMsgWithContext(bounded, &nats.Msg{Subject: r.spec.Subject, Data: body, Header: r.header})
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fail.Newf(fail.NoAnswer, "no reply from %s within %s", r.spec.Subject, r.w.Group.World.Timeout)
	}
	return m, err
}
