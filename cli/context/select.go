package context

import (
	"context"
	"fmt"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
)

type selectOptions struct {
	name    string
	connect bool
}

func selectVerb() command.Node {
	return command.Verb[selectOptions]{
		Meta: command.Meta{
			Name: "select", Aliases: []string{"switch", "set"}, Short: "Choose the context that is used when none is named",
			Long: "Without a name it asks which. Then it connects, and a connection that fails is an error; the context is selected all the same. --no-connect leaves that out.",
		},
		Effect: command.Writes, Output: command.Value, Result: detailsShape{},
		Names: command.Names{"name": command.Contexts},
		Examples: []command.Example{
			{Line: "nats context select dev --no-connect", Says: `Context "dev"`, About: "From now on commands use dev", Needs: []string{"context add dev"}},
		},
		Bind: func(c *fisk.CmdClause, o *selectOptions) {
			c.Arg("name", "Name of the context").StringVar(&o.name)
			c.Flag("connect", "Try to connect with it").Default("true").BoolVar(&o.connect)
		},
		Run: runSelect,
	}
}

func runSelect(ctx context.Context, e *env.Env, o selectOptions) error {
	if o.name == "" {
		name, err := askWhich(ctx, e)
		if err != nil {
			return err
		}
		o.name = name
	}
	return choose(ctx, e, o.name, o.connect)
}

func askWhich(ctx context.Context, e *env.Env) (string, error) {
	s := store(e)
	names, err := s.List(ctx)
	if err != nil {
		return "", err
	}
	if len(names) == 0 {
		return "", fail.NotFoundf("no context defined").WithHint("nats context add NAME --server URL")
	}
	q := question("Select a Context", "<name>")
	if q.Default, err = s.Selected(ctx); err != nil {
		return "", err
	}
	i, err := e.Prompt.Select(ctx, q, names)
	if err != nil {
		return "", err
	}
	return names[i], nil
}

// choose selects the context and shows it.
func choose(ctx context.Context, e *env.Env, name string, connect bool) error {
	s := store(e)
	if _, err := s.Select(ctx, name); err != nil {
		return err
	}
	if err := warnPinned(ctx, e); err != nil {
		return err
	}
	st, err := s.Load(ctx, name)
	if err != nil {
		return err
	}
	if err := show(ctx, e, st, connect); err != nil {
		return fmt.Errorf("context %q is selected, but: %w", name, err)
	}
	return nil
}

// warnPinned says when the user's selection is not what counts here.
func warnPinned(ctx context.Context, e *env.Env) error {
	file, err := store(e).Pinned(ctx)
	if err == nil && file != "" {
		e.IO.Warn("commands run here use the context that %s names", file)
	}
	return err
}
