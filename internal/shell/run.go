// Package shell turns a command line into a run: it builds the tree, parses, checks, resolves the settings, runs the verb
// that was named and turns its error into an exit code. It is the only user of fisk's application.
package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
)

// The one init that is allowed: the parser's @file expansion is a package variable, and it would open a file for `nats pub foo @x`.
func init() { fisk.EnableFileExpansion = false }

// Program is a command tree and what it needs from the process it runs in.
type Program struct {
	Name  string
	Help  string
	Build env.Build
	Tree  func() []command.Node // in help order

	// Decorate adds to an application with its whole tree what is not a command, such as cheats. It may be nil.
	Decorate func(*fisk.Application)
	// Topics are shown by `nats help NAME`.
	Topics Topics
	// OpenEmbedded opens the in-process server of an "embedded:DIR" URL. Without it such URLs are refused.
	OpenEmbedded func(ctx context.Context, dir string, log *slog.Logger) (nats.InProcessConnProvider, func() error, error)
}

// Model is the application as the parser knows it, for documentation and tests.
func (p Program) Model() *fisk.ApplicationModel {
	return p.newApp(&globals{}, command.NewSelection()).Model()
}

// Parse finds the verb that args name and checks its options, without any of the outside world.
func (p Program) Parse(args []string) (*command.Selection, error) {
	r := &run{p: p, args: args, e: &env.Env{IO: &term.Streams{Out: io.Discard, Err: io.Discard}}}
	halted, err := r.parse()
	switch {
	case err != nil:
		return nil, err
	case halted:
		return nil, fail.Usagef("no command was named")
	}
	return r.sel, r.sel.Check()
}

// Run carries out one command line and returns its exit code. e brings the streams and the outside world; Run fills in
// what depends on the command line. Errors have been printed when it returns.
func (p Program) Run(ctx context.Context, args []string, e *env.Env) (code int) {
	r := &run{p: p, e: e, args: args}
	defer func() {
		if v := recover(); v != nil {
			e.IO.Line(fmt.Sprintf("nats: error: internal error: %v\n%s", v, debug.Stack()))
			code = int(fail.Failure)
		}
	}()
	return int(r.report(ctx, r.do(ctx)))
}

type run struct {
	p    Program
	e    *env.Env
	args []string
	g    globals
	sel  *command.Selection
	json bool

	canonical []string // args as the parser got them
	plugged   []command.Node
	cheats    []map[string]string // of the plugins
}

// halt is the private value with which the parser is stopped after it has printed help, a version or completions.
type halt struct{ status int }

func (r *run) do(ctx context.Context) error {
	if len(r.args) == 1 && r.args[0] == "--version" {
		return r.write(r.p.Build.Version + "\n") // the tree is not needed for that
	}
	r.plug()
	if words, described, asked := completing(r.args); asked {
		return r.complete(ctx, words, described)
	}
	if text, asked := script(r.args, r.p.Name); asked {
		return r.write(text)
	}
	halted, err := r.parse()
	if halted || err != nil {
		return err
	}
	e := r.e
	e.Build, e.ShowSecrets, e.UTC = r.p.Build, r.g.showSecrets, r.g.utc
	e.Request, err = r.g.request(e.Getenv)
	if err != nil {
		return err
	}
	format, err := r.sel.Format(e.Getenv("NATS_FORMAT"))
	if err != nil {
		return err
	}
	r.json = format.Kind == render.JSON || format.Kind == render.NDJSON || format.Kind == render.JQ
	if err := r.sel.Check(); err != nil {
		if he := fail.HintOf(err); he == "" {
			return fail.Hint(err, "see nats %s --help", r.sel.Path)
		}
		return err
	}
	if to := r.sel.Doc.Meta.Instead; to != "" {
		e.IO.Warn("nats %s is deprecated, use nats %s", r.sel.Path, to)
	}
	return r.run(ctx, format)
}

// run connects the world to the verb and lets it work.
func (r *run) run(ctx context.Context, format render.Format) error {
	e := r.e
	level := slog.LevelWarn
	if r.g.trace {
		level = slog.LevelDebug
	}
	e.Log = newLog(e, level)
	scripted := e.Prompt != nil // a test has brought its answers
	if !scripted {
		e.Prompt = r.prompter("")
	}
	if r.g.pwStdin {
		e.Request.Password = func() ([]byte, error) {
			if !e.IO.InTTY {
				return firstLine(e.IO.In)
			}
			// Typed into a terminal it would be seen.
			return e.Prompt.Secret(ctx, prompt.Question{Flag: "password-file", Message: "Password"})
		}
	}
	err := r.openContexts()
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	nc := &connector{settings: e.Settings, options: contexts.Options{
		Log: e.Log, Name: "NATS CLI Version " + e.Build.Version,
		Warn: func(format string, args ...any) { e.Say(format, args...) },
		OnClosed: func(err error) {
			cancel(&fail.Error{Code: fail.Unreachable, Err: fmt.Errorf("connection is closed: %w", err)})
		},
	}, warn: e.IO.Warn}
	if r.p.OpenEmbedded != nil {
		nc.options.OpenEmbedded = func(ctx context.Context, dir string) (nats.InProcessConnProvider, func() error, error) {
			return r.p.OpenEmbedded(ctx, e.Files.Path(dir), e.Log)
		}
	}
	defer nc.close()
	e.Nats = nc
	if r.sel.Doc.Scope != command.Local {
		if err := nc.resolve(ctx); err != nil {
			return err
		}
		e.IO.Scheme = nc.Effective().ColorScheme
		if name := nc.Effective().Context; name != "" && !scripted {
			e.Prompt = r.prompter("[" + name + "] ")
		}
	}
	if g := r.g.colorScheme(e.Getenv); g != "" {
		e.IO.Scheme = g
	}
	if e.Out, err = render.New(r.rendering(format)); err != nil {
		return err
	}
	err = r.sel.Run(ctx, e)
	if ferr := e.Out.Flush(); err == nil {
		err = ferr
	}
	if err != nil && errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}

