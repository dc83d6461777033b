package stream

import (
	"context"
	"fmt"
	"strings"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

type editOptions struct {
	stream      string
	config      string
	force       bool
	interactive bool
	dryRun      bool
	flags       settingFlags
	group       *group
}

func editVerb(g *group) command.Node {
	return command.Verb[editOptions]{
		Meta: command.Meta{
			Name: "edit", Aliases: []string{"update"}, Short: "Change a stream's configuration",
			Long: `Only what the flags say changes; settings of the server that this program does not know stay as they are. The difference is shown first; nothing is sent when there is none. --dry-run ends with code 1 when there is a difference.

--config takes the configuration from a file, JSON or YAML, with the flags on top; --interactive opens it in $EDITOR.`,
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: api.StreamInfo{}, Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats stream edit ORDERS --max-age 7d --force", Says: "Stream ORDERS was updated", About: "Change one setting", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats stream edit ORDERS --description '' --dry-run", Says: "", About: "See what would change", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats stream edit ALL --add-source EXTRA --force", Says: "EXTRA", About: "Copy from one stream more", Needs: []string{"stream add EXTRA --subjects extra --defaults", "stream add BASE --subjects base --defaults", "stream add ALL --source BASE --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *editOptions) {
			o.group = g
			c.Arg("stream", "The stream").StringVar(&o.stream)
			c.Flag("config", "Take the configuration from a JSON or YAML file, - for standard input").PlaceHolder("FILE").StringVar(&o.config)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
			c.Flag("interactive", "Edit the configuration in $EDITOR").Short('i').BoolVar(&o.interactive)
			c.Flag("dry-run", "Show what would change").UnNegatableBoolVar(&o.dryRun)
			o.flags.bind(c)
			c.Flag("no-mirror", "Stop copying and become a stream of its own").UnNegatableBoolVar(&o.flags.noMirror)
			c.Flag("no-transform", "Stop renaming subjects").UnNegatableBoolVar(&o.flags.noTransform)
			c.Flag("no-republish", "Stop publishing again").UnNegatableBoolVar(&o.flags.noRepublish)
			c.Flag("add-source", "Copy from this stream too, or in another way: its name, or JSON").PlaceHolder("STREAM").StringsVar(&o.flags.addSources)
			c.Flag("remove-source", "Stop copying from this stream").PlaceHolder("STREAM").StringsVar(&o.flags.removeSources)
			o.flags.given["add-source"], o.flags.given["remove-source"] = new(bool), new(bool)
		},
		Check: checkEdit,
		Run:   runEdit,
	}
}

func checkEdit(o *editOptions) error {
	switch {
	case o.flags.has("source"):
		return fail.Usagef("--source replaces nothing here").WithHint("use --add-source and --remove-source, or --config")
	case o.flags.has("mirror"):
		return fail.Usagef("--mirror cannot be changed").WithHint("--no-mirror ends it; a file for --config can say everything")
	case o.interactive && o.config != "":
		return fail.Usagef("--interactive and --config exclude each other")
	}
	_, err := o.flags.settings()
	return err
}

// edited is the difference that an edit makes, and the stream after it.
type edited struct {
	Name    string          `json:"stream"`
	DryRun  bool            `json:"dry_run"`
	Changes []jsconf.Change `json:"changes"`

	stream *js.Stream // nil when nothing was sent
	shown  bool       // the difference was shown before
}

// JSON is the info document after the edit; without an edit it is the difference.
func (r edited) JSON() any {
	if r.stream != nil {
		return *r.stream
	}
	if r.Changes == nil {
		r.Changes = []jsconf.Change{}
	}
	return struct {
		Name    string          `json:"stream"`
		DryRun  bool            `json:"dry_run"`
		Changes []jsconf.Change `json:"changes"`
	}{r.Name, r.DryRun, r.Changes}
}

// View shows the difference, then the stream.
func (r edited) View(p *render.Page) {
	if len(r.Changes) == 0 {
		if !r.DryRun {
			p.Line("No difference in configuration")
		}
		return
	}
	if !r.shown {
		p.Line("Differences (-old +new):")
		p.Gap()
		for _, l := range difference(r.Changes) {
			p.Line("%s", painted(l))
		}
	}
	if r.stream == nil {
		return
	}
	if !r.shown {
		p.Gap()
	}
	jscmd.StreamScreen{Stream: *r.stream, Done: fmt.Sprintf("Stream %s was updated", r.Name)}.View(p)
}

func difference(changes []jsconf.Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Lines()...)
	}
	return out
}

