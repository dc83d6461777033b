// Package device is the commands that are devices: a real one, and many that are made up.
package device

import (
	"context"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/device"
)

// Command is `nats fleet agent` and `nats fleet simulate`.
func Command() []command.Node { return []command.Node{agentVerb(), simulateVerb()} }

// service is what both have in common.
type service struct {
	name     string
	bucket   string
	interval time.Duration
	noWait   bool
}

func (s *service) bind(c *fisk.CmdClause) {
	c.Flag("service", "Name of the service that all devices share; the subjects begin with it").Default(fleet.DefaultService).PlaceHolder("NAME").StringVar(&s.name)
	c.Flag("bucket", "Bucket that holds the configuration").Default(fleet.DefaultBucket).PlaceHolder("BUCKET").StringVar(&s.bucket)
	c.Flag("metrics-interval", "Time between metrics; 0 publishes none").Default("1s").SetValue(flagval.NewDuration(&s.interval).Min(0))
	c.Flag("no-wait", "Fail when no server can be reached at first, instead of going on trying").UnNegatableBoolVar(&s.noWait)
}

func (s *service) check() error {
	if _, err := fleet.NewNames(s.name); err != nil {
		return fail.Usagef("--service: %w", err)
	}
	if s.bucket == "" {
		return fail.Usagef("--bucket: the bucket has no name")
	}
	return nil
}

// options are those of a device that both have in common.
func (s *service) options(ctx context.Context, e *env.Env) (device.Options, error) {
	conn, err := e.Nats.Options(ctx)
	if err != nil {
		return device.Options{}, err
	}
	o := device.Options{
		Names: fleet.Names{Service: s.name}, Bucket: s.bucket, Domain: e.Nats.Effective().JSDomain, Conn: conn, NoWait: s.noWait,
		Interval: s.interval, Clock: e.Clock,
	}
	o.Info.Version = e.Build.Version
	if o.Interval == 0 {
		o.Interval = -1
	}
	return o, nil
}
