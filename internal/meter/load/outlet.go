package load

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/wire"
)

// publish is the work of a core publisher.
func publish(ctx context.Context, w *crew.Worker) error { return crew.PublishTo(ctx, w, dialOutlet) }

func dialOutlet(ctx context.Context, g *crew.Group, w *crew.Worker) (crew.Outlet, error) {
	if g.Spec.Engine == crew.NatsGo {
		c, err := g.DialNats(ctx, nil)
		if err != nil {
			return nil, err
		}
		return &natsOutlet{Client: c, quiet: quiet{limit: g.World.Timeout}}, nil
	}
	conn, err := g.DialWire(ctx)
	if err != nil {
		return nil, err
	}
	o := &wireOutlet{conn: conn, pub: wire.NewPublisher(context.WithoutCancel(ctx), conn, false), w: conn.Writer(), quiet: quiet{limit: g.World.Timeout}}
	if _, err := o.pub.Confirm(ctx); err != nil { // with the answer its reader is known to be at work: PINGs beside it are safe
		o.Close()
		return nil, err
	}
	return o, nil
}

// quiet notices that a server does not answer PINGs any more: it has to end the run, since writes may go on for long into the buffers
// on the way.
type quiet struct {
	limit time.Duration
	since atomic.Int64 // unix nanoseconds of a PING that nobody waits for; 0 when it was answered
	gone  atomic.Bool  // one that somebody waited for was not
}

// heard takes the end of a PING that was waited for.
func (q *quiet) heard(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		q.gone.Store(true)
	}
	return err
}

func (q *quiet) err() error {
	at := q.since.Load()
	if q.gone.Load() || at != 0 && time.Since(time.Unix(0, at)) > q.limit {
		return fmt.Errorf("the server has not answered for %s: %w", q.limit, nats.ErrTimeout)
	}
	return nil
}

// wireOutlet publishes with the wire engine.
type wireOutlet struct {
	conn   *wire.Conn
	pub    *wire.Publisher // reads the connection
	w      *wire.Writer
	header []byte
	frame  []byte
	quiet  quiet
}

func (o *wireOutlet) Head(h nats.Header) (err error) {
	o.header, err = wire.AppendHeader(o.header[:0], h)
	return err
}

func (o *wireOutlet) Put(subject, body []byte, _ time.Duration, _ int) error {
	return o.known(o.w.PubBytes(subject, nil, o.header, body))
}

// repeat checks the first message like any other and encodes the rest once.
func (o *wireOutlet) Repeat(subject, body []byte, n int) error {
	if o.frame == nil {
		if err := o.Put(subject, body, 0, -1); err != nil {
			return err
		}
		n--
		o.frame = wire.EncodePub(nil, string(subject), "", o.header, body)
		if err := o.Flush(); err != nil {
			return err
		}
	}
	if n == 0 {
		return nil
	}
	return o.known(o.w.Repeat(o.frame, n))
}

func (o *wireOutlet) Frame(subject, body []byte) []byte {
	return wire.EncodePub(nil, string(subject), "", o.header, body)
}

func (o *wireOutlet) Frames(frames []byte, n, payload int) error {
	return o.known(o.w.Frames(frames, n, payload))
}

func (o *wireOutlet) Flush() error { return o.known(o.w.Flush()) }

// known prefers what the server said to the error of a write.
func (o *wireOutlet) known(err error) error {
	if err == nil || !errors.Is(err, nats.ErrDisconnected) {
		return err
	}
	_, told := o.pub.Confirm(context.Background()) // ends at once: the connection is gone
	if told != nil {
		return told
	}
	return err
}

func (o *wireOutlet) Ping(ctx context.Context) error {
	return o.quiet.heard(o.conn.Ping(ctx))
}

// Mark has f told when the server has processed what was handed over so far.
func (o *wireOutlet) Mark(f func(error)) error {
	o.quiet.since.Store(time.Now().UnixNano())
	return o.known(o.w.Mark(func(err error) {
		o.quiet.since.Store(0)
		f(err)
	}))
}

func (o *wireOutlet) Failed() error {
	if err := o.pub.Err(); err != nil {
		return err
	}
	return o.quiet.err()
}

func (o *wireOutlet) Denied() int64 { return int64(o.pub.Receipt().Denied) }

func (o *wireOutlet) WireBytes() int64 {
	s := o.conn.Stats()
	return int64(s.InBytes + s.OutBytes)
}

func (o *wireOutlet) Close() {
	o.pub.Close()
	_ = o.conn.Close()
}

// natsOutlet publishes with nats.go.
type natsOutlet struct {
	*crew.Client
	header nats.Header
	quiet  quiet
}

func (o *natsOutlet) Head(h nats.Header) error {
	o.header = h
	return nil
}

func (o *natsOutlet) Put(subject, body []byte, _ time.Duration, _ int) error {
	if o.header == nil {
		return o.Publish(string(subject), body)
	}
	return o.PublishMsg(&nats.Msg{Subject: string(subject), Data: body, Header: o.header})
}

func (o *natsOutlet) Repeat(subject, body []byte, n int) error {
	name := string(subject)
	for range n {
		var err error
		if o.header == nil {
			err = o.Publish(name, body)
		} else {
			err = o.PublishMsg(&nats.Msg{Subject: name, Data: body, Header: o.header})
		}
		if err != nil {
			return o.Known(err)
		}
	}
	return nil
}

// flush leaves the writing to nats.go's own goroutine, as an application does.
func (o *natsOutlet) Flush() error { return o.Failed() }

func (o *natsOutlet) Ping(ctx context.Context) error {
	if err := o.quiet.heard(o.FlushWithContext(ctx)); err != nil {
		return o.Known(err)
	}
	return nil
}

func (o *natsOutlet) Failed() error {
	if err := o.Client.Failed(); err != nil {
		return err
	}
	return o.quiet.err()
}

func (o *natsOutlet) Denied() int64 { return o.Refused.Load() }

func (o *natsOutlet) Close() { o.Shut() }
