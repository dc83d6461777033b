package context

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
)

type copyOptions struct {
	source string
	name   string
	changeOptions
}

func copyVerb() command.Node {
	return command.Verb[copyOptions]{
		Meta: command.Meta{
			Name: "copy", Aliases: []string{"cp"}, Short: "Make a context from another",
			Long: "The connection flags that are given are stored in the copy, as with nats context add; --unset leaves a setting out.",
		},
		Effect: command.Writes, Output: command.Value, Result: detailsShape{},
		Names: command.Names{"source": command.Contexts},
		Examples: []command.Example{
			{Line: "nats context copy dev staging --server nats://staging.example.net", Says: `Context "staging"`, About: "The same credentials for another server", Needs: []string{"context add dev"}},
		},
		Bind: func(c *fisk.CmdClause, o *copyOptions) {
			c.Arg("source", "Context to copy, or the path of its file").Required().StringVar(&o.source)
			c.Arg("name", "Name of the copy").Required().StringVar(&o.name)
			o.bind(c)
		},
		Run: runCopy,
	}
}

func runCopy(ctx context.Context, e *env.Env, o copyOptions) error {
	st, notes, err := store(e).Copy(ctx, o.source, o.name, o.change(ctx, e))
	if err != nil {
		return err
	}
	return stored(ctx, e, st, notes, o.selects)
}
