package pub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/publish"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
)

// underWay is how many messages may wait for their acknowledgement when there are many.
const underWay = 512

// stored publishes to a stream and reports what the stream says of each message, in order.
type stored struct {
	e        *env.Env
	nc       *nats.Conn
	window   *publish.Window
	receipt  *receipt
	each     bool
	loud     bool       // failures of records are told one by one
	keep     bool       // acknowledgements, for JSON
	stop     bool       // at the first failure
	mu       sync.Mutex // guards what follows, and the receipt
	failed   error
	lines    map[int]message // messages under way, without their bodies, by their place
	placed   int
	progress *term.Progress
}

func newStored(ctx context.Context, e *env.Env, o pubOptions, r *receipt) (*stored, error) {
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return nil, err
	}
	size := underWay
	if o.sleep > 0 || o.jitter > 0 || (o.sendOn != "newline" && o.count <= narrated) {
		size = 1
	}
	s := &stored{e: e, nc: nc, receipt: r, keep: e.Out.Machine(), stop: o.sendOn != "newline", lines: map[int]message{}}
	s.each = !o.quiet && !e.Out.Machine() && (o.count <= narrated || o.sendOn == "newline")
	s.loud = !o.quiet && !e.Out.Machine()
	s.each = s.each && o.from == ""
	if !s.each && s.loud && o.from == "" {
		s.progress = e.IO.Progress(e.Clock, "Storing", o.count, func(n int64) string { return render.HumaneCount(uint64(n)) })
	}
	s.window, err = publish.NewWindow(nc, size, e.Nats.Effective().Timeout, e.Clock, s.settled)
	return s, err
}

func (s *stored) send(ctx context.Context, m message) error {
	msg := &nats.Msg{Subject: m.subject, Header: m.header, Data: bytes.Clone(m.body)}
	kept := m
	kept.body, kept.header = nil, nil
	s.put(kept, len(m.body))
	if err := s.window.Publish(ctx, msg); err != nil && !(errors.Is(err, nats.ErrMaxPayload) && !s.stop) {
		return refused(ctx, err)
	}
	if s.stop {
		return s.firstFailure()
	}
	return nil
}

// reject notes a record that cannot be published; the next ones may be.
func (s *stored) reject(m message, err error) error {
	s.guard(func() { s.receipt.fail(m, err) })
	if s.loud {
		s.e.Say("Could not publish %s: %s", m.where(), err)
	}
	return nil
}

func (s *stored) guard(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

// put remembers a message until its acknowledgement comes; the callback runs beside us.
func (s *stored) put(m message, size int) {
	s.guard(func() { s.lines[s.placed] = m; s.placed++; s.receipt.Bytes += uint64(size) })
}

func (s *stored) firstFailure() (err error) {
	s.guard(func() { err = s.failed })
	return err
}

// idle does nothing: every message has left, and its acknowledgement is reported when it comes.
func (s *stored) idle(context.Context) error { return nil }

func (s *stored) close(ctx context.Context) error {
	err := s.window.Wait(ctx)
	s.window.Close()
	if s.progress != nil {
		s.progress.Close()
	}
	return refused(ctx, err)
}

// refused prefers the server's reason to the fact that the context has ended.
func refused(ctx context.Context, err error) error { return contexts.Refusal(ctx, err) }

// settled is told of each message in order.
func (s *stored) settled(n int, a publish.Ack, err error) {
	s.guard(func() {
		m := s.lines[n]
		delete(s.lines, n)
		if s.progress != nil {
			s.progress.Add(1)
		}
		if err != nil {
			if s.failed == nil {
				s.failed = err
			}
			s.receipt.fail(m, err)
			if (s.each || s.loud && m.raw != nil) && !s.stop {
				s.e.Say("Could not publish %s: %s", m.where(), err)
			}
			return
		}
		s.receipt.Published++
		if s.keep {
			s.receipt.Acks = append(s.receipt.Acks, a)
		}
		if s.each {
			s.e.Say("%s", describe(a))
		}
	})
}

func describe(a publish.Ack) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Stored in Stream: %s Sequence: %s", a.Stream, render.HumaneCount(a.Sequence))
	if a.Domain != "" {
		fmt.Fprintf(&b, " Domain: %q", a.Domain)
	}
	if a.Duplicate {
		b.WriteString(" Duplicate: true")
	}
	if a.Value != "" {
		fmt.Fprintf(&b, " Counter Value: %s", a.Value)
	}
	return b.String()
}
