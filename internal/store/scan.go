package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/js/follow"
	"github.com/natskit/natskit/internal/wire"
)

// position says from where a scan reads.
type position int

const (
	fromAll  position = iota // every message
	fromLast                 // the last message of each subject
	fromNew                  // only what comes from now on
	fromSeq                  // from a sequence
)

// scanSpec is what a scan reads.
type scanSpec struct {
	stream      string
	filters     []string // subjects; none means all
	from        position
	seq         uint64 // of fromSeq
	headersOnly bool
	live        bool          // go on after what was there at the start
	keep        time.Duration // how long the stream lets an unused consumer live at most, 0 for no limit
}

// scanned is one message of a scan. It is valid until the function that gets it returns.
type scanned struct {
	msg     *nats.Msg
	seq     uint64
	time    time.Time
	pending uint64 // messages behind it
}

// scan reads a stream in order through a consumer and a connection of its own, as package follow does; where it can have neither, and
// is not live, by gets.
type scan struct {
	c      *Client
	spec   scanSpec
	reader *follow.Reader // nil where no consumer can be had
	atEnd  func() error
	fn     func(scanned) error

	msg     nats.Msg
	handled uint64
	limit   uint64 // messages until the end
	again   bool   // the limit was moved
	ended   bool
}

// openScan makes the consumer; the caller must end the scan with close.
func (c *Client) openScan(ctx context.Context, spec scanSpec) (*scan, error) {
	cfg := follow.Config{
		JS: c.js, Prefix: c.prefix, Timeout: c.timeout, Stream: spec.stream, Filters: spec.filters, Keep: spec.keep, HeadersOnly: spec.headersOnly,
	}
	switch spec.from {
	case fromLast:
		cfg.From.Policy = jetstream.DeliverLastPerSubjectPolicy
	case fromNew:
		cfg.From.Policy = jetstream.DeliverNewPolicy
	case fromSeq:
		cfg.From = follow.Start{Policy: jetstream.DeliverByStartSequencePolicy, Seq: max(spec.seq, 1)}
	}
	if !spec.live {
		cfg.Patience = 4 * c.timeout
	}
	s := &scan{c: c, spec: spec}
	var err error
	switch s.reader, err = follow.Open(ctx, cfg); {
	case err == nil:
		s.limit = s.reader.Pending()
	case spec.live || !errors.Is(err, jetstream.ErrMaximumConsumersLimit):
		return nil, err
	}
	return s, nil
}

// each hands every message to fn in order until fn returns an error, ctx ends or, unless live, what was there at the start
// has been handed over. atEnd, when given, is called once when the initial messages are done.
//
// What is written while a scan runs moves to the end of the stream. A scan that is not live therefore reads on once more
// as many messages as stand behind the initial ones: a key may come twice, but none is missed that was there all the time.
func (s *scan) each(ctx context.Context, atEnd func() error, fn func(scanned) error) error {
	s.atEnd, s.fn, s.again = atEnd, fn, s.spec.live
	if s.reader == nil {
		return s.gets(ctx)
	}
	err := s.reader.Run(ctx, follow.Sink{Each: s.take, End: s.end})
	var failed *follow.ConnectError
	if errors.As(err, &failed) && !s.spec.live && ctx.Err() == nil {
		return s.gets(ctx)
	}
	return err
}

func (s *scan) take(m *follow.Msg) error {
	if s.msg.Subject != string(m.Subject) {
		s.msg.Subject = string(m.Subject)
	}
	var err error
	if s.msg.Header, err = wire.ParseHeader(m.Header); err != nil {
		return fmt.Errorf("headers of message %d: %w", m.Sequence, err)
	}
	s.msg.Data = m.Data
	if err := s.fn(scanned{msg: &s.msg, seq: m.Sequence, time: m.Time, pending: m.Pending}); err != nil {
		return err
	}
	s.handled++
	switch {
	case s.ended || s.handled < s.limit || m.Pending == 0: // of the latter the reader tells
		return nil
	case s.again:
		return s.end()
	}
	s.again, s.limit = true, s.handled+m.Pending
	return nil
}

// end is called when what was there at the start has been handed over.
func (s *scan) end() error {
	if s.ended {
		return nil
	}
	s.ended = true
	if s.atEnd != nil {
		if err := s.atEnd(); err != nil {
			return err
		}
	}
	if s.spec.live {
		return nil
	}
	return follow.ErrStop
}

// close removes the consumer of a scan that was not run, also when ctx has ended.
func (s *scan) close(ctx context.Context) {
	if s.reader != nil {
		s.reader.Close(ctx)
	}
}

// scan runs each over a scan of its own.
func (c *Client) scan(ctx context.Context, spec scanSpec, atEnd func() error, fn func(scanned) error) error {
	s, err := c.openScan(ctx, spec)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	return s.each(ctx, atEnd, fn)
}
