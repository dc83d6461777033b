package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/store"
)

// A Standing says how a device stands to the configuration that there is for it.
type Standing string

// The standings.
const (
	Current Standing = "current" // it has applied what there is
	Behind  Standing = "behind"  // it has applied something earlier
	Failed  Standing = "failed"  // it could not apply what there is
	Unheard Standing = "unheard" // it has never said what it applied
)

// Applied is how one device stands.
type Applied struct {
	Device Device
	Status Standing
	Wants  map[string]uint64 // the keys that are for it and their revisions
}

// Wanted is the highest revision of the keys that are for the device.
func (a Applied) Wanted() uint64 { return highest(a.Wants) }

func highest(keys map[string]uint64) uint64 {
	out := uint64(0)
	for _, r := range keys {
		out = max(out, r)
	}
	return out
}

// A target is a layer and whom it is for.
type target struct {
	Layer
	sel fleet.Selector
}

func (f *Fleet) targets(ctx context.Context) ([]target, error) {
	layers, err := f.Layers(ctx)
	if err != nil {
		return nil, err
	}
	out := []target{}
	for _, l := range layers {
		sel, err := fleet.Compile(l.Where)
		if err != nil {
			f.strange("bucket %s: key %s: %v", f.Bucket, l.Key, err)
			continue
		}
		out = append(out, target{l, sel})
	}
	return out, nil
}

// isFor tells whether a layer is for a device.
func (t target) isFor(d fleet.Info) bool {
	if id, ok := strings.CutPrefix(t.Key, fleet.DeviceKey("")); ok {
		return id == d.ID
	}
	ok, err := t.sel.Match(d)
	return ok && err == nil
}

// Standings tells of each of the devices how it stands, sorted by id.
func (f *Fleet) Standings(ctx context.Context, devices []Device) ([]Applied, error) {
	targets, err := f.targets(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Applied, 0, len(devices))
	for _, d := range devices {
		a := Applied{Device: d, Wants: map[string]uint64{}}
		for _, t := range targets {
			if t.isFor(d.Info) {
				a.Wants[t.Key] = t.Revision
			}
		}
		a.Status = stands(a.Wants, d.Conf)
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Applied) int { return cmp.Compare(a.Device.Info.ID, b.Device.Info.ID) })
	return out, nil
}

func stands(wants map[string]uint64, has *fleet.ConfigState) Standing {
	switch {
	case has == nil:
		return Unheard
	case has.Error != "":
		return Failed
	case maps.Equal(wants, has.Keys):
		return Current
	}
	return Behind
}

// ForLayer are the ids of those of the devices that a layer is for, sorted.
func ForLayer(l Layer, devices map[string]Device) ([]string, error) {
	sel, err := fleet.Compile(l.Where)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for id, d := range devices {
		if (target{l, sel}).isFor(d.Info) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out, nil
}

// An Outcome is what a device made of a change.
type Outcome struct {
	ID    string
	Error string // it could not apply it
}

// errHeard ends a watch when everybody was heard of.
var errHeard = errors.New("all were heard of")

// AwaitApplied waits until each of the devices has said what it made of a change that was written, and hands that over. What it
// returns are the ids of those that had not said anything within the time.
func (f *Fleet) AwaitApplied(ctx context.Context, c Change, ids []string, within time.Duration, each func(Outcome) error) ([]string, error) {
	waiting := map[string]bool{}
	for _, id := range ids {
		waiting[id] = true
	}
	if len(waiting) == 0 {
		return nil, nil
	}
	b, err := f.stateBucket(ctx)
	if err != nil {
		return ids, err
	}
	bound, cancel := context.WithTimeoutCause(ctx, within, context.DeadlineExceeded)
	defer cancel()
	err = b.Read(bound, store.Read{Patterns: []string{fleet.ConfigKey("*")}, Live: true}, func(e store.Entry) error {
		s := fleet.ConfigState{}
		if json.Unmarshal(e.Value, &s) != nil || fleet.ConfigKey(s.ID) != e.Key || !waiting[s.ID] || !c.settled(s, e.Revision > c.mark) {
			return nil
		}
		delete(waiting, s.ID)
		if err := each(Outcome{s.ID, s.Error}); err != nil {
			return err
		}
		if len(waiting) == 0 {
			return errHeard
		}
		return nil
	})
	switch {
	case errors.Is(err, errHeard):
		return nil, nil
	case context.Cause(ctx) == nil && bound.Err() != nil:
		err = nil
	}
	return slices.Sorted(maps.Keys(waiting)), err
}

// settled tells whether what a device says is about the change. fresh says that it was said after the change; a failure that
// was told before is that of an earlier one.
func (c Change) settled(s fleet.ConfigState, fresh bool) bool {
	has, ok := s.Keys[c.After.Key]
	if len(c.After.Config) == 0 {
		return !ok || fresh && s.Error != ""
	}
	return has >= c.After.Revision || fresh && s.Error != ""
}

// A Happening is something that Watch saw: either a change of the configuration or what a device said of it.
type Happening struct {
	Time   time.Time
	Change *Revision
	State  *fleet.ConfigState
}

// Watch hands over changes of the configuration and what devices say that they have applied, as they come, until ctx ends. present
// asks for what there is at the beginning too. started, which may be nil, is called when nothing can be missed any more.
func (f *Fleet) Watch(ctx context.Context, present bool, started func() error, each func(Happening) error) error {
	conf, err := f.stores().OpenKV(ctx, f.Bucket)
	if err != nil {
		return err
	}
	state, err := f.stores().OpenKV(ctx, f.Names.State())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	seen, ends, ready := make(chan Happening), make(chan error, 2), make(chan struct{}, 2)
	follow := func(b *store.Bucket, patterns []string, read func(store.Entry) (Happening, bool)) {
		ends <- b.Read(ctx, store.Read{
			Patterns: patterns, Updates: !present, Live: true, Deletes: true,
			AtEnd: func() error { ready <- struct{}{}; return nil },
		}, func(e store.Entry) error {
			h, ok := read(e)
			if !ok {
				return nil
			}
			select {
			case seen <- h:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	}
	go follow(conf, nil, changed)
	running, waiting := 1, 2
	for running > 0 {
		select {
		case h := <-seen:
			err = each(h)
		case <-ready:
			switch waiting--; {
			case waiting == 1: // what there is of the configuration comes before what devices say of it
				running++
				go follow(state, []string{fleet.ConfigKey("*")}, applied)
			case started != nil:
				err = started()
			}
		case e := <-ends:
			running--
			err = e
		}
		if err != nil {
			cancel(err)
			for ; running > 0; running-- {
				<-ends
			}
			return err
		}
	}
	return nil
}

func changed(e store.Entry) (Happening, bool) {
	l, err := layerOf(e)
	r := &Revision{Layer: l, Op: e.Op}
	if err != nil {
		r.Error = err.Error()
	}
	return Happening{Time: e.Created, Change: r}, l.concerns()
}

func applied(e store.Entry) (Happening, bool) {
	s := &fleet.ConfigState{}
	if e.Op != store.Put || json.Unmarshal(e.Value, s) != nil || fleet.ConfigKey(s.ID) != e.Key {
		return Happening{}, false
	}
	return Happening{Time: e.Created, State: s}, true
}
