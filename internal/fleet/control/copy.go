package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jsconf"
)

// bucketPrefix makes a stream a key-value bucket.
const bucketPrefix = "KV_"

// Copier copies streams from JetStream domains into others.
type Copier struct {
	Conn    *nats.Conn
	Clock   clock.Clock
	Timeout time.Duration // of each request
}

// A Step is what was done, or would be, to have a copy.
type Step string

// The steps.
const (
	Create Step = "create"
	Extend Step = "extend" // it is there and gets further origins
	Keep   Step = "keep"   // it is there as wanted
)

// An Origin is a stream in a domain.
type Origin struct {
	Domain string `json:"domain"`
	Stream string `json:"stream"`
}

// A Copy is a stream that follows others.
type Copy struct {
	Stream  string // its name
	Domain  string // where it is
	Origins []Origin
	Step    Step

	config *jsconf.Config    // to be sent; nil to keep what there is
	ends   map[Origin]uint64 // last sequences of the origins
	holds  map[Origin]uint64 // messages of origins that are new to it
	before uint64            // messages that it had already
}

// Bucket is the name of the bucket that the stream holds, if it does.
func (c Copy) Bucket() (string, bool) { return strings.CutPrefix(c.Stream, bucketPrefix) }

// in is JetStream in a domain.
func (c *Copier) in(domain string) (*js.Client, error) {
	s, err := jetstream.NewWithDomain(c.Conn, domain, jetstream.WithDefaultTimeout(c.Timeout))
	if err != nil {
		return nil, fail.Usagef("domain %q: %w", domain, err)
	}
	return js.New(s), nil
}

// Domain is the JetStream domain that the connection is in; empty when there is none.
func (c *Copier) Domain(ctx context.Context) (string, error) {
	s, err := jetstream.New(c.Conn, jetstream.WithDefaultTimeout(c.Timeout))
	if err != nil {
		return "", err
	}
	info, err := js.New(s).Account(ctx)
	return info.Domain, err
}

// PlanMirror finds out what has to be done so that the domain into holds a mirror of a stream of the domain from, under the same name.
// A bucket is its stream, KV_ before its name.
func (c *Copier) PlanMirror(ctx context.Context, stream, from, into string) (Copy, error) {
	plan := Copy{Stream: stream, Domain: into, Origins: []Origin{{from, stream}}, Step: Create}
	origin, err := c.origin(ctx, &plan, plan.Origins[0])
	if err != nil {
		return plan, err
	}
	there, err := c.existing(ctx, into, stream)
	if err != nil {
		return plan, err
	}
	if there != nil {
		if m := there.StreamInfo.Config.Mirror; m != nil && originOf(m, into) == plan.Origins[0] {
			plan.Step = Keep
			return plan, nil
		}
		return plan, fail.Newf(fail.Failure, "stream %s in domain %s: it is there and no mirror of the one in domain %s", stream, into, from).
			WithHint("nats stream info %s --js-domain %s shows what it is", stream, into)
	}
	plan.config, err = mirrorOf(origin.StreamInfo.Config, from)
	return plan, err
}

