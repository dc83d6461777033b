package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/natskit/natskit/internal/wire"
)

// What an ordered reader asks for at a time. Two such requests are under way, so that the server never waits for the next one; what
// they bring is all that has to be kept for a slow reader of our output.
const (
	askMessages  = 16 << 10
	askBytes     = 2 << 20
	askExpires   = 30 * time.Second
	askHeartbeat = 2 * time.Second
	idleConsumer = 5 * time.Minute // how long the server keeps a consumer that nobody reads
	lastWord     = time.Second     // how long the end waits for the consumer to be removed: the server has the request, or is gone
)

// ordered reads a stream by a consumer of its own, that acknowledges nothing and is made again, from the message after the latest,
// where it gets lost.
type ordered struct {
	*Reader
	config   jetstream.ConsumerConfig
	consumer string // its name, empty when it has to be made
	before   string // the one in its place before, to be removed
	pulls    [2]pull
	pulled   *pull  // the one that brought the latest message
	next     uint64 // what the consumer counts next
	whole    bool   // a message is larger than askBytes: it comes alone
	retry    time.Duration
	wait     time.Duration // quiet before the consumer is made again; negative when that is not due
	asked    bool          // once at least
	looked   time.Duration // quiet at the latest question for the end
}

// pull is a request for messages.
type pull struct {
	subject string
	sid     int
	left    int // messages it may still bring
}

func newOrdered(ctx context.Context, r *Reader) (*ordered, error) {
	s := &ordered{Reader: r, wait: -1}
	c := &r.cfg
	s.config = jetstream.ConsumerConfig{
		DeliverPolicy: c.From.Policy, OptStartSeq: c.From.Seq, OptStartTime: c.From.Time, AckPolicy: jetstream.AckNonePolicy,
		InactiveThreshold: idleConsumer, Replicas: 1, MemoryStorage: true, HeadersOnly: c.HeadersOnly,
	}
	if c.Keep > 0 {
		s.config.InactiveThreshold = min(idleConsumer, c.Keep)
	}
	switch {
	case len(c.Filters) > 1:
		s.config.FilterSubjects = c.Filters
	case len(c.Filters) == 1:
		s.config.FilterSubject = c.Filters[0]
	case c.From.Policy == jetstream.DeliverLastPerSubjectPolicy:
		s.config.FilterSubject = ">"
	}
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var err error
	if r.pending, err = s.make(limited); err != nil {
		s.close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("reading stream %s: %w", c.Stream, err)
	}
	return s, nil
}

// make makes a consumer for what comes after the latest message, and says how many messages it has.
func (s *ordered) make(ctx context.Context) (pending uint64, err error) {
	cfg := s.config
	// Who waits for the end of the last messages has no use for those between: what comes again is passed over.
	if s.seq > 0 && !(cfg.DeliverPolicy == jetstream.DeliverLastPerSubjectPolicy && s.ending()) {
		cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = jetstream.DeliverByStartSequencePolicy, s.seq+1, nil
	}
	cfg.Name = "nats_" + nuid.Next()
	consumer, err := s.cfg.JS.CreateConsumer(ctx, s.cfg.Stream, cfg)
	if err != nil {
		if ctx.Err() != nil && !errors.Is(context.Cause(ctx), nats.ErrPermissionViolation) { // it may have been made all the same
			s.before = cfg.Name
		}
		return 0, err
	}
	info := consumer.CachedInfo()
	s.consumer, s.next, s.config.MaxRequestBatch = info.Name, 1, info.Config.MaxRequestBatch
	s.config.MaxRequestMaxBytes, s.config.MaxRequestExpires = info.Config.MaxRequestMaxBytes, info.Config.MaxRequestExpires
	return info.NumPending, nil
}

// ask pulls from the consumer, after making it if there is none.
func (s *ordered) ask(ctx context.Context) error {
	if s.asked {
		s.discard()
		if err := s.remake(ctx); err != nil || s.consumer == "" {
			return err
		}
	}
	s.asked = true
	for i := range s.pulls {
		p := &s.pulls[i]
		var err error
		if p.subject, p.sid, err = s.inbox(ctx, p.sid); err != nil {
			return err
		}
		p.left = 0
	}
	for i := range s.pulls {
		if err := s.pull(&s.pulls[i]); err != nil {
			return err
		}
	}
	return nil
}

// remake makes the consumer again. What may pass is tried again later.
func (s *ordered) remake(ctx context.Context) error {
	ok, err := s.there(ctx)
	if err != nil {
		return err
	}
	if ok {
		limited, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
		defer cancel()
		s.remove(limited) // first: the stream may have no place for two
		if _, err = s.make(limited); err == nil {
			s.retry, s.wait, s.quiet = 0, -1, 0
			return nil
		}
		if err = s.fatal(ctx, err); err != nil {
			return err
		}
	}
	s.retry = min(max(2*s.retry, glance), 2*time.Second)
	s.again(s.retry)
	return nil
}

// again has the consumer made again after a while.
func (s *ordered) again(after time.Duration) {
	s.discard()
	s.wait, s.quiet = after, 0
}

