package context

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
)

type protectOptions struct{ name string }

func (o *protectOptions) bind(c *fisk.CmdClause) {
	c.Arg("name", "Name of the context").StringVar(&o.name)
}

func protectVerb() command.Node {
	return command.Verb[protectOptions]{
		Meta: command.Meta{
			Name: "protect", Short: "Have commands that destroy ask for more than a yes",
			Long: "With a protected context, commands that remove things ask for the name of the thing to be typed. --force still answers.",
		},
		Effect: command.Writes, Output: command.Value, Result: protection{},
		Names:    command.Names{"name": command.Contexts},
		Examples: []command.Example{{Line: "nats context protect prod", Says: "is protected", About: "Be careful in production", Needs: []string{"context add prod"}}},
		Bind:     func(c *fisk.CmdClause, o *protectOptions) { o.bind(c) },
		Run:      func(ctx context.Context, e *env.Env, o protectOptions) error { return runProtect(ctx, e, o, true) },
	}
}

func unprotectVerb() command.Node {
	return command.Verb[protectOptions]{
		Meta:   command.Meta{Name: "unprotect", Short: "Take the protection of a context back"},
		Effect: command.Writes, Output: command.Value, Result: protection{},
		Names:    command.Names{"name": command.Contexts},
		Examples: []command.Example{{Line: "nats context unprotect dev", Says: "is not protected", About: "A yes is enough", Needs: []string{"context add dev"}}},
		Bind:     func(c *fisk.CmdClause, o *protectOptions) { o.bind(c) },
		Run:      func(ctx context.Context, e *env.Env, o protectOptions) error { return runProtect(ctx, e, o, false) },
	}
}

// protection is the result.
type protection struct {
	Name      string `json:"name"`
	Protected bool   `json:"protected"`
}

// View says how it is now.
func (r protection) View(p *render.Page) {
	if r.Protected {
		p.Line("Context %q is protected", r.Name)
		return
	}
	p.Line("Context %q is not protected", r.Name)
}

func runProtect(ctx context.Context, e *env.Env, o protectOptions, on bool) error {
	st, err := pick(ctx, e, o.name)
	if err != nil {
		return err
	}
	if err := store(e).SetProtected(ctx, st.Name, on); err != nil {
		return err
	}
	return e.Out.Print(protection{st.Name, on})
}
