package shell

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/plugin"
)

// tree is the commands of the program and those of the plugins that this command line may mean.
func (r *run) tree() []command.Node { return append(r.p.Tree(), r.plugged...) }

// newApp is the application for this command line, plugins included.
func (r *run) newApp(g *globals, s *command.Selection) *fisk.Application {
	app := r.p.newApp(g, s, r.plugged...)
	if s.Whole() {
		for _, cheats := range r.cheats {
			for _, label := range slices.Sorted(maps.Keys(cheats)) {
				app.Cheat(label, cheats[label])
			}
		}
	}
	return app
}

// plug reads the plugins that the command line names, or all of them where it names none of our own commands: then it
// shows them. One that cannot be read is told of, unless a shell is asking.
func (r *run) plug() {
	dir, err := plugin.Dir(r.e.Getenv)
	if err != nil {
		return
	}
	store := plugin.Open(dir)
	names, _ := store.Names()
	if len(names) == 0 {
		return
	}
	own := r.ownWords()
	if r.words() != nil && slices.ContainsFunc(r.args, func(a string) bool { return own[a] && a != "help" }) {
		names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(r.args, name) })
	}
	for _, name := range names {
		if own[name] {
			continue // the file is older than our command
		}
		p, err := store.Load(name)
		if err != nil {
			if _, _, asked := completing(r.args); !asked {
				r.e.IO.Warn("%s", err)
			}
			continue
		}
		r.plugged = append(r.plugged, r.node(p))
		r.cheats = append(r.cheats, p.Model.Cheats)
	}
}

// ownWords are the names and aliases of our top-level commands, and those that the parser brings.
func (r *run) ownWords() map[string]bool {
	out := map[string]bool{"help": true, "cheat": true}
	for _, n := range r.p.Tree() {
		n.Walk(nil, func(d command.Doc) {
			if len(d.Path) == 1 {
				out[d.Path[0]] = true
				for _, a := range d.Meta.Aliases {
					out[a] = true
				}
			}
		})
	}
	return out
}

// node is the command that a plugin becomes.
func (r *run) node(p *plugin.Plugin) command.Node {
	taken := &globalFlags{names: map[string]bool{}, letters: map[rune]bool{}}
	app := fisk.New(r.p.Name, "")
	app.HelpFlag.Short('h')
	(&globals{}).bind(app)
	for _, f := range app.Model().Flags {
		taken.names[f.Name], taken.letters[f.Short] = true, true
	}
	top := plugin.Command{Name: p.Name, Help: p.Model.Help, Args: p.Model.Args, Flags: p.Model.Flags, Commands: p.Model.Commands}
	return (&guest{p: p, taken: taken, run: r}).node(top, nil, nil)
}

// globalFlags are the names and letters that our own flags have; a plugin's flag of the same name is ours, passed on.
type globalFlags struct {
	names   map[string]bool
	letters map[rune]bool
}

// guest makes commands of a plugin's.
type guest struct {
	p     *plugin.Plugin
	taken *globalFlags
	run   *run
}

func (g *guest) node(c plugin.Command, path []string, above []*guestFlag) command.Node {
	meta := command.Meta{Name: c.Name, Aliases: c.Aliases, Short: c.Help, Long: c.HelpLong, Hidden: c.Hidden}
	if len(c.Commands) > 0 {
		flags := g.flags(c.Flags)
		return command.Group{
			Meta: meta,
			Bind: func(clause *fisk.CmdClause) { bindGuest(clause, flags) },
			Nodes: func() []command.Node {
				var out []command.Node
				for _, sub := range c.Commands {
					out = append(out, g.node(sub, append(slices.Clone(path), sub.Name), append(slices.Clone(above), flags...)))
				}
				return out
			},
		}
	}
	return command.Verb[guestOptions]{
		Meta: meta, Scope: command.Local, Effect: command.Writes, Output: command.Bytes,
		Bind: func(clause *fisk.CmdClause, o *guestOptions) {
			o.path, o.flags = path, g.flags(c.Flags)
			bindGuest(clause, o.flags)
			o.flags = append(slices.Clone(above), o.flags...)
			o.bindArgs(clause, c.Args)
		},
		Run: g.exec,
	}
}

// guestFlag is a flag of a plugin and what was given for it.
type guestFlag struct {
	plugin.Flag
	ours   bool // one of our global flags, which the plugin has too
	value  string
	values []string
	on     bool
	set    bool
}

func (g *guest) flags(list []plugin.Flag) []*guestFlag {
	var out []*guestFlag
	for _, f := range list {
		if g.taken.letters[f.Short] {
			f.Short = 0
		}
		out = append(out, &guestFlag{Flag: f, ours: g.taken.names[f.Name]})
	}
	return out
}

func bindGuest(c *fisk.CmdClause, flags []*guestFlag) {
	for _, f := range flags {
		if f.ours {
			continue
		}
		clause := c.Flag(f.Name, f.Help).Default(f.Default...).IsSetByUser(&f.set)
		if f.Short != 0 {
			clause.Short(f.Short)
		}
		if f.PlaceHolder != "" {
			clause.PlaceHolder(f.PlaceHolder)
		}
		if f.Envar != "" {
			clause.Envar(f.Envar)
		}
		if f.Hidden {
			clause.Hidden()
		}
		if f.Required {
			clause.Required()
		}
		clause.HintOptions(f.Completions...)
		switch {
		case f.Boolean && f.Negatable:
			clause.BoolVar(&f.on)
		case f.Boolean:
			clause.UnNegatableBoolVar(&f.on)
		case f.Cumulative:
			clause.StringsVar(&f.values)
		default:
			clause.StringVar(&f.value)
		}
	}
}

