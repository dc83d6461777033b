package js

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js/delivery"
)

// smallScan is the number of messages up to which asking for them costs less than making a consumer.
const smallScan = 1000

// Scan calls each for the messages of a range in order, as fast as the server gives them: by an ordered consumer where that
// changes nothing, which is several times faster than gets; by gets for a few messages, for streams whose messages go when they
// are consumed, and where no consumer can be made. The end is the last message at the time of the call. each may return ErrStop.
func (c *Client) Scan(ctx context.Context, s Stream, r Range, each func(*DirectMessage) error) error {
	if s.State.Msgs == 0 || r.Seq > s.State.LastSeq {
		return nil
	}
	if r.UpTo == 0 || r.UpTo > s.State.LastSeq {
		r.UpTo = s.State.LastSeq
	}
	cfg := s.StreamInfo.Config
	if cfg.Retention == api.LimitsPolicy && (r.Limit == 0 || r.Limit > smallScan) {
		f := &follower{c: c, stream: cfg.Name, r: r, each: each}
		if err := f.begin(ctx); err == nil {
			return f.run(ctx)
		} else if ctx.Err() != nil || fail.CodeOf(err) == fail.NotFound {
			return err
		}
	}
	return c.Read(ctx, cfg.Name, r, cfg.AllowDirect, each)
}

// follower reads a range with an ordered consumer.
type follower struct {
	c      *Client
	stream string
	r      Range
	each   func(*DirectMessage) error

	consumer jetstream.Consumer
	count    uint64
	over     bool
	done     chan error
	seen     atomic.Uint64 // messages handed on
	busy     atomic.Bool   // one is being handed on
}

// begin makes the consumer.
func (f *follower) begin(ctx context.Context) error {
	cfg := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, InactiveThreshold: 30 * time.Second}
	if f.r.Filter != "" {
		cfg.FilterSubjects = []string{f.r.Filter}
	}
	switch {
	case f.r.Since != nil:
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, f.r.Since
	case f.r.Seq > 1:
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, f.r.Seq
	}
	ctx, cancel := context.WithTimeout(ctx, f.c.timeout)
	defer cancel()
	ctx, release := f.c.guard.hold(ctx, f.c.prefix+"CONSUMER.CREATE."+f.stream)
	defer release()
	var err error
	f.consumer, err = f.c.js.OrderedConsumer(ctx, f.stream, cfg)
	return err
}

// idleLook is how long nothing may arrive before the consumer is asked whether there is anything left: what was to come may have
// been removed meanwhile.
const idleLook = 2 * time.Second

func (f *follower) run(ctx context.Context) error {
	defer f.remove(ctx)
	if f.consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	f.done = make(chan error, 1)
	cc, err := f.consumer.Consume(f.take, jetstream.PullMaxMessages(2000))
	if err != nil {
		return err
	}
	err = f.wait(ctx)
	cc.Stop()
	<-cc.Closed()
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

func (f *follower) wait(ctx context.Context) error {
	tick := time.NewTicker(idleLook)
	defer tick.Stop()
	for last := uint64(0); ; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-f.done:
			return err
		case <-tick.C:
			if n := f.seen.Load(); n != last || f.busy.Load() {
				last = n
				continue
			}
			ictx, cancel := context.WithTimeout(ctx, f.c.timeout)
			info, err := f.consumer.Info(ictx)
			cancel()
			if err == nil && info.NumPending == 0 && f.seen.Load() == last && !f.busy.Load() {
				return nil
			}
		}
	}
}

// take hands a message on; the library calls it for one after the other.
func (f *follower) take(m jetstream.Msg) {
	if f.over {
		return
	}
	f.busy.Store(true)
	defer f.busy.Store(false)
	meta, ok := delivery.Parse(m.Reply())
	if !ok {
		f.end(fmt.Errorf("stream %s: %q is no reply subject of a consumer", f.stream, m.Reply()))
		return
	}
	if meta.Sequence > f.r.UpTo {
		f.end(ErrStop)
		return
	}
	f.seen.Add(1)
	f.count++
	err := f.each(&DirectMessage{Subject: m.Subject(), Sequence: meta.Sequence, Time: meta.Time, Header: m.Headers(), Data: m.Data(), Pending: meta.Pending})
	switch {
	case err != nil:
		f.end(err)
	case meta.Pending == 0, meta.Sequence >= f.r.UpTo, f.r.Limit > 0 && f.count >= f.r.Limit:
		f.end(ErrStop)
	}
}

func (f *follower) end(err error) {
	f.over = true
	f.done <- err
}

// remove takes the consumer away at once, also after an interrupt.
func (f *follower) remove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(f.c.timeout, 5*time.Second))
	defer cancel()
	_ = f.c.js.DeleteConsumer(ctx, f.stream, f.consumer.CachedInfo().Name) // it goes by itself if this fails
}
