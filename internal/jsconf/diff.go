package jsconf

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"
)

// Change is one difference between two configurations. Old or New is null when there was or is nothing.
type Change struct {
	Path string          `json:"path"`
	Old  json.RawMessage `json:"old"`
	New  json.RawMessage `json:"new"`
}

// DiffStreams compares two stream configurations key by key, after taking away what makes no difference to a server: reserved
// metadata, empty lists and objects, values that are the default, the order of subjects. Paths are sorted; lists of words differ
// by their elements, others as a whole.
func DiffStreams(before, after *Config) ([]Change, error) {
	a, b := normaliseStream(before), normaliseStream(after)
	return diffObjects(a.doc, b.doc, "")
}

// normaliseStream spells out the defaults that the server would fill in, and drops what means nothing.
func normaliseStream(c *Config) *Config {
	c = c.Clone().StripReserved()
	dropEmpty(c.doc)
	defaults := map[string]any{
		"retention": "limits", "storage": "file", "discard": "old", "compression": "none", "persist_mode": "default", "num_replicas": json.Number("1"),
		"max_consumers": json.Number("-1"), "max_msgs": json.Number("-1"), "max_bytes": json.Number("-1"), "max_msgs_per_subject": json.Number("-1"), "max_msg_size": json.Number("-1"),
	}
	for k, v := range defaults {
		if _, there := c.doc[k]; !there {
			c.doc[k] = v
		}
	}
	if _, there := c.doc["duplicate_window"]; !there && c.doc["mirror"] == nil {
		window := DefaultDuplicateWindow
		if s, err := c.Stream(); err == nil && s.MaxAge > 0 && s.MaxAge < window {
			window = s.MaxAge
		}
		c.doc["duplicate_window"] = json.Number(fmt.Sprint(int64(window)))
	}
	return c
}

// dropEmpty removes false, zero, empty text, empty lists and objects: for configurations these mean the same as nothing.
func dropEmpty(m map[string]any) {
	for k, v := range m {
		empty := false
		switch v := v.(type) {
		case nil:
			empty = true
		case bool:
			empty = !v
		case string:
			empty = v == ""
		case json.Number:
			empty = v == "0"
		case []any:
			empty = len(v) == 0
			for _, e := range v {
				if o, ok := e.(map[string]any); ok {
					dropEmpty(o)
				}
			}
		case map[string]any:
			if k != "metadata" {
				dropEmpty(v)
			}
			empty = len(v) == 0
		}
		if empty {
			delete(m, k)
		}
	}
}

func diffObjects(a, b map[string]any, path string) ([]Change, error) {
	keys := slices.Sorted(maps.Keys(a))
	for k := range b {
		if _, both := a[k]; !both {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var out []Change
	for _, k := range keys {
		va, vb := a[k], b[k]
		oa, isA := va.(map[string]any)
		ob, isB := vb.(map[string]any)
		if (isA || va == nil) && (isB || vb == nil) && (isA || isB) {
			inner, err := diffObjects(oa, ob, at(path, k))
			if err != nil {
				return nil, err
			}
			out = append(out, inner...)
			continue
		}
		if sameValue(va, vb) {
			continue
		}
		ja, err := json.Marshal(va)
		if err != nil {
			return nil, err
		}
		jb, err := json.Marshal(vb)
		if err != nil {
			return nil, err
		}
		out = append(out, Change{Path: at(path, k), Old: ja, New: jb})
	}
	return out, nil
}

func sameValue(a, b any) bool {
	wa, okA := words(a)
	wb, okB := words(b)
	if okA && okB && len(wa) > 0 && len(wb) > 0 {
		slices.Sort(wa)
		slices.Sort(wb)
		return slices.Equal(wa, wb)
	}
	return equalJSON(a, b)
}

func words(v any) ([]string, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, v == nil
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// Lines are the change for people: "- path: old" and "+ path: new", one line for each element of a list that went or came.
// Durations are written as such.
func (c Change) Lines() []string {
	before, err1 := decodeNumbers(c.Old)
	after, err2 := decodeNumbers(c.New)
	if err1 != nil || err2 != nil {
		return []string{"- " + c.Path + ": " + string(c.Old), "+ " + c.Path + ": " + string(c.New)}
	}
	wa, okA := words(before)
	wb, okB := words(after)
	var out []string
	if okA && okB {
		for _, w := range wa {
			if !slices.Contains(wb, w) {
				out = append(out, "- "+c.Path+": "+w)
			}
		}
		for _, w := range wb {
			if !slices.Contains(wa, w) {
				out = append(out, "+ "+c.Path+": "+w)
			}
		}
		return out
	}
	if before != nil {
		out = append(out, "- "+c.Path+": "+shown(c.Path, before))
	}
	if after != nil {
		out = append(out, "+ "+c.Path+": "+shown(c.Path, after))
	}
	return out
}

// shown is a value for people: durations by their unit, -1 as unlimited, texts bare.
func shown(path string, v any) string {
	key := path[strings.LastIndex(path, ".")+1:]
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		n, err := v.Int64()
		if err == nil && slices.Contains(durationKeys, key) {
			return time.Duration(n).String()
		}
		if n == -1 && strings.HasPrefix(key, "max_") {
			return "unlimited"
		}
		return v.String()
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}

var durationKeys = []string{
	"max_age", "duplicate_window", "subject_delete_marker_ttl", "inactive_threshold", "ack_wait", "idle_heartbeat", "max_expires", "priority_timeout",
}

// RequiredLevel is the API level that a server must have to honour the stream configuration.
func RequiredLevel(cfg api.StreamConfig) int {
	level, err := api.RequiredApiLevel(cfg)
	if err != nil {
		return 0
	}
	return level
}
