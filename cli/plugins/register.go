package plugins

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/plugin"
	"github.com/natskit/natskit/internal/render"
)

type registerOptions struct {
	name    string
	command string
	force   bool
}

func registerVerb(tree func() []command.Node) command.Node {
	return command.Verb[registerOptions]{
		Meta: command.Meta{
			Name: "register", Short: "Make a program a command",
			Long: "The program is run once with --fisk-introspect, without the variables of NATS, and what it says of itself is kept: register it again, with --force, when it has changed. The name of one of our own commands cannot be taken.",
		},
		Effect: command.Writes, Output: command.Value, Result: registration{},
		Examples: []command.Example{
			{Line: "nats plugins register orders ./orders-tool", Says: "orders", About: "Then nats orders --help shows what it can do"},
		},
		Bind: func(c *fisk.CmdClause, o *registerOptions) {
			c.Arg("name", "The command that it becomes: lower case letters").Required().StringVar(&o.name)
			c.Arg("command", "The program: a path, or a name in $PATH").Required().StringVar(&o.command)
			c.Flag("force", "Replace a plugin of the same name").UnNegatableBoolVar(&o.force)
		},
		Check: func(o *registerOptions) error {
			if !plugin.Valid(o.name) {
				return fail.Usagef("plugin name %q: it must consist of lower case letters", o.name)
			}
			return nil
		},
		Run: func(ctx context.Context, e *env.Env, o registerOptions) error { return runRegister(ctx, e, o, tree) },
	}
}

// registration is a plugin as it is known; Error tells why it cannot be used.
type registration struct {
	Name     string   `json:"name"`
	Command  string   `json:"command"`
	Help     string   `json:"help"`
	Commands []string `json:"commands"`
	Error    string   `json:"error,omitempty"`
}

func describe(p *plugin.Plugin) registration {
	r := registration{Name: p.Name, Command: p.Command, Help: p.Model.Help, Commands: []string{}}
	for _, c := range p.Model.Commands {
		if !c.Hidden {
			r.Commands = append(r.Commands, c.Name)
		}
	}
	return r
}

// View says what the plugin is now.
func (r registration) View(p *render.Page) {
	p.Heading("Plugin %s", r.Name)
	p.Field("Program", r.Command)
	p.Field("Help", r.Help)
	p.FieldIf(len(r.Commands) > 0, "Commands", strings.Join(r.Commands, ", "))
}

func runRegister(ctx context.Context, e *env.Env, o registerOptions, tree func() []command.Node) error {
	if taken(tree(), o.name) {
		return fail.Usagef("plugin %s: nats %s is a command of its own", o.name, o.name).WithHint("choose another name")
	}
	store, err := open(e)
	if err != nil {
		return err
	}
	if store.Has(o.name) && !o.force {
		return fail.Newf(fail.Failure, "plugin %s: it is registered already", o.name).WithHint("--force replaces it")
	}
	path, err := find(e, o.command)
	if err != nil {
		return err
	}
	def, err := plugin.Describe(ctx, plugin.Run(e.Exec), e.Environ(), path)
	if err != nil {
		return fail.Hint(err, "a plugin prints what it can do when it is run with --fisk-introspect")
	}
	model, err := plugin.Read(def)
	if err != nil {
		return err
	}
	e.IO.Warn("plugins are an experiment and may change")
	p := &plugin.Plugin{Name: o.name, Command: path, Def: def, Model: model}
	if err := store.Save(p, o.force); err != nil {
		return err
	}
	return e.Out.Print(describe(p))
}

// taken tells whether a top-level command has the name or alias.
func taken(nodes []command.Node, name string) bool {
	found := name == "help" || name == "cheat"
	for _, n := range nodes {
		n.Walk(nil, func(d command.Doc) {
			if len(d.Path) == 1 && (d.Path[0] == name || slices.Contains(d.Meta.Aliases, name)) {
				found = true
			}
		})
	}
	return found
}

// find is the absolute path of a program: a path below the working directory, or a name that is looked up in $PATH.
func find(e *env.Env, name string) (string, error) {
	missing := func(err error) error {
		return fail.NotFoundf("program %s: %w", name, err).WithHint("pass the path of the program")
	}
	if filepath.Base(name) != name {
		path := e.Files.Path(name)
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		return path, executable(path, missing)
	}
	for _, dir := range filepath.SplitList(e.Getenv("PATH")) {
		if dir == "" || !filepath.IsAbs(dir) {
			continue // what lies in the working directory is asked for by its path
		}
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", missing(exec.ErrNotFound)
}

func executable(path string, missing func(error) error) error {
	if _, err := exec.LookPath(path); err != nil {
		if _, serr := os.Stat(path); serr != nil {
			return missing(os.ErrNotExist)
		}
		return fail.Newf(fail.Failure, "program %s: it cannot be run", path).WithHint("chmod +x %s", path)
	}
	return nil
}
