package storecmd

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

// Edited tells what an edit changed, or would change, and how the bucket is set up then, by its info screen I.
type Edited[I render.Viewer] struct {
	Bucket  string         `json:"bucket"`
	DryRun  bool           `json:"dry_run"`
	Changes []store.Change `json:"changes"`
	Info    *I             `json:"info,omitempty"`
}

// View is the info screen, for a dry run the settings before and after.
func (r Edited[I]) View(p *render.Page) {
	if r.Info != nil {
		(*r.Info).View(p)
		return
	}
	for _, c := range r.Changes {
		p.Line("%s", render.Bad(fmt.Sprintf("- %s: %s", c.Setting, value(c.From))))
		p.Line("%s", render.Good(fmt.Sprintf("+ %s: %s", c.Setting, value(c.To))))
	}
}

// value is a setting as the server spells it.
func value(v any) string {
	if v == nil {
		return "not set"
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}

// Apply carries out an edit and prints what it changed; a dry run prints what it would change and ends with fail.ErrDifference when
// there is anything. screen makes the info screen.
func Apply[I render.Viewer](ctx context.Context, e *env.Env, c *store.Client, kind store.Kind, bucket string, d *store.Draft, dry bool, screen func(*jetstream.StreamInfo) I) error {
	out := Edited[I]{Bucket: bucket, DryRun: dry, Changes: d.Changes()}
	if dry {
		if err := e.Out.Print(out); err != nil {
			return err
		}
		if len(out.Changes) > 0 {
			return fail.ErrDifference
		}
		return nil
	}
	if err := d.Apply(ctx); err != nil {
		return fmt.Errorf("bucket %s: %w", bucket, err)
	}
	if !e.Out.Machine() {
		tell(e, out.Changes)
	}
	i, err := c.Info(ctx, kind, bucket)
	if err != nil {
		return err
	}
	info := screen(i)
	out.Info = &info
	return e.Out.Print(out)
}

func tell(e *env.Env, changes []store.Change) {
	if len(changes) == 0 {
		e.Say("No difference: nothing was changed")
	}
	for _, c := range changes {
		e.Say("Changed %s from %s to %s", c.Setting, value(c.From), value(c.To))
	}
}

// PrintBucket prints the info screen of a bucket.
func PrintBucket[I render.Viewer](ctx context.Context, e *env.Env, c *store.Client, kind store.Kind, bucket string, screen func(*jetstream.StreamInfo) I) error {
	i, err := c.Info(ctx, kind, bucket)
	if err != nil {
		return err
	}
	return e.Out.Print(screen(i))
}
