package context

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
)

type infoOptions struct {
	name      string
	connect   bool
	effective bool
}

func infoVerb() command.Node {
	return command.Verb[infoOptions]{
		Meta: command.Meta{
			Name: "info", Aliases: []string{"show", "v", "view"}, Short: "Show a context, or the settings in effect",
			Long: `Without a name it is about the context of --context, else the selected one. What is shown is what is stored; secrets are redacted unless --show-secrets is given. --connect tries the stored settings alone, without the environment, and fails when the connection does.

With --effective it shows the settings that a command with the same flags would use, and where each comes from: a flag, a variable, the context or a default. Its JSON has context, path, settings, a list of key, value, from and origin (flag, environment, context or default), and warnings.`,
		},
		Output: command.Value, Result: detailsShape{},
		Names: command.Names{"name": command.Contexts},
		Examples: []command.Example{
			{Line: "nats context info prod", Says: "Server URLs", About: "What is stored", Needs: []string{"context add prod --server nats://nats.example.net --token secret"}},
			{Line: "nats context info --effective", Says: "$NATS_URL", About: "Why does it connect there?", Needs: []string{"context add prod"}},
		},
		Bind: func(c *fisk.CmdClause, o *infoOptions) {
			c.Arg("name", "Name of the context").StringVar(&o.name)
			c.Flag("connect", "Try to connect with the stored settings").UnNegatableBoolVar(&o.connect)
			c.Flag("effective", "Show the settings in effect and where each comes from").UnNegatableBoolVar(&o.effective)
		},
		Check: func(o *infoOptions) error {
			if o.connect && o.effective {
				return fail.Usagef("--connect and --effective exclude each other")
			}
			return nil
		},
		Run: runInfo,
	}
}

func runInfo(ctx context.Context, e *env.Env, o infoOptions) error {
	if o.effective {
		return runEffective(ctx, e, o.name)
	}
	st, err := pick(ctx, e, o.name)
	if err != nil {
		return err
	}
	return show(ctx, e, st, o.connect)
}

// show prints the info screen, after trying to connect if that was asked for. The error is that of the connection.
func show(ctx context.Context, e *env.Env, st *contexts.Stored, connect bool) error {
	d, err := describe(e, st)
	if err != nil {
		return err
	}
	var failed error
	if connect {
		failed = d.connect(ctx, e, st)
		if ctx.Err() != nil {
			return failed
		}
	}
	if err := e.Out.Print(d); err != nil {
		return err
	}
	return failed
}
