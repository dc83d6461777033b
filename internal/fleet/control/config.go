package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/store"
)

// A Layer is one document of the configuration: the one for every device, for those that a rule selects, or for one device.
type Layer struct {
	Key      string
	Where    string // of a rule
	Config   []byte // a JSON object; empty when there is none
	Revision uint64 // of the last change; 0 when the key was never written. A removal is a change too.
	Created  time.Time
}

// CheckRule says what is wrong with the name of a rule.
func CheckRule(name string) error {
	if !fleet.IsToken(name, 64, true) {
		return fail.Usagef("rule name %q: 1 to 64 letters, digits, _, = and - only", name)
	}
	return nil
}

// IsRule tells whether a key is that of a rule, and its name.
func IsRule(key string) (name string, ok bool) { return strings.CutPrefix(key, fleet.RuleKey("")) }

// RuleName makes a name for a rule out of its expression: its words, joined by -.
func RuleName(expression string) string {
	words := strings.FieldsFunc(strings.ToLower(expression), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	name := strings.Join(words, "-")
	return strings.Trim(name[:min(len(name), 48)], "-")
}

// configBucket opens the bucket of the configuration; nil without an error when there is none.
func (f *Fleet) configBucket(ctx context.Context) (*store.Bucket, error) {
	b, err := f.stores().OpenKV(ctx, f.Bucket)
	if missing(err) {
		return nil, nil
	}
	return b, err
}

// Layer reads a document of the configuration at a revision, 0 being the latest. What is not there has no Config. A latest
// document that is no JSON object is an error.
func (f *Fleet) Layer(ctx context.Context, key string, revision uint64) (Layer, error) {
	b, err := f.configBucket(ctx)
	if err != nil || b == nil {
		return Layer{Key: key}, err
	}
	return layerIn(ctx, b, key, revision)
}

func layerIn(ctx context.Context, b *store.Bucket, key string, revision uint64) (Layer, error) {
	e, err := b.Get(ctx, key, revision)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound) && (revision == 0 || e.Revision == revision):
		return Layer{Key: key, Revision: e.Revision, Created: e.Created}, nil
	case err != nil:
		return Layer{Key: key}, err
	}
	return layerOf(e)
}

// layerOf reads an entry of the configuration's bucket.
func layerOf(e store.Entry) (Layer, error) {
	l := Layer{Key: e.Key, Revision: e.Revision, Created: e.Created}
	if e.Op != store.Put {
		return l, nil
	}
	l.Config = e.Value
	if _, ok := IsRule(e.Key); ok {
		r := fleet.Rule{}
		if err := json.Unmarshal(e.Value, &r); err != nil {
			return l, fail.Newf(fail.Failure, "bucket %s: key %s is no rule: %w", e.Bucket, e.Key, err)
		}
		l.Where, l.Config = r.Where, r.Config
	}
	if _, err := Object(l.Config); err != nil {
		return l, fail.Newf(fail.Failure, "bucket %s: key %s: %w", e.Bucket, e.Key, err).
			WithHint("nats fleet config set --replace puts another in its place")
	}
	return l, nil
}

// value is the layer as it stands in the bucket.
func (l Layer) value() ([]byte, error) {
	if _, ok := IsRule(l.Key); !ok {
		return l.Config, nil
	}
	return json.Marshal(fleet.Rule{Where: l.Where, Config: l.Config})
}

// same tells whether two layers say the same, by value.
func (l Layer) same(other Layer) bool {
	return l.Where == other.Where && (len(l.Config) == 0) == (len(other.Config) == 0) && bytes.Equal(Canonical(l.Config), Canonical(other.Config))
}

// Object decodes a JSON object, its numbers as they are written.
func Object(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("a configuration is a JSON object: %w", err)
	}
	out, ok := v.(map[string]any)
	switch {
	case !ok:
		return nil, errors.New("a configuration is a JSON object, this is other JSON")
	case d.More():
		return nil, errors.New("a configuration is one JSON object: there is more behind it")
	}
	return out, nil
}

