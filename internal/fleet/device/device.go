package device

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fleet"
)

// Device is a running device. Its methods may be called from any goroutine.
type Device struct {
	o      Options
	ctx    context.Context // of the device's life
	cancel context.CancelFunc
	wg     sync.WaitGroup
	begun  time.Time

	quiet    context.Context // of measuring: it ends first, so that what is measured can be sent
	hush     context.CancelFunc
	measured sync.WaitGroup
	joined   chan struct{}
	joinOnce sync.Once
	changed  pulse      // the connection came, went, or is another one
	moving   sync.Mutex // held while changing links

	mu       sync.Mutex
	link     *link
	closed   bool
	info     fleet.Info
	state    fleet.ConfigState
	sent     uint64 // by links that are gone
	received uint64
	news     pulse // info or state changed

	applying sync.Mutex
	inForce  bool // what state says was applied last; guarded by applying
	out      *outbox
	rtt      atomic.Int64 // nanoseconds
	commands *commands    // nil takes none
}

// Start connects a device and returns when its service is set up; with a server away it goes on trying in the background unless
// NoWait. ctx bounds the start alone: Stop ends the device.
func Start(ctx context.Context, o Options) (*Device, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d := &Device{o: o, ctx: life, cancel: cancel, joined: make(chan struct{}), begun: o.Clock.Now(), info: o.Info}
	d.info.Started = d.begun
	d.quiet, d.hush = context.WithCancel(life)
	d.state = fleet.ConfigState{ID: o.Info.ID, Keys: map[string]uint64{}, Config: json.RawMessage("null")}
	d.out = newOutbox(d)
	if o.Commands != nil {
		d.commands = newCommands(d, *o.Commands)
	}
	l, err := d.dial(o.Conn, "", !o.NoWait)
	if err != nil {
		cancel()
		d.wg.Wait()
		return nil, err
	}
	d.mu.Lock()
	d.link = l
	d.mu.Unlock()
	if err := l.serve(); err != nil {
		cancel()
		l.close()
		d.wg.Wait()
		return nil, err
	}
	l.begin()
	d.changed.signal()
	d.wg.Go(d.out.run)
	if o.Spool != nil {
		d.wg.Go(d.forward)
	}
	if d.commands != nil {
		d.wg.Go(d.commands.work)
		d.wg.Go(d.commands.tell)
	}
	if o.Interval > 0 {
		d.measured.Go(d.measure)
	}
	return d, nil
}

// Joined is closed when the device is connected for the first time.
func (d *Device) Joined() <-chan struct{} { return d.joined }

// Info is who the device is now.
func (d *Device) Info() fleet.Info {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.info
}

// State is what the device has applied.
func (d *Device) State() fleet.ConfigState {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

// Waiting is how many metrics wait to be sent or acknowledged, and how many were given up because there was no more room.
func (d *Device) Waiting() (metrics int, lost uint64) { return d.out.waiting() }

// Stop ends the device: what is under way is finished as far as ctx allows, then the connection is closed. Waiting tells what was left.
func (d *Device) Stop(ctx context.Context) error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	d.hush()
	d.measured.Wait()
	d.out.drain(ctx)
	d.cancel()
	d.moving.Lock() // a move that is under way sees that we are closed
	l := d.current()
	err := l.flush(ctx)
	l.close()
	d.moving.Unlock()
	d.wg.Wait()
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrConnectionReconnecting) || errors.Is(err, nats.ErrConnectionClosed) {
		return nil // nothing waits there: metrics and results are kept by us
	}
	return err
}

func (d *Device) current() *link {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.link
}

// online is the link if it is connected.
func (d *Device) online() *link {
	if l := d.current(); l != nil && l.nc.IsConnected() {
		return l
	}
	return nil
}

// settle learns where the device is after a connection has been made.
func (d *Device) settle(l *link) {
	d.mu.Lock()
	if d.link == l || d.link == nil {
		d.info.Server, d.info.Cluster, d.info.Domain = l.nc.ConnectedServerName(), l.nc.ConnectedClusterName(), l.nc.ConnectedDomain()
		if l.svc != nil {
			d.info.Instance = l.svc.Info().ID
		}
	}
	d.mu.Unlock()
	d.news.signal()
}

// Connected reports whether the device has a connection at the moment.
func (d *Device) Connected() bool { return d.online() != nil }

// Traffic is how many messages the device has published and received since its start.
func (d *Device) Traffic() (sent, received uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.link.nc.Stats()
	return d.sent + st.OutMsgs, d.received + st.InMsgs
}

// trouble notes what the device misses; empty when it misses nothing.
func (d *Device) trouble(text string) {
	d.mu.Lock()
	same := d.info.Trouble == text
	if !same {
		d.info.Trouble = text
		if text != "" {
			d.state.Error, d.state.Time = text, d.o.Clock.Now()
		}
	}
	d.mu.Unlock()
	if !same {
		if text != "" {
			d.o.Say("%s", text)
		}
		d.news.signal()
	}
}

// spawn runs f beside the device, unless that ends.
func (d *Device) spawn(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.wg.Go(f)
	}
}

func (d *Device) say(format string, args ...any) { d.o.Say(format, args...) }

func wrap(err error, format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, err)...)
}
