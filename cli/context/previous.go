package context

import (
	"context"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
)

type previousOptions struct{}

func previousVerb() command.Node {
	return command.Verb[previousOptions]{
		Meta: command.Meta{
			Name: "previous", Aliases: []string{"-"}, Short: "Select the context that was selected before",
			Long: "Running it again goes back. When none was selected before it shows the selected one, as nats context info does.",
		},
		Effect: command.Writes, Output: command.Value, Result: detailsShape{},
		Examples: []command.Example{
			{Line: "nats context -", Says: `Context "dev"`, About: "Switch between two contexts", Needs: []string{
				"context add dev", "context add prod", "context select dev --no-connect", "context select prod --no-connect"}},
		},
		Run: runPrevious,
	}
}

func runPrevious(ctx context.Context, e *env.Env, _ previousOptions) error {
	name, err := store(e).Swap(ctx)
	if err != nil {
		return err
	}
	if name != "" {
		if err := warnPinned(ctx, e); err != nil {
			return err
		}
	}
	st, err := pick(ctx, e, name)
	if err != nil {
		return err
	}
	return show(ctx, e, st, false)
}
