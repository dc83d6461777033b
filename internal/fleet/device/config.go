package device

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fleet"
)

const (
	firstLook = 500 * time.Millisecond // after which a bucket that is missing is looked for again
	mostLook  = 5 * time.Second
	recheck   = 20 * time.Second // how often the bucket is checked to be the same
	hookTime  = time.Minute      // for putting a configuration into force
)

// wanted is what the bucket says: the entries by key.
type wanted struct {
	entries map[string]jetstream.KeyValueEntry
}

// configure watches the configuration as long as the link lives.
func (l *link) configure() {
	for attempt := 0; l.ctx.Err() == nil; attempt++ {
		again := l.joined.wait()
		if !l.nc.IsConnected() {
			attempt = -1
			select {
			case <-again:
			case <-l.ctx.Done():
			}
			continue
		}
		watched, err := l.watch(again)
		switch {
		case l.ctx.Err() != nil:
			return
		case watched:
			attempt = -1
			continue
		case err != nil && l.nc.IsConnected() && (missing(err) || attempt >= 3): // a slow server is no trouble yet
			l.d.trouble(l.absent(err))
		}
		if !pause(l.ctx, backoff(attempt, firstLook, mostLook), again) {
			return
		}
	}
}

// absent says what is wrong with the bucket of the configuration.
func (l *link) absent(err error) string {
	if missing(err) {
		return fmt.Sprintf("no configuration: there is no bucket %s on %s", l.d.o.Bucket, l.domain())
	}
	return fmt.Sprintf("no configuration: bucket %s on %s: %s", l.d.o.Bucket, l.domain(), err)
}

// watch follows the configuration until the connection is another one or the bucket is gone. watched says that it got so far.
func (l *link) watch(again <-chan struct{}) (watched bool, err error) {
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	slow := time.AfterFunc(patience, cancel)
	kv, err := l.js.KeyValue(ctx, l.d.o.Bucket)
	if err != nil {
		return false, err
	}
	created, err := birth(ctx, kv)
	if err != nil {
		return false, err
	}
	w, err := kv.WatchFiltered(ctx, []string{fleet.KeyAll, fleet.RuleKey(">"), fleet.DeviceKey(l.d.o.Info.ID)})
	if err != nil {
		return false, err
	}
	defer func() { _ = w.Stop() }()
	if !slow.Stop() {
		return false, context.DeadlineExceeded
	}
	now := &wanted{entries: map[string]jetstream.KeyValueEntry{}}
	whole := false
	check := time.NewTimer(recheck - backoff(0, recheck/2, recheck/2)/2)
	defer check.Stop()
	for {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return true, errors.New("the watch ended")
			case e == nil:
				whole = true
				l.d.trouble("")
			case e.Operation() == jetstream.KeyValuePut:
				now.entries[e.Key()] = e
			default:
				delete(now.entries, e.Key())
			}
			if whole {
				l.d.want(l.ctx, now)
			}
		case <-check.C:
			if at, err := birth(ctx, kv); err == nil && !at.Equal(created) || missing(err) {
				return err == nil, err
			}
			check.Reset(recheck)
		case <-again:
			return true, nil
		case <-l.ctx.Done():
			return true, nil
		}
	}
}

// birth is when the bucket was made: another one of the same name has another.
func birth(ctx context.Context, kv jetstream.KeyValue) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	st, err := kv.Status(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if b, ok := st.(*jetstream.KeyValueBucketStatus); ok {
		return b.StreamInfo().Created, nil
	}
	return time.Time{}, nil
}

// want takes what the bucket says now and puts it into force.
func (d *Device) want(ctx context.Context, w *wanted) {
	d.applying.Lock()
	defer d.applying.Unlock()
	d.mu.Lock()
	info, before := d.info, d.state
	d.mu.Unlock()
	next := fleet.ConfigState{ID: info.ID, Time: d.o.Clock.Now()}
	var err error
	next.Config, next.Keys, err = w.merge(info, d.o.Selectors)
	for _, revision := range next.Keys {
		next.Revision = max(next.Revision, revision)
	}
	same := d.inForce && bytes.Equal(next.Config, before.Config)
	switch {
	case err == nil && same && before.Error == "" && maps.Equal(next.Keys, before.Keys):
		return
	case err == nil && same:
		// other revisions of the same
	case err == nil:
		hook, cancel := context.WithTimeout(ctx, hookTime)
		err = d.o.Apply(hook, next.Config)
		cancel()
		d.inForce = err == nil
		if err != nil && ctx.Err() != nil {
			return // the device ends; the next start applies it
		}
	}
	if err != nil {
		next.Error = err.Error()
		next.Config, next.Keys, next.Revision = before.Config, before.Keys, before.Revision
		d.say("Configuration not applied: %s", err)
	} else if !same {
		d.say("Configuration of revision %d applied", next.Revision)
	}
	d.mu.Lock()
	d.state = next
	d.mu.Unlock()
	d.news.signal()
}

// merge is the configuration for a device and the keys that went into it: "all", then the rules that select it by name, then its own.
func (w *wanted) merge(info fleet.Info, selectors *Selectors) (json.RawMessage, map[string]uint64, error) {
	var merged any
	used := map[string]uint64{}
	add := func(key string, text []byte, revision uint64) error {
		patch, err := decode(text)
		if err == nil {
			if _, ok := patch.(map[string]any); !ok {
				err = errors.New("it is no JSON object")
			}
		}
		if err != nil {
			return wrap(err, "key %s", key)
		}
		merged = mergePatch(merged, patch)
		used[key] = revision
		return nil
	}
	if e := w.entries[fleet.KeyAll]; e != nil {
		if err := add(fleet.KeyAll, e.Value(), e.Revision()); err != nil {
			return nil, nil, err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.entries)) {
		if !strings.HasPrefix(key, fleet.RuleKey("")) {
			continue
		}
		e := w.entries[key]
		var rule fleet.Rule
		if err := json.Unmarshal(e.Value(), &rule); err != nil {
			return nil, nil, wrap(err, "key %s", key)
		}
		selector, err := selectors.Get(rule.Where)
		if err != nil {
			return nil, nil, wrap(err, "key %s", key)
		}
		if ok, err := selector.Match(info); err != nil {
			return nil, nil, wrap(err, "key %s", key)
		} else if !ok {
			continue
		}
		if err := add(key, rule.Config, e.Revision()); err != nil {
			return nil, nil, err
		}
	}
	if e := w.entries[fleet.DeviceKey(info.ID)]; e != nil {
		if err := add(e.Key(), e.Value(), e.Revision()); err != nil {
			return nil, nil, err
		}
	}
	text, err := json.Marshal(merged)
	return text, used, err
}

// decode keeps numbers as they are written.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("there is more than one JSON value")
	}
	return v, nil
}

// mergePatch is RFC 7396.
func mergePatch(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	t, ok := target.(map[string]any)
	if !ok {
		t = map[string]any{}
	}
	for k, v := range p {
		if v == nil {
			delete(t, k)
		} else {
			t[k] = mergePatch(t[k], v)
		}
	}
	return t
}
