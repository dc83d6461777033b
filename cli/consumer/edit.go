package consumer

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"
	"gopkg.in/yaml.v3"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

type editOptions struct {
	target
	config      string
	force       bool
	interactive bool
	dryRun      bool
	unset       []string
	flags       settingFlags
}

// removable are the settings that --unset takes away, by the names of their flags.
func removable() map[string][]string {
	return map[string][]string{
		"description": {"description"}, "filter": {"filter_subject", "filter_subjects"}, "backoff": {"backoff"}, "headers-only": {"headers_only"},
		"max-deliver": {"max_deliver"}, "max-pending": {"max_ack_pending"}, "max-pull-batch": {"max_batch"}, "max-pull-expire": {"max_expires"}, "max-pull-bytes": {"max_bytes"},
		"sample": {"sample_freq"}, "wait": {"ack_wait"}, "inactive-threshold": {"inactive_threshold"}, "replicas": {"num_replicas"}, "metadata": {"metadata"},
	}
}

func editVerb(g *group) command.Node {
	return command.Verb[editOptions]{
		Meta: command.Meta{
			Name: "edit", Aliases: []string{"update"}, Short: "Change a consumer's configuration",
			Long: `Only what the flags say changes; settings of the server that this program does not know stay as they are. The difference is shown first; nothing is sent when there is none. --dry-run ends with code 1 when there is a difference.

--config takes the configuration from a file, JSON or YAML, with the flags on top: it is the named consumer that is changed, whatever name the file has. --interactive opens it in $EDITOR. --unset takes settings away, by the names of their flags.`,
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: api.ConsumerInfo{},
		Names: command.Names{"stream": command.Streams, "consumer": command.Consumers},
		Examples: []command.Example{
			{Line: "nats consumer edit ORDERS NEW --max-deliver 9 --force", Says: "Maximum Deliveries: 9", About: "Change one setting", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults"}},
			{Line: "nats consumer edit ORDERS NEW --unset description,sample --force", Says: "No difference", About: "Take settings away", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *editOptions) {
			o.bind(c, g)
			c.Flag("config", "Take the configuration from a JSON or YAML file, - for standard input").PlaceHolder("FILE").StringVar(&o.config)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
			c.Flag("interactive", "Edit the configuration in $EDITOR").Short('i').BoolVar(&o.interactive)
			c.Flag("dry-run", "Show what would change").UnNegatableBoolVar(&o.dryRun)
			c.Flag("unset", "Take these settings away, such as description or max-deliver").PlaceHolder("SETTINGS").StringsVar(&o.unset)
			o.flags.bind(c)
		},
		Check: checkEdit,
		Run:   runEdit,
	}
}

func checkEdit(o *editOptions) error {
	if o.interactive && o.config != "" {
		return fail.Usagef("--interactive and --config exclude each other")
	}
	known := removable()
	for _, name := range jsconf.SplitSubjects(o.unset) {
		if known[name] == nil {
			words := make([]string, 0, len(known))
			for k := range known {
				words = append(words, k)
			}
			if near := flagval.Nearest(name, words); near != "" {
				return fail.Usagef("--unset: there is no setting %q to take away", name).WithHint("did you mean %s", near)
			}
			return fail.Usagef("--unset: there is no setting %q to take away", name)
		}
		if o.flags.has(name) {
			return fail.Usagef("--%s and --unset %s exclude each other", name, name)
		}
	}
	return o.check()
}

// edited is the difference that an edit makes, and the consumer after it.
type edited struct {
	Stream  string          `json:"stream"`
	Name    string          `json:"consumer"`
	DryRun  bool            `json:"dry_run"`
	Changes []jsconf.Change `json:"changes"`

	after *consumers.Consumer // nil when nothing was sent
	shown bool                // the difference was shown before
}

// JSON is the info document after the edit; without an edit it is the difference.
func (r edited) JSON() any {
	if r.after != nil {
		return *r.after
	}
	type plain edited
	r.Changes = append([]jsconf.Change{}, r.Changes...)
	return plain(r)
}

// View shows the difference, then the consumer.
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
			if strings.HasPrefix(l, "-") {
				p.Line("%s", render.Bad(l))
			} else {
				p.Line("%s", render.Good(l))
			}
		}
	}
	if r.after == nil {
		return
	}
	if !r.shown {
		p.Gap()
	}
	screen{Consumer: *r.after}.View(p)
}

func difference(changes []jsconf.Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, consumers.Lines(c)...)
	}
	return out
}

