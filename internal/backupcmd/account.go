package backupcmd

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/backup"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

type accountOptions struct {
	target                 string
	check, consumers       bool
	force, critical        bool
	idle                   time.Duration
	only                   []string
	dryRun, replaceEarlier bool
}

// Account is the command that backs all streams up, under the names of m.
func Account(m command.Meta) command.Node {
	return command.Verb[accountOptions]{
		Meta: named(m, "Save all streams of the account, each in a directory of its own",
			`Streams that cannot be saved are listed with the reason, the others are saved, and the command ends with code 7. What the backup holds and lacks stands beside it, in <target>.account.json.

The command can be repeated: streams whose backup is whole and still up to date are left alone, so that an interrupted run goes on where it was. Backups that are no longer up to date are replaced only with --replace.`),
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: savedAccount{},
		Examples: []command.Example{
			{Line: "nats backup account ./backup --force", Says: "ORDERS", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats backup account ./backup --only 'KV_*' --dry-run", Says: "KV_CFG", About: "What a backup of the buckets would hold", Needs: []string{"kv add CFG"}},
		},
		Bind: func(c *fisk.CmdClause, o *accountOptions) {
			c.Arg("target", "The directory of the backup").Required().StringVar(&o.target)
			c.Flag("check", "Have the server check all messages first").UnNegatableBoolVar(&o.check)
			c.Flag("consumers", "Save the consumers and how far they have come").Default("true").BoolVar(&o.consumers)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
			c.Flag("critical-warnings", "Warnings are failures").Short('w').UnNegatableBoolVar(&o.critical)
			onlyFlag(c, &o.only, "Save the streams")
			idleFlag(c, &o.idle)
			c.Flag("replace", "Replace earlier backups of the streams, each when the new one is whole").UnNegatableBoolVar(&o.replaceEarlier)
			c.Flag("dry-run", "Say what would be saved and write nothing").UnNegatableBoolVar(&o.dryRun)
		},
		Check: func(o *accountOptions) (err error) {
			o.only, err = checkOnly(o.only)
			return err
		},
		Run: runAccount,
	}
}

// savedAccount is what was saved of an account, or would be.
type savedAccount struct {
	Target    string        `json:"target"`
	DryRun    bool          `json:"dry_run"`
	Streams   []savedStream `json:"streams"`
	Warnings  []mishap      `json:"warnings"`
	Failures  []mishap      `json:"failures"`
	Messages  uint64        `json:"messages"`
	Bytes     uint64        `json:"bytes"`
	Consumers int           `json:"consumers"`
}

// mishap is what went wrong with a stream.
type mishap struct {
	Stream string `json:"stream"`
	Reason string `json:"reason"`
}

func sortMishaps(list []mishap) {
	slices.SortFunc(list, func(x, y mishap) int { return strings.Compare(x.Stream, y.Stream) })
}

// View is a table of the streams, then what went wrong.
func (r savedAccount) View(p *render.Page) {
	title := "Backup of all Streams in " + r.Target
	if r.DryRun {
		title = "Streams that would be saved in " + r.Target
	}
	if len(r.Streams) > 0 || !jscmd.Wordy(p) {
		r.table(p, title)
	} else {
		p.Line("%s: none", title)
	}
	mishaps(p, "Backup Warnings", r.Warnings)
	mishaps(p, "Backup failures", r.Failures)
}

func (r savedAccount) table(p *render.Page, title string) {
	t := p.Table(title, render.Column{Name: "Stream"}, render.Column{Name: "Messages"}, render.Column{Name: "Size"}, render.Column{Name: "Consumers"}, render.Column{Name: "Received"}, render.Column{Name: "Status"})
	for _, s := range r.Streams {
		t.Row(render.Key(s.Stream), render.Count(s.Messages), render.Bytes(s.Bytes), render.Count(s.Consumers), render.Bytes(s.Received), s.status())
	}
}

func (r savedStream) status() any {
	switch {
	case r.Unchanged:
		return "up to date"
	case r.DryRun:
		return "would be saved"
	case r.Copied:
		return render.Good("copied")
	}
	return render.Good("saved")
}

func mishaps(p *render.Page, title string, list []mishap) {
	if len(list) == 0 {
		return
	}
	p.Section(title)
	for _, m := range list {
		p.Field(m.Stream, m.Reason)
	}
}

func runAccount(ctx context.Context, e *env.Env, o accountOptions) error {
	if err := backup.VacantForAccount(e.Files.Path(o.target)); err != nil {
		return fmt.Errorf("backup of the account to %s: %w", o.target, err)
	}
	return working(ctx, e, func(ctx context.Context, c *js.Client) error {
		a := &accounting{e: e, c: c, o: o, r: savedAccount{Target: o.target, DryRun: o.dryRun, Streams: []savedStream{}, Warnings: []mishap{}, Failures: []mishap{}}}
		if err := a.list(ctx); err != nil {
			return err
		}
		if err := a.confirm(ctx); err != nil {
			return err
		}
		err := a.run(ctx)
		if !o.dryRun {
			if werr := a.roll(); werr != nil && err == nil {
				err = werr
			}
		}
		if perr := e.Out.Print(a.r); perr != nil || err != nil {
			return cmpError(err, perr)
		}
		return a.verdict()
	})
}

func cmpError(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// accounting is the backup of an account under way.
type accounting struct {
	e       *env.Env
	c       *js.Client
	o       accountOptions
	r       savedAccount
	streams []js.Stream
}

// list finds the streams; those that are there but cannot be read are failures.
func (a *accounting) list(ctx context.Context) error {
	wanted := selecting(a.o.only)
	cov, err := a.c.Streams(ctx, "", func(s js.Stream) error {
		if wanted(s.StreamInfo.Config.Name) {
			a.streams = append(a.streams, s)
			a.r.Messages += s.State.Msgs
			a.r.Bytes += s.State.Bytes
			a.r.Consumers += s.State.Consumers
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range cov.Missing {
		if _, off := cov.Offline[name]; !off && wanted(name) {
			a.r.Failures = append(a.r.Failures, mishap{name, "its servers did not answer"})
		}
	}
	for name, why := range cov.Offline {
		if wanted(name) {
			a.r.Failures = append(a.r.Failures, mishap{name, strings.TrimSpace("offline " + why)})
		}
	}
	sortMishaps(a.r.Failures)
	slices.SortFunc(a.streams, func(x, y js.Stream) int {
		return strings.Compare(x.StreamInfo.Config.Name, y.StreamInfo.Config.Name)
	})
	if len(a.streams) == 0 && len(a.r.Failures) == 0 {
		if len(a.o.only) > 0 {
			return fail.NotFoundf("no stream matches %s", strings.Join(a.o.only, ", "))
		}
		return fail.NotFoundf("there are no streams to back up").WithHint("nats stream add")
	}
	return nil
}

func (a *accounting) confirm(ctx context.Context) error {
	if a.o.dryRun {
		return nil
	}
	a.e.Say("Performing backup of all streams to %s: %d streams, %s, %d consumers", a.o.target, len(a.streams), render.HumaneBytes(a.r.Bytes), a.r.Consumers)
	return prompt.Sure(ctx, a.e.Prompt, a.o.force, fmt.Sprintf("perform the backup of %d streams", len(a.streams)))
}

func (a *accounting) run(ctx context.Context) error {
	root := a.e.Files.Path(a.o.target)
	bar := &meter{e: a.e, label: "Saving", on: true}
	defer bar.close()
	var before uint64
	for _, s := range a.streams {
		name := s.StreamInfo.Config.Name
		save := backup.SaveOptions{
			Consumers: a.o.consumers, Check: a.o.check, Idle: idleOf(a.o.idle, a.c, a.o.check), Replace: a.o.replaceEarlier, Root: root, Now: a.e.Clock.Now(),
			Progress: func(done, _ uint64) { bar.tell(before+min(done, s.State.Bytes), a.r.Bytes) },
		}
		made := backup.Save
		if a.o.dryRun {
			made = backup.Preview
		} else {
			a.e.Say("Starting backup of Stream %q with %s", name, render.HumaneBytes(s.State.Bytes))
		}
		start := a.e.Clock.Now()
		saved, err := twice(ctx, a.e, a.c, save.Idle, func() (backup.Saved, error) { return made(ctx, a.c, s, filepath.Join(root, name), save) })
		before += s.State.Bytes
		if err != nil {
			err = occupied(err)
			a.e.Say("Backup of %s failed: %v", name, err)
			a.r.Failures = append(a.r.Failures, mishap{name, err.Error()})
			if interrupted(ctx) {
				return err
			}
			continue
		}
		r := newSavedStream(filepath.Join(a.o.target, name), saved)
		r.DryRun, r.Elapsed = a.o.dryRun, int64(a.e.Clock.Now().Sub(start))
		a.r.Streams = append(a.r.Streams, r)
		for _, n := range saved.Notes {
			a.r.Warnings = append(a.r.Warnings, mishap{name, n})
		}
	}
	return nil
}

// roll writes what the backup holds and lacks; what an earlier run said of streams that this one did not mean stays.
func (a *accounting) roll() error {
	dir := a.e.Files.Path(a.o.target)
	roll, err := backup.ReadRoll(dir)
	if err != nil || roll.Missing == nil {
		roll = backup.Roll{Missing: map[string]string{}}
	}
	roll.Made = a.e.Clock.Now()
	for _, s := range a.streams {
		roll.Missing[s.StreamInfo.Config.Name] = "the backup ended before it"
	}
	for _, f := range a.r.Failures {
		roll.Missing[f.Stream] = f.Reason
	}
	for _, s := range a.r.Streams {
		delete(roll.Missing, s.Stream)
		roll.Streams = append(roll.Streams, s.Stream)
	}
	slices.Sort(roll.Streams)
	roll.Streams = slices.Compact(roll.Streams)
	return roll.Write(dir)
}

func (a *accounting) verdict() error {
	all := len(a.r.Streams) + len(a.r.Failures)
	err := outcome("backup of the account", len(a.r.Failures), all)
	if err == nil && a.o.critical && len(a.r.Warnings) > 0 {
		return fail.Partialf("the backup has %d warnings", len(a.r.Warnings))
	}
	return err
}
