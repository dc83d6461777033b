package streams

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter/crew"
)

// natsStore publishes to a stream with nats.go.
type natsStore struct {
	*crew.Client
	w      *crew.Worker
	spec   *crew.Spec
	js     jetstream.JetStream
	prefix string
	sent   int64
	header nats.Header

	batch []*nats.Msg
	begun time.Duration
	step  int

	futures chan future
	reader  sync.WaitGroup
	window  chan struct{}
	ctx     context.Context
	mu      sync.Mutex
	bad     error
	left    int64
}

// future is a message whose acknowledgement has not come.
type future struct {
	ack  jetstream.PubAckFuture
	from time.Duration
	size int64
	step int
}

func dialNatsStore(ctx context.Context, g *crew.Group, w *crew.Worker) (crew.Outlet, error) {
	s := g.Spec
	if s.Kind == crew.ModeFast {
		return nil, fail.Usagef("nats.go has no fast batch publishing: use --engine wire")
	}
	c, err := g.DialNats(ctx, nil)
	if err != nil {
		return nil, err
	}
	batch := max(s.Stream.Batch, 1)
	js, err := g.World.JetStream(c.Conn, jetstream.WithPublishAsyncMaxPending(batch+1))
	if err != nil {
		c.Shut()
		return nil, err
	}
	return &natsStore{Client: c, w: w, spec: s, js: js, futures: make(chan future, batch), window: make(chan struct{}, batch), ctx: ctx,
		prefix: strconv.FormatInt(time.Now().UnixMilli(), 16) + "-" + strconv.Itoa(s.FirstClient+w.Index) + "-"}, nil
}

func (o *natsStore) Begin(ctx context.Context) {
	o.ctx = o.Bound(ctx)
	if o.spec.Kind == crew.ModeAsync {
		o.reader.Go(o.collect)
	}
}

// collect waits for the acknowledgements in the order of their messages.
func (o *natsStore) collect() {
	for f := range o.futures {
		select {
		case <-f.ack.Ok():
			o.count(f)
		case err := <-f.ack.Err():
			if o.Failed() == nil { // the first has a reason to look for
				err = o.Known(err)
			}
			o.spoil(err)
		case <-o.Broken:
			o.spoil(o.Client.Failed())
		case <-o.Down:
			o.spoil(nats.ErrConnectionClosed)
		}
		<-o.window
	}
}

func (o *natsStore) count(f future) {
	now := o.w.Run().Now()
	if f.step >= 0 {
		o.w.Step(f.step, now-f.from, now)
	}
	o.w.Latency(now-f.from, now)
	o.w.Add(1, f.size, now)
}

func (o *natsStore) spoil(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.left++
	if o.bad == nil {
		o.bad = err
	}
}

func (o *natsStore) Failed() error {
	if err := o.Client.Failed(); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bad
}

func (o *natsStore) Head(h nats.Header) error {
	o.header = h
	return nil
}

func (o *natsStore) Put(subject, body []byte, from time.Duration, step int) error {
	m := &nats.Msg{Subject: string(subject), Data: append([]byte(nil), body...), Header: nats.Header{}}
	for k, v := range o.header { // the library adds to it
		m.Header[k] = v
	}
	if o.spec.Stream.Dedup {
		m.Header.Set(nats.MsgIdHdr, o.prefix+strconv.FormatInt(o.sent, 10))
	}
	f := future{from: from, size: int64(len(body) + crew.HeaderSize(m.Header)), step: step}
	o.sent++
	switch o.spec.Kind {
	case crew.ModeAtomic:
		return o.collected(m, from, step)
	case crew.ModeAsync:
		return o.async(m, f)
	}
	bounded, cancel := context.WithTimeout(o.ctx, o.w.Group.World.Timeout)
	defer cancel()
	if _, err := o.js.PublishMsg(bounded, m, jetstream.WithRetryAttempts(0)); err != nil {
		return o.Known(fmt.Errorf("publishing synchronously: %w", err))
	}
	o.count(f)
	return nil
}

func (o *natsStore) async(m *nats.Msg, f future) error {
	select {
	case o.window <- struct{}{}:
	case <-o.ctx.Done():
		return context.Cause(o.ctx)
	}
	var err error
	if f.ack, err = o.js.PublishMsgAsync(m); err != nil {
		<-o.window
		return o.Known(err)
	}
	o.futures <- f
	return o.Failed()
}

// collected adds a message to the atomic batch, and stores it when it is full.
func (o *natsStore) collected(m *nats.Msg, from time.Duration, step int) error {
	if len(o.batch) == 0 {
		o.begun, o.step = from, step
	}
	o.batch = append(o.batch, m)
	if len(o.batch) < o.spec.Stream.Batch {
		return nil
	}
	return o.store(o.ctx)
}

func (o *natsStore) store(ctx context.Context) error {
	if len(o.batch) == 0 {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, o.w.Group.World.Timeout)
	defer cancel()
	n, sizes := int64(len(o.batch)), int64(0)
	free := o.Free(bounded) // it waits without the context
	_, err := jetstreamext.PublishMsgBatch(bounded, o.js, o.batch)
	free()
	for _, m := range o.batch { // with the headers that the library has put in
		sizes += int64(len(m.Data) + crew.HeaderSize(m.Header))
	}
	o.batch = o.batch[:0]
	if err != nil {
		o.mu.Lock()
		o.left += n
		o.mu.Unlock()
		return o.Known(err)
	}
	now := o.w.Run().Now()
	if o.step >= 0 {
		o.w.Step(o.step, now-o.begun, now)
	}
	o.w.LatencyN(now-o.begun, n, now)
	o.w.Add(n, sizes, now)
	return nil
}

func (o *natsStore) Repeat(subject, body []byte, n int) error {
	return errors.New("a storer gives each message its own time")
}

func (o *natsStore) Flush() error { return nil }

func (o *natsStore) Drain(ctx context.Context) (int64, error) {
	err := o.Failed()
	if err == nil && o.spec.Kind == crew.ModeAtomic {
		err = o.store(ctx)
	}
	free := context.AfterFunc(ctx, func() { o.Close() }) // ends the waiting for acknowledgements
	close(o.futures)
	o.reader.Wait()
	free()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.left == 0 {
		o.w.End(o.w.Run().Now())
	}
	return max(o.left-o.Refused.Load(), 0), err
}

func (o *natsStore) Ping(ctx context.Context) error { return o.FlushWithContext(ctx) }

func (o *natsStore) Denied() int64 { return o.Refused.Load() }

func (o *natsStore) Close() { o.Shut() }