// Canonical is a JSON document with its keys sorted and indented by two spaces; what is no JSON stays as it is.
func Canonical(text []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return text
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if e.Encode(v) != nil {
		return text
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// Merge puts the members of over into base, objects into objects; null is a value like others: in the configuration of some devices
// it takes away what a wider one says.
func Merge(base, over map[string]any) map[string]any {
	if base == nil {
		base = map[string]any{}
	}
	for k, v := range over {
		if deep, ok := v.(map[string]any); ok {
			below, _ := base[k].(map[string]any)
			base[k] = Merge(below, deep)
			continue
		}
		base[k] = v
	}
	return base
}

// A Change is what became, or would become, of a layer.
type Change struct {
	Before, After Layer
	Written       bool // false for a dry run and when nothing changes

	mark uint64 // the last revision of the state's bucket before the change
}

// Same tells whether the change changes nothing.
func (c Change) Same() bool { return c.Before.same(c.After) }

// ChangeOptions say how a layer is changed.
type ChangeOptions struct {
	DryRun bool
	Expect *uint64 // the revision that must be the latest; nil takes the one that is read
	Redo   bool    // when another was faster, edit what he wrote, so that neither change is lost
}

// tries bounds how often an edit is made anew because others write at the same time.
const tries = 50

// Change edits a layer: edit is given what there is and returns what shall be; a layer without Config is removed. A change is only
// written over the revision that was read; when another writer was faster, the error is jetstream.ErrKeyRevisionMismatch, or with
// Redo the edit is made anew.
func (f *Fleet) Change(ctx context.Context, key string, o ChangeOptions, edit func(Layer) (Layer, error)) (Change, error) {
	for n := 0; ; n++ {
		c, err := f.change(ctx, key, o, edit)
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) && o.Redo && o.Expect == nil && n < tries {
			continue
		}
		return c, err
	}
}

func (f *Fleet) change(ctx context.Context, key string, o ChangeOptions, edit func(Layer) (Layer, error)) (Change, error) {
	b, err := f.configBucket(ctx)
	if err != nil {
		return Change{}, err
	}
	c := Change{Before: Layer{Key: key}}
	if b != nil {
		if c.Before, err = layerIn(ctx, b, key, 0); err != nil && (c.Before.Revision == 0 || o.Redo) {
			return c, err // who replaces the whole need not understand what there is
		}
	}
	if o.Expect != nil && *o.Expect != c.Before.Revision {
		return c, fail.Newf(fail.Failure, "bucket %s: key %s is at revision %d, not %d: %w", f.Bucket, key, c.Before.Revision, *o.Expect, jetstream.ErrKeyRevisionMismatch).
			WithHint("nats fleet config get shows what there is now")
	}
	if c.After, err = edit(c.Before); err != nil {
		return c, err
	}
	c.After.Key, c.After.Revision = key, c.Before.Revision
	if o.DryRun || c.Same() {
		return c, nil
	}
	if b == nil {
		if b, err = f.makeConfig(ctx); err != nil {
			return c, err
		}
	}
	state, err := f.stateBucket(ctx)
	if err != nil {
		return c, err
	}
	c.mark = state.Info().State.LastSeq
	if len(c.After.Config) == 0 {
		c.After.Revision, err = b.Remove(ctx, key, store.Delete, store.WriteOptions{Expect: &c.Before.Revision})
	} else {
		var value []byte
		if value, err = c.After.value(); err == nil {
			c.After.Revision, err = b.Update(ctx, key, value, c.Before.Revision, 0)
		}
	}
	if err != nil {
		return c, err
	}
	c.Written, c.After.Created = true, f.Clock.Now()
	return c, nil
}

// A Revision is one entry of a layer's history.
type Revision struct {
	Layer
	Op    store.Op
	Error string // why it cannot be read; Config is what stands there then
}

// History is every revision of a layer that is kept, oldest first.
func (f *Fleet) History(ctx context.Context, key string) ([]Revision, error) {
	b, err := f.stores().OpenKV(ctx, f.Bucket)
	if err != nil {
		return nil, err
	}
	var entries []store.Entry
	err = b.Read(ctx, store.Read{Patterns: []string{key}, History: true, Deletes: true}, func(e store.Entry) error {
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, fail.Newf(fail.NotFound, "bucket %s: key %s: %w", f.Bucket, key, jetstream.ErrKeyNotFound)
	}
	out := make([]Revision, len(entries))
	for i, e := range entries {
		l, err := layerOf(e)
		out[i] = Revision{Layer: l, Op: e.Op}
		if err != nil {
			out[i].Error = err.Error()
		}
	}
	return out, nil
}

// Layers are all layers of the configuration that are there, in the order of their last change. Those that cannot be read are strange.
func (f *Fleet) Layers(ctx context.Context) ([]Layer, error) {
	b, err := f.configBucket(ctx)
	if err != nil || b == nil {
		return nil, err
	}
	var out []Layer
	err = b.Read(ctx, store.Read{}, func(e store.Entry) error {
		if !(Layer{Key: e.Key}).concerns() {
			return nil
		}
		l, err := layerOf(e)
		if err != nil {
			f.strange("%v", err)
			return nil
		}
		out = append(out, l)
		return nil
	})
	return out, err
}

// concerns tells whether the key means anything to devices.
func (l Layer) concerns() bool {
	if _, ok := IsRule(l.Key); ok || l.Key == fleet.KeyAll {
		return true
	}
	return strings.HasPrefix(l.Key, fleet.DeviceKey(""))
}
