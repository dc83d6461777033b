package consumers

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/natskit/natskit/internal/jsconf"
)

// Diff compares two configurations key by key, after spelling out what a server would fill in and dropping what means nothing to
// it. Paths are sorted.
func Diff(before, after *jsconf.Config) ([]jsconf.Change, error) {
	a, err := normal(before)
	if err != nil {
		return nil, err
	}
	b, err := normal(after)
	if err != nil {
		return nil, err
	}
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	var out []jsconf.Change
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if reflect.DeepEqual(a[k], b[k]) {
			continue
		}
		before, err := json.Marshal(a[k])
		if err != nil {
			return nil, err
		}
		after, err := json.Marshal(b[k])
		if err != nil {
			return nil, err
		}
		out = append(out, jsconf.Change{Path: k, Old: before, New: after})
	}
	return out, nil
}

// normal is a configuration as a flat map from path to value: metadata by its keys, filters as one sorted list.
func normal(cfg *jsconf.Config) (map[string]any, error) {
	cfg = cfg.Clone().StripReserved()
	typed, err := Typed(cfg)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := cfg.Decode(&doc); err != nil {
		return nil, err
	}
	meta, _ := doc["metadata"].(map[string]any)
	delete(doc, "metadata")
	for k, v := range meta {
		doc["metadata."+k] = v
	}
	filters := slices.Clone(typed.FilterSubjects)
	if typed.FilterSubject != "" {
		filters = append(filters, typed.FilterSubject)
	}
	slices.Sort(filters)
	delete(doc, "filter_subject")
	delete(doc, "filter_subjects")
	if len(filters) > 0 {
		doc["filter_subjects"] = filters
	}
	if typed.PauseUntil.IsZero() {
		delete(doc, "pause_until")
	}
	if typed.Name == typed.Durable {
		delete(doc, "name")
	}
	for k, v := range doc {
		if empty(v) {
			delete(doc, k)
		}
	}
	fill := func(key string, v any) {
		if _, there := doc[key]; !there {
			doc[key] = v
		}
	}
	fill("ack_policy", "none")
	fill("deliver_policy", "all")
	fill("replay_policy", "instant")
	fill("max_deliver", float64(-1))
	if typed.DeliverSubject == "" {
		fill("max_waiting", float64(512))
	}
	if doc["ack_policy"] != "none" {
		wait := 30 * time.Second
		if len(typed.BackOff) > 0 {
			wait = typed.BackOff[0]
		}
		fill("ack_wait", float64(wait))
		fill("max_ack_pending", float64(1000))
	}
	return doc, nil
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// Lines are the change for people: "- path: old" and "+ path: new".
func Lines(c jsconf.Change) []string {
	if c.Path != "backoff" {
		return c.Lines()
	}
	var out []string
	for _, side := range []struct {
		sign string
		raw  json.RawMessage
	}{{"- ", c.Old}, {"+ ", c.New}} {
		var list []time.Duration
		if err := json.Unmarshal(side.raw, &list); err != nil || len(list) == 0 {
			continue
		}
		words := make([]string, 0, len(list))
		for _, d := range list {
			words = append(words, d.String())
		}
		out = append(out, side.sign+"backoff: "+strings.Join(words, ", "))
	}
	return out
}
