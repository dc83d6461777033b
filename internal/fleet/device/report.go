package device

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fleet"
)

const mostReport = 10 * time.Second // between attempts to write the state

// report writes who the device is and what it has applied to the bucket of states whenever that changes; it waits quietly where
// there is no such bucket.
func (l *link) report() {
	d := l.d
	var kv jetstream.KeyValue
	written := map[string][]byte{}
	for attempt := 0; l.ctx.Err() == nil; {
		again, news := l.joined.wait(), d.news.wait()
		if !l.nc.IsConnected() {
			kv, attempt = nil, 0
			select {
			case <-again:
			case <-l.ctx.Done():
			}
			continue
		}
		if l.tell(&kv, written) {
			attempt = 0
			select {
			case <-again:
				clear(written) // what a server that died had of it is not known
			case <-news:
			case <-l.ctx.Done():
			}
			continue
		}
		kv = nil
		if !pause(l.ctx, backoff(attempt, firstLook, mostReport), again) {
			return
		}
		attempt++
	}
}

// tell writes what is not written yet; false when that has to be tried again.
func (l *link) tell(kv *jetstream.KeyValue, written map[string][]byte) bool {
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	var err error
	if *kv == nil {
		for _, js := range l.places() {
			if *kv, err = js.KeyValue(ctx, l.d.o.Names.State()); !missing(err) {
				break
			}
		}
		if err != nil {
			*kv = nil
			return false
		}
	}
	l.d.mu.Lock()
	info, state := l.d.info, l.d.state
	l.d.mu.Unlock()
	facts := map[string]any{fleet.DeviceKey(info.ID): info}
	if !state.Time.IsZero() {
		facts[fleet.ConfigKey(info.ID)] = state
	}
	for key, fact := range facts {
		text, err := json.Marshal(fact)
		if err != nil {
			l.d.say("The state %s cannot be written: %s", key, err)
			continue
		}
		if bytes.Equal(text, written[key]) {
			continue
		}
		if _, err := (*kv).Put(ctx, key, text); err != nil {
			return false
		}
		written[key] = text
	}
	return true
}
