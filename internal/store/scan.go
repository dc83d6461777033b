package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/js/delivery"
)

// Bounds of what a scan asks for ahead of its reader: this many messages or bytes are in memory at most, twice while a
// request overlaps the one before.
const (
	scanBatch     = 2000
	scanBytes     = 8 << 20
	scanHeartbeat = 5 * time.Second
	scanExpires   = 10 * time.Minute
	scanInactive  = 2 * time.Minute
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
	live        bool // go on after what was there at the start
}

// scanned is one message of a scan.
type scanned struct {
	msg     *nats.Msg
	seq     uint64
	time    time.Time
	pending uint64 // messages behind it
}

// scan reads a stream in order through a consumer of its own, survives reconnects and a consumer that went away, and takes
// the consumer off the server when it ends. Memory is bounded: the reader asks for more when it has handled what it had.
type scan struct {
	c    *Client
	spec scanSpec
	sub  *nats.Subscription
	ch   chan *nats.Msg
	back chan nats.Status // reconnects

	name     string // of the consumer
	inbox    string
	initial  uint64 // messages at the start
	lastSeq  uint64 // of the last message handled
	deliver  uint64 // consumer sequence of the last message
	asked    int    // messages asked for and not yet come
	oversize bool   // the next message is larger than scanBytes
	left     uint64 // messages behind the last one
	drained  bool   // nothing stands behind the last message
}

type consumerConfig struct {
	Name          string        `json:"name"`
	DeliverPolicy string        `json:"deliver_policy"`
	OptStartSeq   uint64        `json:"opt_start_seq,omitempty"`
	AckPolicy     string        `json:"ack_policy"`
	ReplayPolicy  string        `json:"replay_policy"`
	FilterSubject string        `json:"filter_subject,omitempty"`
	Filters       []string      `json:"filter_subjects,omitempty"`
	Inactive      time.Duration `json:"inactive_threshold"`
	Replicas      int           `json:"num_replicas"`
	Memory        bool          `json:"mem_storage"`
	HeadersOnly   bool          `json:"headers_only,omitempty"`
	Description   string        `json:"description"`
}

type consumerInfo struct {
	Name       string `json:"name"`
	NumPending uint64 `json:"num_pending"`
	Delivered  struct {
		Stream uint64 `json:"stream_seq"`
	} `json:"delivered"`
}

// openScan makes the consumer and the subscription; the caller must end the scan with close.
func (c *Client) openScan(ctx context.Context, spec scanSpec) (*scan, error) {
	s := &scan{c: c, spec: spec, ch: make(chan *nats.Msg, 2*scanBatch+64), inbox: c.nc.NewInbox()}
	sub, err := c.nc.ChanSubscribe(s.inbox, s.ch)
	if err != nil {
		return nil, err
	}
	s.sub = sub
	s.back = c.nc.StatusChanged(nats.CONNECTED)
	info, err := s.create(ctx)
	if err != nil {
		_ = sub.Unsubscribe()
		c.nc.RemoveStatusListener(s.back)
		return nil, err
	}
	s.initial = info.NumPending
	if spec.from == fromNew {
		s.lastSeq = info.Delivered.Stream
	}
	return s, nil
}

// create makes a consumer that goes on behind the last message handled.
func (s *scan) create(ctx context.Context) (consumerInfo, error) {
	cfg := consumerConfig{
		Name: "scan_" + s.c.nc.NewInbox()[len(nats.InboxPrefix):], DeliverPolicy: "all", AckPolicy: "none", ReplayPolicy: "instant",
		Inactive: scanInactive, Replicas: 1, Memory: true, HeadersOnly: s.spec.headersOnly, Description: "a command is reading",
	}
	cfg.Name = strings.ReplaceAll(cfg.Name, ".", "_")
	switch {
	case s.spec.from == fromLast:
		cfg.DeliverPolicy = "last_per_subject"
	case s.lastSeq > 0:
		cfg.DeliverPolicy, cfg.OptStartSeq = "by_start_sequence", s.lastSeq+1
	case s.spec.from == fromNew:
		cfg.DeliverPolicy = "new"
	case s.spec.from == fromSeq:
		cfg.DeliverPolicy, cfg.OptStartSeq = "by_start_sequence", s.spec.seq
	}
	if len(s.spec.filters) == 1 {
		cfg.FilterSubject = s.spec.filters[0]
	} else {
		cfg.Filters = s.spec.filters
	}
	if cfg.DeliverPolicy == "last_per_subject" && len(s.spec.filters) == 0 {
		cfg.FilterSubject = ">"
	}
	var info consumerInfo
	tail := "CONSUMER.CREATE." + s.spec.stream + "." + cfg.Name
	if cfg.FilterSubject != "" {
		tail += "." + cfg.FilterSubject
	}
	req := map[string]any{"stream_name": s.spec.stream, "config": cfg, "action": "create"}
	if err := s.c.request(ctx, tail, req, &info); err != nil {
		return info, err
	}
	s.name, s.deliver, s.asked, s.oversize, s.drained = info.Name, 0, 0, false, info.NumPending == 0
	return info, nil
}

