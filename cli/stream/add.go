package stream

import (
	"context"
	"encoding/json"
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
	"github.com/natskit/natskit/internal/render"
)

type addOptions struct {
	stream   string
	config   string
	validate bool
	output   string
	defaults bool
	flags    settingFlags
}

func addVerb() command.Node {
	return command.Verb[addOptions]{
		Meta: command.Meta{
			Name: "add", Aliases: []string{"create", "new"}, Short: "Create a stream",
			Long: `What the flags do not say is asked for on a terminal; --defaults asks nothing: a file stream without limits, one replica.

--config reads a configuration in JSON or YAML, also a whole document of nats stream info --json, - being standard input. Flags given beside it win. A key that no stream has is an error.

--validate and --output need no server. --mirror and --source take a stream name or a JSON object with name, opt_start_seq, opt_start_time, filter_subject, subject_transforms, external and consumer.`,
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: api.StreamInfo{}, Names: command.Names{"mirror": command.Streams, "source": command.Streams},
		Examples: []command.Example{
			{Line: "nats stream add ORDERS --subjects 'orders.>' --defaults", Says: "Stream ORDERS was created", About: "A stream without questions"},
			{Line: "nats stream add JOBS --subjects 'jobs.*' --retention work --max-age 1d --max-bytes 1GB --defaults", Says: "WorkQueue", About: "A work queue with limits"},
			{Line: "nats stream add COPY --mirror ORDERS --defaults", Says: "Mirror: ORDERS", About: "A mirror", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats stream add ORDERS --subjects 'orders.>' --defaults --output orders.json", Says: "", About: "Write the configuration to a file and create nothing"},
		},
		Bind: func(c *fisk.CmdClause, o *addOptions) {
			c.Arg("stream", "The name of the stream").StringVar(&o.stream)
			c.Flag("config", "Read the configuration from a JSON or YAML file, - for standard input").PlaceHolder("FILE").StringVar(&o.config)
			c.Flag("validate", "Check the configuration and create nothing").UnNegatableBoolVar(&o.validate)
			c.Flag("output", "Write the configuration to a file and create nothing").PlaceHolder("FILE").StringVar(&o.output)
			o.flags.bind(c)
			o.flags.bindNew(c)
			c.Flag("defaults", "Ask nothing: take the default for what is not given").UnNegatableBoolVar(&o.defaults)
		},
		Check: checkAdd,
		Run:   runAdd,
	}
}

func checkAdd(o *addOptions) error {
	if o.stream != "" {
		if err := jsconf.CheckName("stream", o.stream); err != nil {
			return err
		}
	}
	if o.validate && o.output != "" {
		return fail.Usagef("--validate and --output exclude each other: --output validates too")
	}
	_, err := o.flags.settings()
	return err
}

func runAdd(ctx context.Context, e *env.Env, o addOptions) error {
	var c *js.Client
	if !o.validate && o.output == "" {
		var err error
		if c, err = jscmd.Open(ctx, e); err != nil {
			return err
		}
	}
	cfg, err := newConfig(ctx, e, c, o)
	if err != nil {
		return err
	}
	if c == nil {
		return keepConfig(e, o, cfg)
	}
	typed, err := cfg.Stream()
	if err != nil {
		return err
	}
	if level := jsconf.RequiredLevel(typed); level >= 2 {
		if err := c.NeedLevel(ctx, level, "stream "+typed.Name); err != nil {
			return err
		}
	}
	s, err := c.Create(ctx, cfg)
	if err != nil {
		return jscmd.Unsure(err, "it was created", "nats stream info "+typed.Name)
	}
	return e.Out.Print(jscmd.StreamScreen{Stream: s, Done: fmt.Sprintf("Stream %s was created", typed.Name)})
}

// newConfig is the configuration of the stream to be: a file with the flags on top, or the flags with answers or defaults
// for the rest. c is nil when nothing will be created.
func newConfig(ctx context.Context, e *env.Env, c *js.Client, o addOptions) (*jsconf.Config, error) {
	settings, err := o.flags.settings()
	if err != nil {
		return nil, err
	}
	if o.config != "" {
		return configFromFile(e, o, settings)
	}
	a := answers{e: e, c: c, o: o, s: settings, cfg: jsconf.DefaultStream(o.stream)}
	if err := a.ask(ctx); err != nil {
		return nil, err
	}
	if err := a.s.Apply(a.cfg); err != nil {
		return nil, err
	}
	return a.cfg, a.finish()
}

func configFromFile(e *env.Env, o addOptions, settings jsconf.Settings) (*jsconf.Config, error) {
	data, err := e.Files.ReadFile(o.config)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", o.config, err)
	}
	cfg, err := jsconf.ReadStream(o.config, data, nil)
	if err != nil {
		return nil, err
	}
	if o.stream != "" {
		if err := cfg.Set(o.stream, "name"); err != nil {
			return nil, err
		}
	}
	if cfg.Text("name") == "" {
		return nil, fail.Usagef("pass <stream>: %s names none", o.config)
	}
	if err := fillDefaults(cfg); err != nil {
		return nil, err
	}
	return cfg, settings.Apply(cfg)
}

// fillDefaults spells out what the server and the schema need and a short file may leave out.
func fillDefaults(cfg *jsconf.Config) error {
	for key, v := range map[string]any{
		"retention": "limits", "storage": "file", "num_replicas": 1, "max_age": 0, "max_consumers": -1, "max_msgs": -1, "max_bytes": -1,
	} {
		if !cfg.Has(key) {
			if err := cfg.Set(v, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepConfig validates the configuration and prints it or writes it to a file.
func keepConfig(e *env.Env, o addOptions, cfg *jsconf.Config) error {
	v := verdict{Config: cfg, Valid: true}
	if e.Getenv("NOVALIDATE") == "" {
		var err error
		if v.Reasons, err = jsconf.ValidateStream(cfg); err != nil {
			return err
		}
		v.Valid = len(v.Reasons) == 0
	}
	failure := func() error {
		return fail.Newf(fail.Failure, "Validation Failed: %s", strings.Join(v.Reasons, "\n\t"))
	}
	if o.output == "" {
		if err := e.Out.Print(v); err != nil || v.Valid {
			return err
		}
		return failure()
	}
	if !v.Valid {
		return failure()
	}
	text, err := cfg.Indented()
	if err != nil {
		return err
	}
	return e.Files.WriteFile(o.output, text)
}

// verdict is a configuration and what is wrong with it.
type verdict struct {
	Valid   bool           `json:"valid"`
	Reasons []string       `json:"reasons"`
	Config  *jsconf.Config `json:"config"`
}

// JSON never has null for no reasons.
func (v verdict) JSON() any {
	if v.Reasons == nil {
		v.Reasons = []string{}
	}
	return struct {
		Valid   bool           `json:"valid"`
		Reasons []string       `json:"reasons"`
		Config  json.Marshaler `json:"config"`
	}{v.Valid, v.Reasons, v.Config}
}

// View shows the configuration as JSON, then the word on it when it is good; the reasons are the error's.
func (v verdict) View(p *render.Page) {
	text, err := v.Config.Indented()
	if err != nil {
		p.Line("%s", err.Error())
		return
	}
	p.Text(string(text))
	if v.Valid {
		p.Gap()
		p.Line("Configuration is a valid Stream matching %s", jsconf.StreamSchema)
	}
}
