package pub

import (
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

// stored publishes to a stream and reports what the stream says of each message, in order.
type stored struct {
	e        *env.Env
	window   *publish.Window[message] // without their bodies
	receipt  *receipt
	each     bool
	loud     bool       // failures of records are told one by one
	keep     bool       // acknowledgements, for JSON
	stop     bool       // at the first failure
	mu       sync.Mutex // guards what follows, and the receipt
	failed   error
	progress *term.Progress
}

func newStored(ctx context.Context, e *env.Env, o pubOptions, r *receipt) (*stored, error) {
	opts, err := e.Nats.Options(ctx)
	if err != nil {
		return nil, err
	}
	size := 0 // as many as a window holds
	if o.sleep > 0 || o.jitter > 0 || (o.sendOn != "newline" && o.count <= narrated) {
		size = 1
	}
	s := &stored{e: e, receipt: r, keep: e.Out.Machine(), stop: o.sendOn != "newline"}
	s.each = !o.quiet && !e.Out.Machine() && (o.count <= narrated || o.sendOn == "newline")
	s.loud = !o.quiet && !e.Out.Machine()
	s.each = s.each && o.from == ""
	s.window, err = publish.Open(ctx, opts, publish.Config[message]{
		Messages: size, Idle: e.Nats.Effective().Timeout, Clock: e.Clock, Done: s.settled,
	})
	if err != nil {
		return nil, e.Nats.Explain(err)
	}
	if !s.each && s.loud && o.from == "" {
		s.progress = e.IO.Progress(e.Clock, "Storing", o.count, func(n int64) string { return render.HumaneCount(uint64(n)) })
	}
	return s, nil
}

func (s *stored) send(ctx context.Context, m message) error {
	kept := m
	kept.body, kept.header = nil, nil
	s.guard(func() { s.receipt.Bytes += uint64(len(m.body)) })
	err := s.window.Send(ctx, kept, &nats.Msg{Subject: m.subject, Header: m.header, Data: m.body})
	if err != nil && !(errors.Is(err, nats.ErrMaxPayload) && !s.stop) {
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

func (s *stored) firstFailure() (err error) {
	s.guard(func() { err = s.failed })
	return err
}

// idle sends what was collected; each acknowledgement is reported when it comes.
func (s *stored) idle(context.Context) error {
	s.window.Flush()
	return nil
}

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
func (s *stored) settled(m message, a publish.Ack, err error) {
	s.guard(func() {
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
