package context

import (
	"context"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
)

// changeOptions are what add and copy take to change a context; the settings themselves are the global flags.
type changeOptions struct {
	description    string
	descriptionSet bool
	selects        bool
	embed          bool
	environment    bool
	unset          []string
}

func (o *changeOptions) bind(c *fisk.CmdClause) {
	c.Flag("description", "What the context is for").PlaceHolder("TEXT").IsSetByUser(&o.descriptionSet).StringVar(&o.description)
	c.Flag("select", "Select the context and try to connect").UnNegatableBoolVar(&o.selects)
	c.Flag("embed", "Put the contents of credential files into the context").UnNegatableBoolVar(&o.embed)
	c.Flag("from-env", "Store what NATS_URL and the other variables say as well").UnNegatableBoolVar(&o.environment)
	c.Flag("unset", "Clear a stored setting, named as its flag").PlaceHolder("SETTING").StringsVar(&o.unset)
}

// change is what the flags ask to be stored.
func (o *changeOptions) change(ctx context.Context, e *env.Env) contexts.Change {
	c := contexts.Change{Request: e.Request, Environment: o.environment, Embed: o.embed}
	if o.descriptionSet {
		c.Description = &o.description
	}
	for _, list := range o.unset {
		for name := range strings.SplitSeq(list, ",") {
			c.Unset = append(c.Unset, strings.TrimPrefix(strings.TrimSpace(name), "--"))
		}
	}
	if c.Request.Password != nil && e.IO.InTTY {
		// A terminal would show what is typed.
		c.Request.Password = func() ([]byte, error) {
			return e.Prompt.Secret(ctx, question("Password", "--password-file"))
		}
	}
	return c
}

type addOptions struct {
	name string
	changeOptions
}

func addVerb() command.Node {
	return command.Verb[addOptions]{
		Meta: command.Meta{
			Name: "add", Aliases: []string{"create", "save"}, Short: "Add or change a context",
			Long: `The connection flags that are given are stored: --server, --creds, --user and so on. A context that exists keeps what is not given; --unset clears a setting. A new one begins as a copy of the context that --context names, if it does.

The environment is stored only with --from-env. Values of --password, --token, --jwt and --seed may say where the secret is instead of being it: env://NAME, file://PATH or op://VAULT/ITEM/FIELD; --password-file and --password-stdin keep it off the command line.`,
		},
		Effect: command.Writes, Output: command.Value, Result: detailsShape{},
		Names: command.Names{"name": command.Contexts},
		Examples: []command.Example{
			{Line: "nats context add local --server nats://127.0.0.1:4222 --description 'This machine'", Says: "This machine", About: "A context for a server without credentials"},
			{Line: "nats context add prod --server nats://nats.example.net --user app --password env://APP_PASSWORD", Says: "env://APP_PASSWORD", About: "The password stays in a variable"},
			{Line: "nats context add prod --unset user,password --nkey ~/.nkeys/app.nk", Says: "app.nk", About: "Change how it authenticates", Needs: []string{"context add prod --user app --password env://APP_PASSWORD"}},
		},
		Bind: func(c *fisk.CmdClause, o *addOptions) {
			c.Arg("name", "Name of the context").Required().StringVar(&o.name)
			o.bind(c)
		},
		Run: runAdd,
	}
}

func runAdd(ctx context.Context, e *env.Env, o addOptions) error {
	st, notes, err := store(e).Add(ctx, o.name, o.change(ctx, e))
	if err != nil {
		return err
	}
	return stored(ctx, e, st, notes, o.selects)
}

// stored shows what has become of a context, and selects it if that was asked for.
func stored(ctx context.Context, e *env.Env, st *contexts.Stored, notes []string, selects bool) error {
	for _, n := range notes {
		e.IO.Warn("%s", n)
	}
	if selects {
		return choose(ctx, e, st.Name, true)
	}
	return show(ctx, e, st, false)
}
