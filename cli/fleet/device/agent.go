package device

import (
	"context"
	"errors"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/device"
	"github.com/natskit/natskit/internal/fleet/device/apply"
	"github.com/natskit/natskit/internal/fleet/device/edge"
	"github.com/natskit/natskit/internal/fleet/device/facts"
	"github.com/natskit/natskit/internal/fleet/device/journal"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/render"
)

// mostOutput is the largest --output-limit: a result with both outputs has to fit into a message.
const mostOutput = 256 << 10

type agentOptions struct {
	service
	id, nickname string
	labels       map[string]string
	state        string
	buffer       int64

	configFile string
	configHook string
	hook       []string

	allow       []string
	outputLimit int64
	commandTime time.Duration

	leaf leafOptions
}

func agentVerb() command.Node {
	return command.Verb[agentOptions]{
		Meta: command.Meta{
			Name: "agent", Short: "Make this machine a device of a fleet",
			Long: `The agent is a micro service. It answers who it is (SERVICE.device_info, with a JSON filter if you like), live queries, and its nickname; it publishes metrics.SERVER.CLIENT every second; it applies the configuration of the bucket to a file or through a hook, and says so in the bucket SERVICE_state, if there is one. It needs no port of its own, goes on for ever when its server is away, learns of the other servers of a cluster as they come, and moves to another server when it is told to on SERVICE.advertise. Whoever may publish there decides where devices go, with the credentials they have; an empty message sends them home.

Where a stream takes the metrics, each is sent until the stream has it, in order, and stored once. While no server can be reached they wait, up to --buffer of them.

Commands from the stream SERVICE_commands are refused unless --allow names their program: a pattern without a slash is for programs that are named alone and found in $PATH, one with slashes is for absolute paths; * stands for anything but a slash. They run one after the other, each at most once, also when the agent is killed meanwhile, and never through a shell, without the credentials of the agent in their environment. An interpreter or a shell on the list allows everything that it can do.

With --leaf DIR the agent runs a leaf node of its own and is a client of that alone. Metrics go into the stream metrics there and are forwarded to the hub in their order, each once; who asks on the leaf node or at the hub gets an answer, and nothing is lost while the hub is away. Configuration and commands come from the JetStream domain of the hub: --js-domain, cloud unless given.`,
		},
		Scope: command.User, Effect: command.Writes, Output: command.Feed, Result: joined{},
		Examples: []command.Example{
			{Line: "nats fleet agent --state ./device --label site=north", Says: "joined", About: "A device with a label"},
			{Line: "nats fleet agent --state ./device --config-file ./config.json --allow uptime --allow '/usr/local/bin/*'", Says: "joined", About: "Configuration goes into a file, and some programs may be run"},
			{Line: "nats fleet agent --state ./device --leaf ./leaf --id d1", Says: "joined", About: "With a leaf node beside it"},
			{Line: "nats fleet agent --state ./device --config-hook 'systemctl reload chart' --json", Says: `"id"`, About: "A command is told of each configuration"},
		},
		Bind: bindAgent, Check: checkAgent, Run: runAgent,
	}
}

func bindAgent(c *fisk.CmdClause, o *agentOptions) {
	c.Flag("id", "Name of the device, unique in the fleet; made up once and kept in --state unless given").PlaceHolder("ID").StringVar(&o.id)
	c.Flag("nickname", "Name for people; that of the machine unless given").PlaceHolder("NAME").StringVar(&o.nickname)
	flagval.MapVar(c.Flag("label", "A label that queries can ask for").PlaceHolder("KEY=VALUE"), &o.labels)
	o.bind(c)
	c.Flag("state", "Directory for the id and the journal of commands").PlaceHolder("DIR").StringVar(&o.state)
	c.Flag("buffer", "How many metrics are kept while they cannot be sent").Default("10000").Validator(flagval.Whole(1, 10_000_000)).Int64Var(&o.buffer)
	c.Flag("config-file", "File that holds the configuration, mode 0600, replaced in one step").PlaceHolder("FILE").StringVar(&o.configFile)
	c.Flag("config-hook", "Command to run on each change, the configuration on its standard input; when it fails the one before stays").PlaceHolder("COMMAND").StringVar(&o.configHook)
	c.Flag("allow", "Program that commands may run, a pattern; none unless given").PlaceHolder("PROGRAM").StringsVar(&o.allow)
	c.Flag("output-limit", "How much of each output of a command is kept").Default("64KiB").SetValue(flagval.NewBytes(&o.outputLimit).Min(0).Max(mostOutput))
	o.leaf.bind(c)
	c.Flag("command-timeout", "The longest a command may run").Default("5m").SetValue(flagval.NewDuration(&o.commandTime).Positive())
}