// PlanSource finds out what has to be done so that a stream of the domain into gathers a stream of several domains.
func (c *Copier) PlanSource(ctx context.Context, stream string, from []string, into, name string) (Copy, error) {
	plan := Copy{Stream: name, Domain: into, Step: Create}
	for _, domain := range from {
		o := Origin{domain, stream}
		if domain == into && name == stream {
			return plan, fail.Usagef("stream %s in domain %s cannot gather itself: give the copy another --name", stream, into)
		}
		if slices.Contains(plan.Origins, o) {
			continue
		}
		if _, err := c.origin(ctx, &plan, o); err != nil {
			return plan, err
		}
		plan.Origins = append(plan.Origins, o)
	}
	there, err := c.existing(ctx, into, name)
	if err != nil {
		return plan, err
	}
	cfg, sources := jsconf.DefaultStream(name), []*api.StreamSource{}
	if there != nil {
		if len(there.StreamInfo.Config.Subjects) > 0 || there.StreamInfo.Config.Mirror != nil {
			return plan, fail.Newf(fail.Failure, "stream %s in domain %s: it is there and does not gather others only", name, into).
				WithHint("choose another name with --name")
		}
		plan.Step, sources, plan.before = Keep, there.StreamInfo.Config.Sources, there.State.Msgs
		if cfg, err = there.Config(); err != nil {
			return plan, err
		}
	}
	for _, o := range plan.Origins {
		if slices.ContainsFunc(sources, func(s *api.StreamSource) bool { return originOf(s, into) == o }) {
			delete(plan.holds, o)
			continue
		}
		sources = append(sources, sourceOf(o, into))
		if plan.Step == Keep {
			plan.Step = Extend
		}
	}
	if plan.Step == Keep {
		return plan, nil
	}
	cfg.Unset("subjects")
	plan.config = cfg
	return plan, cfg.Set(sources, "sources")
}

// origin checks that a stream to copy is there, and notes how far it has got.
func (c *Copier) origin(ctx context.Context, plan *Copy, o Origin) (js.Stream, error) {
	client, err := c.in(o.Domain)
	if err != nil {
		return js.Stream{}, err
	}
	s, err := client.Info(ctx, o.Stream)
	if err != nil {
		return s, domainError(o.Domain, err)
	}
	if plan.ends == nil {
		plan.ends, plan.holds = map[Origin]uint64{}, map[Origin]uint64{}
	}
	plan.ends[o], plan.holds[o] = s.State.LastSeq, s.State.Msgs
	return s, nil
}

// existing is a stream, or nil when there is none.
func (c *Copier) existing(ctx context.Context, domain, stream string) (*js.Stream, error) {
	client, err := c.in(domain)
	if err != nil {
		return nil, err
	}
	s, err := client.Info(ctx, stream)
	switch {
	case js.IsCode(err, 10059):
		return nil, nil
	case err != nil:
		return nil, domainError(domain, err)
	}
	return &s, nil
}

// domainError says where it was, and what to check when nobody answers there.
func domainError(domain string, err error) error {
	unreachable := fail.CodeOf(err) == fail.Unreachable
	err = fmt.Errorf("domain %s: %w", domain, err)
	if unreachable {
		return fail.Hint(err, "check the names of the domains, and that the servers are joined: nats server report jetstream shows both")
	}
	return err
}

func prefixOf(domain string) string { return "$JS." + domain + ".API" }

// originOf is what a source of a stream in the domain at is a copy of.
func originOf(s *api.StreamSource, at string) Origin {
	o := Origin{at, s.Name}
	if s.External != nil {
		o.Domain = strings.TrimSuffix(strings.TrimPrefix(s.External.ApiPrefix, "$JS."), ".API")
	}
	return o
}

func sourceOf(o Origin, at string) *api.StreamSource {
	s := &api.StreamSource{Name: o.Stream}
	if o.Domain != at {
		s.External = &api.ExternalStream{ApiPrefix: prefixOf(o.Domain)}
	}
	return s
}

// mirrorOf is the configuration of a mirror that can stand in for its origin: with the same limits for each subject, which buckets
// live by, and readable in the same ways.
func mirrorOf(origin api.StreamConfig, from string) (*jsconf.Config, error) {
	cfg := jsconf.DefaultStream(origin.Name)
	cfg.Unset("subjects")
	values := map[string]any{
		"mirror":  api.StreamSource{Name: origin.Name, External: &api.ExternalStream{ApiPrefix: prefixOf(from)}},
		"storage": origin.Storage, "max_msgs_per_subject": origin.MaxMsgsPer, "max_age": origin.MaxAge,
		"max_msgs": origin.MaxMsgs, "max_bytes": origin.MaxBytes, "allow_direct": origin.AllowDirect, "mirror_direct": origin.AllowDirect,
	}
	if origin.AllowMsgTTL {
		values["allow_msg_ttl"] = true
	}
	if origin.Description != "" {
		values["description"] = origin.Description
	}
	if strings.HasPrefix(origin.Name, bucketPrefix) {
		values["deny_delete"], values["allow_rollup_hdrs"], values["discard"] = origin.DenyDelete, origin.RollupAllowed, origin.Discard
	}
	for name, v := range values {
		if err := cfg.Set(v, name); err != nil {
			return nil, err
		}
	}
	return cfg, nil
}

