package backupcmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/backup"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/render"
)

type restoreOptions struct {
	source          string
	progress        bool
	config, rename  string
	place           placing
	idle            time.Duration
	dryRun, replace bool
	force           bool
}

// placing is where and how often restored streams are kept, where that is not as it was.
type placing struct {
	cluster  string
	tags     []string
	replicas int64
}

func (p *placing) bind(c *fisk.CmdClause) {
	c.Flag("cluster", "Place the stream in this cluster").StringVar(&p.cluster)
	c.Flag("tag", "Place the stream on servers with this tag; may be given again").StringsVar(&p.tags)
	c.Flag("replicas", "How many copies of the stream there are").PlaceHolder("REPLICAS").SetValue(flagval.NewInt64(&p.replicas).Min(1).Max(5))
}

// apply changes a configuration; a placement that is given takes the place of the whole one.
func (p placing) apply(cfg *jsconf.Config) error {
	var errs []error
	if p.cluster != "" || len(p.tags) > 0 {
		cfg.Unset("placement")
	}
	if p.cluster != "" {
		errs = append(errs, cfg.Set(p.cluster, "placement", "cluster"))
	}
	if len(p.tags) > 0 {
		errs = append(errs, cfg.Set(p.tags, "placement", "tags"))
	}
	if p.replicas > 0 {
		errs = append(errs, cfg.Set(p.replicas, "num_replicas"))
	}
	return errors.Join(errs...)
}

// RestoreStream is the command that restores one stream, under the names of m.
func RestoreStream(m command.Meta) command.Node {
	return command.Verb[restoreOptions]{
		Meta: named(m, "Restore a stream from its backup",
			`The stream must not exist: an existing one is replaced only with --replace, after the backup was proved and you agreed. Sequences, times, gaps and consumers are as they were.

When a restore fails, what it made is removed; where the server could not be reached for that, the same command again recognizes what is left and begins anew. The transfer has no total time limit: --idle is how long nothing may move.`),
		Scope: command.User, Effect: command.Destroys, Output: command.Value, Result: api.StreamInfo{},
		Examples: []command.Example{
			{Line: "nats backup restore stream ./ORDERS", Says: "Restored stream", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "backup stream ORDERS ./ORDERS", "stream rm ORDERS -f"}},
			{Line: "nats backup restore stream ./ORDERS --dry-run", Says: "exists", About: "See what would be restored", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "backup stream ORDERS ./ORDERS"}},
		},
		Bind: func(c *fisk.CmdClause, o *restoreOptions) {
			c.Arg("file", "The directory of the backup").Required().StringVar(&o.source)
			c.Flag("progress", "Show progress on a terminal").Default("true").BoolVar(&o.progress)
			c.Flag("config", "Configuration of the stream in place of the saved one, JSON or YAML").PlaceHolder("FILE").StringVar(&o.config)
			o.place.bind(c)
			c.Flag("rename", "Restore under another name").PlaceHolder("NAME").StringVar(&o.rename)
			idleFlag(c, &o.idle)
			c.Flag("replace", "Remove the stream of that name first, with all its messages").UnNegatableBoolVar(&o.replace)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
			c.Flag("dry-run", "Say what would be restored and change nothing").UnNegatableBoolVar(&o.dryRun)
		},
		Check: func(o *restoreOptions) error {
			if o.rename != "" {
				return jsconf.CheckName("stream", o.rename)
			}
			return nil
		},
		Run: runRestore,
	}
}

// restored is the stream that was restored; its JSON is the server's info document.
type restored struct {
	backup.Restored
	elapsed time.Duration
}

// JSON is the document of the server.
func (r restored) JSON() any { return r.Stream }

// View says what was done, then shows the stream.
func (r restored) View(p *render.Page) {
	done := render.Sprintf("Restored stream %q in %s", r.Stream.StreamInfo.Config.Name, render.Span(r.elapsed))
	p.Line("%s", done)
	p.Gap()
	jscmd.StreamScreen{Stream: r.Stream}.View(p)
}

// intent is what a restore would do.
type intent struct {
	Stream    string `json:"stream"`
	From      string `json:"from"`
	DryRun    bool   `json:"dry_run"`
	Messages  uint64 `json:"messages"`
	Bytes     uint64 `json:"bytes"`
	Archive   int64  `json:"archive_bytes"`
	Consumers int    `json:"consumers"`
	Exists    bool   `json:"exists"`
	Status    string `json:"status"`
}

// View is one line.
func (i intent) View(p *render.Page) {
	p.Line("Stream %s from %s, %s messages, %s, %s consumers: %s", i.Stream, i.From, render.Count(i.Messages), render.Bytes(i.Bytes), render.Count(i.Consumers), i.Status)
}

