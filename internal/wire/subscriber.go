package wire

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
)

// The limits of a backlog in bytes where the configuration has none.
const (
	DefaultMemory = 32 << 20
	DefaultDisk   = 1 << 30
)

// Config is how a Subscriber works.
type Config struct {
	// Options are those of Dial. Besides, AllowReconnect, MaxReconnect (per server, negative for ever), ReconnectWait, the jitters,
	// CustomReconnectDelayCB, IgnoreAuthErrorAbort, IgnoreDiscoveredServers and RetryOnFailedConnect are honoured.
	Options nats.Options
	// Clock stamps the messages and paces the reconnects; nil is the system's.
	Clock clock.Clock
	// Memory and Disk limit the backlog, in bytes: 0 is the default, a negative number none at all. Memory is not less than what
	// is being read and written at the moment, two chunks of at most 128 KiB.
	Memory, Disk int64
	// Dir is where the backlog goes when it does not fit in memory; empty is the system's directory for temporary files.
	Dir string
	// Event, which may be nil, is told what happens to the connection and the backlog, when it happens: one at a time, by the goroutine
	// of Run or by one in the background. Nothing is read from the socket until it returns.
	Event func(Event)
}

// EventKind is a kind of Event.
type EventKind string

// The kinds of Event.
const (
	Disconnected  EventKind = "disconnected"   // Err says why, see also Behind
	ConnectFailed EventKind = "connect_failed" // an attempt to reconnect: URL and Err
	Reconnected   EventKind = "reconnected"    // to URL, after Away; what was published meanwhile was missed
	LameDuck      EventKind = "lame_duck"      // the server at URL will close its connections soon
	ServerError   EventKind = "server_error"   // Err; the connection stays
	Spilling      EventKind = "spilling"       // the backlog is going to disk; told again only after all came back from there
	SpillFailed   EventKind = "spill_failed"   // Err; the backlog has only memory from now on
	Dropping      EventKind = "dropping"       // the backlog is full: what comes is being dropped
	Dropped       EventKind = "dropped"        // all that came for a second was kept; Messages were dropped since Dropping
)

// Event is something that happens to a Subscriber. Which fields are set depends on the kind.
type Event struct {
	Kind     EventKind
	At       time.Time
	URL      string // without credentials
	Err      error
	Away     time.Duration // between the loss of one connection and the subscriptions on the next
	Messages uint64
	// Behind says that the connection ended within a message or at full speed. The server may have closed it because it found this
	// client too slow: it does not tell.
	Behind bool
}

// Sink is what a Subscriber does with messages. Every function may be nil. They are called by the goroutine of Run; their errors end it.
type Sink struct {
	// Msg is called for each message in order of arrival.
	Msg func(*Msg) error
	// Idle is called when there is nothing left to handle, before waiting: the moment to flush output.
	Idle func() error
	// Tick is called every Every, also under load, as long as Msg returns: for limits of time, rates and reports.
	Tick  func() error
	Every time.Duration
}

// Subscriber receives core messages for as long as it runs, whatever happens to its connections: it reconnects, and it takes in what
// the server sends at the speed of the server, into a backlog from which Run serves the Sink.
type Subscriber struct {
	cfg   Config
	clock clock.Clock
	d     *dialer
	log   *backlog
	halt  atomic.Bool // Run is ending

	dog   watchdog
	broke chan error    // why the session ended of which serve met the end
	ticks chan struct{} // a token: a tick is due
	due   bool          // the goroutine of Run took the token

	turn  sync.Mutex // held by who reads the socket: what follows is theirs, and the writing side of log
	live  *session   // nil while away
	scan  scanner
	burst int       // bytes read from the connection without a pause, at the end
	since time.Time // of the present connection
	gone  time.Time // when the last one was lost

	mu   sync.Mutex
	conn *Conn // nil while away
	out  *Writer
	subs []subscription
	sid  int
	past Stats // of earlier connections
}

type subscription struct {
	sid            int
	subject, queue string
}

// Open connects. With RetryOnFailedConnect it leaves a failure to Run, which goes on trying.
func Open(ctx context.Context, cfg Config) (*Subscriber, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.System()
	}
	s := newSubscriber(cfg)
	var err error
	if s.d, err = newDialer(cfg.Options, s.clock); err != nil {
		return nil, err
	}
	s.gone = s.clock.Now()
	c, err := s.d.any(ctx)
	switch {
	case err == nil:
		s.attach(c, nil)
	case !cfg.Options.RetryOnFailedConnect || ctx.Err() != nil:
		return nil, err
	}
	return s, nil
}

func newSubscriber(cfg Config) *Subscriber {
	s := &Subscriber{
		cfg: cfg, clock: cfg.Clock, broke: make(chan error, 1), ticks: make(chan struct{}, 1),
	}
	s.dog.relief = make(chan struct{}, 1)
	s.log = newBacklog(limit(cfg.Memory, DefaultMemory), limit(cfg.Disk, DefaultDisk), cfg.Dir, s.event)
	return s
}

func limit(n, standard int64) int64 {
	if n == 0 {
		return standard
	}
	return max(n, 0)
}

