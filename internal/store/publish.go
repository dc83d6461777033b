package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The window of a publisher: messages and bytes sent and not yet acknowledged.
const (
	publishWindow = 4096
	publishBytes  = 16 << 20
)

// acked tells what became of one message: its sequence, or why it was not stored. It is called once for each message, from
// one goroutine at a time.
type acked func(tag, seq uint64, err error)

// publisher sends messages to a stream without waiting for each acknowledgement, and accounts for every one of them.
type publisher struct {
	nc    *nats.Conn
	idle  time.Duration // without any acknowledgement for this long, what is outstanding has failed
	inbox string        // with its dot
	sub   *nats.Subscription
	done  acked
	free  chan int32

	mu       sync.Mutex
	slots    []slot
	bytes    int
	out      int
	last     time.Time
	progress chan struct{} // something was acknowledged
}

type slot struct {
	tag  uint64
	gen  uint64
	size int
	busy bool
}

// newPublisher makes a publisher whose outcomes go to done; the caller must end it with close.
func (c *Client) newPublisher(done acked) (*publisher, error) {
	p := &publisher{
		nc: c.nc, idle: c.timeout, inbox: c.nc.NewInbox() + ".", done: done, slots: make([]slot, publishWindow),
		free: make(chan int32, publishWindow), progress: make(chan struct{}, 1), last: time.Now(),
	}
	for i := range p.slots {
		p.free <- int32(i)
	}
	sub, err := c.nc.Subscribe(p.inbox+"*.*", p.ack)
	if err != nil {
		return nil, err
	}
	_ = sub.SetPendingLimits(-1, -1)
	p.sub = sub
	return p, nil
}

// send publishes one message once the window has room; tag comes back with its outcome.
func (p *publisher) send(ctx context.Context, tag uint64, m *nats.Msg) error {
	var i int32
	select {
	case i = <-p.free:
	default:
		if err := p.waitFor(ctx, func() bool { return len(p.free) > 0 }); err != nil {
			return err
		}
		i = <-p.free
	}
	size := len(m.Subject) + len(m.Data) + 64
	if err := p.waitFor(ctx, func() bool { return p.bytes == 0 || p.bytes+size <= publishBytes }); err != nil {
		p.free <- i
		return err
	}
	p.mu.Lock()
	s := &p.slots[i]
	s.tag, s.size, s.busy = tag, size, true
	s.gen++
	gen := s.gen
	if p.out == 0 {
		p.last = time.Now()
	}
	p.out++
	p.bytes += size
	p.mu.Unlock()
	m.Reply = p.inbox + strconv.Itoa(int(i)) + "." + strconv.FormatUint(gen, 36)
	if err := p.nc.PublishMsg(m); err != nil {
		p.finish(i, gen, 0, err)
		return err
	}
	return nil
}

// wait returns when every message sent has its outcome; what nobody answered for has failed by then.
func (p *publisher) wait(ctx context.Context) error {
	return p.waitFor(ctx, func() bool { return p.out == 0 })
}

// waitFor blocks until ok, judged under the lock, is true. When nothing moves for the idle time the outstanding messages
// are given up, which makes room too.
func (p *publisher) waitFor(ctx context.Context, ok func() bool) error {
	p.mu.Lock()
	good := ok()
	p.mu.Unlock()
	if good {
		return nil
	}
	timer := time.NewTimer(p.idle)
	defer timer.Stop()
	for {
		p.mu.Lock()
		good, quiet := ok(), time.Since(p.last)
		p.mu.Unlock()
		switch {
		case good:
			return nil
		case p.nc.IsClosed():
			return nats.ErrConnectionClosed
		case quiet >= p.idle:
			p.giveUp()
			continue
		}
		timer.Reset(p.idle - quiet)
		select {
		case <-p.progress:
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (p *publisher) giveUp() {
	for i := range p.slots {
		p.mu.Lock()
		busy, gen := p.slots[i].busy, p.slots[i].gen
		p.mu.Unlock()
		if busy {
			p.finish(int32(i), gen, 0, fmt.Errorf("no acknowledgement within %s: %w", p.idle, nats.ErrTimeout))
		}
	}
}

// finish records the outcome of the message in slot i unless it had one before.
func (p *publisher) finish(i int32, gen, seq uint64, err error) {
	p.mu.Lock()
	s := &p.slots[i]
	if !s.busy || s.gen != gen {
		p.mu.Unlock()
		return
	}
	s.busy = false
	p.out--
	p.bytes -= s.size
	p.last = time.Now()
	p.done(s.tag, seq, err)
	p.mu.Unlock()
	p.free <- i
	select {
	case p.progress <- struct{}{}:
	default:
	}
}

// ack reads one acknowledgement; the slot stands in its subject.
func (p *publisher) ack(m *nats.Msg) {
	at, gen, found := strings.Cut(strings.TrimPrefix(m.Subject, p.inbox), ".")
	i, err := strconv.Atoi(at)
	if !found || err != nil || i < 0 || i >= len(p.slots) {
		return
	}
	g, err := strconv.ParseUint(gen, 36, 64)
	if err != nil {
		return
	}
	seq, err := readAck(m)
	p.finish(int32(i), g, seq, err)
}

func (p *publisher) close() { _ = p.sub.Unsubscribe() }

// readAck reads the answer to a publish: the sequence, or the error of the server.
func readAck(m *nats.Msg) (uint64, error) {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return 0, jetstream.ErrNoStreamResponse
	}
	if !bytes.Contains(m.Data, []byte(`"error"`)) {
		if at := bytes.Index(m.Data, []byte(`"seq":`)); at >= 0 {
			rest := bytes.TrimLeft(m.Data[at+6:], " ")
			end := 0
			for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
				end++
			}
			return strconv.ParseUint(string(rest[:end]), 10, 64)
		}
	}
	var r struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &r); err != nil {
		return 0, fmt.Errorf("answer to a publish: %w", err)
	}
	if r.Error == nil {
		return 0, errors.New("the answer to a publish has no sequence")
	}
	return 0, r.Error
}
