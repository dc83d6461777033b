// Package acked sends messages to a stream without waiting for each acknowledgement and accounts for every one of them, as fast
// as the server stores them.
package acked

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
	window      = 4096
	windowBytes = 8 << 20
)

// Publisher sends messages to a stream and accounts for every one of them. What stands for a message, a T, comes back with its
// outcome. Send and Wait belong to one goroutine.
type Publisher[T any] struct {
	nc    *nats.Conn
	idle  time.Duration // without any acknowledgement for this long, what is outstanding has failed
	inbox string        // with its dot
	sub   *nats.Subscription
	done  func(what T, seq uint64, err error)

	mu       sync.Mutex
	slots    []slot[T]
	free     []int32
	bytes    int
	last     time.Time // of the latest acknowledgement, or of the first send after silence
	waiting  bool      // somebody waits for at most maxOut messages and maxBytes bytes to be outstanding
	maxOut   int
	maxBytes int
	progress chan struct{}
}

type slot[T any] struct {
	what T
	gen  uint64
	size int
	busy bool
}

// New makes a publisher that tells done the outcome of each message: its sequence, or why it was not stored. done is called once
// for each, from one goroutine at a time. When nothing is acknowledged for idle, what is outstanding has failed. The caller must
// end the publisher with Close.
func New[T any](nc *nats.Conn, idle time.Duration, done func(what T, seq uint64, err error)) (*Publisher[T], error) {
	p := &Publisher[T]{
		nc: nc, idle: idle, inbox: nc.NewInbox() + ".", done: done, slots: make([]slot[T], window),
		free: make([]int32, 0, window), progress: make(chan struct{}, 1), last: time.Now(),
	}
	for i := range p.slots {
		p.free = append(p.free, int32(i))
	}
	sub, err := nc.Subscribe(p.inbox+"*.*", p.ack)
	if err != nil {
		return nil, err
	}
	_ = sub.SetPendingLimits(-1, -1)
	p.sub = sub
	return p, nil
}

// outstanding is how many messages have no outcome. Lock held.
func (p *Publisher[T]) outstanding() int { return len(p.slots) - len(p.free) }

// Send publishes one message once the window has room; what comes back with its outcome.
func (p *Publisher[T]) Send(ctx context.Context, what T, m *nats.Msg) error {
	size := len(m.Subject) + len(m.Data) + 64
	p.mu.Lock()
	for len(p.free) == 0 || p.bytes > 0 && p.bytes+size > windowBytes {
		p.mu.Unlock()
		// With a good part of the window free again, many messages are sent for each time this goroutine wakes.
		if err := p.until(ctx, window*3/4, max(0, min(windowBytes*3/4, windowBytes-size))); err != nil {
			return err
		}
		p.mu.Lock()
	}
	i := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	s := &p.slots[i]
	s.what, s.size, s.busy = what, size, true
	s.gen++
	gen := s.gen
	if p.outstanding() == 1 {
		p.last = time.Now()
	}
	p.bytes += size
	p.mu.Unlock()
	m.Reply = p.inbox + strconv.Itoa(int(i)) + "." + strconv.FormatUint(gen, 36)
	if err := p.nc.PublishMsg(m); err != nil {
		p.finish(i, gen, 0, err)
		return err
	}
	return nil
}

// Wait returns when every message sent has its outcome; what nobody answered for has failed by then.
func (p *Publisher[T]) Wait(ctx context.Context) error { return p.until(ctx, 0, windowBytes) }

// until blocks until at most so many messages and bytes are outstanding. When nothing moves for the idle time what is
// outstanding is given up, which makes room too.
func (p *Publisher[T]) until(ctx context.Context, out, bytes int) error {
	timer := time.NewTimer(p.idle)
	defer timer.Stop()
	for {
		p.mu.Lock()
		good, quiet := p.outstanding() <= out && p.bytes <= bytes, time.Since(p.last)
		p.waiting, p.maxOut, p.maxBytes = !good, out, bytes
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

func (p *Publisher[T]) giveUp() {
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
func (p *Publisher[T]) finish(i int32, gen, seq uint64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.slots[i]
	if !s.busy || s.gen != gen {
		return
	}
	s.busy = false
	p.bytes -= s.size
	p.last = time.Now()
	p.free = append(p.free, i)
	p.done(s.what, seq, err)
	if !p.waiting || p.outstanding() > p.maxOut || p.bytes > p.maxBytes {
		return
	}
	p.waiting = false
	select {
	case p.progress <- struct{}{}:
	default:
	}
}

// ack reads one acknowledgement; the slot stands in its subject.
func (p *Publisher[T]) ack(m *nats.Msg) {
	at, gen, found := strings.Cut(strings.TrimPrefix(m.Subject, p.inbox), ".")
	i, err := strconv.Atoi(at)
	if !found || err != nil || i < 0 || i >= len(p.slots) {
		return
	}
	g, err := strconv.ParseUint(gen, 36, 64)
	if err != nil {
		return
	}
	seq, err := ReadAck(m)
	p.finish(int32(i), g, seq, err)
}

// Close ends the subscription for acknowledgements.
func (p *Publisher[T]) Close() { _ = p.sub.Unsubscribe() }

// ReadAck reads the answer to a publish: the sequence, or the error of the server.
func ReadAck(m *nats.Msg) (uint64, error) {
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
