package device

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// parcel is a message that is to be published.
type parcel struct {
	serial  uint64
	subject string // empty until it is known where it goes first
	id      string
	data    []byte
	first   time.Time // when it was first sent; zero if it was not
	sent    int       // how often
}

// outbox sends metrics in their order. Where a stream takes them each is sent again until it is acknowledged, the next after it;
// the message id keeps a stream from storing it twice. Where there is none they are published as they come. While there is no
// connection they wait.
type outbox struct {
	d *Device

	mu     sync.Mutex
	queue  []*parcel
	serial uint64
	lost   uint64
	filled pulse
	empty  pulse

	state sync.Mutex // guards home
	home  *home      // the stream that takes the metrics; nil when none does
	asked bool       // home has been looked for on this link
	tries int        // lookups on this link that nobody answered
}

// home is a stream and its domain.
type home struct{ stream, domain string }

// ack is an answer to a metric.
type ack struct {
	serial uint64
	home   home
	none   bool // nobody was there to take the message
	err    string
}

const (
	ackPatience = 2 * time.Second
	resendAfter = 200 * time.Millisecond
	mostLookups = 4
	// dedupe is less than the time for which a stream remembers message ids unless it is told otherwise: 2 minutes.
	dedupe = 100 * time.Second
)

func newOutbox(d *Device) *outbox { return &outbox{d: d} }

// add queues a message; the oldest is given up when there is no room.
func (o *outbox) add(subject, id string, data []byte) {
	o.mu.Lock()
	o.serial++
	if len(o.queue) >= o.d.o.Buffer {
		o.queue[0] = nil
		o.queue = o.queue[1:]
		o.lost++
		if o.lost == 1 {
			o.d.say("More than %d metrics wait: the oldest are given up", o.d.o.Buffer)
		}
	}
	o.queue = append(o.queue, &parcel{serial: o.serial, subject: subject, id: id, data: data})
	o.mu.Unlock()
	o.filled.signal()
}

func (o *outbox) waiting() (int, uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue), o.lost
}

// forget makes the outbox look for a stream anew: the device is somewhere else.
func (o *outbox) forget() {
	o.state.Lock()
	o.home, o.asked, o.tries = nil, false, 0
	o.state.Unlock()
}

