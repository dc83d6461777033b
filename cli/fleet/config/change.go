package config

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleetcmd"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/term"
)

// change is how the commands that change a configuration do so.
type change struct {
	dry       bool
	wait      bool
	within    fleetcmd.Within
	asking    fleetcmd.Asking
	expect    uint64
	expecting bool
	replicas  int64
}

func (o *change) bind(c *fisk.CmdClause) {
	c.Flag("dry-run", "Show what would change, and end with 1 if anything would").UnNegatableBoolVar(&o.dry)
	c.Flag("revision", "Fail unless this is the latest revision; 0 is none yet").PlaceHolder("REVISION").IsSetByUser(&o.expecting).SetValue(flagval.NewUint64(&o.expect))
	c.Flag("wait", "Wait until the devices it is for have applied it").UnNegatableBoolVar(&o.wait)
	o.within.Bind(c, 0)
	o.asking.Bind(c)
	c.Flag("replicas", "On how many servers the buckets are kept, if they are not there yet").Default("1").SetValue(flagval.NewInt64(&o.replicas).Min(1).Max(5))
}

// changed is what became of a configuration.
type changed struct {
	Key       string          `json:"key"`
	Where     string          `json:"where,omitempty"` // of a rule, after the change
	Revision  uint64          `json:"revision"`        // after the change
	Previous  uint64          `json:"previous"`        // before it; 0 when there was none
	DryRun    bool            `json:"dry_run"`
	Unchanged bool            `json:"unchanged"`
	Before    json.RawMessage `json:"before"` // null for nothing
	After     json.RawMessage `json:"after"`
	Diff      []store.Line    `json:"diff"`
	Devices   []outcome       `json:"devices,omitempty"` // with --wait: those that it is for
}

// outcome is what a device made of the change.
type outcome struct {
	ID    string `json:"id"`
	State string `json:"state"` // applied, failed or silent
	Error string `json:"error,omitempty"`
}

func newChanged(c control.Change, dry bool) changed {
	out := changed{
		Key: c.After.Key, Where: c.After.Where, Revision: c.After.Revision, Previous: c.Before.Revision, DryRun: dry, Unchanged: c.Same(),
		Before: raw(c.Before.Config), After: raw(c.After.Config), Diff: []store.Line{},
	}
	if !out.Unchanged {
		out.Diff = store.Lines(text(c.Before), text(c.After))
	}
	return out
}

// text is a layer as the lines that are compared.
func text(l control.Layer) string {
	if len(l.Config) == 0 {
		return ""
	}
	text := string(control.Canonical(l.Config))
	if l.Where != "" {
		return "where " + l.Where + "\n" + text
	}
	return text
}

// View is the difference, and how many have applied it.
func (c changed) View(p *render.Page) {
	if !fleetcmd.Wordy(p) {
		t := p.Table("", render.Column{Name: "Device"}, render.Column{Name: "State"}, render.Column{Name: "Error"})
		for _, d := range c.Devices {
			t.Row(d.ID, d.State, d.Error)
		}
		return
	}
	if c.Unchanged {
		p.Line("Nothing to change: %s is as wanted at revision %d", render.Key(c.Key), c.Revision)
		return
	}
	p.Line("--- %s, revision %d", c.Key, c.Previous)
	if c.DryRun {
		p.Line("+++ %s, as it would be", c.Key)
	} else {
		p.Line("+++ %s, revision %d", c.Key, c.Revision)
	}
	for _, l := range c.Diff {
		switch l.Mark {
		case "+":
			p.Line("%s", render.Good("+"+l.Text))
		case "-":
			p.Line("%s", render.Bad("-"+l.Text))
		default:
			p.Line("%s", " "+l.Text)
		}
	}
	if c.Devices == nil {
		return
	}
	applied := 0
	for _, d := range c.Devices {
		switch {
		case d.State == "applied":
			applied++
		case d.Error != "":
			p.Line("%s: %s", d.ID, render.Bad("failed: "+term.Visible(d.Error, false)))
		default:
			p.Line("%s: %s", d.ID, render.Warn("has not applied it yet"))
		}
	}
	p.Line("Applied by %s of %d", fleetcmd.Plural(applied, "device", "devices"), len(c.Devices))
}

// run edits a layer, prints the difference, and waits for the devices if that is wanted.
func (o *change) run(ctx context.Context, e *env.Env, f *control.Fleet, key string, redo bool, edit func(control.Layer) (control.Layer, error)) error {
	f.Replicas = int(o.replicas)
	opts := control.ChangeOptions{DryRun: o.dry, Redo: redo}
	if o.expecting {
		opts.Expect = &o.expect
	}
	c, err := f.Change(ctx, key, opts, edit)
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) && !o.expecting {
		return fail.Hint(err, "somebody else changed it meanwhile: look at it with nats fleet config get and try again")
	}
	if err != nil {
		return err
	}
	out := newChanged(c, o.dry)
	var failed error
	if o.wait && !o.dry && !out.Unchanged {
		out.Devices, failed, err = o.await(ctx, e, f, c)
		if err != nil {
			return err
		}
	}
	if err := e.Out.Print(out); err != nil {
		return err
	}
	if o.dry && !out.Unchanged {
		return fail.ErrDifference
	}
	return failed
}

// await waits for the devices that the change is for; failed is the error when not all of them have applied it.
func (o *change) await(ctx context.Context, e *env.Env, f *control.Fleet, c control.Change) (out []outcome, failed, err error) {
	found, err := f.Devices(ctx, fleet.Selector{}, o.asking.Patience(e))
	if err != nil {
		return nil, nil, err
	}
	devices := map[string]control.Device{}
	for _, d := range found {
		devices[d.Info.ID] = d
	}
	whom := c.After
	if len(whom.Config) == 0 {
		whom = c.Before
	}
	ids, err := control.ForLayer(whom, devices)
	if err != nil {
		return nil, nil, err
	}
	out, bad := []outcome{}, []string{}
	silent, err := f.AwaitApplied(ctx, c, ids, o.within.Duration(e), func(one control.Outcome) error {
		if one.Error != "" {
			bad = append(bad, one.ID)
			out = append(out, outcome{one.ID, "failed", one.Error})
			return nil
		}
		out = append(out, outcome{ID: one.ID, State: "applied"})
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for _, id := range silent {
		out = append(out, outcome{ID: id, State: "silent"})
	}
	switch {
	case len(bad) > 0 && len(silent) > 0:
		failed = fail.Partialf("revision %d: failed on %s; not applied within %s by %s", c.After.Revision, fleetcmd.List(bad), o.within.Duration(e), fleetcmd.List(silent))
	case len(bad) > 0:
		failed = fail.Partialf("revision %d: failed on %s", c.After.Revision, fleetcmd.List(bad))
	case len(silent) > 0:
		failed = fail.Partialf("revision %d: not applied within %s by %s", c.After.Revision, o.within.Duration(e), fleetcmd.List(silent)).
			WithHint("they apply it when they come back; nats fleet config state shows who has")
	}
	return out, failed, nil
}

// compact is a document on one line.
func compact(doc json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, doc) != nil {
		return string(doc)
	}
	return b.String()
}