// pull asks for more when half of what was asked for has come.
func (s *scan) pull() error {
	req := ""
	switch {
	case s.oversize && s.asked == 0:
		req = fmt.Sprintf(`{"batch":1,"expires":%d,"idle_heartbeat":%d}`, scanExpires, scanHeartbeat)
		s.asked, s.oversize = 1, false
	case s.asked > scanBatch/2 || s.oversize:
		return nil
	default:
		more := scanBatch - s.asked
		req = fmt.Sprintf(`{"batch":%d,"max_bytes":%d,"expires":%d,"idle_heartbeat":%d}`, more, scanBytes, scanExpires, scanHeartbeat)
		s.asked += more
	}
	return s.c.nc.PublishRequest(s.c.prefix+"CONSUMER.MSG.NEXT."+s.spec.stream+"."+s.name, s.inbox, []byte(req))
}

// each hands every message to fn in order until fn returns an error, ctx ends or, unless live, what was there at the start
// has been handed over. atEnd, when given, is called once when the initial messages are done.
//
// What is written while a scan runs moves to the end of the stream. A scan that is not live therefore reads on once more
// as many messages as stand behind the initial ones: a key may come twice, but none is missed that was there all the time.
func (s *scan) each(ctx context.Context, atEnd func() error, fn func(scanned) error) error {
	var handled uint64
	ended, again := false, s.spec.live
	limit := s.initial
	for {
		if !ended && (s.drained || handled >= limit) {
			if !s.drained && !again {
				again, limit = true, handled+s.left
				continue
			}
			ended = true
			if atEnd != nil {
				if err := atEnd(); err != nil {
					return err
				}
			}
			if !s.spec.live {
				return nil
			}
		}
		if err := s.pull(); err != nil {
			return err
		}
		m, err := s.next(ctx)
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		handled++
		if err := fn(*m); err != nil {
			return err
		}
	}
}

// next waits for one message; nil means that something else happened and that the caller should ask again.
func (s *scan) next(ctx context.Context) (*scanned, error) {
	select {
	case m := <-s.ch:
		return s.take(ctx, m)
	default:
	}
	timer := time.NewTimer(2 * scanHeartbeat)
	defer timer.Stop()
	select {
	case m := <-s.ch:
		return s.take(ctx, m)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.back:
		return nil, s.again(ctx)
	case <-timer.C:
		if s.c.nc.IsClosed() {
			return nil, nats.ErrConnectionClosed
		}
		return nil, s.again(ctx)
	}
}

// take reads one message of the subscription: a message of the stream or a word of the server about our requests.
func (s *scan) take(ctx context.Context, m *nats.Msg) (*scanned, error) {
	if m == nil {
		return nil, nats.ErrConnectionClosed
	}
	if m.Reply == "" {
		return nil, s.status(ctx, m)
	}
	meta, ok := delivery.Parse(m.Reply)
	if !ok || meta.Consumer != s.name {
		return nil, nil
	}
	s.asked = max(0, s.asked-1)
	if meta.Delivered != s.deliver+1 {
		return nil, s.again(ctx)
	}
	s.deliver = meta.Delivered
	s.left, s.drained = meta.Pending, meta.Pending == 0
	if meta.Sequence <= s.lastSeq {
		return nil, nil
	}
	s.lastSeq = meta.Sequence
	return &scanned{msg: m, seq: meta.Sequence, time: meta.Time, pending: meta.Pending}, nil
}

// status reads what the server says of a request: that it lives, that it ended, or that the consumer is gone.
func (s *scan) status(ctx context.Context, m *nats.Msg) error {
	code, text := m.Header.Get("Status"), strings.ToLower(m.Header.Get("Description"))
	switch {
	case code == "100":
		return nil
	case code == "409" && strings.Contains(text, "exceeds maxbytes"):
		s.oversize = true
	case code == "503", strings.Contains(text, "consumer deleted"), strings.Contains(text, "leadership"), strings.Contains(text, "shutdown"), strings.Contains(text, "consumer not found"):
		return s.again(ctx)
	}
	left, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
	if err != nil {
		left = s.asked
	}
	s.asked = max(0, s.asked-left)
	return nil
}

// again replaces the consumer, for as long as ctx lets it when the scan is live, else for four timeouts.
func (s *scan) again(ctx context.Context) error {
	s.remove(ctx)
	wait := 100 * time.Millisecond
	giveUp := time.Now().Add(4 * s.c.timeout)
	for {
		_, err := s.create(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case apiCode(err, 10059), s.c.nc.IsClosed():
			return err
		case !s.spec.live && time.Now().After(giveUp):
			return fmt.Errorf("reading stream %s stopped behind sequence %d: %w", s.spec.stream, s.lastSeq, err)
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// remove takes the consumer off the server; that it is gone already is fine.
func (s *scan) remove(ctx context.Context) {
	if s.name == "" || !s.c.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(s.c.timeout, 2*time.Second))
	defer cancel()
	_ = s.c.request(ctx, "CONSUMER.DELETE."+s.spec.stream+"."+s.name, nil, nil)
	s.name = ""
}

// close ends the scan and removes its consumer, also when ctx has ended.
func (s *scan) close(ctx context.Context) {
	s.c.nc.RemoveStatusListener(s.back)
	_ = s.sub.Unsubscribe()
	s.remove(ctx)
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
