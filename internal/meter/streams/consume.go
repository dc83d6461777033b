package streams

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
)

// defaultConsumer is the durable that a run makes for itself; one of another name has to exist.
const defaultConsumer = "nats-bench"

// heartbeat is how often the server says that it still knows of a client's pull. nats.go asks again when it misses two. It also
// forgets to ask now and then: it looks whether it has to after each message, but not while it is still sending the last pull, and
// on a busy machine all messages of that pull may have come by then. With its own 15 seconds such a client stood still for 30.
const heartbeat = 500 * time.Millisecond

// reader is one client that reads from a stream.
type reader struct {
	w    *crew.Worker
	spec *crew.Spec
	pool *pool
	c    *crew.Client
	js   jetstream.JetStream
	got  int64 // after the warm-up

	mu   sync.Mutex // callbacks may still run when the client has given up
	over bool
}

func (r *reader) run(ctx context.Context, work func(*reader, context.Context) error) error {
	ended := make(chan error, 1)
	c, err := r.w.Group.DialNats(ctx, func(err error) {
		select {
		case ended <- err:
		default:
		}
	})
	if err != nil {
		return fmt.Errorf("client number %d failed to connect: %w", r.w.Number(), err)
	}
	defer func() {
		r.mu.Lock()
		r.over = true
		r.mu.Unlock()
		r.w.Extra.WireBytes = c.WireBytes()
		c.Shut()
	}()
	r.c = c
	if r.js, err = r.w.Group.World.JetStream(c.Conn); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case err := <-ended:
			cancel(err)
			c.Close() // ends waits that know no context
		case <-stop:
		}
	})
	defer watch.Wait()
	defer close(stop)
	if err = work(r, ctx); err != nil && context.Cause(ctx) == nil && !crew.IsIdle(err) {
		err = c.Known(err)
	}
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return cause
	}
	return err
}

// take counts a message and reports whether it was the last of the run.
func (r *reader) take(size int64) (last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return true
	}
	now := r.w.Run().Now()
	r.w.Add(1, size, now)
	if r.w.Warm(now) {
		r.pool.left.Add(1) // it does not count
		return false
	}
	r.got++
	return r.spec.Bounded() && r.pool.still.Add(-1) == 0
}

// complete reports that a client with a number of its own has it; what comes after is not counted.
func (r *reader) complete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = r.over || r.enough()
	return r.over
}

// share is how many messages a client asks for at a time: no more than its part, so that none holds what others wait for.
func (r *reader) share() int {
	n := r.spec.Stream.Batch
	if r.spec.Bounded() {
		n = int(min(int64(n), max(r.w.Share.Messages, 1)))
	}
	return max(n, 1)
}

func (r *reader) acknowledge(ctx context.Context, m jetstream.Msg) error {
	switch {
	case r.spec.Stream.Acks == "none":
		return nil
	case r.spec.Stream.DoubleAck:
		ctx, cancel := context.WithTimeout(ctx, r.w.Group.World.Timeout)
		defer cancel()
		return m.DoubleAck(ctx)
	}
	return m.Ack()
}

func messageSize(m jetstream.Msg) int64 { return int64(len(m.Data()) + crew.HeaderSize(m.Headers())) }

// prepareConsumer makes or finds the durable consumer of the run.
func (g *group) prepareConsumer(ctx context.Context, r *meter.Report) (func(), error) {
	ctx, c, stream, err := g.existing(ctx, r)
	if err != nil {
		return nil, err
	}
	end := g.undo(ctx, c, "", nil)
	s := g.Spec.Stream
	if s.Consumer != defaultConsumer {
		if _, err := stream.Consumer(ctx, s.Consumer); err != nil {
			return end, fmt.Errorf("getting durable consumer '%s': %w", s.Consumer, c.told(err))
		}
		return end, nil
	}
	old, missing := stream.Consumer(ctx, s.Consumer)
	if missing == nil && old.CachedInfo().NumPending+uint64(old.CachedInfo().NumAckPending) == 0 { // used up: begin anew
		if err := stream.DeleteConsumer(ctx, s.Consumer); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return end, fmt.Errorf("consumer %s: %w", s.Consumer, c.told(err))
		}
		missing = jetstream.ErrConsumerNotFound
	}
	cfg := jetstream.ConsumerConfig{
		Durable: s.Consumer, DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: ackPolicy(s.Acks), ReplayPolicy: jetstream.ReplayInstantPolicy,
		MaxAckPending: max(s.Batch*g.Spec.All(), 1), InactiveThreshold: 10 * time.Second, FilterSubjects: s.Filters,
	}
	if s.Acks == "none" {
		cfg.MaxAckPending = 0
	}
	if _, err := stream.CreateOrUpdateConsumer(ctx, cfg); err != nil {
		return end, fmt.Errorf("creating durable consumer '%s': %w", s.Consumer, c.told(err))
	}
	if missing == nil || g.Spec.AllClients > 0 { // others use it too
		return end, nil
	}
	return func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.World.Timeout)
		defer cancel()
		_ = stream.DeleteConsumer(bounded, s.Consumer) // it would expire by itself
		c.Shut()
	}, nil
}

func ackPolicy(name string) jetstream.AckPolicy {
	switch name {
	case "none":
		return jetstream.AckNonePolicy
	case "all":
		return jetstream.AckAllPolicy
	}
	return jetstream.AckExplicitPolicy
}

