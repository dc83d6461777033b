package context

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

type trustOptions struct{ dir string }

func (o *trustOptions) bind(c *fisk.CmdClause) {
	c.Arg("dir", "Directory with a .nats in it, or the .nats itself; else the nearest one upwards").StringVar(&o.dir)
}

func trustVerb() command.Node {
	return command.Verb[trustOptions]{
		Meta: command.Meta{
			Name: "trust", Short: "Let the contexts of a project's .nats directory be used freely",
			Long: "The contexts in a .nats directory came with the project. Until it is trusted they serve only when they are named, may not reach for variables, commands or files outside the directory, and its context.txt selects nothing. Look at the files first: a context decides where your credentials are sent.",
		},
		Effect: command.Writes, Output: command.Value, Result: trust{},
		Examples: []command.Example{{Line: "nats context trust .", Says: "is trusted", About: "The project in the working directory", Needs: []string{"docs write --dir .nats"}}},
		Bind:     func(c *fisk.CmdClause, o *trustOptions) { o.bind(c) },
		Run:      func(ctx context.Context, e *env.Env, o trustOptions) error { return runTrust(ctx, e, o, true) },
	}
}

func untrustVerb() command.Node {
	return command.Verb[trustOptions]{
		Meta:   command.Meta{Name: "untrust", Short: "Take the trust in a project's .nats directory back"},
		Effect: command.Writes, Output: command.Value, Result: trust{},
		Examples: []command.Example{{Line: "nats context untrust .", Says: "is not trusted", About: "The project in the working directory"}},
		Bind:     func(c *fisk.CmdClause, o *trustOptions) { o.bind(c) },
		Run:      func(ctx context.Context, e *env.Env, o trustOptions) error { return runTrust(ctx, e, o, false) },
	}
}

// trust is the result.
type trust struct {
	Directory string `json:"directory"`
	Trusted   bool   `json:"trusted"`
}

// View says how it is now.
func (r trust) View(p *render.Page) {
	if r.Trusted {
		p.Line("%s is trusted", r.Directory)
		return
	}
	p.Line("%s is not trusted", r.Directory)
}

func runTrust(ctx context.Context, e *env.Env, o trustOptions, on bool) error {
	s := store(e)
	dir := o.dir
	if dir == "" {
		found, _, err := s.Project(ctx)
		if err != nil {
			return err
		}
		if found == "" {
			return fail.NotFoundf("no .nats directory here or above").WithHint("name the directory: nats context trust DIR")
		}
		dir = found
	}
	set := s.Trust
	if !on {
		set = s.Distrust
	}
	dir, err := set(ctx, dir)
	if err != nil {
		return err
	}
	return e.Out.Print(trust{dir, on})
}
