package stream

import (
	"context"
	"slices"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/streamcmd"
)

type findOptions struct {
	flags streamcmd.Flags
	names bool
}

func findVerb() command.Node {
	return command.Verb[findOptions]{
		Meta: command.Meta{
			Name: "find", Aliases: []string{"query"}, Short: "Find streams by conditions",
			Long: "All conditions must hold. An --expression is written in the language of expr-lang.org over config, state and info, with the keys of nats stream info --json; durations in it are words such as \"1h0m0s\". Streams behind buckets are found too.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: []api.StreamInfo{},
		Examples: []command.Example{
			{Line: "nats stream find --empty --names", Says: "ORDERS", About: "Streams without messages", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats stream find --expression 'state.consumer_count == 0 and config.storage == \"file\"' -n", Says: "ORDERS", About: "Anything the info knows", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *findOptions) {
			o.flags.Bind(c)
			c.Flag("names", "Print the names alone, one a line").Short('n').UnNegatableBoolVar(&o.names)
			c.Flag("api-level", "That need this API level or a higher one").SetValue(flagval.NewInt64(&o.flags.APILevel).Min(0))
		},
		Check: func(o *findOptions) error { return o.flags.Check() },
		Run:   runFind,
	}
}

func runFind(ctx context.Context, e *env.Env, o findOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	selected, err := o.flags.Conditions().Compile(e.Clock.Now())
	if err != nil {
		return err
	}
	l := listing{title: "Streams", detail: true}
	if s := o.flags.Subject; s != "" {
		l.title = "Streams matching " + s
	}
	found := jscmd.Names{}
	l.cover, err = c.Streams(ctx, o.flags.Narrow(), func(s js.Stream) error {
		yes, err := selected(s.StreamInfo)
		switch {
		case err != nil || !yes:
			return err
		case o.names:
			found = append(found, s.StreamInfo.Config.Name)
		default:
			l.rows = append(l.rows, newRow(s, e.Out.Machine()))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if o.names {
		slices.Sort(found)
		err = e.Out.Print(found)
	} else {
		slices.SortFunc(l.rows, bySize)
		err = e.Out.Print(l)
	}
	if err != nil {
		return err
	}
	return l.cover.Err("streams")
}
