package device

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"
)

// link is one connection of a device and what hangs on it. A move makes another.
type link struct {
	d      *Device
	nc     *nats.Conn
	js     jetstream.JetStream
	svc    micro.Service
	prefix string // before the subjects of metrics, when they go into a spool
	away   string // where the device was moved to, without credentials; empty at home
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	joined pulse // connected or connected again

	inbox string // of the acknowledgements of metrics
	acks  chan ack
}

const (
	patience   = 5 * time.Second        // for one answer of JetStream
	firstRetry = 100 * time.Millisecond // of connecting
	mostRetry  = time.Second
)

// dial makes a link with the given settings. With retry it comes back before it is connected.
func (d *Device) dial(o nats.Options, away string, retry bool) (*link, error) {
	l := &link{d: d, away: away, acks: make(chan ack, 16)}
	if d.o.Spool != nil && away == "" {
		l.prefix = SpoolPrefix
	}
	o.AllowReconnect, o.MaxReconnect, o.RetryOnFailedConnect, o.IgnoreAuthErrorAbort = true, -1, retry, true
	o.ReconnectBufSize = -1 // what cannot be sent is kept by us, in order
	o.PingInterval, o.MaxPingsOut = 5*time.Second, 2
	o.CustomReconnectDelayCB = func(attempts int) time.Duration { return backoff(attempts-1, firstRetry, mostRetry) }
	if o.Timeout <= 0 {
		o.Timeout = nats.DefaultTimeout
	}
	// Callbacks run one after the other, beside us: the first waits until the link is whole.
	ready := make(chan struct{})
	connected := func(nc *nats.Conn) {
		<-ready
		l.connected()
	}
	o.ConnectedCB, o.ReconnectedCB = connected, connected
	o.DisconnectedCB = nil
	o.DisconnectedErrCB = func(_ *nats.Conn, err error) {
		<-ready
		l.disconnected(err)
	}
	o.ReconnectErrCB, o.DiscoveredServersCB, o.LameDuckModeHandler = nil, nil, nil
	before := o.AsyncErrorCB
	o.AsyncErrorCB = func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if before != nil {
			before(nc, sub, err)
		}
	}
	var err error
	l.ctx, l.cancel = context.WithCancel(d.ctx)
	if l.nc, err = o.Connect(); err == nil {
		if d.o.Domain != "" {
			l.js, err = jetstream.NewWithDomain(l.nc, d.o.Domain, jetstream.WithDefaultTimeout(patience))
		} else {
			l.js, err = jetstream.New(l.nc, jetstream.WithDefaultTimeout(patience))
		}
	}
	if err == nil {
		l.inbox = l.nc.NewInbox() + "."
		_, err = l.nc.Subscribe(l.inbox+"*", l.acknowledged)
	}
	close(ready)
	if err != nil {
		l.cancel()
		if l.nc != nil {
			l.nc.Close()
		}
		return nil, err
	}
	return l, nil
}

// begin starts what runs as long as the link.
func (l *link) begin() {
	l.wg.Go(l.configure)
	l.wg.Go(l.report)
}

func (l *link) connected() {
	select {
	case <-l.ctx.Done():
		return
	default:
	}
	l.d.settle(l)
	// What waits for the first connection begins after those who look for a change of it have been told: a metric that is sent
	// in between would be sent again.
	l.joined.signal()
	l.d.changed.signal()
	l.d.say("Connected to %s", l.where())
	l.d.joinOnce.Do(func() { close(l.d.joined) })
}

func (l *link) disconnected(err error) {
	if l.ctx.Err() != nil {
		return
	}
	if err != nil {
		l.d.say("Connection lost: %s", err)
	}
	l.d.changed.signal()
	if l.away != "" {
		l.d.spawn(func() { l.d.strand(l) })
	}
}

// places are where commands for the device wait and its state is kept: JetStream of the server it is on, and, when it was moved to
// another domain, JetStream at home as far as that can be reached from there.
func (l *link) places() []jetstream.JetStream {
	l.d.mu.Lock()
	home := l.d.home
	l.d.mu.Unlock()
	places := []jetstream.JetStream{l.js}
	if l.away == "" || home == "" || l.d.o.Domain != "" || home == l.nc.ConnectedDomain() {
		return places
	}
	if js, err := jetstream.NewWithDomain(l.nc, home, jetstream.WithDefaultTimeout(patience)); err == nil {
		places = append(places, js)
	}
	return places
}

// where is the server, by name and URL without credentials.
func (l *link) where() string {
	name, at := l.nc.ConnectedServerName(), bare(l.nc.ConnectedUrl())
	if at == "" {
		return name
	}
	return name + " (" + at + ")"
}

// flush waits until the server has taken what was published.
func (l *link) flush(ctx context.Context) error {
	if !l.nc.IsConnected() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return l.nc.FlushWithContext(ctx)
}

// close ends the link and waits for what ran on it.
func (l *link) close() {
	l.cancel()
	if l.svc != nil {
		_ = l.svc.Stop()
	}
	l.nc.Close()
	l.wg.Wait()
}

// domain says in words where JetStream was asked.
func (l *link) domain() string {
	domain := l.d.o.Domain
	if domain == "" {
		domain = l.nc.ConnectedDomain()
	}
	if domain == "" {
		return "server " + l.nc.ConnectedServerName()
	}
	return "server " + l.nc.ConnectedServerName() + ", domain " + domain
}

// bare is a list of URLs without their credentials.
func bare(list string) string {
	var out []string
	for s := range strings.SplitSeq(list, ",") {
		if u, err := url.Parse(strings.TrimSpace(s)); err == nil && u.Host != "" {
			u.User, u.RawQuery = nil, ""
			out = append(out, u.String())
			continue
		}
		if _, host, ok := strings.Cut(s, "@"); ok {
			s = host
		}
		out = append(out, strings.TrimSpace(s))
	}
	return strings.Join(out, ",")
}

// missing says whether an error of JetStream means that something is not there, or JetStream as a whole is not.
func missing(err error) bool {
	return errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrConsumerNotFound) ||
		errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount)
}
