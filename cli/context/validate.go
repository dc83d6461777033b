package context

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

type validateOptions struct {
	name    string
	connect bool
}

func validateVerb() command.Node {
	return command.Verb[validateOptions]{
		Meta: command.Meta{
			Name: "validate", Short: "Check one context or all of them",
			Long: "Finds files that cannot be read, unset variables, bad URLs, credentials that exclude each other and misspelt keys; with --connect also connections that fail. Any of them makes it fail.",
		},
		Output: command.Value, Result: []verdict{},
		Names: command.Names{"name": command.Contexts},
		Examples: []command.Example{
			{Line: "nats context validate", Says: `Context "dev"`, About: "All of them", Needs: []string{"context add dev"}},
			{Line: "nats context validate --json", Says: "[]", About: "For a script"},
		},
		Bind: func(c *fisk.CmdClause, o *validateOptions) {
			c.Arg("name", "Name of the context").StringVar(&o.name)
			c.Flag("connect", "Try to connect with each").UnNegatableBoolVar(&o.connect)
		},
		Run: runValidate,
	}
}

// verdict is what was found out about one context.
type verdict struct {
	Name string `json:"name"`
	Path string `json:"path"`
	OK   bool   `json:"ok"`
	findings
	Error string `json:"error,omitempty"` // why it cannot be read

	details *details // nil when it cannot be read
}

// verdicts is the result.
type verdicts []verdict

// JSON is a list.
func (v verdicts) JSON() any { return append([]verdict{}, v...) }

// View is one info screen after the other; those that cannot be read were told of already.
func (v verdicts) View(p *render.Page) {
	if kind := p.Options().Kind; kind != render.Text && kind != render.Wide {
		v.table(p)
		return
	}
	if len(v) == 0 {
		p.Line("No known contexts, nats context add NAME makes one")
	}
	shown := 0
	for _, x := range v {
		if x.details == nil {
			continue
		}
		if shown > 0 {
			p.Gap()
		}
		x.details.View(p)
		shown++
	}
}

func (v verdicts) table(p *render.Page) {
	t := p.Table("", render.Column{Name: "Name"}, render.Column{Name: "OK"}, render.Column{Name: "Problems"}, render.Column{Name: "Path"})
	for _, x := range v {
		problems := render.Lines{}
		if x.Error != "" {
			problems = append(problems, x.Error)
		}
		for _, f := range x.Problems {
			problems = append(problems, f.String())
		}
		if x.Connection != nil && !x.Connection.OK {
			problems = append(problems, x.Connection.Error)
		}
		t.Row(x.Name, x.OK, problems, x.Path)
	}
}

func runValidate(ctx context.Context, e *env.Env, o validateOptions) error {
	all, err := toValidate(ctx, e, o.name)
	if err != nil {
		return err
	}
	out, bad := verdicts{}, 0
	for _, x := range all {
		v, err := judge(ctx, e, x, o.connect)
		if err != nil {
			return err
		}
		if !v.OK {
			bad++
		}
		out = append(out, v)
	}
	if err := e.Out.Print(out); err != nil {
		return err
	}
	if bad > 0 {
		return fail.Newf(fail.Failure, "validation failed: %d of %d contexts", bad, len(out))
	}
	return nil
}

// toValidate is the named context, that of --context, or all.
func toValidate(ctx context.Context, e *env.Env, name string) ([]contexts.Entry, error) {
	s := store(e)
	if v := e.Request.Context; name == "" && v.From.Kind == contexts.FromFlag && len(v.Values) > 0 && !e.Request.NoContext {
		name = v.Values[0]
	}
	if name == "" {
		return s.Entries(ctx)
	}
	st, err := load(ctx, e, s, name)
	if _, broken := isBroken(err); err != nil && !broken {
		return nil, err
	}
	return []contexts.Entry{{Name: name, Stored: st, Err: err}}, nil
}

func judge(ctx context.Context, e *env.Env, x contexts.Entry, connect bool) (verdict, error) {
	v := verdict{Name: x.Name, findings: findings{Problems: []problem{}, Overrides: overrides(e)}}
	if x.Err != nil {
		unloadable(e, x.Name, x.Err)
		v.Error = cause(x.Name, x.Err)
		if b, ok := isBroken(x.Err); ok {
			v.Path = b.Path
		}
		return v, nil
	}
	d, err := describe(e, x.Stored)
	if err != nil {
		return v, err
	}
	if connect {
		// Why it failed stands in the details.
		if err := d.connect(ctx, e, x.Stored); ctx.Err() != nil {
			return v, err
		}
	}
	v.Path, v.details, v.findings = x.Stored.Path, d, d.findings
	v.OK = len(d.Problems) == 0 && (d.Connection == nil || d.Connection.OK)
	return v, nil
}
