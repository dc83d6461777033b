package kv

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

type editOptions struct {
	settings
	dry bool
}

func editVerb() command.Node {
	return command.Verb[editOptions]{
		Meta: command.Meta{
			Name: "edit", Short: "Change settings of a bucket",
			Long: "Only what is given changes, and what this program does not know stays as it is. Sources are added; metadata is replaced as a whole, and so is placement when tags or a cluster are given. What changes is told on standard error; nothing is sent when nothing does.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: edited{},
		Names: command.Names{"bucket": command.Buckets, "source": command.Buckets},
		Examples: []command.Example{
			{Line: "nats kv edit CFG --history 3 --ttl 1h", Says: "History Kept: 3", Needs: []string{"kv add CFG"}},
			{Line: "nats kv edit CFG --description ports", Says: "Description: ports", Needs: []string{"kv add CFG"}},
			{Line: "nats kv edit ALL --remove-source CFG", Says: "ALL", About: "Gather from one bucket less", Needs: []string{"kv add CFG", "kv add ALL --source CFG"}},
		},
		Bind: func(c *fisk.CmdClause, o *editOptions) {
			o.bind(c)
			c.Flag("no-mirror", "Make a mirror a bucket of its own").BoolVar(&o.NoMirror)
			c.Flag("remove-source", "Gather from this bucket no more").PlaceHolder("BUCKET").StringsVar(&o.RemoveSources)
			c.Flag("remove-republish", "Republish no more").UnNegatableBoolVar(&o.NoRepublish)
			c.Flag("dry-run", "Show what would change and change nothing; ends with 1 when something would").UnNegatableBoolVar(&o.dry)
		},
		Check: func(o *editOptions) error { return o.given() },
		Run: func(ctx context.Context, e *env.Env, o editOptions) error {
			return onStores(ctx, e, func(ctx context.Context, c *store.Client) error {
				d, err := c.EditKV(ctx, o.bucket, o.KVSettings)
				if err != nil {
					return err
				}
				return apply(ctx, e, c, d, o)
			})
		},
	}
}

// edited tells what an edit changed, or would change, and how the bucket is set up then.
type edited struct {
	Bucket  string         `json:"bucket"`
	DryRun  bool           `json:"dry_run"`
	Changes []store.Change `json:"changes"`
	Info    *bucketInfo    `json:"info,omitempty"`
}

// View is the info screen, for a dry run the settings before and after.
func (r edited) View(p *render.Page) {
	if r.Info != nil {
		r.Info.View(p)
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

func apply(ctx context.Context, e *env.Env, c *store.Client, d *store.Draft, o editOptions) error {
	out := edited{Bucket: o.bucket, DryRun: o.dry, Changes: d.Changes()}
	if o.dry {
		if err := e.Out.Print(out); err != nil {
			return err
		}
		if len(out.Changes) > 0 {
			return fail.ErrDifference
		}
		return nil
	}
	if err := d.Apply(ctx); err != nil {
		return fmt.Errorf("bucket %s: %w", o.bucket, err)
	}
	if !e.Out.Machine() {
		tell(e, out.Changes)
	}
	i, err := c.Info(ctx, store.KV, o.bucket)
	if err != nil {
		return err
	}
	info := newBucketInfo(i)
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
