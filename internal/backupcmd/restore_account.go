package backupcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/backup"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/render"
)

type restoreAccountOptions struct {
	source  string
	place   placing
	only    []string
	rename  []string
	idle    time.Duration
	dryRun  bool
	renames map[string]string
}

// RestoreAccount is the command that restores all streams of a backup, under the names of m.
func RestoreAccount(m command.Meta) command.Node {
	return command.Verb[restoreAccountOptions]{
		Meta: named(m, "Restore all streams from the backup of an account",
			`Every stream is tried; those that cannot be restored are listed with the reason, and the command ends with code 7. Streams that are there as the backup has them are left alone, so that the command can be repeated; others that exist are never touched.`),
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: restoredAccount{},
		Examples: []command.Example{
			{Line: "nats backup restore account ./backup", Says: "restored", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "backup account ./backup -f", "stream rm ORDERS -f"}},
			{Line: "nats backup restore account ./backup --only ORDERS --rename ORDERS=OLD --dry-run", Says: "OLD", About: "See what a restore under another name would do", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "backup account ./backup -f"}},
		},
		Bind: func(c *fisk.CmdClause, o *restoreAccountOptions) {
			c.Arg("directory", "The directory of the backup").Required().StringVar(&o.source)
			o.place.bind(c)
			onlyFlag(c, &o.only, "Restore the streams")
			c.Flag("rename", "Restore a stream under another name; may be given again").PlaceHolder("OLD=NEW").StringsVar(&o.rename)
			idleFlag(c, &o.idle)
			c.Flag("dry-run", "Say what would be restored and change nothing").UnNegatableBoolVar(&o.dryRun)
		},
		Check: checkRestoreAccount,
		Run:   runRestoreAccount,
	}
}

func checkRestoreAccount(o *restoreAccountOptions) (err error) {
	if o.only, err = checkOnly(o.only); err != nil {
		return err
	}
	o.renames = map[string]string{}
	for _, text := range o.rename {
		from, to, ok := strings.Cut(text, "=")
		if !ok || from == "" {
			return fail.Usagef("--rename %q: write OLD=NEW", text)
		}
		if err := jsconf.CheckName("stream", to); err != nil {
			return err
		}
		o.renames[from] = to
	}
	return nil
}

// restoredAccount is what was restored, or would be.
type restoredAccount struct {
	From     string           `json:"from"`
	DryRun   bool             `json:"dry_run"`
	Streams  []restoredStream `json:"streams"`
	Warnings []mishap         `json:"warnings"`
	Failures []mishap         `json:"failures"`
	Missing  []mishap         `json:"missing"` // what the backup lacks
}

type restoredStream struct {
	intent
	Elapsed int64 `json:"elapsed_ns"`
}

// View is a table of the streams, then what went wrong.
func (r restoredAccount) View(p *render.Page) {
	title := "Streams restored from " + r.From
	if r.DryRun {
		title = "Streams that would be restored from " + r.From
	}
	t := p.Table(title, render.Column{Name: "Stream"}, render.Column{Name: "Messages"}, render.Column{Name: "Size"}, render.Column{Name: "Consumers"}, render.Column{Name: "Status"})
	for _, s := range r.Streams {
		t.Row(render.Key(s.Stream), render.Count(s.Messages), render.Bytes(s.Bytes), render.Count(s.Consumers), s.Status)
	}
	mishaps(p, "Restore warnings", r.Warnings)
	mishaps(p, "Restore failures", r.Failures)
	mishaps(p, "Not in the Backup", r.Missing)
}

func runRestoreAccount(ctx context.Context, e *env.Env, o restoreAccountOptions) error {
	dirs, err := directories(e, o.source)
	if err != nil {
		return err
	}
	roll, err := backup.ReadRoll(e.Files.Path(o.source))
	if err != nil {
		return err
	}
	return working(ctx, e, func(ctx context.Context, c *js.Client) error {
		a := &returning{e: e, c: c, o: o, r: restoredAccount{
			From: o.source, DryRun: o.dryRun, Streams: []restoredStream{}, Warnings: []mishap{}, Failures: []mishap{}, Missing: []mishap{},
		}}
		a.lacking(roll)
		err := a.run(ctx, dirs)
		if err == nil && a.seen == 0 && len(o.only) > 0 {
			return fail.NotFoundf("no stream in %s matches %s", o.source, strings.Join(o.only, ", "))
		}
		if perr := e.Out.Print(a.r); perr != nil || err != nil {
			return cmpError(err, perr)
		}
		return outcome("restore of the account", len(a.r.Failures), len(a.r.Failures)+len(a.r.Streams))
	})
}

