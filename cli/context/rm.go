package context

import (
	"context"
	"errors"
	"fmt"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/natscontext"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

type rmOptions struct {
	name  string
	force bool
}

func rmVerb() command.Node {
	return command.Verb[rmOptions]{
		Meta: command.Meta{
			Name: "rm", Aliases: []string{"remove"}, Short: "Remove a context",
			Long: "The selected context is removed only with --force; then none is selected. With --force a context that is not there is no error. Of a protected context the name has to be typed.",
		},
		Effect: command.Destroys, Output: command.Value, Result: removal{},
		Names:    command.Names{"name": command.Contexts},
		Examples: []command.Example{{Line: "nats context rm old --force", Says: `Removed context "old"`, About: "Without a question", Needs: []string{"context add old"}}},
		Bind: func(c *fisk.CmdClause, o *rmOptions) {
			c.Arg("name", "Name of the context").Required().StringVar(&o.name)
			c.Flag("force", "Ask nothing, remove the selected one too").Short('f').UnNegatableBoolVar(&o.force)
		},
		Run: runRm,
	}
}

// removal is the result.
type removal struct {
	Name       string `json:"name"`
	Removed    bool   `json:"removed"`    // false when there was none of that name
	Unselected bool   `json:"unselected"` // it was the selected one
}

// View says what has changed.
func (r removal) View(p *render.Page) {
	switch {
	case !r.Removed:
		p.Line("There is no context %q", r.Name)
	case r.Unselected:
		p.Line("Removed context %q, no context is selected now", r.Name)
	default:
		p.Line("Removed context %q", r.Name)
	}
}

func runRm(ctx context.Context, e *env.Env, o rmOptions) error {
	s := store(e)
	_, err := s.Load(ctx, o.name)
	if _, broken := isBroken(err); err != nil && !broken {
		if o.force && errors.Is(err, natscontext.ErrNotFound) {
			return e.Out.Print(removal{Name: o.name})
		}
		return err
	}
	selected, err := s.Selected(ctx)
	if err != nil {
		return err
	}
	if selected == o.name && !o.force {
		return fail.Newf(fail.Failure, "context %q is selected", o.name).WithHint("nats context unselect, or --force")
	}
	if err := sureToDelete(ctx, e, s, o); err != nil {
		return err
	}
	if err := s.Delete(ctx, o.name, o.force); err != nil {
		return err
	}
	return e.Out.Print(removal{Name: o.name, Removed: true, Unselected: selected == o.name})
}

func sureToDelete(ctx context.Context, e *env.Env, s *contexts.Store, o rmOptions) error {
	what := fmt.Sprintf("delete context %q", o.name)
	protected, err := s.Protected(ctx, o.name)
	if err != nil {
		return err
	}
	if protected {
		return prompt.SureTyped(ctx, e.Prompt, o.force, what, o.name)
	}
	return prompt.Sure(ctx, e.Prompt, o.force, what)
}