// open reads a backup and the configuration that a restore of it asks for.
func (o restoreOptions) open(e *env.Env) (backup.Directory, *jsconf.Config, error) {
	d, err := backup.Read(e.Files.Path(o.source))
	if err != nil {
		return d, nil, fmt.Errorf("backup %s: %w", o.source, err)
	}
	cfg, err := d.Meta.Stream()
	if err != nil {
		return d, nil, err
	}
	saved := cfg.Text("name")
	if o.config != "" {
		data, err := e.Files.ReadFile(o.config)
		if err != nil {
			return d, nil, err
		}
		if cfg, err = jsconf.ReadStream(o.config, data, cfg); err != nil {
			return d, nil, err
		}
		if name := cfg.Text("name"); name != saved && name != "" && name != o.rename {
			return d, nil, fail.Usagef("%s is of stream %s, the backup of stream %s", o.config, name, saved).WithHint("--rename %s restores under that name", name)
		}
	}
	name, err := renamed(d, saved, o.rename)
	if err != nil {
		return d, nil, err
	}
	return d, cfg, errors.Join(cfg.Set(name, "name"), o.place.apply(cfg))
}

// renamed is the name to restore under. The name of a bucket is part of its subjects, and archives of old servers are sealed
// with the stream's name.
func renamed(d backup.Directory, saved, to string) (string, error) {
	switch {
	case to == "" || to == saved:
		return saved, nil
	case jsm.IsInternalStream(saved):
		return "", fail.Usagef("stream %s cannot be renamed: its name is part of its subjects", saved)
	case d.Tar:
		return "", fail.Usagef("stream %s cannot be renamed: the archive is of a server before 2.15, which ties every message to the name", saved)
	}
	return to, nil
}

func runRestore(ctx context.Context, e *env.Env, o restoreOptions) error {
	d, cfg, err := o.open(e)
	if err != nil {
		return err
	}
	name := cfg.Text("name")
	return working(ctx, e, func(ctx context.Context, c *js.Client) error {
		if o.dryRun {
			i, err := intend(ctx, c, d, name, o.replace)
			i.From = o.source
			if err != nil {
				return err
			}
			return e.Out.Print(i)
		}
		if o.replace {
			if err := makeRoom(ctx, e, c, d, name, o); err != nil {
				return err
			}
		}
		e.Say("Starting restore of Stream %q from %s with %s", name, o.source, render.HumaneBytes(uint64(d.Size)))
		bar := &meter{e: e, label: "Restoring " + name, on: o.progress}
		start := e.Clock.Now()
		idle := idleOf(o.idle, c, false)
		done, err := twice(ctx, e, c, idle, func() (backup.Restored, error) {
			return backup.Restore(ctx, c, d, backup.RestoreOptions{Config: cfg, Idle: idle, Settle: max(settleMost, idle), Progress: bar.tell})
		})
		bar.close()
		if err != nil {
			return fmt.Errorf("restoring stream %s from %s: %w", name, o.source, inTheWay(err, name))
		}
		if done.Cleared {
			e.Say("The half of stream %s that an earlier restore had left was removed first", name)
		}
		for _, n := range done.Notes {
			e.IO.Warn("%s", n)
		}
		return e.Out.Print(restored{done, e.Clock.Now().Sub(start)})
	})
}

func inTheWay(err error, name string) error {
	if err != nil && strings.Contains(err.Error(), "(10065)") { // within the error of the restore
		return fail.Hint(err, "--config FILE gives it other subjects: nats backup info shows what it has")
	}
	if !errors.Is(err, backup.ErrExists) {
		return err
	}
	return fail.Hint(err, "--replace removes stream %s first, --rename restores under another name", name)
}

// makeRoom removes the stream that stands in the way, after the backup was proved and the user agreed.
func makeRoom(ctx context.Context, e *env.Env, c *js.Client, d backup.Directory, name string, o restoreOptions) error {
	s, err := c.Info(ctx, name)
	if fail.CodeOf(err) == fail.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := backup.Prove(d.Path); err != nil && !errors.Is(err, backup.ErrNoManifest) {
		return fmt.Errorf("backup %s: %w", o.source, err)
	}
	if err := backup.Check(d); err != nil {
		return fmt.Errorf("backup %s: %w", o.source, err)
	}
	what := fmt.Sprintf("delete Stream %s with %s messages (%s) and %d consumers, to restore it from %s", name, render.HumaneCount(s.State.Msgs), render.HumaneBytes(s.State.Bytes), s.State.Consumers, o.source)
	if err := jscmd.Sure(ctx, e, o.force, what, name); err != nil {
		return err
	}
	return c.Delete(ctx, name)
}

// intend looks at what a restore would meet.
func intend(ctx context.Context, c *js.Client, d backup.Directory, name string, replace bool) (intent, error) {
	st := d.Meta.State
	i := intent{Stream: name, DryRun: true, Messages: st.Msgs, Bytes: st.Bytes, Archive: d.Size, Consumers: st.Consumers, Status: "would be restored"}
	if _, err := backup.Prove(d.Path); err != nil && !errors.Is(err, backup.ErrNoManifest) {
		return i, fmt.Errorf("backup %s: %w", d.Path, err)
	}
	s, err := c.Info(ctx, name)
	switch {
	case fail.CodeOf(err) == fail.NotFound:
		return i, nil
	case err != nil:
		return i, err
	}
	i.Exists = true
	switch {
	case backup.HalfRestored(s):
		i.Status = "is half restored: that would be removed, then it would be restored"
	case replace:
		i.Status = fmt.Sprintf("exists with %s messages: they would be removed, then it would be restored", render.HumaneCount(s.State.Msgs))
	default:
		i.Status = fmt.Sprintf("exists with %s messages: it would not be restored", render.HumaneCount(s.State.Msgs))
	}
	return i, nil
}
