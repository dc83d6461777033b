// Package control is the operator's side of a fleet: it asks many devices at once, keeps their configuration, sends them commands,
// moves them and copies their data between JetStream domains. It returns values and errors and writes to no terminal.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/store"
)

// Fleet reaches the devices of one service. All fields but Strange and Replicas are needed.
type Fleet struct {
	Conn   *nats.Conn
	JS     jetstream.JetStream // of the domain that holds the buckets and streams
	Names  fleet.Names
	Bucket string // of the configuration
	Clock  clock.Clock
	// Strange is told of answers and entries that are not by the protocol, and that are left out; nil ignores them.
	Strange func(reason string)
	// Replicas is on how many servers a bucket or stream that is made here is kept; 0 is one.
	Replicas int
}

func (f *Fleet) strange(format string, args ...any) {
	if f.Strange != nil {
		f.Strange(fmt.Sprintf(format, args...))
	}
}

func (f *Fleet) stores() *store.Client { return store.New(f.JS) }

// missing tells whether a bucket or stream is not there, as opposed to out of reach.
func missing(err error) bool {
	return errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound)
}

// bucket opens a bucket, and makes it when it is not there. Several may do so at the same time.
func (f *Fleet) bucket(ctx context.Context, name, description string, history int64) (*store.Bucket, error) {
	b, err := f.stores().OpenKV(ctx, name)
	if !missing(err) {
		return b, err
	}
	if _, err := f.ensure(ctx, fleet.BucketStream(name, description, history, f.Replicas)); err != nil {
		return nil, err
	}
	return f.stores().OpenKV(ctx, name)
}

// stateBucket opens the bucket in which devices say who they are, and makes it when it is not there.
func (f *Fleet) stateBucket(ctx context.Context) (*store.Bucket, error) {
	return f.bucket(ctx, f.Names.State(), "who the devices of "+f.Names.Service+" are and what they have applied", 1)
}

// makeConfig opens the bucket of the configuration, and makes it and that of the states when they are not there: devices tell what
// they applied only where there is a place for it.
func (f *Fleet) makeConfig(ctx context.Context) (*store.Bucket, error) {
	if _, err := f.stateBucket(ctx); err != nil {
		return nil, err
	}
	return f.bucket(ctx, f.Bucket, "configuration of the devices of "+f.Names.Service, fleet.ConfigHistory)
}

// A Place is a bucket or stream that devices need.
type Place struct {
	Kind    string `json:"kind"` // bucket or stream
	Name    string `json:"name"`
	Holds   string `json:"holds"`
	Created bool   `json:"created"` // it was not there before
}

// Init makes what devices need and is not there: the buckets of configuration and states, the streams of commands and results, which
// keep both for maxAge.
func (f *Fleet) Init(ctx context.Context, maxAge time.Duration) ([]Place, error) {
	places := []Place{
		{Kind: "bucket", Name: f.Bucket, Holds: "configuration"}, {Kind: "bucket", Name: f.Names.State(), Holds: "who devices are, what they have applied"},
		{Kind: "stream", Name: f.Names.Commands(), Holds: "commands"}, {Kind: "stream", Name: f.Names.Results(), Holds: "results of commands"},
	}
	for i, p := range places {
		var err error
		if p.Kind == "bucket" {
			_, err = f.stores().OpenKV(ctx, p.Name)
		} else {
			_, err = f.JS.Stream(ctx, p.Name)
		}
		if places[i].Created = missing(err); err != nil && !places[i].Created {
			return nil, fmt.Errorf("%s %s: %w", p.Kind, p.Name, err)
		}
	}
	if _, err := f.makeConfig(ctx); err != nil {
		return nil, err
	}
	return places, f.OpenCommands(ctx, maxAge)
}

// A Device is what is known of one device.
type Device struct {
	Info fleet.Info
	Live bool               // it answered now
	Seen time.Time          // when it last spoke, as far as known; zero for never
	Conf *fleet.ConfigState // what it says it has applied; nil when it has not said
}

// Registry is what the devices have left in the state's bucket, by id; empty when there is no such bucket.
func (f *Fleet) Registry(ctx context.Context) (map[string]Device, error) {
	out := map[string]Device{}
	b, err := f.stores().OpenKV(ctx, f.Names.State())
	if missing(err) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) || errors.Is(err, nats.ErrNoResponders) {
		return out, nil // devices answer without JetStream too
	}
	if err != nil {
		return nil, err
	}
	confs := map[string]store.Entry{}
	err = b.Read(ctx, store.Read{Patterns: []string{"device.*", "config.*"}}, func(e store.Entry) error {
		kind, id, _ := strings.Cut(e.Key, ".")
		if kind == "config" {
			confs[id] = e
			return nil
		}
		d := Device{Seen: e.Created}
		if err := json.Unmarshal(e.Value, &d.Info); err != nil || d.Info.ID != id || fleet.CheckID(id) != nil {
			f.strange("bucket %s: key %s does not describe that device", b.Name, e.Key)
			return nil
		}
		out[id] = d
		return nil
	})
	if err != nil {
		return nil, err
	}
	for id, e := range confs {
		f.readState(out, id, e)
	}
	return out, nil
}

// readState adds what a device says of its configuration. A device that has said nothing else is known by its id alone.
func (f *Fleet) readState(out map[string]Device, id string, e store.Entry) {
	state := fleet.ConfigState{}
	if err := json.Unmarshal(e.Value, &state); err != nil || state.ID != id || fleet.CheckID(id) != nil {
		f.strange("bucket %s: key %s is no state of that device", e.Bucket, e.Key)
		return
	}
	d, ok := out[id]
	if !ok {
		d.Info.ID = id
	}
	d.Conf = &state
	if e.Created.After(d.Seen) {
		d.Seen = e.Created
	}
	out[id] = d
}

// IDs are the ids of the devices, sorted.
func IDs(devices map[string]Device) []string {
	out := make([]string, 0, len(devices))
	for id := range devices {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// Devices are those that answer now and those that the registry knows, sorted by nickname and id. A device that answers is
// described by its answer. Those that the selector does not select are left out; a selector that fails on a device does not
// select it.
func (f *Fleet) Devices(ctx context.Context, sel fleet.Selector, p Patience) ([]Device, error) {
	all, err := f.Registry(ctx)
	if err != nil {
		return nil, err
	}
	if p.Known == nil {
		p.Known = IDs(all)
	}
	if _, err = f.Query(ctx, "", p, func(a fleet.Answer) error {
		if a.Info == nil {
			return nil
		}
		d := all[a.ID]
		d.Info, d.Live, d.Seen = *a.Info, true, f.Clock.Now()
		all[a.ID] = d
		return nil
	}); err != nil {
		return nil, err
	}
	out := []Device{}
	for _, d := range all {
		if ok, err := sel.Match(d.Info); err == nil && ok {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b Device) int {
		return strings.Compare(a.Info.Nickname+"\x00"+a.Info.ID, b.Info.Nickname+"\x00"+b.Info.ID)
	})
	return out, nil
}

// Unknown is the error for a device that nobody has heard of, with the names that come near.
func Unknown(id string, known []string) *fail.Error {
	err := fail.NotFoundf("device %s: nobody has heard of it", id)
	if hint := fail.DidYouMean("", id, known); hint != "" {
		return err.WithHint("%s", hint)
	}
	return err.WithHint("nats fleet ls shows the devices that are known")
}
