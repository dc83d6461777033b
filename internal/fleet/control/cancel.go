package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/js"
)

// workers is how many devices are spoken to one by one at the same time.
const workers = 64

func keys(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// An Order is what a device made of a Control.
type Order struct {
	Device  string
	Answer  fleet.Controlled
	Offline bool  // nobody listens there
	Err     error // no answer, or none that can be read
}

// Control gives an order to each of the devices, several at a time, and hands over what each said, one after the other. timeout
// bounds the answer of each.
func (f *Fleet) Control(ctx context.Context, devices []string, order fleet.Control, timeout time.Duration, each func(Order) error) error {
	body, err := json.Marshal(order)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	jobs, said := make(chan string), make(chan Order)
	var busy sync.WaitGroup
	for range min(workers, len(devices)) {
		busy.Go(func() {
			for id := range jobs {
				said <- f.control(ctx, id, body, timeout)
			}
		})
	}
	go func() {
		defer close(said)
		defer busy.Wait()
		defer close(jobs)
		for _, id := range devices {
			select {
			case jobs <- id:
			case <-ctx.Done():
				return
			}
		}
	}()
	var failed error
	for o := range said {
		if failed != nil || ctx.Err() != nil {
			continue
		}
		if failed = each(o); failed != nil {
			cancel(failed)
		}
	}
	if failed != nil {
		return failed
	}
	return context.Cause(ctx)
}

func (f *Fleet) control(ctx context.Context, id string, body []byte, timeout time.Duration) Order {
	o := Order{Device: id}
	bound, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m, err := f.Conn.RequestWithContext(bound, f.Names.Control(id), body)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		o.Offline = true
	case err != nil:
		o.Err = fail.Newf(fail.NoAnswer, "device %s: %w", id, err)
	default:
		if err := json.Unmarshal(m.Data, &o.Answer); err != nil || o.Answer.ID != id {
			o.Err = fmt.Errorf("device %s: its answer cannot be read", id)
		}
	}
	return o
}

// Cancelled is what cancelling a command came to on one device.
type Cancelled struct {
	Progress        // where the command is after all
	Done     bool   // it was cancelled, now or before
	Offline  bool   // the device could not be told; what it has not begun it will not begin
	Reason   string // why it was not cancelled
}

// Cancel takes a command back: the devices are told, and for those that are away it is removed from the stream, if they have not
// fetched it. What became of it on each device is returned, sorted. Devices that had finished it are not changed. timeout bounds the
// answer of each device.
func (f *Fleet) Cancel(ctx context.Context, id string, timeout time.Duration) ([]Cancelled, error) {
	status, err := f.Command(ctx, id)
	if err != nil {
		return nil, err
	}
	open, at := []string{}, map[string]Progress{}
	for _, p := range status.Devices {
		if !p.State.Final() {
			open, at[p.Device] = append(open, p.Device), p
		}
	}
	said, order := map[string]Order{}, fleet.Control{Cancel: id}
	away := []string{}
	err = f.Control(ctx, open, order, timeout, func(o Order) error {
		said[o.Device] = o
		if o.Offline || o.Err != nil {
			away = append(away, o.Device)
			return f.withdraw(ctx, at[o.Device])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// One that came back meanwhile may have fetched it before it was removed.
	err = f.Control(ctx, away, order, timeout, func(o Order) error {
		said[o.Device] = o
		if o.Answer.OK || o.Err != nil || at[o.Device].State != fleet.Queued {
			return nil
		}
		return f.recordCancel(ctx, at[o.Device])
	})
	if err != nil {
		return nil, err
	}
	return f.outcome(ctx, status, said, timeout)
}

// withdraw removes a command from the stream, unless it is gone.
func (f *Fleet) withdraw(ctx context.Context, p Progress) error {
	if p.Sequence == 0 || p.State != fleet.Queued {
		return nil
	}
	err := js.New(f.JS).DeleteMessage(ctx, f.Names.Commands(), p.Sequence, true)
	if err != nil && !js.IsCode(err, 10037, 10043, 10057) {
		return fmt.Errorf("command %s for device %s: %w", p.Command, p.Device, err)
	}
	return nil
}

// recordCancel keeps that a command was taken back that its device never saw, unless the device says something of it first.
func (f *Fleet) recordCancel(ctx context.Context, p Progress) error {
	r := p.Result
	r.State, r.Ended = fleet.Cancelled, f.Clock.Now()
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = f.JS.Publish(ctx, f.Names.Result(r.Device, r.Command), body,
		jetstream.WithExpectStream(f.Names.Results()), jetstream.WithExpectLastSequencePerSubject(0))
	if js.IsCode(err, 10071, 10164) {
		return nil
	}
	return named(f.Names.Results(), err)
}

// outcome reads where the command is after those who run it were told to end it.
func (f *Fleet) outcome(ctx context.Context, before Status, said map[string]Order, timeout time.Duration) ([]Cancelled, error) {
	told := []string{}
	for id, o := range said {
		if o.Answer.OK {
			told = append(told, id)
		}
	}
	if _, err := f.Follow(ctx, before.ID, told, timeout, func(fleet.Result) error { return nil }); err != nil {
		return nil, err
	}
	last := map[string]fleet.Result{}
	if err := f.results(ctx, before.ID, func(r fleet.Result) error { last[r.Device] = r; return nil }); err != nil {
		return nil, err
	}
	out := make([]Cancelled, 0, len(before.Devices))
	for _, p := range before.Devices {
		if r, ok := last[p.Device]; ok {
			p.Result = r
		}
		o := said[p.Device]
		c := Cancelled{Progress: p, Done: p.State == fleet.Cancelled, Offline: o.Offline}
		switch {
		case c.Done:
		case p.State.Final():
			c.Reason = "too late: it is " + string(p.State)
		case o.Err != nil:
			c.Reason = o.Err.Error()
		case o.Answer.Error != "":
			c.Reason = o.Answer.Error
		case o.Offline:
			c.Reason = "the device had begun and is offline"
		default:
			c.Reason = "the device has not ended it yet"
		}
		out = append(out, c)
	}
	return out, nil
}
