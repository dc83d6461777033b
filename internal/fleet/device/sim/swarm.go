package sim

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/device"
)

// Options says what fleet to make.
type Options struct {
	Devices int            // how many
	Seed    uint64         // what hardware they have
	Device  device.Options // what they have in common; ID, hardware, delay and usage are made up
	// Joined is told of each device that has joined, how many have by now; nil is allowed.
	Joined func(n int)
}

// Swarm is a fleet that runs.
type Swarm struct {
	devices   []*device.Device
	collector int // what the collector was set to before
	stopped   sync.Once
}

// thrift is how much garbage the process may hold, in percent of what is in use: many devices are more memory than work.
const thrift = 40

// joining is how many devices connect at a time.
const joining = 64

// buffered is how many metrics each device keeps unless Options say otherwise: two minutes of them.
const buffered = 120

// Start starts the devices and returns when all have joined; with a server away it waits for it unless NoWait. When ctx ends
// before, or one cannot be started, none is left.
func Start(ctx context.Context, o Options) (*Swarm, error) {
	if o.Device.Selectors == nil {
		o.Device.Selectors = &device.Selectors{}
	}
	if o.Device.Buffer == 0 {
		o.Device.Buffer = buffered
	}
	// A connection of a device carries little: what a small write buffer does not hold is flushed earlier.
	o.Device.Conn.WriteBufferSize = 4 << 10
	interval := o.Device.Interval
	if interval == 0 {
		interval = device.DefaultInterval
	}
	var (
		mu     sync.Mutex
		wg     sync.WaitGroup
		s      = &Swarm{devices: make([]*device.Device, o.Devices), collector: debug.SetGCPercent(thrift)}
		failed error
		joined int
	)
	slots := make(chan struct{}, joining)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for i := range o.Devices {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			d, err := o.one(ctx, i, interval)
			mu.Lock()
			defer mu.Unlock()
			s.devices[i] = d
			if err != nil {
				if failed == nil {
					failed = err
				}
				cancel(err)
				return
			}
			if joined++; o.Joined != nil {
				o.Joined(joined)
			}
		})
	}
	wg.Wait()
	if failed == nil && ctx.Err() != nil {
		failed = context.Cause(ctx)
	}
	if failed != nil {
		_ = s.Stop(context.WithoutCancel(ctx))
		return nil, failed
	}
	return s, nil
}

// one starts device number i, from 0, and waits until it has joined.
func (o Options) one(ctx context.Context, i int, interval time.Duration) (*device.Device, error) {
	own := o.Device
	version := own.Info.Version
	own.Info = Hardware(o.Seed, i+1)
	own.Info.Version = version
	own.Conn.Name = own.Info.ID
	own.Usage = usage(o.Seed, i+1, own.Info)
	if interval > 0 {
		own.Delay = interval * time.Duration(i) / time.Duration(o.Devices)
	}
	d, err := device.Start(ctx, own)
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", own.Info.ID, err)
	}
	select {
	case <-d.Joined():
		return d, nil
	case <-ctx.Done():
		return d, context.Cause(ctx)
	}
}

// Count is how the fleet is at the moment.
type Count struct {
	Devices   int    `json:"devices"`
	Connected int    `json:"connected"`
	Sent      uint64 `json:"sent"`     // messages
	Received  uint64 `json:"received"` // messages
	Waiting   int    `json:"waiting"`  // metrics that could not be sent yet
	Lost      uint64 `json:"lost"`     // metrics given up, because too many waited
	Applied   int    `json:"applied"`  // devices that run with a configuration
	Troubled  int    `json:"troubled"` // devices that miss something where they are
}

// Count asks every device.
func (s *Swarm) Count() Count {
	c := Count{Devices: len(s.devices)}
	for _, d := range s.devices {
		sent, received := d.Traffic()
		waiting, lost := d.Waiting()
		c.Sent, c.Received, c.Waiting, c.Lost = c.Sent+sent, c.Received+received, c.Waiting+waiting, c.Lost+lost
		if d.Connected() {
			c.Connected++
		}
		if d.State().Revision > 0 {
			c.Applied++
		}
		if d.Info().Trouble != "" {
			c.Troubled++
		}
	}
	return c
}

// Infos is who the devices are.
func (s *Swarm) Infos() []fleet.Info {
	out := make([]fleet.Info, len(s.devices))
	for i, d := range s.devices {
		out[i] = d.Info()
	}
	return out
}

// Stop ends all devices; Count tells what they could not send before ctx ended. The error is that of the first that has one.
func (s *Swarm) Stop(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, len(s.devices))
	for i, d := range s.devices {
		if d != nil {
			wg.Go(func() { errs[i] = d.Stop(ctx) })
		}
	}
	wg.Wait()
	s.stopped.Do(func() { debug.SetGCPercent(s.collector) })
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("device %s: %w", s.devices[i].Info().ID, err)
		}
	}
	return nil
}
