// Package device is an edge device as package fleet describes it: a micro service that answers for itself, publishes metrics,
// applies configuration, runs commands at most once, and moves between servers.
package device

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"regexp"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/fleet"
)

// Defaults of Options.
const (
	DefaultInterval = time.Second
	DefaultBuffer   = 10_000
	DefaultGrace    = 5 * time.Second
)

// Options is what a device is made of. Info with an ID and Conn are needed, the rest has defaults.
type Options struct {
	// Names are the subjects, streams and buckets; the zero value is those of fleet.DefaultService.
	Names fleet.Names
	// Bucket is that of the configuration; empty is fleet.DefaultBucket.
	Bucket string
	// Domain is the JetStream domain in which configuration, state and commands lie; empty is that of the server.
	Domain string
	// Info is who the device is: ID, Nickname, Model, OS, Arch, CPUs, Memory, Labels and Version. The rest is filled in.
	Info fleet.Info

	// Conn is how to connect: servers, identity, TLS, name. What concerns reconnecting is set by the device: it never gives up.
	Conn nats.Options
	// Away is the same for servers that the device is moved to, as far as their URLs do not say otherwise; nil is Conn.
	Away *nats.Options
	// NoWait makes Start fail when no server can be reached at first.
	NoWait bool
	// Grace is how long a device that was moved waits for its new server to come back before it goes home.
	Grace time.Duration

	// Interval is the time between metrics, 0 means DefaultInterval; negative publishes none.
	Interval time.Duration
	// Delay is the time before the first metric, so that many devices of one process do not publish at once.
	Delay time.Duration
	// Buffer is how many metrics are kept while they cannot be sent; the oldest beyond it are given up.
	Buffer int
	// Spool keeps metrics in a stream of the device's own server, from where they are forwarded; nil publishes them as they are.
	Spool *Spool
	// Usage is the load of the processors and the memory in use, in bytes; nil means neither is known.
	Usage func() (load float64, memory uint64)

	// Apply puts a configuration into force: an object, or null for none. After an error the one before must stay in force.
	// nil applies everything by doing nothing.
	Apply func(ctx context.Context, config json.RawMessage) error
	// Commands runs commands; nil takes none.
	Commands *Commands
	// Selectors keeps compiled expressions; devices of one process may share it.
	Selectors *Selectors

	// Clock paces metrics and stamps what is published.
	Clock clock.Clock
	// Say gets lines for people; they may hold text from the network. nil drops them.
	Say func(format string, args ...any)
}

var semver = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
})

func (o *Options) complete() error {
	if o.Names.Service == "" {
		o.Names.Service = fleet.DefaultService
	}
	if _, err := fleet.NewNames(o.Names.Service); err != nil {
		return err
	}
	if err := fleet.CheckID(o.Info.ID); err != nil {
		return err
	}
	if o.Spool != nil && (o.Spool.Stream == "" || o.Spool.Hub == "") {
		return errors.New("a spool needs the name of its stream and the domain of the hub")
	}
	if o.Bucket == "" {
		o.Bucket = fleet.DefaultBucket
	}
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	if o.Buffer < 0 {
		return errors.New("a buffer cannot have less than no room")
	}
	if o.Buffer == 0 {
		o.Buffer = DefaultBuffer
	}
	if o.Grace <= 0 {
		o.Grace = DefaultGrace
	}
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	if o.Selectors == nil {
		o.Selectors = &Selectors{}
	}
	if o.Apply == nil {
		o.Apply = func(context.Context, json.RawMessage) error { return nil }
	}
	if o.Info.Labels == nil {
		o.Info.Labels = map[string]string{}
	}
	return nil
}

// serviceVersion is the version as the service framework takes it; a build without one is 0.0.0.
func serviceVersion(v string) string {
	if semver().MatchString(v) {
		return v
	}
	return "0.0.0"
}

// backoff is the time before the next attempt: it doubles from first to most and is spread over a quarter.
func backoff(attempt int, first, most time.Duration) time.Duration {
	d := first
	for i := 0; i < attempt && d < most; i++ {
		d *= 2
	}
	d = min(d, most)
	return d - rand.N(d/4+1)
}
