// Package complete finds the names that a shell offers for half a word: contexts, streams, keys and the like, as they are
// right now. It asks as little as it can and gives up in silence.
package complete

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/micro"
	"github.com/natskit/natskit/internal/plugin"
)

// Budget is how long a person waits for names after the tab key: connecting and asking together.
const Budget = 300 * time.Millisecond

// Most is how many names are offered; a list that is longer helps nobody.
const Most = 1000

// Question is what is asked for.
type Question struct {
	Kind   command.Kind
	Within string   // the stream, bucket or service that the thing is part of
	Prefix string   // what was typed of it
	Except []string // names that are on the line already
}

// Names are the names that begin with the prefix, sorted. ctx bounds the work; when it ends before all is known there is an
// error and no name.
func Names(ctx context.Context, e *env.Env, q Question) ([]string, error) {
	if q.Kind.Parent() != "" && q.Within == "" {
		return nil, nil
	}
	found, err := find(ctx, e, q)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	found = slices.DeleteFunc(found, func(name string) bool {
		return !strings.HasPrefix(name, q.Prefix) || !typeable(name) || slices.Contains(q.Except, name)
	})
	slices.Sort(found)
	found = slices.Compact(found)
	return found[:min(len(found), Most)], nil
}

// typeable refuses what a shell cannot be given in one line, and what would be taken for a flag.
func typeable(name string) bool {
	return name != "" && name[0] != '-' && !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}

func find(ctx context.Context, e *env.Env, q Question) ([]string, error) {
	switch q.Kind {
	case command.Contexts:
		return e.Contexts.List(ctx)
	case command.Plugins:
		dir, err := plugin.Dir(e.Getenv)
		if err != nil {
			return nil, err
		}
		return plugin.Open(dir).Names()
	case command.Services, command.Instances, command.Endpoints:
		return services(ctx, e, q)
	}
	js, err := e.Nats.JetStream(ctx)
	if err != nil {
		return nil, err
	}
	switch q.Kind {
	case command.Streams:
		l := js.StreamNames(ctx)
		return drain(l.Name(), l.Err)
	case command.Buckets:
		l := js.KeyValueStoreNames(ctx)
		return drain(l.Name(), l.Error)
	case command.ObjectStores:
		l := js.ObjectStoreNames(ctx)
		return drain(l.Name(), l.Error)
	case command.Consumers:
		s, err := js.Stream(ctx, q.Within)
		if err != nil {
			return nil, err
		}
		l := s.ConsumerNames(ctx)
		return drain(l.Name(), l.Err)
	case command.Subjects:
		return subjects(ctx, js, q.Within, q.Prefix)
	case command.Counters:
		return counters(ctx, js, q)
	case command.Keys:
		return keys(ctx, js, q)
	case command.Devices:
		return devices(ctx, js, q)
	case command.Objects:
		return objects(ctx, js, q)
	}
	return nil, nil
}

// drain takes names until there is no more; failed tells afterwards why.
func drain(names <-chan string, failed func() error) ([]string, error) {
	var out []string
	for name := range names {
		out = append(out, name)
	}
	return out, failed()
}

// below is the subject filter for names that begin with prefix: its whole tokens and anything behind them.
func below(prefix string) string {
	if strings.ContainsAny(prefix, "*> ") {
		return ">"
	}
	return prefix[:strings.LastIndexByte(prefix, '.')+1] + ">"
}

func subjects(ctx context.Context, js jetstream.JetStream, stream, prefix string) ([]string, error) {
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(below(prefix)))
	if err != nil {
		return nil, err
	}
	var out []string
	for subject := range info.State.Subjects {
		out = append(out, subject)
	}
	return out, nil
}

// counters are the subjects of the streams that count; there are seldom more than a few of these.
func counters(ctx context.Context, js jetstream.JetStream, q Question) ([]string, error) {
	if q.Within != "" {
		return subjects(ctx, js, q.Within, q.Prefix)
	}
	var out []string
	list := js.ListStreams(ctx)
	for info := range list.Info() {
		if !info.Config.AllowMsgCounter {
			continue
		}
		more, err := subjects(ctx, js, info.Config.Name, q.Prefix)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, list.Err()
}

func keys(ctx context.Context, js jetstream.JetStream, q Question) ([]string, error) {
	bucket, err := js.KeyValue(ctx, q.Within)
	if err != nil {
		return nil, err
	}
	watch, err := bucket.Watch(ctx, below(q.Prefix), jetstream.IgnoreDeletes(), jetstream.MetaOnly())
	if err != nil {
		return nil, err
	}
	defer func() { _ = watch.Stop() }()
	return take(ctx, watch.Updates(), q.Prefix, func(u jetstream.KeyValueEntry) string {
		if u == nil {
			return ""
		}
		return u.Key()
	})
}

// devices are those that have registered in the bucket of their service.
func devices(ctx context.Context, js jetstream.JetStream, q Question) ([]string, error) {
	names, err := fleet.NewNames(cmp.Or(q.Within, fleet.DefaultService))
	if err != nil {
		return nil, err
	}
	found, err := keys(ctx, js, Question{Within: names.State(), Prefix: fleet.DeviceKey(q.Prefix)})
	for i := range found {
		found[i] = strings.TrimPrefix(found[i], fleet.DeviceKey(""))
	}
	return found, err
}

func objects(ctx context.Context, js jetstream.JetStream, q Question) ([]string, error) {
	bucket, err := js.ObjectStore(ctx, q.Within)
	if err != nil {
		return nil, err
	}
	watch, err := bucket.Watch(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer func() { _ = watch.Stop() }()
	return take(ctx, watch.Updates(), q.Prefix, func(u *jetstream.ObjectInfo) string {
		if u == nil {
			return ""
		}
		return u.Name
	})
}

// take collects names that begin with the prefix until the end of what is there, which has none, or until there are enough.
func take[T any](ctx context.Context, updates <-chan T, prefix string, name func(T) string) ([]string, error) {
	var out []string
	for len(out) < Most {
		select {
		case u, ok := <-updates:
			n := ""
			if ok {
				n = name(u)
			}
			if n == "" {
				return out, nil
			}
			if strings.HasPrefix(n, prefix) {
				out = append(out, n)
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return out, nil
}

// quiet is how long after the answer of a service another is waited for: nobody knows how many there are.
const quiet = 50 * time.Millisecond

func services(ctx context.Context, e *env.Env, q Question) ([]string, error) {
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return nil, err
	}
	client := micro.Client{Conn: nc, Clock: e.Clock, Timeout: Budget, Quiet: quiet}
	if deadline, ok := ctx.Deadline(); ok {
		client.Timeout = time.Until(deadline) * 2 / 3 // what has come by then is shown
	}
	var out []string
	if q.Kind == command.Endpoints {
		infos, err := client.Infos(ctx, q.Within, "", micro.First)
		for _, i := range infos {
			for _, ep := range i.Endpoints {
				out = append(out, ep.Name)
			}
		}
		return out, err
	}
	err = client.Pings(ctx, q.Within, "", micro.Adaptive, func(p micro.Ping, _ time.Duration) bool {
		if q.Kind == command.Instances {
			out = append(out, p.ID)
		} else {
			out = append(out, p.Name)
		}
		return len(out) < Most
	})
	return out, err
}