// directories are the backups of streams in the backup of an account.
func directories(e *env.Env, source string) ([]string, error) {
	root := e.Files.Path(source)
	entries, err := os.ReadDir(root)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fail.NotFoundf("backup %s does not exist", source)
	}
	if err != nil {
		return nil, fmt.Errorf("backup %s: %w", source, err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			out = append(out, filepath.Join(root, e.Name()))
		}
	}
	if len(out) == 0 {
		return nil, fail.NotFoundf("%s holds no backups of streams", source)
	}
	return out, nil
}

// returning is the restore of an account under way.
type returning struct {
	e    *env.Env
	c    *js.Client
	o    restoreAccountOptions
	r    restoredAccount
	seen int // streams that were meant
}

// lacking lists what the backup lacks by its own word.
func (a *returning) lacking(roll backup.Roll) {
	wanted := selecting(a.o.only)
	for name, why := range roll.Missing {
		if wanted(name) {
			a.r.Missing = append(a.r.Missing, mishap{name, why})
		}
	}
	sortMishaps(a.r.Missing)
}

func (a *returning) run(ctx context.Context, dirs []string) error {
	wanted := selecting(a.o.only)
	for _, dir := range dirs {
		name := filepath.Base(dir)
		d, err := backup.Read(dir)
		if err == nil {
			name = d.Meta.Config.Text("name")
		}
		if !wanted(name) {
			continue
		}
		a.seen++
		var one restoredStream
		if err == nil {
			one, err = a.stream(ctx, d, name)
		}
		if err != nil {
			a.e.Say("Restore of %s failed: %v", name, err)
			a.r.Failures = append(a.r.Failures, mishap{name, err.Error()})
			if interrupted(ctx) {
				return err
			}
			continue
		}
		a.r.Streams = append(a.r.Streams, one)
	}
	return nil
}

func (a *returning) stream(ctx context.Context, d backup.Directory, saved string) (restoredStream, error) {
	var one restoredStream
	cfg, err := d.Meta.Stream()
	if err != nil {
		return one, err
	}
	name, err := renamed(d, saved, a.o.renames[saved])
	if err != nil {
		return one, err
	}
	if err := errors.Join(cfg.Set(name, "name"), a.o.place.apply(cfg)); err != nil {
		return one, err
	}
	st := d.Meta.State
	one.intent = intent{Stream: name, From: saved, Messages: st.Msgs, Bytes: st.Bytes, Archive: d.Size, Consumers: st.Consumers, Status: "restored"}
	if a.o.dryRun {
		one.intent, err = intend(ctx, a.c, d, name, false)
		one.From = saved
		return one, err
	}
	a.e.Say("Starting restore of Stream %q with %s", name, render.HumaneBytes(uint64(d.Size)))
	bar := &meter{e: a.e, label: "Restoring " + name, on: true}
	defer bar.close()
	start, idle := a.e.Clock.Now(), idleOf(a.o.idle, a.c, false)
	done, err := twice(ctx, a.e, a.c, idle, func() (backup.Restored, error) {
		return backup.Restore(ctx, a.c, d, backup.RestoreOptions{Config: cfg, Idle: idle, Settle: max(settleMost, idle), Progress: bar.tell})
	})
	one.Elapsed = int64(a.e.Clock.Now().Sub(start))
	if done.Already {
		one.Exists, one.Status = true, "is there already"
		if errors.Is(err, backup.ErrExists) {
			err = nil
		}
	}
	for _, n := range done.Notes {
		a.r.Warnings = append(a.r.Warnings, mishap{name, n})
	}
	return one, err
}