func (g *group) prepareReading(ctx context.Context, r *meter.Report) (func(), error) {
	_, c, _, err := g.existing(ctx, r)
	if err != nil {
		return nil, err
	}
	return c.Shut, nil
}

// consumeWork receives by callback.
func (r *reader) consumeWork(ctx context.Context) error {
	cons, err := r.js.Consumer(ctx, r.spec.Stream.Name, r.spec.Stream.Consumer)
	if err != nil {
		return fmt.Errorf("getting durable consumer '%s': %w", r.spec.Stream.Consumer, err)
	}
	return r.callback(ctx, cons)
}

// orderedWork receives by callback from an ordered consumer of its own.
func (r *reader) orderedWork(ctx context.Context) error {
	cons, err := r.js.OrderedConsumer(ctx, r.spec.Stream.Name, jetstream.OrderedConsumerConfig{
		FilterSubjects: r.spec.Stream.Filters, DeliverPolicy: jetstream.DeliverAllPolicy, InactiveThreshold: 10 * time.Second})
	if err != nil {
		return fmt.Errorf("creating an ordered consumer on stream %s: %w", r.spec.Stream.Name, err)
	}
	return r.callback(ctx, cons)
}

// part lets the library end what it began, and closes the connection when that takes long: it waits for a server that may be gone.
func (r *reader) part() (done func()) {
	t := time.AfterFunc(time.Second, r.c.Close)
	return func() { t.Stop() }
}

func (r *reader) callback(ctx context.Context, cons jetstream.Consumer) error {
	if err := r.w.Ready(ctx); err != nil {
		return err
	}
	r.pool.ask(cons.Info)
	r.w.Set(meter.Consuming)
	ordered := r.spec.Kind == "js ordered"
	ended := make(chan error, 1)
	end := func(err error) {
		select {
		case ended <- err:
		default:
		}
	}
	// Both the callback and its buffer are of the library: what arrives after the end goes back to the stream.
	cc, err := cons.Consume(func(m jetstream.Msg) {
		if !ordered && r.pool.claim(1) == 0 {
			_ = m.Nak()
			end(nil)
			return
		}
		last := r.take(messageSize(m))
		if !ordered {
			if err := r.acknowledge(ctx, m); err != nil {
				end(fmt.Errorf("acknowledging: %w", err))
			}
		} else if r.complete() {
			end(nil)
		}
		if last && !ordered {
			r.w.Group.End(crew.ErrEnough)
		}
		if crew.Pause(ctx, r.spec.Sleep) != nil {
			return
		}
	}, jetstream.PullMaxMessages(r.share()), jetstream.PullHeartbeat(heartbeat), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
		r.pool.said.Store(&err)
		if errors.Is(err, jetstream.ErrNoHeartbeat) {
			r.pool.stalls.Add(1)
		}
		if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConsumerNotFound) {
			end(err)
		}
	}))
	if err != nil {
		return fmt.Errorf("consuming: %w", err)
	}
	defer func() {
		defer r.part()()
		cc.Stop()
		<-cc.Closed()
	}()
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-cc.Closed(): // by itself: nothing would come any more
		err = errors.New("the library stopped consuming")
		if e := r.pool.said.Load(); e != nil {
			err = fmt.Errorf("consuming: %w", *e)
		}
	}
	return err
}

// fetchWork receives batch by batch.
func (r *reader) fetchWork(ctx context.Context) error {
	cons, err := r.js.Consumer(ctx, r.spec.Stream.Name, r.spec.Stream.Consumer)
	if err != nil {
		return fmt.Errorf("getting durable consumer '%s': %w", r.spec.Stream.Consumer, err)
	}
	if err := r.w.Ready(ctx); err != nil {
		return err
	}
	r.pool.ask(cons.Info)
	r.w.Set(meter.Fetching)
	for {
		n := r.pool.claim(int64(r.share()))
		if n == 0 {
			if r.pool.still.Load() == 0 {
				return nil
			}
			// The rest is claimed by others, who may yet give it back.
			if err := crew.Pause(ctx, 10*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		got, err := r.fetch(ctx, cons, n)
		if r.spec.Bounded() {
			r.pool.left.Add(n - got)
		}
		if err != nil {
			return err
		}
	}
}

func (r *reader) fetch(ctx context.Context, cons jetstream.Consumer, n int64) (got int64, err error) {
	bounded, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	start := r.w.Run().Now()
	b, err := cons.Fetch(int(n), jetstream.FetchContext(bounded))
	if err != nil {
		return 0, fmt.Errorf("fetching from the consumer '%s': %w", r.spec.Stream.Consumer, err)
	}
	for m := range b.Messages() {
		got++
		r.take(messageSize(m))
		if err := r.acknowledge(ctx, m); err != nil {
			return got, fmt.Errorf("acknowledging: %w", err)
		}
		if err := crew.Pause(ctx, r.spec.Sleep); err != nil {
			return got, err
		}
	}
	if ctx.Err() != nil {
		return got, context.Cause(ctx)
	}
	if got > 0 {
		now := r.w.Run().Now()
		r.w.LatencyN(now-start, 1, now)
	}
	err = b.Error()
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, jetstream.ErrNoMessages) {
		err = nil // there may be more later; the run watches for its end
	}
	if err != nil {
		err = fmt.Errorf("fetching from the consumer '%s': %w", r.spec.Stream.Consumer, err)
	}
	return got, err
}
