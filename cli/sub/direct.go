package sub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/wire"
)

// What is asked for by one direct get. The server sends it all at once: it must fit into the server's queue for us.
const (
	getMessages = 16 << 10
	getBytes    = 8 << 20
)

// direct reads a stream without a consumer, by batches of direct gets.
type direct struct {
	*flow
	client *js.Client
	filter string
	place
	sid     int
	inbox   string
	waiting bool          // for answers
	got     int           // messages of the present batch
	latest  uint64        // sequence of the latest of them, 0 at first
	pause   time.Duration // quiet before the stream is asked again
	asked   bool          // once at least
	away    bool          // the stream has to be looked for before it is asked
	timed   bool          // the time of storage is shown
	block   []byte
}

// place is where a reader without a consumer goes on.
type place struct {
	seq     uint64 // the next message, at the earliest
	since   *time.Time
	lastFor bool // the last message of each subject first
}

// placeOf is the place that the flags name.
func placeOf(ctx context.Context, r *replay, client *js.Client, stream jetstream.Stream, filter string) (place, error) {
	info, o := stream.CachedInfo(), r.o
	at := place{seq: 1}
	switch {
	case o.startSeq > 0:
		at.seq = o.startSeq
	case o.newOnly:
		at.seq = info.State.LastSeq + 1
	case o.since.Given && o.since.IsSequence():
		at.seq = o.since.Sequence
	case o.since.Given:
		t, _ := o.since.At(r.e.Clock.Now())
		at.seq, at.since = 0, &t
	case o.lastPerSubject:
		at.lastFor = true
	case o.last:
		m, err := client.LastMessage(ctx, info.Config.Name, filter)
		switch {
		case err == nil:
			at.seq = m.Sequence
		case js.IsCode(err, 10037):
			at.seq = info.State.LastSeq + 1
		default:
			return at, err
		}
	}
	where := r.from()
	if len(o.starts()) == 0 || o.all {
		where = "starting with the first message received"
	}
	r.e.Say("Subscribing to JetStream Stream (direct) holding messages with subject %s %s ", filter, where)
	return at, nil
}

func openDirect(ctx context.Context, r *replay, client *js.Client, stream jetstream.Stream, filter string) (*flow, error) {
	at, err := placeOf(ctx, r, client, stream, filter)
	if err != nil {
		return nil, err
	}
	s := &direct{flow: newFlow(r, stream.CachedInfo()), client: client, filter: filter, place: at, timed: !r.o.raw}
	s.flow.way = s
	r.stored = stored{stream: s.name, direct: true}
	return s.flow, nil
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
	if s.inbox, s.sid, err = s.flow.inbox(ctx, s.sid); err != nil {
		return err
	}
	return s.get()
}

// get asks for the next batch.
func (s *direct) get() error {
	req := js.DirectRequest{Seq: s.place.seq, Since: s.since, NextFor: s.filter, Batch: getMessages, MaxBytes: getBytes}
	if s.r.o.count > 0 && len(s.r.o.ignore) == 0 {
		req.Batch = int(min(getMessages, s.r.o.count-s.r.shown))
	}
	if req.NextFor == ">" {
		req.NextFor = "" // the server counts what is pending faster
	}
	if s.lastFor {
		req = js.DirectRequest{LastFor: []string{s.filter}}
	}
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	s.waiting, s.got, s.latest, s.quiet = true, 0, 0, 0
	return s.request(s.client.Subject("DIRECT.GET."+s.name), s.inbox, body)
}

func (s *direct) take(ctx context.Context, w *wire.Msg, m *message) (bool, error) {
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
		return false, fmt.Errorf("stream %s: %w", s.name, js.ErrNoDirect)
	}
	if before != s.latest { // some were lost on the way
		return false, s.ask(ctx)
	}
	s.latest = seq
	s.got++
	if seq < s.place.seq {
		return false, nil // shown before the connection broke
	}
	s.place.seq, s.flow.seq, s.since = seq+1, seq, nil
	if s.timed {
		if m.at, err = time.Parse(time.RFC3339Nano, string(from.at)); err != nil {
			return false, fmt.Errorf("message %d: %w", seq, err)
		}
	}
	m.block = nil
	if own > 0 {
		s.block = append(append(s.block[:0], w.Header[:own]...), "\r\n"...)
		m.block = s.block
	}
	s.r.stored.sequence, s.r.stored.pending = seq, pending
	m.subject, m.reply, m.data, m.stored = from.subject, nil, w.Payload, &s.r.stored
	m.header, m.unread = nil, m.block != nil
	return true, nil
}

func (s *direct) taken(context.Context) error { return nil }

// status deals with an answer that is no message.
func (s *direct) status(code int, text string) error {
	switch code {
	case 204: // the end of the batch
	case 404:
	case 503:
		if s.flow.seq == 0 {
			return fmt.Errorf("stream %s: %w", s.name, js.ErrNoDirect)
		}
		s.away = true // a server that has just started does not have its streams yet
		s.later()
		return nil
	default:
		return fmt.Errorf("stream %s: direct get: %s (%d)", s.name, text, code)
	}
	s.waiting, s.lastFor = false, false
	if s.got > 0 {
		s.pause = 0
		return s.get()
	}
	if s.r.o.toEnd {
		return wire.ErrStop
	}
	s.later()
	return nil
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
	case s.waiting && quiet > s.client.Timeout()+glance:
		err := fmt.Errorf("stream %s: no answer to a direct get in time: %w", s.name, nats.ErrTimeout)
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
