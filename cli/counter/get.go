package counter

import (
	"context"
	"errors"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

type getOptions struct {
	subject string
	more    []string
	stream  string
}

func getVerb() command.Node {
	return command.Verb[getOptions]{
		Meta: command.Meta{
			Name: "get", Aliases: []string{"g"}, Short: "Print the total of a counter",
			Long: "With several counters there is a line for each, and the JSON is a list. All of them are in one stream.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: count{},
		Names: command.Names{"subject": command.Counters, "more": command.Counters, "stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats counter get ctr.a", Says: "42", Needs: []string{"stream add CTR --subjects ctr.> --allow-counter --allow-direct --defaults", "counter incr ctr.a 42"}},
			{Line: "nats counter get ctr.a --jq .value", Says: "42", About: "For a script", Needs: []string{"stream add CTR --subjects ctr.> --allow-counter --allow-direct --defaults", "counter incr ctr.a 42"}},
		},
		Bind: func(c *fisk.CmdClause, o *getOptions) {
			c.Arg("subject", "Subject of the counter").Required().StringVar(&o.subject)
			c.Arg("more", "Further counters").StringsVar(&o.more)
			streamFlag(c, &o.stream)
		},
		Check: func(o *getOptions) error {
			for _, s := range append([]string{o.subject}, o.more...) {
				if err := store.CheckCounter(s); err != nil {
					return err
				}
			}
			return nil
		},
		Run: runGet,
	}
}

// View is the total, plain.
func (c count) View(p *render.Page) { p.Line("%s", c.Value.String()) }

// counts are several counters.
type counts []count

// View is a line for each.
func (l counts) View(p *render.Page) {
	for _, c := range l {
		p.Line("%s: %s", render.Subject(c.Subject), c.Value.String())
	}
}

func runGet(ctx context.Context, e *env.Env, o getOptions) error {
	return onCounters(ctx, e, o.stream, o.subject, func(ctx context.Context, c *store.Counters) error {
		if len(o.more) == 0 {
			one, err := c.Get(ctx, o.subject)
			if err != nil {
				return err
			}
			return e.Out.Print(newCount(one))
		}
		out := counts{}
		var missing []string
		for _, s := range append([]string{o.subject}, o.more...) {
			one, err := c.Get(ctx, s)
			var own *fail.Error
			switch {
			case errors.As(err, &own) && own.Code == fail.NotFound:
				missing = append(missing, s)
			case err != nil:
				return err
			default:
				out = append(out, newCount(one))
			}
		}
		what := "counters not initialized for subjects"
		if len(missing) == 1 {
			what = "counter not initialized for subject"
		}
		if len(out) == 0 {
			return fail.NotFoundf("%s: %s", what, strings.Join(missing, ", "))
		}
		if err := e.Out.Print(out); err != nil {
			return err
		}
		if len(missing) > 0 {
			return fail.Partialf("%s: %s", what, strings.Join(missing, ", "))
		}
		return nil
	})
}
