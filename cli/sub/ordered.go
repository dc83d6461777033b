package sub

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/contexts"
)

// pipe hands entries from the goroutine of a client library to the one that shows them.
type pipe struct {
	entries chan entry
	halt    chan struct{}
	once    sync.Once
}

func newPipe(size int) *pipe {
	return &pipe{entries: make(chan entry, size), halt: make(chan struct{})}
}

// put waits until the entry is taken; it reports false when nobody will.
func (p *pipe) put(en entry) bool {
	select {
	case p.entries <- en:
		return true
	case <-p.halt:
		return false
	}
}

// close lets every put return.
func (p *pipe) close() { p.once.Do(func() { close(p.halt) }) }

// ordered reads a stream by a consumer of its own, that acknowledges nothing and is made again where it gets lost.
type ordered struct {
	*pipe
	r        *replay
	stream   jetstream.Stream
	consumer jetstream.Consumer
	cc       jetstream.ConsumeContext
	stopped  bool
	nothing  bool
}

func openOrdered(ctx context.Context, r *replay, stream jetstream.Stream, name, filter string) (source, error) {
	cfg := jetstream.OrderedConsumerConfig{HeadersOnly: r.o.headersOnly || r.o.subjectsOnly}
	if filter != ">" || r.o.lastPerSubject {
		cfg.FilterSubjects = []string{filter}
	}
	start := startOf(r.o, r.e.Clock.Now())
	cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = start.policy, start.seq, start.time
	consumer, err := stream.OrderedConsumer(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("reading stream %s: %w", name, contexts.Refusal(ctx, err))
	}
	s := &ordered{pipe: newPipe(512), r: r, stream: stream, consumer: consumer}
	s.nothing = consumer.CachedInfo().NumPending == 0
	r.e.Say("Subscribing to subject %s %s ", filter, r.from())
	return s, nil
}

// start is where a consumer begins.
type start struct {
	policy jetstream.DeliverPolicy
	seq    uint64
	time   *time.Time
}

func startOf(o *subOptions, now time.Time) start {
	switch {
	case o.startSeq > 0:
		return start{policy: jetstream.DeliverByStartSequencePolicy, seq: o.startSeq}
	case o.last:
		return start{policy: jetstream.DeliverLastPolicy}
	case o.newOnly:
		return start{policy: jetstream.DeliverNewPolicy}
	case o.since.Given && o.since.IsSequence():
		return start{policy: jetstream.DeliverByStartSequencePolicy, seq: o.since.Sequence}
	case o.since.Given:
		at, _ := o.since.At(now)
		return start{policy: jetstream.DeliverByStartTimePolicy, time: &at}
	case o.lastPerSubject:
		return start{policy: jetstream.DeliverLastPerSubjectPolicy}
	}
	return start{policy: jetstream.DeliverAllPolicy}
}

func (s *ordered) empty() bool { return s.nothing }

func (s *ordered) next(context.Context, uint64) (<-chan entry, error) {
	var err error
	s.cc, err = s.consumer.Consume(func(m jetstream.Msg) { s.put(entryOf(m)) }, jetstream.PullMaxMessages(5000),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			s.r.e.Log.Debug(fmt.Sprintf(">>> Reading the stream: %v", err))
			if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrConnectionClosed) {
				s.put(entry{err: err})
			}
		}))
	return s.entries, err
}

// stop ends the delivery and removes the consumer, which the server would otherwise keep for some minutes.
func (s *ordered) stop(ctx context.Context) bool {
	s.close()
	if s.stopped {
		return false
	}
	s.stopped = true
	if s.cc != nil {
		s.cc.Stop()
		<-s.cc.Closed()
	}
	if info := s.consumer.CachedInfo(); info != nil && !s.r.nc.IsClosed() {
		ctx, cancel := s.r.e.Nats.Deadline(ctx)
		defer cancel()
		if err := s.stream.DeleteConsumer(ctx, info.Name); err != nil {
			s.r.e.Log.Debug(fmt.Sprintf(">>> Removing consumer %s: %v", info.Name, err))
		}
	}
	return false
}

// entryOf reads what the server says of a message in its reply subject:
// $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>[.<random>]
func entryOf(m jetstream.Msg) entry {
	en := entry{subject: m.Subject(), reply: m.Reply(), header: m.Headers(), data: m.Data()}
	var tokens [13]string
	n := 0
	for rest, more := en.reply, true; more && n < len(tokens); n++ {
		tokens[n], rest, more = strings.Cut(rest, ".")
	}
	from := 2
	if n >= 11 {
		from = 4
	}
	if n < from+7 || tokens[0] != "$JS" || tokens[1] != "ACK" {
		return entry{err: fmt.Errorf("the server sent a message that is none of a stream: reply subject %q", en.reply)}
	}
	var err [3]error
	var nanos int64
	en.stored.stream = tokens[from]
	en.stored.sequence, err[0] = strconv.ParseUint(tokens[from+3], 10, 64)
	nanos, err[1] = strconv.ParseInt(tokens[from+5], 10, 64)
	en.stored.pending, err[2] = strconv.ParseUint(tokens[from+6], 10, 64)
	if e := errors.Join(err[0], err[1], err[2]); e != nil {
		return entry{err: fmt.Errorf("reply subject %q: %w", en.reply, e)}
	}
	en.at = time.Unix(0, nanos)
	en.last = en.stored.pending == 0
	return en
}
