package consumer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/render"
)

type addOptions struct {
	target
	config   string
	validate bool
	output   string
	defaults bool
	update   bool
	flags    settingFlags
}

func addVerb(g *group) command.Node {
	return command.Verb[addOptions]{
		Meta: command.Meta{
			Name: "add", Aliases: []string{"create", "new"}, Short: "Create a consumer",
			Long: `What the flags do not say is asked for on a terminal; --defaults asks nothing: without --target it is a pull consumer with explicit acknowledgements, with --target a push consumer without any.

A consumer that is there already with other settings is left as it is; --update changes it.

--config reads a configuration in JSON or YAML, also a whole document of nats consumer info --json, - being standard input. Flags given beside it win. A key that no consumer has is an error. --validate and --output need no server.`,
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: api.ConsumerInfo{},
		Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats consumer add ORDERS NEW --pull --defaults", Says: "Pull Mode: true", About: "A durable pull consumer without questions", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats consumer add ORDERS LIVE --target live.orders --deliver new --filter orders.new --defaults", Says: "live.orders", About: "Push new messages to a subject", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats consumer add ORDERS RETRY --pull --backoff exponential --backoff-steps 5 --backoff-min 1s --backoff-max 10m --defaults", Says: "10m0s", About: "Wait longer before each redelivery", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats consumer add ORDERS SHARED --pull --pinned-groups main --pinned-ttl 30s --defaults", Says: "Priority Groups: main", About: "One client at a time", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *addOptions) {
			o.bind(c, g)
			c.Flag("config", "Read the configuration from a JSON or YAML file, - for standard input").PlaceHolder("FILE").StringVar(&o.config)
			c.Flag("validate", "Check the configuration and create nothing").UnNegatableBoolVar(&o.validate)
			c.Flag("output", "Write the configuration to a file and create nothing").PlaceHolder("FILE").StringVar(&o.output)
			o.flags.bind(c)
			o.flags.bindNew(c)
			c.Flag("update", "Change the consumer when it is there already").UnNegatableBoolVar(&o.update)
			c.Flag("defaults", "Ask nothing: take the default for what is not given").UnNegatableBoolVar(&o.defaults)
		},
		Check: checkAdd,
		Run:   runAdd,
	}
}

func checkAdd(o *addOptions) error {
	if o.validate && o.output != "" {
		return fail.Usagef("--validate and --output exclude each other: --output validates too")
	}
	return o.check()
}

func runAdd(ctx context.Context, e *env.Env, o addOptions) error {
	if err := o.flags.check(e.Clock.Now()); err != nil {
		return err
	}
	if o.validate || o.output != "" {
		cfg, err := newConfig(ctx, e, &o)
		if err != nil {
			return err
		}
		return keepConfig(e, o, cfg)
	}
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	if o.stream, err = jscmd.NameStream(ctx, e, c, o.group.all, o.stream); err != nil {
		return err
	}
	cfg, err := newConfig(ctx, e, &o)
	if err != nil {
		return err
	}
	action := consumers.Create
	if o.update {
		action = consumers.CreateOrUpdate
	}
	made, err := consumers.Store(ctx, c, o.stream, action, cfg)
	if js.IsCode(err, 10148) {
		err = fail.Hint(err, "nats consumer edit %s %s changes it, so does --update", o.stream, consumers.NameOf(cfg))
	}
	if err != nil {
		return jscmd.Unsure(err, "it was created", "nats consumer info "+o.stream+" "+consumers.NameOf(cfg))
	}
	return e.Out.Print(screen{Consumer: made})
}

// newConfig is the configuration of the consumer to be: a file with the flags on top, or the flags with answers or defaults for
// the rest.
func newConfig(ctx context.Context, e *env.Env, o *addOptions) (*jsconf.Config, error) {
	if o.config != "" {
		return configFromFile(e, *o)
	}
	if err := ask(ctx, e, o); err != nil {
		return nil, err
	}
	base := api.ConsumerConfig{DeliverPolicy: api.DeliverAll, ReplayPolicy: api.ReplayInstant, MaxDeliver: -1, AckPolicy: api.AckExplicit}
	if !o.flags.isPull() {
		base.AckPolicy = api.AckNone
	}
	cfg, err := jsconf.FromTyped(base)
	if err != nil {
		return nil, err
	}
	if err := named(cfg, o.consumer, o.flags.ephemeral); err != nil {
		return nil, err
	}
	return cfg, o.flags.apply(cfg, e.Clock.Now())
}

// named gives the configuration its name, durable or not; an ephemeral consumer without a name gets one.
func named(cfg *jsconf.Config, name string, ephemeral bool) error {
	if !ephemeral {
		cfg.Unset("name")
		return cfg.Set(name, "durable_name")
	}
	if name == "" {
		name = rand.Text()[:8]
	}
	cfg.Unset("durable_name")
	return cfg.Set(name, "name")
}

func configFromFile(e *env.Env, o addOptions) (*jsconf.Config, error) {
	data, err := e.Files.ReadFile(o.config)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", o.config, err)
	}
	cfg, err := jsconf.ReadConsumer(o.config, data, nil)
	if err != nil {
		return nil, err
	}
	name := o.consumer
	if name == "" {
		name = consumers.NameOf(cfg)
	}
	ephemeral := o.flags.ephemeral || cfg.Has("name") && !cfg.Has("durable_name")
	if name == "" && !ephemeral {
		return nil, fail.Usagef("pass <consumer>: %s names none", o.config)
	}
	if err := named(cfg, name, ephemeral); err != nil {
		return nil, err
	}
	return cfg, o.flags.apply(cfg, e.Clock.Now())
}

// keepConfig validates the configuration and prints it or writes it to a file.
func keepConfig(e *env.Env, o addOptions, cfg *jsconf.Config) error {
	v := verdict{Config: cfg, Valid: true}
	if e.Getenv("NOVALIDATE") == "" {
		var err error
		if v.Reasons, err = consumers.Validate(cfg); err != nil {
			return err
		}
		v.Valid = len(v.Reasons) == 0
	}
	if o.output == "" {
		if err := e.Out.Print(v); err != nil || v.Valid {
			return err
		}
	}
	if !v.Valid {
		return fail.Newf(fail.Failure, "Validation Failed: %s", strings.Join(v.Reasons, "\n\t"))
	}
	text, err := consumers.Indented(cfg)
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

// JSON never has null for no reasons, and the configuration in the order of its type.
func (v verdict) JSON() any {
	doc, err := consumers.Ordered(v.Config)
	if err != nil {
		doc = nil
	}
	return struct {
		Valid   bool            `json:"valid"`
		Reasons []string        `json:"reasons"`
		Config  json.RawMessage `json:"config"`
	}{v.Valid, append([]string{}, v.Reasons...), doc}
}

// View shows the configuration as JSON, then the word on it when it is good; the reasons are the error's.
func (v verdict) View(p *render.Page) {
	text, err := consumers.Indented(v.Config)
	if err != nil {
		p.Line("%s", err.Error())
		return
	}
	p.Text(string(text))
	if v.Valid {
		p.Gap()
		p.Line("Configuration is a valid Consumer")
	}
}