// discard takes no more from the consumer.
func (s *ordered) discard() {
	if s.consumer != "" {
		s.before, s.consumer = s.consumer, ""
	}
}

// pull asks for more messages, as many as are wanted.
func (s *ordered) pull(p *pull) error {
	n := cmp.Or(s.cfg.Ahead, askMessages)
	if s.whole {
		n = 1
	}
	if limit := s.config.MaxRequestBatch; limit > 0 {
		n = min(n, limit)
	}
	if limit := s.cfg.Limit; limit > 0 {
		other := s.pulls[0].left + s.pulls[1].left - p.left
		if n = int(min(int64(n), int64(limit-s.counted)-int64(other))); n <= 0 {
			return nil
		}
	}
	p.left = n
	expires, heartbeat := askExpires, askHeartbeat
	if limit := s.config.MaxRequestExpires; limit > 0 {
		expires = min(expires, limit)
		heartbeat = min(heartbeat, expires/2)
	}
	body := fmt.Appendf(nil, `{"batch":%d,"expires":%d,"idle_heartbeat":%d`, n, expires, heartbeat)
	if !s.whole {
		size := askBytes
		if limit := s.config.MaxRequestMaxBytes; limit > 0 {
			size = min(size, limit)
		}
		body = fmt.Appendf(body, `,"max_bytes":%d`, size)
	}
	return s.request("CONSUMER.MSG.NEXT."+s.cfg.Stream+"."+s.consumer, p.subject, append(body, '}'))
}

func (s *ordered) take(_ context.Context, w *wire.Msg, m *Msg) (bool, error) {
	p := &s.pulls[0]
	if w.Sid != p.sid {
		if p = &s.pulls[1]; w.Sid != p.sid {
			return false, nil
		}
	}
	from, ok, err := OriginOf(w.Reply)
	if err != nil {
		return false, err
	}
	if !ok {
		return false, s.status(p, w)
	}
	if string(from.Consumer) != s.consumer {
		return false, nil
	}
	if from.Delivered != s.next { // some were lost on the way
		s.again(0)
		return false, nil
	}
	s.next++
	p.left--
	s.pulled = p
	if from.Sequence <= s.seq {
		return false, s.taken()
	}
	s.seq = from.Sequence
	m.Subject, m.Reply, m.Header, m.Data = w.Subject, w.Reply, w.Header, w.Payload
	m.Sequence, m.Pending, m.Time = from.Sequence, from.Pending, from.Time
	return true, nil
}

func (s *ordered) taken() error {
	s.whole = false
	if s.pulled.left == 0 {
		return s.pull(s.pulled)
	}
	return nil
}

func (s *ordered) lost() bool { return s.consumer == "" }

// status deals with an answer that is no message.
func (s *ordered) status(p *pull, w *wire.Msg) error {
	code, text := wire.Status(w.Header)
	switch {
	case code == 100: // a heartbeat
		return nil
	case code == 409 && text == "Message Size Exceeds MaxBytes":
		// The bytes of the other request may have been used up too: whichever is answered next brings the message.
		s.whole = true
		return s.pull(p)
	case code == 408, code == 409 && text == "Batch Completed":
		return s.pull(p)
	}
	s.cfg.Log(">>> Reading stream %s: %s (%d)", s.cfg.Stream, text, code)
	s.again(glance)
	return nil
}

// look makes the consumer again when that is due, or when the server has forgotten us, and finds an end that no message told of.
func (s *ordered) look(ctx context.Context, quiet time.Duration) error {
	switch {
	case s.wait >= 0:
		if quiet < s.wait {
			return nil
		}
		return s.ask(ctx)
	case quiet >= 3*askHeartbeat:
		s.again(0)
		return s.ask(ctx)
	case s.ending() && quiet < s.looked:
		s.looked = 0
	case s.ending() && quiet-s.looked >= time.Second:
		s.looked = quiet
		return s.over(ctx)
	}
	return nil
}

// over asks the server whether the stream has nothing more: the messages that were left may have been deleted.
func (s *ordered) over(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	consumer, err := s.cfg.JS.Consumer(limited, s.cfg.Stream, s.consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		s.again(0)
	}
	if err != nil {
		return nil // the heartbeats tell
	}
	if info := consumer.CachedInfo(); info.NumPending == 0 && info.Delivered.Consumer+1 == s.next {
		return s.end()
	}
	return nil
}

// close removes the consumer, which the server would otherwise keep for some minutes.
func (s *ordered) close(ctx context.Context) {
	s.discard()
	if s.before == "" || !s.cfg.JS.Conn().IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lastWord)
	defer cancel()
	s.remove(ctx)
}

// remove removes the consumer that was discarded.
func (s *ordered) remove(ctx context.Context) {
	if s.before == "" {
		return
	}
	err := s.cfg.JS.DeleteConsumer(ctx, s.cfg.Stream, s.before)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		s.cfg.Log(">>> Removing consumer %s: %v", s.before, err)
	}
	s.before = ""
}
