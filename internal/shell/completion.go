package shell

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/complete"
	"github.com/natskit/natskit/internal/docgen"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
)

// The flags by which shells ask for words: the first is the parser's own, which we answer in its place; the second is
// answered with a description behind a tab.
const (
	askWords     = "--completion-bash"
	askDescribed = "--completion-described"
	askScript    = "--completion-script-"
)

// candidate is one word to offer.
type candidate struct{ word, about string }

// completing finds the question of a shell on the command line and takes it out.
func completing(args []string) (words []string, described, ok bool) {
	for i, a := range args {
		if a == "--" {
			break
		}
		if a == askWords || a == askDescribed {
			return slices.Concat(args[:i], args[i+1:]), a == askDescribed, true
		}
	}
	return nil, false, false
}

// script is what a shell reads to learn how to complete our words, when it is asked for by flag.
func script(args []string, program string) (text string, asked bool) {
	for _, a := range args {
		if a == "--" {
			break
		}
		if shell, ok := strings.CutPrefix(a, askScript); ok {
			text := docgen.Completion(shell, program)
			return text, text != ""
		}
	}
	return "", false
}

// complete answers a shell: it prints the words that can stand where the last one of the line is. Nothing that goes wrong is
// worth a line on a prompt: what cannot be found out is not offered.
func (r *run) complete(ctx context.Context, words []string, described bool) error {
	var b strings.Builder
	for _, c := range r.candidates(ctx, words) {
		b.WriteString(c.word)
		if described && c.about != "" {
			about, _, _ := strings.Cut(c.about, "\n")
			b.WriteString("\t" + strings.ReplaceAll(about, "\t", " "))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(r.e.IO.Out, b.String())
	return err
}

func (r *run) candidates(ctx context.Context, words []string) []candidate {
	cur := ""
	if n := len(words); n > 0 {
		words, cur = words[:n-1], words[n-1]
	}
	app := r.newApp(&globals{}, command.NewSelection())
	model := app.Model()
	w := walker{commands: model.Commands, long: map[string]*fisk.FlagModel{}, short: map[string]*fisk.FlagModel{}}
	w.learn(model.Flags)
	for rest := words; len(rest) > 0; {
		rest = rest[w.take(rest):]
	}
	l := line{r: r, walker: &w, doc: r.doc(w.path)}
	switch name, value, joined := strings.Cut(cur, "="); {
	case len(w.lacking) > 0:
		return l.values(ctx, strings.TrimLeft(w.lacking[0], "-"), cur, "")
	case !w.ended && joined && strings.HasPrefix(name, "--"):
		return l.values(ctx, name[2:], value, name+"=")
	case !w.ended && strings.HasPrefix(cur, "-"):
		return flagWords(model, w.path)
	case len(w.commands) > 0 && len(w.positional) == 0:
		return commandWords(w.commands, cur)
	}
	return l.argument(ctx, app, cur)
}

// doc is what the tree says of the command at the path.
func (r *run) doc(path []string) command.Doc {
	var found command.Doc
	for _, n := range r.tree() {
		n.Walk(nil, func(d command.Doc) {
			if slices.Equal(d.Path, path) {
				found = d
			}
		})
	}
	return found
}

// commandWords are the commands, and where none begins with what was typed the aliases that do.
func commandWords(commands []*fisk.CmdModel, cur string) []candidate {
	var out, aliases []candidate
	some := cur == ""
	for _, c := range commands {
		if c.Hidden {
			continue
		}
		out = append(out, candidate{c.Name, c.Help})
		some = some || strings.HasPrefix(c.Name, cur)
		for _, a := range c.Aliases {
			if strings.HasPrefix(a, cur) {
				aliases = append(aliases, candidate{a, c.Help})
			}
		}
	}
	if !some {
		return aliases
	}
	return out
}

// flagWords are the flags of the command, then those of the groups above it, then those of every command.
func flagWords(model *fisk.ApplicationModel, path []string) []candidate {
	levels := [][]*fisk.FlagModel{model.Flags}
	commands := model.Commands
	for _, word := range path {
		i := slices.IndexFunc(commands, func(c *fisk.CmdModel) bool { return c.Name == word })
		if i < 0 {
			break
		}
		levels, commands = append(levels, commands[i].Flags), commands[i].Commands
	}
	var out []candidate
	for _, flags := range slices.Backward(levels) {
		for _, f := range flags {
			if f.Hidden {
				continue
			}
			out = append(out, candidate{"--" + f.Name, f.Help})
			if f.IsNegatable() {
				out = append(out, candidate{"--no-" + f.Name, f.Help})
			}
		}
	}
	return out
}

// line is a command line up to the word that is completed.
type line struct {
	r *run
	*walker
	doc command.Doc
}

// values are what a flag can be given; before stands in front of each.
func (l line) values(ctx context.Context, name, cur, before string) []candidate {
	f := l.long[name]
	if f == nil {
		f = l.short[name]
	}
	if f == nil || f.IsBoolFlag() {
		return nil
	}
	var out []candidate
	for _, v := range f.Completions {
		out = append(out, candidate{before + v, ""})
	}
	kind := l.doc.Names[f.Name]
	if f.Name == "context" {
		kind = command.Contexts
	}
	for _, v := range l.names(ctx, kind, cur, nil) {
		out = append(out, candidate{before + v, ""})
	}
	return out
}

// argument are the words for the positional argument that comes next.
func (l line) argument(ctx context.Context, app *fisk.Application, cur string) []candidate {
	args := l.args(app)
	if len(args) == 0 || len(l.positional) >= len(args) && !args[len(args)-1].Cumulative {
		return nil
	}
	at := min(len(l.positional), len(args)-1)
	var out []candidate
	for _, v := range hints(commandOf(app, l.path), args, at) {
		out = append(out, candidate{v, ""})
	}
	var except []string
	if args[len(args)-1].Cumulative && at > 0 {
		except = l.positional[at-1:] // "more" of the argument before
	}
	for _, v := range l.names(ctx, l.doc.Names[args[at].Name], cur, except) {
		out = append(out, candidate{v, ""})
	}
	return out
}

func (l line) args(app *fisk.Application) []*fisk.ArgModel {
	c := commandOf(app, l.path)
	if c == nil {
		return nil
	}
	return c.Model().Args
}

func commandOf(app *fisk.Application, path []string) *fisk.CmdClause {
	var c *fisk.CmdClause
	for i, word := range path {
		if i == 0 {
			c = app.GetCommand(word)
		} else {
			c = c.GetCommand(word)
		}
		if c == nil {
			return nil
		}
	}
	return c
}

// hints are the fixed values that the argument can have, such as the shells of nats completion. The parser gives them out
// for the first argument that has no value yet.
func hints(c *fisk.CmdClause, args []*fisk.ArgModel, at int) []string {
	taken := "\x00" // equal to no hint
	pc := &fisk.ParseContext{}
	for _, a := range args[:at] {
		pc.Elements = append(pc.Elements, &fisk.ParseElement{Clause: c.GetArg(a.Name), Value: &taken})
	}
	pc.Elements = append(pc.Elements, &fisk.ParseElement{Clause: c.GetArg(args[at].Name)})
	return c.CmdCompletion(pc)
}

// names are the things of the kind that there are now, as far as they are found within the time that a person has.
func (l line) names(ctx context.Context, kind command.Kind, cur string, except []string) []string {
	if kind == 0 {
		return nil
	}
	q := complete.Question{Kind: kind, Prefix: cur, Except: except}
	switch parent := kind.Parent(); {
	case parent != "":
		q.Within = l.given(parent)
	case kind == command.Counters:
		q.Within = l.given("stream")
	case kind == command.Devices:
		q.Within = l.given("service")
	}
	budget := complete.Budget
	if d, err := flagval.ParseDuration(l.r.e.Getenv("NATS_COMPLETION_TIMEOUT")); err == nil && d > 0 {
		budget = d
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	done, err := l.r.world(ctx, l.flags, kind)
	if err != nil {
		return nil
	}
	defer done()
	found, err := complete.Names(ctx, l.r.e, q)
	if err != nil {
		return nil
	}
	return found
}

// given is what the line says for the argument or flag of the name.
func (l line) given(name string) string {
	for _, f := range l.flags {
		if value, ok := strings.CutPrefix(f, "--"+name+"="); ok {
			return value
		}
	}
	if c := commandOf(l.r.newApp(&globals{}, command.NewSelection()), l.path); c != nil {
		i := slices.IndexFunc(c.Model().Args, func(a *fisk.ArgModel) bool { return a.Name == name })
		if i >= 0 && i < len(l.positional) {
			return l.positional[i]
		}
	}
	return ""
}

// world gives the environment what asking for names needs: the contexts, and the way to the network that the flags on the
// line say. Nothing is asked of the person, no program is opened that might, and nothing is said.
func (r *run) world(ctx context.Context, flags []string, kind command.Kind) (done func(), err error) {
	e := r.e
	root, err := contexts.Root(e.Getenv)
	if err != nil {
		return nil, err
	}
	e.Contexts = contexts.NewStore(root, e.Getenv)
	if e.Files.Dir != "" {
		e.Contexts = e.Contexts.In(e.Files.Dir)
	}
	if !kind.Remote() {
		return func() {}, nil
	}
	g := r.readGlobals(flags)
	if g.pwStdin {
		return nil, fail.Usagef("the password would have to be read")
	}
	if e.Request, err = g.request(e.Getenv); err != nil {
		return nil, err
	}
	e.Log = slog.New(slog.DiscardHandler)
	resolved, err := contexts.Resolve(ctx, e.Contexts, e.Request)
	if err != nil {
		return nil, err
	}
	for _, v := range []string{resolved.Password, resolved.Token, resolved.Creds, resolved.NKey, resolved.JWT, resolved.Seed} {
		if strings.HasPrefix(v, "op:") {
			return nil, fail.Usagef("the password manager might ask for a finger")
		}
	}
	resolved.Trace = false
	nc := &connector{
		settings: func(context.Context) (contexts.Resolved, error) { return resolved, nil },
		options:  contexts.Options{Log: e.Log, Name: "NATS CLI Version " + r.p.Build.Version},
		warn:     func(string, ...any) {},
	}
	e.Nats = nc
	return nc.close, nil
}

// readGlobals reads those of the flags that every command has; a line that is not whole yet could not be parsed.
func (r *run) readGlobals(flags []string) *globals {
	g := &globals{}
	app := fisk.New(r.p.Name, "")
	g.bind(app)
	app.Command("word", "").Arg("rest", "").Strings()
	app.Terminate(func(int) {}).UsageWriter(io.Discard).ErrorWriter(io.Discard)
	known := map[string]bool{}
	for _, f := range app.Model().Flags {
		known[f.Name] = true
		known["no-"+f.Name] = f.IsNegatable()
	}
	args := []string{"word"}
	for _, f := range flags {
		name, _, _ := strings.Cut(strings.TrimPrefix(f, "--"), "=")
		if strings.HasPrefix(f, "--") && known[name] && !strings.HasPrefix(name, "help") && !strings.HasPrefix(name, "fisk-") && name != "version" {
			args = append(args, f)
		}
	}
	_, _ = app.Parse(args) // what cannot be read is not set
	return g
}

// Application builds the application with its whole tree, for what needs the parser itself.
func (p Program) Application() *fisk.Application { return p.newApp(&globals{}, command.NewSelection()) }