func runEdit(ctx context.Context, e *env.Env, o editOptions) error {
	if err := o.flags.check(e.Clock.Now()); err != nil {
		return err
	}
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	i, err := o.pick(ctx, e, c)
	if err != nil {
		return err
	}
	name := full(i.Stream, i.Name)
	if i.IsEphemeral() {
		return fail.Newf(fail.Failure, "consumer %s is ephemeral: only durable consumers are edited", name)
	}
	before, err := i.Config()
	if err != nil {
		return err
	}
	after, err := newVersion(ctx, e, o, before.StripReserved())
	if err != nil {
		return err
	}
	r := edited{Stream: i.Stream, Name: i.Name, DryRun: o.dryRun}
	if r.Changes, err = consumers.Diff(before, after); err != nil {
		return err
	}
	if len(r.Changes) == 0 || o.dryRun {
		if err := e.Out.Print(r); err != nil || len(r.Changes) == 0 {
			return err
		}
		return fail.ErrDifference
	}
	if !o.force && e.Prompt.Available() {
		e.IO.Line("Differences (-old +new):\n\n" + strings.Join(difference(r.Changes), "\n") + "\n")
		r.shown = true
	}
	if err := jscmd.Sure(ctx, e, o.force, "edit Consumer "+name, i.Name); err != nil {
		return err
	}
	updated, err := consumers.Store(ctx, c, i.Stream, consumers.Update, after)
	if err != nil {
		return jscmd.Unsure(err, "it was changed", "nats consumer info "+i.Stream+" "+i.Name)
	}
	r.after = &updated
	return e.Out.Print(r)
}

// newVersion is the configuration as it is to be.
func newVersion(ctx context.Context, e *env.Env, o editOptions, before *jsconf.Config) (*jsconf.Config, error) {
	after := before.Clone()
	var err error
	switch {
	case o.config != "":
		data, rerr := e.Files.ReadFile(o.config)
		if rerr != nil {
			return nil, fmt.Errorf("configuration %s: %w", o.config, rerr)
		}
		after, err = replaced(o.config, data, before)
	case o.interactive:
		after, err = inEditor(ctx, e, before)
	}
	if err != nil {
		return nil, err
	}
	if typed, err := consumers.Typed(after); err != nil {
		return nil, err
	} else if len(typed.BackOff) > 0 && o.flags.has("wait") && !o.flags.has("backoff") {
		return nil, fail.Usagef("--wait: the backoff of the consumer says how long to wait").WithHint("change it with --backoff, or end it with --backoff none")
	}
	for _, name := range jsconf.SplitSubjects(o.unset) {
		for _, key := range removable()[name] {
			after.Unset(key)
		}
	}
	return after, o.flags.apply(after, e.Clock.Now())
}

// replaced is the configuration of a file in the place of before: it keeps the name, and what only the server knows of.
func replaced(file string, data []byte, before *jsconf.Config) (*jsconf.Config, error) {
	after, err := jsconf.ReadConsumer(file, data, before)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"name", "durable_name"} {
		after.Unset(key)
		if v := before.Text(key); v != "" {
			if err := after.Set(v, key); err != nil {
				return nil, err
			}
		}
	}
	after.KeepUnknown(before, api.ConsumerConfig{})
	return after, nil
}

// inEditor has the configuration edited as YAML. What does not parse is edited again.
func inEditor(ctx context.Context, e *env.Env, before *jsconf.Config) (*jsconf.Config, error) {
	text, err := asYAML(before)
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

// asYAML is a configuration for an editor: in the order of its type, durations in words.
func asYAML(cfg *jsconf.Config) ([]byte, error) {
	raw, err := consumers.Ordered(cfg)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	plainStyle(&doc)
	spans := map[string]bool{"ack_wait": true, "idle_heartbeat": true, "max_expires": true, "inactive_threshold": true, "priority_timeout": true, "backoff": true}
	root := doc.Content[0]
	for i := 0; i+1 < len(root.Content); i += 2 {
		if key, value := root.Content[i], root.Content[i+1]; spans[key.Value] {
			if err := inWords(value); err != nil {
				return nil, fmt.Errorf("%s: %w", key.Value, err)
			}
		}
	}
	return yaml.Marshal(&doc)
}

// plainStyle takes the JSON look off a document.
func plainStyle(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		plainStyle(c)
	}
}

// inWords turns nanoseconds into durations as people write them.
func inWords(n *yaml.Node) error {
	for _, c := range n.Content {
		if err := inWords(c); err != nil {
			return err
		}
	}
	if n.Kind != yaml.ScalarNode {
		return nil
	}
	ns, err := json.Number(n.Value).Int64()
	if err != nil {
		return err
	}
	n.SetString(time.Duration(ns).String())
	return nil
}
