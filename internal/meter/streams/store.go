package streams

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/wire"
)

// storeOutlet publishes to a stream with the wire engine.
type storeOutlet struct {
	w       *crew.Worker
	spec    *crew.Spec
	mode    string
	conn    *wire.Conn
	out     *wire.Writer
	inbox   string // without the last token
	head    []byte // headers without the end of the block; empty without any
	subject []byte // of the first message
	prefix  string // of deduplication ids
	batch   string // id of the batch
	inThis  int    // messages of the batch so far
	held    *held  // of an atomic batch: the message that may turn out to be its last
	reply   []byte
	header  []byte
	stop    context.CancelFunc
	ctx     context.Context
	reader  sync.WaitGroup
	refuse  atomic.Int64

	mu     sync.Mutex
	more   *sync.Cond
	queue  []owed // messages, in order of their numbers; those before popped are acknowledged
	popped int
	first  int64       // number of queue[popped]
	wake   func() bool // what the sender waits for, nil while it does not
	roomy  func() bool // half of the window is empty
	sent   int64       // number of the next message
	window int64       // messages that may be on their way
	told   bool        // fast: the server has said how often it acknowledges
	done   bool        // the batch is committed
	err    error
}

// owed is a message that waits for its acknowledgement.
type owed struct {
	from time.Duration
	size int32
	step int16
	done bool
}

type held struct {
	subject, head, body []byte
	from                time.Duration
	step                int
}

func dialStore(ctx context.Context, g *crew.Group, w *crew.Worker) (crew.Outlet, error) {
	if g.Spec.Engine == crew.NatsGo {
		return dialNatsStore(ctx, g, w)
	}
	conn, err := g.DialWire(ctx)
	if err != nil {
		return nil, err
	}
	opts, err := g.World.Options(ctx)
	if err != nil {
		return nil, err
	}
	s := g.Spec
	o := &storeOutlet{w: w, spec: s, mode: s.Kind, conn: conn, out: conn.Writer(), inbox: crew.NewInbox(opts.InboxPrefix),
		prefix: strconv.FormatInt(time.Now().UnixMilli(), 16) + "-" + strconv.Itoa(s.FirstClient+w.Index) + "-", window: int64(max(s.Stream.Batch, 1))}
	o.more = sync.NewCond(&o.mu)
	o.roomy = func() bool { return o.owing() <= o.window/2 }
	switch o.mode {
	case crew.ModeSync:
		o.window = 1
	case crew.ModeAtomic:
		o.window = 1 << 30 // the batch is the window
	case crew.ModeFast:
		o.window, o.batch = 1, nuid.Next()
	}
	if _, err := conn.Subscribe(o.inbox+".>", ""); err != nil {
		_ = conn.Close()
		return nil, err
	}
	if err := conn.Ping(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return o, nil
}

// begin starts to read acknowledgements.
func (o *storeOutlet) Begin(ctx context.Context) {
	o.ctx = ctx
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	o.stop = stop
	o.reader.Go(func() {
		err := o.conn.Read(reading, wire.Handler{Msg: o.acknowledged})
		err = crew.Known(reading, o.conn, err)
		if reading.Err() == nil {
			o.fail(err)
		}
	})
	free := context.AfterFunc(ctx, func() {
		o.mu.Lock()
		o.more.Broadcast()
		o.mu.Unlock()
	})
	o.stop = func() { free(); stop() }
}

func (o *storeOutlet) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil && err != nil {
		o.err = err
		if strings.Contains(err.Error(), nats.ErrPermissionViolation.Error()) {
			o.refuse.Store(o.owing())
		}
	}
	o.more.Broadcast()
}

// Head sets the header that messages have besides those of their batch and their number.
func (o *storeOutlet) Head(h nats.Header) (err error) {
	o.head, err = wire.AppendHeader(o.head[:0], h)
	if err == nil && len(h) == 0 && (o.spec.Stream.Dedup || o.mode == crew.ModeAtomic) {
		o.head = append(o.head, "NATS/1.0\r\n\r\n"...)
	}
	o.head = bytes.TrimSuffix(o.head, []byte("\r\n"))
	return err
}

// Put sends a message when the window has room for it.
func (o *storeOutlet) Put(subject, body []byte, from time.Duration, step int) error {
	if o.mode != crew.ModeAtomic {
		if err := o.room(); err != nil {
			return err
		}
		return o.emit(subject, o.head, body, from, step, false)
	}
	if h := o.held; h != nil {
		if err := o.emit(h.subject, h.head, h.body, h.from, h.step, false); err != nil {
			return err
		}
	} else {
		o.held, o.batch, o.inThis = &held{}, o.prefix+strconv.FormatInt(o.sent, 10), 0
	}
	h := o.held
	h.subject, h.head, h.body = append(h.subject[:0], subject...), append(h.head[:0], o.head...), append(h.body[:0], body...)
	h.from, h.step = from, step
	if o.inThis == o.spec.Stream.Batch-1 {
		return o.commit()
	}
	return nil
}

// commit sends the held message as the end of the batch and waits for the stream's word on it.
func (o *storeOutlet) commit() error {
	h := o.held
	if h == nil {
		return nil
	}
	o.held = nil
	o.w.Set(meter.Committing)
	if err := o.emit(h.subject, h.head, h.body, h.from, h.step, true); err != nil {
		return err
	}
	if err := o.out.Flush(); err != nil {
		return o.known(err)
	}
	defer o.w.Set(meter.Batching)
	return o.await(o.ctx, func() bool { return o.owing() == 0 })
}