func checkAgent(o *agentOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.id != "" {
		if err := fleet.CheckID(o.id); err != nil {
			return fail.Usagef("--id: %w", err)
		}
	}
	if err := device.Allow(o.allow).Check(); err != nil {
		return fail.Usagef("--allow: %w", err)
	}
	if err := o.leaf.check(); err != nil {
		return err
	}
	if o.configHook != "" {
		var err error
		if o.hook, err = apply.ParseHook(o.configHook); err != nil {
			return fail.Usagef("--config-hook %q: %w", o.configHook, err)
		}
	}
	return nil
}

// joined is what is known of a device when it has joined.
type joined struct {
	fleet.Info
	Service string `json:"service"`
	State   string `json:"state"` // directory
}

// View shows nothing: people read the narration on stderr.
func (joined) View(*render.Page) {}

func runAgent(ctx context.Context, e *env.Env, o agentOptions) error {
	return fail.Ended(ctx, o.run(ctx, e))
}

func (o *agentOptions) run(ctx context.Context, e *env.Env) (err error) {
	dir, err := o.home(e)
	if err != nil {
		return err
	}
	opts, err := o.options(ctx, e)
	if err != nil {
		return err
	}
	if err := o.identify(e, dir, &opts.Info); err != nil {
		return err
	}
	log, err := journal.Open(dir.file("journal"), opts.Info.ID)
	if err != nil {
		return fail.Hint(err, "one agent at a time can use a state directory: give the other one --state DIR")
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	o.equip(e, dir, &opts, log)
	if o.leaf.dir != "" {
		srv, serr := o.leaf.start(ctx, e, opts.Info.ID, opts.Conn)
		if serr != nil {
			return serr
		}
		defer func() { err = errors.Join(err, srv.Stop(context.WithoutCancel(ctx))) }()
		beside(e, &opts, srv)
	}
	d, err := device.Start(ctx, opts)
	if err != nil {
		return e.Nats.Explain(err)
	}
	feed := e.Out.Feed()
	defer func() {
		stop, cancel := e.Nats.Deadline(context.WithoutCancel(ctx))
		defer cancel()
		err = errors.Join(err, d.Stop(stop), feed.Close(nil))
		if n, lost := d.Waiting(); n > 0 || lost > 0 {
			e.IO.Warn("%d metrics could not be sent, %d were given up before", n, lost)
		}
	}()
	e.Say("Device %s (%s), state in %s", opts.Info.ID, opts.Info.Nickname, dir)
	select {
	case <-d.Joined():
	case <-ctx.Done():
		return nil
	}
	info := d.Info()
	e.Say("Device %s joined service %s on %s", info.ID, o.name, info.Server)
	if err := feed.Emit(joined{info, o.name, string(dir)}); err != nil {
		return err
	}
	if err := feed.Flush(); err != nil {
		return err
	}
	<-ctx.Done()
	e.Say("Stopping")
	return nil
}

// beside makes the device a client of the leaf node.
func beside(e *env.Env, o *device.Options, srv *edge.Server) {
	if o.Domain == "" {
		o.Domain = defaultHub
	}
	away := o.Conn
	o.Conn, o.Away, o.Spool = srv.Conn(away), &away, srv.Spool()
	if url := srv.URL(); url != "" {
		e.Say("Leaf node listening on %s", url)
	}
}

// identify is who the device is.
func (o *agentOptions) identify(e *env.Env, dir state, info *fleet.Info) error {
	facts.Host(info)
	info.Labels, info.Nickname, info.ID = o.labels, o.nickname, o.id
	if info.ID == "" {
		var err error
		if info.ID, err = dir.id(); err != nil {
			return err
		}
	}
	if info.Nickname == "" {
		info.Nickname = hostname()
	}
	return nil
}

// equip gives the device what it does: it applies configuration and runs commands.
func (o *agentOptions) equip(e *env.Env, dir state, opts *device.Options, log *journal.Journal) {
	opts.Say, opts.Usage, opts.Buffer = e.Say, facts.Usage, int(o.buffer)
	child := e.Child()
	if o.configFile != "" || len(o.hook) > 0 {
		target := &apply.Target{Hook: o.hook, Exec: child, Last: dir.file("applied.json"), Say: e.Say}
		if o.configFile != "" {
			target.File = e.Files.Path(o.configFile)
		}
		opts.Apply = target.Apply
	}
	opts.Commands = &device.Commands{
		Journal: log, Allow: o.allow, Environ: payload.CleanEnviron(child.Environ, child.Secrets...),
		OutputLimit: int(o.outputLimit), Timeout: o.commandTime,
		Notice: func(r fleet.Result) { e.Say("Command %s %q: %s", r.Command, r.Args, r.State) },
	}
}