// drain waits until nothing is left to send, there is no connection, or ctx ends.
func (o *outbox) drain(ctx context.Context) {
	for {
		empty, changed := o.empty.wait(), o.d.changed.wait()
		if n, _ := o.waiting(); n == 0 || o.d.online() == nil {
			return
		}
		select {
		case <-empty:
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (o *outbox) head() *parcel {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return nil
	}
	return o.queue[0]
}

// done removes a parcel unless it was given up meanwhile.
func (o *outbox) done(p *parcel) {
	o.mu.Lock()
	if len(o.queue) > 0 && o.queue[0] == p {
		o.queue[0] = nil
		o.queue = o.queue[1:]
	}
	left := len(o.queue)
	o.mu.Unlock()
	if left == 0 {
		o.empty.signal()
	}
}

// run sends what is queued until the device ends.
func (o *outbox) run() {
	ctx := o.d.ctx
	for ctx.Err() == nil {
		filled, changed := o.filled.wait(), o.d.changed.wait()
		p, l := o.head(), o.d.online()
		switch {
		case p == nil:
			select {
			case <-filled:
			case <-ctx.Done():
			}
		case l == nil:
			select {
			case <-changed:
			case <-ctx.Done():
			}
		case o.send(l, p, changed):
			o.done(p)
		default:
			pause(ctx, resendAfter, changed)
		}
	}
}

// send publishes a parcel and reports whether it has arrived as far as that can be known.
func (o *outbox) send(l *link, p *parcel, changed <-chan struct{}) bool {
	o.state.Lock()
	home, asked := o.home, o.asked
	o.state.Unlock()
	if home != nil && !p.first.IsZero() && o.d.o.Clock.Now().Sub(p.first) > dedupe && stored(l.ctx, l.nc, l.api(home.domain), home.stream, p.subject, p.id) {
		return true
	}
	for len(l.acks) > 0 {
		<-l.acks
	}
	if p.subject == "" {
		p.subject = l.metrics()
	}
	m := &nats.Msg{Subject: l.prefix + p.subject, Reply: l.inbox + strconv.FormatUint(p.serial, 10), Data: p.data, Header: nats.Header{nats.MsgIdHdr: {p.id}}}
	if err := l.nc.PublishMsg(m); err != nil {
		if !reconnectable(err) {
			o.d.say("A metric cannot be published: %s", err)
			return true // it never will be
		}
		return false
	}
	if p.sent++; p.first.IsZero() {
		p.first = o.d.o.Clock.Now()
	}
	if home == nil && asked {
		return true
	}
	answered := o.await(l, p, changed)
	if answered {
		return true
	}
	select {
	case <-changed:
		return false
	default:
	}
	if l.prefix != "" {
		return false // the spool takes it, sooner or later
	}
	there, known := l.taken(p.subject, home)
	o.state.Lock()
	defer o.state.Unlock()
	if home == nil && o.home == nil {
		// A cluster that elects has no answer for a while; who may not ask never gets one.
		o.tries++
		o.home, o.asked = there, known || o.tries >= mostLookups
		return o.asked && there == nil
	}
	if known && there == nil {
		o.home, o.asked = nil, true // the stream is gone
	}
	return false
}

// await waits for the acknowledgement of a parcel.
func (o *outbox) await(l *link, p *parcel, changed <-chan struct{}) bool {
	t := time.NewTimer(ackPatience << min(p.sent-1, 3)) // sending more often makes a slow server no faster
	defer t.Stop()
	for {
		select {
		case a := <-l.acks:
			if a.serial != p.serial {
				continue
			}
			return !a.none && a.err == "" && o.adopt(l, a.home)
		case <-t.C:
			return false
		case <-changed:
			return false
		case <-o.d.ctx.Done():
			return false
		}
	}
}

// adopt notes which stream takes the metrics, and says whether its word counts: that of a stream where the device is goes
// before that of one behind a leaf connection.
func (o *outbox) adopt(l *link, h home) bool {
	o.state.Lock()
	defer o.state.Unlock()
	if o.home == nil || h.domain == l.nc.ConnectedDomain() {
		o.home, o.asked = &h, true
	}
	return *o.home == h
}

// acknowledged handles the answers to metrics.
func (l *link) acknowledged(m *nats.Msg) {
	token := m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
	serial, err := strconv.ParseUint(token, 10, 64)
	if err != nil {
		return
	}
	a := ack{serial: serial}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		a.none = true
	} else {
		var word struct {
			Stream string `json:"stream"`
			Domain string `json:"domain"`
			Error  *struct {
				Description string `json:"description"`
			} `json:"error"`
		}
		if err := json.Unmarshal(m.Data, &word); err != nil || (word.Stream == "" && word.Error == nil) {
			return // somebody else answers metrics
		}
		if a.home = (home{word.Stream, word.Domain}); word.Error != nil {
			a.err = word.Error.Description
		}
	}
	if !a.none && a.err == "" {
		l.d.out.state.Lock()
		if l.d.out.home == nil && l.d.current() == l {
			l.d.out.home, l.d.out.asked = &a.home, true
		}
		l.d.out.state.Unlock()
	}
	select {
	case l.acks <- a:
	default:
	}
}

// taken asks which stream takes a subject: where it was known, else here. known is false when nobody could say.
func (l *link) taken(subject string, at *home) (there *home, known bool) {
	domain := l.nc.ConnectedDomain()
	if at != nil {
		domain = at.domain
	}
	stream, err := taker(l.ctx, l.nc, l.api(domain), subject)
	switch {
	case errors.Is(err, errNoStream):
		return nil, true
	case err != nil:
		return nil, at == nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
	}
	return &home{stream, domain}, true
}