// room waits until the window has room. It lets the window run half empty, so that writes are large.
func (o *storeOutlet) room() error {
	o.mu.Lock()
	full := o.owing() >= o.window
	err := o.err
	o.mu.Unlock()
	if err != nil || !full {
		return err
	}
	if err := o.out.Flush(); err != nil {
		return o.known(err)
	}
	return o.await(o.ctx, o.roomy)
}

// await waits until cond, which is called with the lock held, or the end of ctx.
func (o *storeOutlet) await(ctx context.Context, cond func() bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wake = cond
	defer func() { o.wake = nil }()
	for !cond() {
		if o.err != nil {
			return o.err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		o.more.Wait()
	}
	return o.err
}

func (o *storeOutlet) emit(subject, head, body []byte, from time.Duration, step int, last bool) error {
	n := o.sent
	header := o.headerOf(head, n, last)
	o.mu.Lock()
	o.queue = append(o.queue, owed{from: from, size: int32(len(header) + len(body)), step: int16(step)})
	o.sent++
	o.mu.Unlock()
	o.inThis++
	var reply []byte
	switch {
	case o.mode == crew.ModeFast:
		op := 1
		if n == 0 {
			op = 0
		}
		reply = o.flowReply(n+1, op)
	case o.mode != crew.ModeAtomic || last:
		o.reply = append(append(o.reply[:0], o.inbox...), '.')
		reply = strconv.AppendInt(o.reply, n, 10)
		o.reply = reply
	}
	if err := o.out.PubBytes(subject, reply, header, body); err != nil {
		return o.known(err)
	}
	switch {
	case o.mode == crew.ModeSync:
		return o.Flush()
	case o.mode == crew.ModeFast && n == 0: // a ping asks how often the server will acknowledge
		o.subject = append(o.subject, subject...)
		if err := o.out.PubBytes(subject, o.flowReply(1, 4), nil, nil); err != nil {
			return o.known(err)
		}
	}
	return nil
}

// headerOf is the header block of message n that begins with head, nil when it has none. It is valid until the next call.
func (o *storeOutlet) headerOf(head []byte, n int64, last bool) []byte {
	if len(head) == 0 {
		return nil
	}
	b := append(o.header[:0], head...)
	if o.spec.Stream.Dedup {
		b = append(append(b, "Nats-Msg-Id: "...), o.prefix...)
		b = append(strconv.AppendInt(b, n, 10), "\r\n"...)
	}
	if o.mode == crew.ModeAtomic {
		b = append(append(b, "Nats-Batch-Id: "...), o.batch...)
		b = strconv.AppendInt(append(b, "\r\nNats-Batch-Sequence: "...), int64(o.inThis)+1, 10)
		b = append(b, "\r\n"...)
		if last {
			b = append(b, "Nats-Batch-Commit: 1\r\n"...)
		}
	}
	o.header = append(b, "\r\n"...)
	return o.header
}

// owing is how many messages wait for an acknowledgement; the caller holds the lock.
func (o *storeOutlet) owing() int64 { return int64(len(o.queue) - o.popped) }

func (o *storeOutlet) Repeat([]byte, []byte, int) error {
	return errors.New("a storer gives each message its own time")
}

func (o *storeOutlet) Flush() error {
	if err := o.out.Flush(); err != nil {
		return o.known(err)
	}
	return nil
}

// known prefers what the server said to the error of a write.
func (o *storeOutlet) known(err error) error {
	if told := o.Failed(); told != nil {
		return told
	}
	return err
}

func (o *storeOutlet) Failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

func (o *storeOutlet) Drain(ctx context.Context) (int64, error) {
	free := context.AfterFunc(ctx, func() {
		o.mu.Lock()
		o.more.Broadcast()
		o.mu.Unlock()
	})
	defer free()
	o.ctx = ctx
	err := o.Failed()
	if err == nil {
		err = o.last(ctx)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	left := o.owing() - o.refuse.Load()
	if o.err == nil && left == 0 {
		o.w.End(o.w.Run().Now())
	}
	if err == context.DeadlineExceeded {
		err = fmt.Errorf("waiting for the acknowledgements of %d messages: %w", left, nats.ErrTimeout)
	}
	return left, err
}

// last ends a batch and waits for what is on its way.
func (o *storeOutlet) last(ctx context.Context) error {
	switch {
	case o.mode == crew.ModeAtomic:
		return o.commit()
	case o.mode == crew.ModeFast && o.sent > 0:
		if err := o.out.PubBytes(o.subject, o.flowReply(o.sent+1, 3), nil, nil); err != nil {
			return o.known(err)
		}
		if err := o.out.Flush(); err != nil {
			return o.known(err)
		}
		return o.await(ctx, func() bool { return o.done && o.owing() == 0 })
	}
	if err := o.out.Flush(); err != nil {
		return o.known(err)
	}
	return o.await(ctx, func() bool { return o.owing() == 0 })
}

func (o *storeOutlet) Ping(ctx context.Context) error { return o.conn.Ping(ctx) }

func (o *storeOutlet) Denied() int64 { return o.refuse.Load() }

func (o *storeOutlet) WireBytes() int64 {
	s := o.conn.Stats()
	return int64(s.InBytes + s.OutBytes)
}

func (o *storeOutlet) Close() {
	if o.stop != nil {
		o.stop()
	}
	_ = o.conn.Close()
	o.reader.Wait()
}
