package backup

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/choria-io/fisk"
	archive "github.com/nats-io/jsm.go/backup"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

type lookupOptions struct {
	keyFile string
	values  []string
}

func lookupVerb() command.Node {
	return command.Verb[lookupOptions]{
		Meta: command.Meta{
			Name: "lookup", Short: "Tell what obfuscated names and subjects stand for",
			Long: "The key file is the one that nats backup edit --obfuscate wrote beside the backup. Tokens that it does not know are printed as they are.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: []revealed{},
		Examples: []command.Example{
			{Line: "nats backup lookup --help", Says: "keyfile", About: "With a key file at hand: nats backup lookup shared.keys.json qtjhm55uemdk9ddf"},
		},
		Bind: func(c *fisk.CmdClause, o *lookupOptions) {
			c.Arg("keyfile", "The key file of the obfuscated backup").Required().StringVar(&o.keyFile)
			c.Arg("value", "Names and subjects to look up").Required().StringsVar(&o.values)
		},
		Run: runLookup,
	}
}

// revealed is an obfuscated value and what it stands for.
type revealed struct {
	Value    string `json:"value"`
	Original string `json:"original"`
}

type revelations []revealed

// View is one original a line; formats with columns get both.
func (r revelations) View(p *render.Page) {
	if jscmd.Wordy(p) {
		for _, v := range r {
			p.Line("%s", v.Original)
		}
		return
	}
	t := p.Table("", render.Column{Name: "Original"}, render.Column{Name: "Value"})
	for _, v := range r {
		t.Row(v.Original, v.Value)
	}
}

func runLookup(_ context.Context, e *env.Env, o lookupOptions) error {
	path := e.Files.Path(o.keyFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return fail.NotFoundf("key file %s does not exist", o.keyFile)
	}
	keys, err := archive.LoadKeyFile(path)
	if err != nil {
		return fmt.Errorf("key file %s: %w", o.keyFile, err)
	}
	out := make(revelations, 0, len(o.values))
	for _, v := range o.values {
		out = append(out, revealed{v, keys.Reveal(v)})
	}
	return e.Out.Print(out)
}