// Do carries a plan out.
func (c *Copier) Do(ctx context.Context, plan Copy) error {
	if plan.config == nil {
		return nil
	}
	client, err := c.in(plan.Domain)
	if err != nil {
		return err
	}
	if plan.Step == Extend {
		_, err = client.Update(ctx, plan.config)
	} else {
		_, err = client.Create(ctx, plan.config)
	}
	if err != nil {
		return fmt.Errorf("domain %s: stream %s: %w", plan.Domain, plan.Stream, err)
	}
	return nil
}

// A Lag is how far a copy has got.
type Lag struct {
	Messages uint64   // in the copy
	Behind   uint64   // messages of the origins that it lacks, as far as it knows
	Caught   bool     // it has all that the origins held when the copy was planned
	Silent   []Origin // those that it has not reached
}

// How tells how far a copy has got.
func (c *Copier) How(ctx context.Context, plan Copy) (Lag, error) {
	there, err := c.existing(ctx, plan.Domain, plan.Stream)
	if err != nil || there == nil {
		return Lag{}, errors.Join(err, orMissing(there, plan))
	}
	lag := Lag{Messages: there.State.Msgs, Caught: true}
	infos := there.Sources
	if there.Mirror != nil {
		infos = []*api.StreamSourceInfo{there.Mirror}
	}
	for _, o := range plan.Origins {
		i := slices.IndexFunc(infos, func(s *api.StreamSourceInfo) bool {
			return originOf(&api.StreamSource{Name: s.Name, External: s.External}, plan.Domain) == o
		})
		if i < 0 || infos[i].Active < 0 {
			lag.Silent, lag.Caught = append(lag.Silent, o), false
			continue
		}
		lag.Behind += infos[i].Lag
		lag.Caught = lag.Caught && infos[i].Lag == 0
	}
	if there.Mirror != nil {
		lag.Caught = lag.Caught && there.State.LastSeq >= plan.ends[plan.Origins[0]]
		return lag, nil
	}
	if lag.Caught && plan.Step != Keep {
		lag.Caught, err = c.gathered(ctx, plan, lag.Messages)
	}
	return lag, err
}

// gathered tells whether a stream has what its new origins held when it was planned, and hold still. A source that has only just been
// reached says that it is not behind, before it knows.
func (c *Copier) gathered(ctx context.Context, plan Copy, messages uint64) (bool, error) {
	want := plan.before
	for o, n := range plan.holds {
		client, err := c.in(o.Domain)
		if err != nil {
			return false, err
		}
		s, err := client.Info(ctx, o.Stream)
		if err != nil {
			return false, domainError(o.Domain, err)
		}
		want += min(n, s.State.Msgs)
	}
	return messages >= want, nil
}

func orMissing(s *js.Stream, plan Copy) error {
	if s != nil {
		return nil
	}
	return fail.NotFoundf("stream %s in domain %s: it does not exist", plan.Stream, plan.Domain)
}

// poll is how often a copy is looked at while it is waited for.
const poll = 100 * time.Millisecond

// Await looks at a copy until it has all that its origins held when it was planned, or the time is over; the last look is returned.
func (c *Copier) Await(ctx context.Context, plan Copy, within time.Duration) (Lag, error) {
	late := c.Clock.After(within)
	for {
		lag, err := c.How(ctx, plan)
		if err != nil || lag.Caught {
			return lag, err
		}
		select {
		case <-c.Clock.After(poll):
		case <-late:
			return lag, nil
		case <-ctx.Done():
			return lag, context.Cause(ctx)
		}
	}
}