// guestOptions are the arguments of a plugin's command.
type guestOptions struct {
	path  []string
	flags []*guestFlag
	args  []*guestArg
}

type guestArg struct {
	value  string
	values []string
	many   bool
	set    bool
}

func (o *guestOptions) bindArgs(c *fisk.CmdClause, list []plugin.Arg) {
	for _, a := range list {
		arg := &guestArg{many: a.Cumulative}
		o.args = append(o.args, arg)
		clause := c.Arg(a.Name, a.Help).Default(a.Default...).IsSetByUser(&arg.set)
		if a.Envar != "" {
			clause.Envar(a.Envar)
		}
		if a.Required {
			clause.Required()
		}
		if a.Hidden {
			clause.Hidden()
		}
		if a.Cumulative {
			clause.StringsVar(&arg.values)
		} else {
			clause.StringVar(&arg.value)
		}
	}
}

// exec runs the plugin's program: the path of the command, its arguments, the flags that were given in the order of the
// description, and what may be repeated last. Where an argument begins with a dash it stands behind --.
func (g *guest) exec(ctx context.Context, e *env.Env, o guestOptions) error {
	if err := g.p.Runnable(); err != nil {
		return err
	}
	var single, many, flags []string
	for _, a := range o.args {
		switch {
		case a.set && a.many:
			many = append(many, a.values...)
		case a.set:
			single = append(single, a.value)
		}
	}
	environ := slices.Concat(e.Environ(), g.settings(o.flags))
	for _, f := range o.flags {
		if f.ours {
			flags, environ = g.forward(f, flags, environ)
			continue
		}
		flags = append(flags, f.spell()...)
	}
	args := slices.Concat(o.path, single, flags, many)
	if dashed := func(a string) bool { return strings.HasPrefix(a, "-") || a == "" }; slices.ContainsFunc(single, dashed) || slices.ContainsFunc(many, dashed) {
		args = slices.Concat(o.path, flags, []string{"--"}, single, many)
	}
	if e.HoldInterrupts != nil {
		defer e.HoldInterrupts()() // ^C reaches the plugin too, which decides
	}
	return g.p.Exec(ctx, e.Files.Dir, args, environ, plugin.Streams{In: e.IO.In, Out: e.IO.Out, Err: e.IO.Err})
}

// spell is the flag as words, none when it was not given.
func (f *guestFlag) spell() []string {
	switch {
	case !f.set:
		return nil
	case f.Boolean && f.on:
		return []string{"--" + f.Name}
	case f.Boolean && f.Negatable:
		return []string{"--no-" + f.Name}
	case f.Boolean:
		return nil
	case f.Cumulative:
		var out []string
		for _, v := range f.values {
			out = append(out, "--"+f.Name+"="+v)
		}
		return out
	}
	return []string{"--" + f.Name + "=" + f.value}
}

// settings are what the command line says of the connection by flags that the plugin does not know, as variables.
func (g *guest) settings(known []*guestFlag) []string {
	var out []string
	own := append(slices.Clone(g.run.g.settings), &setting{key: "context", env: g.run.g.context.env, value: g.run.g.context.value, set: g.run.g.context.set})
	for _, s := range own {
		if s.set && s.env != "" && !slices.ContainsFunc(known, func(f *guestFlag) bool { return f.Name == string(s.key) }) {
			out = append(out, s.env+"="+s.value)
		}
	}
	return out
}

// forward hands one of our global flags on to a plugin that has it too. Secrets go by the environment, since everybody on
// the machine may read argument vectors.
func (g *guest) forward(f *guestFlag, flags, environ []string) (newFlags, newEnviron []string) {
	words := g.run.typed(f.Name)
	if len(words) == 0 {
		return flags, environ
	}
	last := words[len(words)-1]
	_, value, hasValue := strings.Cut(last, "=")
	if hasValue && secret(f.Name, value) {
		name := f.Envar
		if name == "" {
			name = contexts.EnvOf(contexts.Key(f.Name))
		}
		if name != "" {
			return flags, append(environ, name+"="+value)
		}
	}
	return append(flags, words...), environ
}

// secret tells whether the value of a global flag gives something away.
func secret(name, value string) bool {
	switch name {
	case "password", "token", "seed", "jwt", "ws-header":
		return true
	case "server", "socks-proxy", "http-proxy":
		return contexts.RedactURL(value) != value
	case "creds", "nkey":
		return strings.HasPrefix(value, "data:")
	}
	return false
}

// typed are the words by which a global flag was given on this command line, in canonical form.
func (r *run) typed(name string) []string {
	var out []string
	for _, a := range r.canonical {
		if a == "--" {
			break
		}
		if bare, _, _ := strings.Cut(a, "="); bare == "--"+name || bare == "--no-"+name {
			out = append(out, a)
		}
	}
	return out
}
