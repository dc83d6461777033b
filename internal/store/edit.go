package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Change is one setting that an edit alters. From and To are JSON values; null stands for a setting that is not there.
type Change struct {
	Setting string `json:"setting"`
	From    any    `json:"from"`
	To      any    `json:"to"`
}

// Draft is the configuration of a bucket's stream as the server spells it, before and after an edit. Settings that this
// program does not know stay as they are.
type Draft struct {
	c        *Client
	stream   string
	old, cfg map[string]any
}

// draft reads the configuration of a stream for an edit.
func (c *Client) draft(ctx context.Context, stream string) (*Draft, error) {
	var resp struct {
		Config json.RawMessage `json:"config"`
	}
	if err := c.request(ctx, "STREAM.INFO."+stream, nil, &resp); err != nil {
		return nil, err
	}
	d := &Draft{c: c, stream: stream}
	for _, into := range []*map[string]any{&d.old, &d.cfg} {
		dec := json.NewDecoder(bytes.NewReader(resp.Config))
		dec.UseNumber()
		if err := dec.Decode(into); err != nil {
			return nil, fmt.Errorf("configuration of stream %s: %w", stream, err)
		}
	}
	return d, nil
}

// set gives a setting a value; nil takes it out.
func (d *Draft) set(name string, value any) error {
	if value == nil {
		delete(d.cfg, name)
		return nil
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return err
	}
	d.cfg[name] = v
	return nil
}

// decode reads one setting into v; a setting that is not there leaves v alone.
func (d *Draft) decode(name string, v any) error {
	at, ok := d.cfg[name]
	if !ok || at == nil {
		return nil
	}
	raw, err := json.Marshal(at)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}

// Changes lists what the edit would alter, by setting; an absent setting and one that is empty, zero or false are the same.
func (d *Draft) Changes() []Change {
	out := []Change{}
	names := slices.Sorted(maps.Keys(d.old))
	for name := range d.cfg {
		if _, ok := d.old[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		from, to := d.old[name], d.cfg[name]
		if canonical(from) != canonical(to) {
			out = append(out, Change{Setting: name, From: from, To: to})
		}
	}
	return out
}

func canonical(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	switch text := string(raw); text {
	case "null", "false", "0", `""`, "{}", "[]":
		return ""
	default:
		return text
	}
}

// Apply sends the edited configuration; without changes nothing is sent.
func (d *Draft) Apply(ctx context.Context) error {
	if len(d.Changes()) == 0 {
		return nil
	}
	return d.c.request(ctx, "STREAM.UPDATE."+d.stream, d.cfg, nil)
}

// setMetadata replaces the user's metadata and keeps what the server itself wrote there.
func (d *Draft) setMetadata(meta map[string]string) error {
	kept := map[string]string{}
	var old map[string]string
	if err := d.decode("metadata", &old); err != nil {
		return err
	}
	for k, v := range old {
		if strings.HasPrefix(k, reservedMetadata) {
			kept[k] = v
		}
	}
	maps.Copy(kept, meta)
	return d.set("metadata", kept)
}

// reservedMetadata begins the metadata that servers write.
const reservedMetadata = "_nats."

// UserMetadata is meta without what servers write.
func UserMetadata(meta map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range meta {
		if !strings.HasPrefix(k, reservedMetadata) {
			out[k] = v
		}
	}
	return out
}