func (s *Subscriber) event(e Event) {
	if s.cfg.Event != nil {
		e.At = s.clock.Now()
		s.cfg.Event(e)
	}
}

// attach makes c, which has the subscriptions subs, the present connection.
func (s *Subscriber) attach(c *Conn, subs []subscription) {
	c.learned = func() {
		info := c.Info()
		s.d.pool.learn(info, c.srv)
		if info.LameDuckMode {
			s.event(Event{Kind: LameDuck, URL: c.URL()})
		}
	}
	s.d.pool.learn(c.Info(), c.srv) // the handshake may have brought more
	s.since = s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.out = c, c.Writer()
	// What changed while c was being made; should it break again, the reader finds out.
	for _, sub := range s.subs {
		if !slices.Contains(subs, sub) {
			_ = c.write(appendSub(nil, sub.subject, sub.queue, sub.sid))
		}
	}
	for _, sub := range subs {
		if !slices.Contains(s.subs, sub) {
			_ = c.Unsubscribe(sub.sid, 0)
		}
	}
}

// detach closes the present connection.
func (s *Subscriber) detach() {
	s.mu.Lock()
	c := s.conn
	s.mu.Unlock()
	if c == nil {
		return
	}
	_ = c.Close() // first, so that a blocked Publish lets go of the lock
	s.mu.Lock()
	s.past = s.past.plus(c.Stats())
	s.conn, s.out = nil, nil
	s.mu.Unlock()
}

func (a Stats) plus(b Stats) Stats {
	return Stats{
		InMsgs: a.InMsgs + b.InMsgs, InBytes: a.InBytes + b.InBytes, InPayload: a.InPayload + b.InPayload,
		OutMsgs: a.OutMsgs + b.OutMsgs, OutBytes: a.OutBytes + b.OutBytes, OutPayload: a.OutPayload + b.OutPayload,
	}
}

// Subscribe asks for the messages of subject, shared with the queue group if queue is not empty, on this connection and all that follow.
// Before Run it waits for the server: messages published after it returns arrive, and a denied subscription is a *Violation. During Run
// it does not wait, and a denied subscription ends Run.
func (s *Subscriber) Subscribe(ctx context.Context, subject, queue string) (sid int, err error) {
	if err := CheckSubject(subject); err != nil {
		return 0, err
	}
	if queue != "" && CheckSubject(queue) != nil {
		return 0, nats.ErrBadQueueName
	}
	s.mu.Lock()
	s.sid++
	sub := subscription{s.sid, subject, queue}
	s.subs = append(s.subs, sub)
	c := s.conn
	s.mu.Unlock()
	if c == nil {
		return sub.sid, nil
	}
	err = c.write(appendSub(nil, subject, queue, sub.sid))
	if err == nil && c.rmu.TryLock() { // nobody reads: Run has not begun
		c.leave()
		err = c.Ping(ctx)
	} else if errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrConnectionClosed) {
		err = nil // it is renewed with the connection
	}
	return sub.sid, err
}

// Unsubscribe ends a subscription. Messages of it that have arrived are still handled.
func (s *Subscriber) Unsubscribe(sid int) error {
	s.mu.Lock()
	for i, sub := range s.subs {
		if sub.sid == sid {
			s.subs = append(s.subs[:i], s.subs[i+1:]...)
			break
		}
	}
	c := s.conn
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	if err := c.Unsubscribe(sid, 0); err != nil && !errors.Is(err, nats.ErrDisconnected) && !errors.Is(err, nats.ErrConnectionClosed) {
		return err
	}
	return nil
}

// Publish sends a message, such as the acknowledgement of one that was handled, when the sink falls idle or enough was collected. While
// there is no connection it fails with nats.ErrDisconnected; what was collected when a connection breaks is lost.
func (s *Subscriber) Publish(subject, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil {
		return nats.ErrDisconnected
	}
	return s.out.PubBytes(subject, nil, nil, payload)
}

// Request publishes as Publish does, with a subject for answers, and sends at once.
func (s *Subscriber) Request(subject, reply string, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil {
		return nats.ErrDisconnected
	}
	if err := s.out.Pub(subject, reply, nil, payload); err != nil {
		return err
	}
	return s.out.Flush()
}

// flush sends what Publish collected. A broken connection is the business of the goroutine that reads it.
func (s *Subscriber) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out != nil {
		_ = s.out.Flush()
	}
}

// Dropped is how many messages were received and dropped because the backlog was full.
func (s *Subscriber) Dropped() uint64 { return s.log.losses() }

// Pending is how many messages were received and not yet handled, and their bytes in the backlog.
func (s *Subscriber) Pending() (msgs, bytes int64) { return s.log.pending() }

// URL is the server of the present connection without credentials, empty while there is none.
func (s *Subscriber) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return ""
	}
	return s.conn.URL()
}

// Info is what the server of the present connection says of itself, nil while there is none.
func (s *Subscriber) Info() *Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil
	}
	return s.conn.Info()
}

// Stats counts over all connections.
func (s *Subscriber) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return s.past
	}
	return s.past.plus(s.conn.Stats())
}

// Close gives everything back. It must not be called during Run.
func (s *Subscriber) Close() error {
	s.detach()
	return s.log.disk.close()
}