// openContexts finds the named contexts.
func (r *run) openContexts() error {
	e := r.e
	root, err := contexts.Root(e.Getenv)
	if err != nil {
		return err
	}
	e.Contexts = contexts.NewStore(root, e.Getenv)
	if e.Files.Dir != "" {
		e.Contexts = e.Contexts.In(e.Files.Dir)
	}
	e.Settings = func(ctx context.Context) (contexts.Resolved, error) {
		return contexts.Resolve(ctx, e.Contexts, e.Request)
	}
	return nil
}

func (r *run) prompter(prefix string) prompt.Prompter {
	e := r.e
	return prompt.New(prompt.Options{
		Streams: e.IO, NoPrompt: r.g.noPrompt, Getenv: e.Getenv, Environ: e.Environ(), Prefix: prefix, HoldInterrupts: e.HoldInterrupts,
	})
}

func (r *run) rendering(format render.Format) render.Options {
	e := r.e
	o := render.Options{
		Out: e.IO.Out, Err: e.IO.Err, Width: e.IO.Width, TTY: e.IO.OutTTY, Paint: e.IO.Painter(), Format: format, Clock: e.Clock,
		ShowSecrets: e.ShowSecrets, TableFormat: e.Getenv("NATS_TABLE_FORMAT"),
		LLM: e.Getenv("LLMFORMAT") == "1", FieldsJSON: e.Getenv("TESTING") == "true",
	}
	if e.UTC {
		o.Location = time.UTC
	}
	return o
}

// parse finds the verb. halted means that the parser has printed what was asked for and nothing is left to do.
func (r *run) parse() (halted bool, err error) {
	r.sel = command.NewSelection(r.words()...)
	if shown, err := r.topic(); shown {
		return true, err
	}
	app := r.newApp(&r.g, r.sel)
	args := canonical(app.Model(), r.args)
	r.canonical = args
	// The parser panics when it cannot write its help: what it says is collected, and the pipe's reader may go away.
	var help, errs bytes.Buffer
	app.UsageWriter(&help).ErrorWriter(&errs).Terminate(func(status int) { panic(halt{status}) })
	defer func() {
		v := recover()
		var werr error
		if help.Len() > 0 {
			_, werr = r.e.IO.Out.Write(help.Bytes())
		}
		if errs.Len() > 0 {
			r.e.IO.Line(strings.TrimRight(errs.String(), "\n"))
		}
		switch v := v.(type) {
		case nil:
		case halt:
			halted, err = true, werr
			if v.status != 0 {
				err = fail.Silently(fail.Usage)
			}
		default:
			panic(v)
		}
	}()
	_, err = app.Parse(args)
	if err != nil {
		return false, explain(err, args, func() *fisk.Application {
			return r.newApp(&globals{}, command.NewSelection(r.words()...))
		})
	}
	if !r.sel.Selected() {
		return true, nil // cheats run inside the parser
	}
	return false, nil
}

// words are what decides which branches of the tree are built. Flags that show the whole tree get it.
func (r *run) words() []string {
	for _, a := range r.args {
		if a == "--fisk-introspect" || a == "cheat" || strings.HasPrefix(a, "--completion-") || strings.HasPrefix(a, "--help-") {
			return nil
		}
	}
	return append([]string{""}, r.args...)
}

// report prints the error, if any, and says with which code the process ends.
func (r *run) report(ctx context.Context, err error) fail.Code {
	if err == nil {
		return fail.OK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = context.Cause(ctx)
	}
	code := fail.CodeOf(err)
	if code == fail.OK || fail.IsSilent(err) {
		return code
	}
	if r.json || wantsJSON(r.args, r.e.Getenv) {
		r.e.IO.Line(jsonError(err, code))
		return code
	}
	text := err.Error()
	r.e.IO.Line(term.Paint(r.e.IO.ErrColor, term.Bad, "nats: error:") + " " + term.Visible(text, true))
	if hint := fail.HintOf(err); hint != "" {
		r.e.IO.Line(term.Paint(r.e.IO.ErrColor, term.Muted, "nats: hint:") + " " + term.Visible(hint, true))
	}
	return code
}

func (g *globals) colorScheme(getenv func(string) string) string {
	for _, s := range g.settings {
		if s.key == "colors" {
			if given, ok, err := s.given(getenv); ok && err == nil {
				return given.Values[0]
			}
		}
	}
	return ""
}
