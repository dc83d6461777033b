package plugins

import (
	"context"
	"fmt"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

type rmOptions struct {
	name  string
	force bool
}

func rmVerb() command.Node {
	return command.Verb[rmOptions]{
		Meta:   command.Meta{Name: "rm", Aliases: []string{"remove"}, Short: "Forget a plugin", Long: "The program itself stays. A plugin whose file cannot be read is removed as well."},
		Effect: command.Destroys, Output: command.Value, Result: removal{},
		Names: command.Names{"name": command.Plugins},
		Examples: []command.Example{
			{Line: "nats plugins rm orders --force", Says: "orders",
				Needs: []string{"plugins register orders ./orders-tool"}},
		},
		Bind: func(c *fisk.CmdClause, o *rmOptions) {
			c.Arg("name", "The plugin").Required().StringVar(&o.name)
			c.Flag("force", "Do not ask").Short('f').UnNegatableBoolVar(&o.force)
		},
		Run: runRm,
	}
}

// removal is the plugin that is no more.
type removal struct {
	Removed string `json:"removed"`
}

// View says so.
func (r removal) View(p *render.Page) { p.Line("Removed plugin %s", r.Removed) }

func runRm(ctx context.Context, e *env.Env, o rmOptions) error {
	store, err := open(e)
	if err != nil {
		return err
	}
	if !store.Has(o.name) {
		return store.Remove(o.name) // says that there is none
	}
	if err := prompt.Sure(ctx, e.Prompt, o.force, fmt.Sprintf("remove plugin %s", o.name)); err != nil {
		return err
	}
	if err := store.Remove(o.name); err != nil {
		return err
	}
	return e.Out.Print(removal{o.name})
}
