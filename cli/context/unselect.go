package context

import (
	"context"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
)

type unselectOptions struct{}

func unselectVerb() command.Node {
	return command.Verb[unselectOptions]{
		Meta:   command.Meta{Name: "unselect", Short: "Use no context when none is named", Long: "nats context previous selects the context again."},
		Effect: command.Writes, Output: command.Value, Result: unselection{},
		Examples: []command.Example{{Line: "nats context unselect", Says: "No context currently selected", About: "Back to the default server"}},
		Run:      runUnselect,
	}
}

// unselection is the result: what was selected before, empty when nothing was.
type unselection struct {
	Previous string `json:"previous"`
}

// View says what has changed.
func (u unselection) View(p *render.Page) {
	if u.Previous == "" {
		p.Line("No context currently selected")
		return
	}
	p.Line("Unselected the %q context", u.Previous)
}

func runUnselect(ctx context.Context, e *env.Env, _ unselectOptions) error {
	previous, err := store(e).Unselect(ctx)
	if err != nil {
		return err
	}
	if err := warnPinned(ctx, e); err != nil {
		return err
	}
	return e.Out.Print(unselection{previous})
}