func painted(line string) any {
	if strings.HasPrefix(line, "-") {
		return render.Bad(line)
	}
	return render.Good(line)
}

func runEdit(ctx context.Context, e *env.Env, o editOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := jscmd.Pick(ctx, e, c, o.group.all, o.stream)
	if err != nil {
		return err
	}
	before, err := s.Config()
	if err != nil {
		return err
	}
	before.StripReserved()
	name := before.Text("name")
	after, err := newVersion(ctx, e, o, before)
	if err != nil {
		return err
	}
	r := edited{Name: name, DryRun: o.dryRun}
	if r.Changes, err = jsconf.DiffStreams(before, after); err != nil {
		return err
	}
	if len(r.Changes) == 0 || o.dryRun {
		if err := e.Out.Print(r); err != nil {
			return err
		}
		if len(r.Changes) > 0 {
			return fail.ErrDifference
		}
		return nil
	}
	jscmd.WarnBucket(e, name)
	if !o.force && e.Prompt.Available() {
		e.IO.Line("Differences (-old +new):\n\n" + strings.Join(difference(r.Changes), "\n") + "\n")
		r.shown = true
	}
	if err := jscmd.Sure(ctx, e, o.force, "edit Stream "+name, name); err != nil {
		return err
	}
	typed, err := after.Stream()
	if err != nil {
		return err
	}
	if level := jsconf.RequiredLevel(typed); level >= 2 {
		if err := c.NeedLevel(ctx, level, "stream "+name); err != nil {
			return err
		}
	}
	updated, err := c.Update(ctx, after)
	if err != nil {
		return jscmd.Unsure(err, "it was changed", "nats stream info "+r.Name)
	}
	r.stream = &updated
	return e.Out.Print(r)
}

// newVersion is the configuration as it is to be.
func newVersion(ctx context.Context, e *env.Env, o editOptions, before *jsconf.Config) (*jsconf.Config, error) {
	settings, err := o.flags.settings()
	if err != nil {
		return nil, err
	}
	after := before.Clone()
	switch {
	case o.config != "":
		data, err := e.Files.ReadFile(o.config)
		if err != nil {
			return nil, fmt.Errorf("configuration %s: %w", o.config, err)
		}
		if after, err = replaced(o.config, data, before); err != nil {
			return nil, err
		}
	case o.interactive:
		if after, err = inEditor(ctx, e, before); err != nil {
			return nil, err
		}
	}
	return after, settings.Apply(after)
}

// replaced is the configuration of a file in the place of before: it keeps the name, and what only the server knows of.
func replaced(file string, data []byte, before *jsconf.Config) (*jsconf.Config, error) {
	after, err := jsconf.ReadStream(file, data, before)
	if err != nil {
		return nil, err
	}
	if err := after.Set(before.Text("name"), "name"); err != nil {
		return nil, err
	}
	after.KeepUnknown(before, api.StreamConfig{})
	return after, fillDefaults(after)
}

// inEditor has the configuration edited as YAML with the meaning of each setting above it. What does not parse is edited again.
func inEditor(ctx context.Context, e *env.Env, before *jsconf.Config) (*jsconf.Config, error) {
	text, err := jsconf.CommentedYAML(before)
	if err != nil {
		return nil, err
	}
	const file = "configuration"
	answer, err := e.Prompt.Edit(ctx, prompt.Question{
		Flag: "--config", Message: "Edit the configuration", Suffix: ".yaml",
		Validate: func(s string) error {
			_, err := replaced(file, []byte(s), before)
			return err
		},
	}, text)
	if err != nil {
		return nil, err
	}
	return replaced(file, answer, before)
}
