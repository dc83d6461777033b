package follow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/wire"
)

// What is asked for by one direct get. The server sends it all at once: it must fit into the server's queue for us.
const (
	getMessages = 16 << 10
	getBytes    = 8 << 20
)

// An idle stream is asked less and less often.
const (
	soon   = 50 * time.Millisecond
	rarely = time.Second
)

// direct reads a stream without a consumer, by batches of direct gets.
type direct struct {
	*Reader
	filter  string
	first   uint64     // the next message, at the earliest
	after   *time.Time // instead: the first message not older
	lastFor bool       // the last message of each subject first
	sid     int
	inbox   string
	waiting bool          // for answers
	got     int           // messages of the present batch
	latest  uint64        // sequence of the latest of them, 0 at first
	pause   time.Duration // quiet before the stream is asked again
	asked   bool          // once at least
	away    bool          // the stream has to be looked for before it is asked
	block   []byte
}

func newDirect(r *Reader) (*direct, error) {
	s := &direct{Reader: r, first: 1}
	from := r.cfg.From
	switch from.Policy {
	case jetstream.DeliverAllPolicy:
	case jetstream.DeliverByStartSequencePolicy:
		s.first = max(from.Seq, 1)
	case jetstream.DeliverByStartTimePolicy:
		s.first, s.after = 0, from.Time
	case jetstream.DeliverLastPerSubjectPolicy:
		s.lastFor = true
	default:
		return nil, fmt.Errorf("direct gets from %s: %w", from.Policy, errors.ErrUnsupported)
	}
	switch len(r.cfg.Filters) {
	case 0:
	case 1:
		s.filter = r.cfg.Filters[0]
	default:
		return nil, fmt.Errorf("direct gets by %d subjects: %w", len(r.cfg.Filters), errors.ErrUnsupported)
	}
	return s, nil
}

func (s *direct) ask(ctx context.Context) (err error) {
	if s.asked {
		ok, err := s.there(ctx)
		if err != nil {
			return err
		}
		if s.away = !ok; s.away {
			s.later()
			return nil
		}
	}
	s.asked = true
	if s.inbox, s.sid, err = s.Reader.inbox(ctx, s.sid); err != nil {
		return err
	}
	return s.get()
}

// DirectRequest is the body of a direct get: of a range (Seq or Since, filtered by NextFor, up to Batch messages and MaxBytes bytes), or
// of the last message of each subject in LastFor.
type DirectRequest struct {
	Seq      uint64     `json:"seq,omitempty"`
	Since    *time.Time `json:"start_time,omitempty"`
	NextFor  string     `json:"next_by_subj,omitempty"`
	Batch    int        `json:"batch,omitempty"`
	MaxBytes int        `json:"max_bytes,omitempty"`
	LastFor  []string   `json:"multi_last,omitempty"`
	UpToSeq  uint64     `json:"up_to_seq,omitempty"`
	UpToTime *time.Time `json:"up_to_time,omitempty"`
}

// get asks for the next batch.
func (s *direct) get() error {
	req := DirectRequest{Seq: s.first, Since: s.after, NextFor: s.filter, Batch: getMessages, MaxBytes: getBytes}
	if limit := s.cfg.Limit; limit > 0 && !s.skips {
		req.Batch = int(min(getMessages, limit-s.counted))
	}
	if s.lastFor {
		req = DirectRequest{LastFor: []string{s.filter}}
		if s.filter == "" {
			req.LastFor[0] = ">"
		}
	}
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	s.waiting, s.got, s.latest, s.quiet = true, 0, 0, 0
	return s.request("DIRECT.GET."+s.cfg.Stream, s.inbox, body)
}

func (s *direct) take(ctx context.Context, w *wire.Msg, m *Msg) (bool, error) {
	if w.Sid != s.sid {
		return false, nil
	}
	if len(w.Payload) == 0 {
		if code, text := wire.Status(w.Header); code != 0 {
			return false, s.status(code, text)
		}
	}
	from, own := storedAt(w.Header)
	var err error
	seq := digits(from.sequence, &err)
	pending, before := digits(from.pending, &err), s.latest
	if len(from.before) > 0 {
		before = digits(from.before, &err)
	}
	if err != nil {
		return false, fmt.Errorf("stream %s: %w", s.cfg.Stream, ErrNoDirect)
	}
	if before != s.latest { // some were lost on the way
		return false, s.ask(ctx)
	}
	s.latest = seq
	s.got++
	if seq < s.first {
		return false, nil // handed on before the connection broke
	}
	s.first, s.seq, s.after = seq+1, seq, nil
	if err = m.Time.UnmarshalText(from.at); err != nil {
		return false, fmt.Errorf("message %d: %w", seq, err)
	}
	m.Header = nil
	if own > 0 {
		s.block = append(append(s.block[:0], w.Header[:own]...), "\r\n"...)
		m.Header = s.block
	}
	m.Subject, m.Reply, m.Data, m.Sequence, m.Pending = from.subject, nil, w.Payload, seq, pending
	return true, nil
}

func (s *direct) taken() error { return nil }

func (s *direct) lost() bool { return s.away }

// status deals with an answer that is no message.
func (s *direct) status(code int, text string) error {
	switch code {
	case 204: // the end of the batch
	case 404:
	case 503:
		if s.seq == 0 {
			return fmt.Errorf("stream %s: %w", s.cfg.Stream, ErrNoDirect)
		}
		s.away = true // a server that has just started does not have its streams yet
		s.later()
		return nil
	default:
		return fmt.Errorf("stream %s: direct get: %s (%d)", s.cfg.Stream, text, code)
	}
	s.waiting, s.lastFor = false, false
	if s.got > 0 {
		s.pause = 0
		return s.get()
	}
	s.later()
	return s.end()
}

// later has the stream asked again, less and less often.
func (s *direct) later() {
	s.waiting, s.pause, s.quiet = false, min(max(2*s.pause, soon), rarely), 0
}

// look asks again after a pause, and gives up where there is no answer.
func (s *direct) look(ctx context.Context, quiet time.Duration) error {
	switch {
	case !s.waiting && quiet >= s.pause && s.away:
		return s.ask(ctx)
	case !s.waiting && quiet >= s.pause:
		return s.get()
	case s.waiting && quiet > s.cfg.Timeout+glance:
		err := fmt.Errorf("stream %s: no answer to a direct get in time: %w", s.cfg.Stream, nats.ErrTimeout)
		return fail.Hint(err, "raise --timeout if the server is slow")
	}
	return nil
}

func (s *direct) close(context.Context) {}

// stamps are what the server says in headers of a message read directly.
type stamps struct{ subject, sequence, at, pending, before []byte }

// storedAt reads the server's headers, which stand behind those of the sender; the latter end at own, 0 if there are none.
func storedAt(block []byte) (from stamps, own int) {
	own = bytes.LastIndex(block, []byte("\r\nNats-Stream: "))
	if own < 0 {
		return from, 0
	}
	own += 2
	for rest := block[own:]; len(rest) > 0; {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i > 0 {
			line, rest = rest[:i-1], rest[i+1:]
		} else {
			rest = nil
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch string(name) {
		case "Nats-Subject":
			from.subject = value
		case "Nats-Sequence":
			from.sequence = value
		case "Nats-Time-Stamp":
			from.at = value
		case "Nats-Num-Pending":
			from.pending = value
		case "Nats-Last-Sequence":
			from.before = value
		}
	}
	if bytes.IndexByte(block[:own], '\n') == own-1 { // the version line alone
		own = 0
	}
	return from, own
}
