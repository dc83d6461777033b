package counter

import (
	"context"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

type listOptions struct {
	subject string
	stream  string
	values  bool
}

func listVerb() command.Node {
	return command.Verb[listOptions]{
		Meta: command.Meta{
			Name: "list", Aliases: []string{"l", "ls"}, Short: "List counters",
			Long: "The subjects are listed, sorted; --values and --format wide add the totals, and every format for programs has them.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: counts{},
		Names: command.Names{"subject": command.Counters, "stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats counter ls 'ctr.>'", Says: "ctr.a", Needs: []string{"stream add CTR --subjects ctr.> --allow-counter --allow-direct --defaults", "counter incr ctr.a 42"}},
			{Line: "nats counter ls --stream CTR --values", Says: "42", About: "All counters of a stream with their totals", Needs: []string{"stream add CTR --subjects ctr.> --allow-counter --allow-direct --defaults", "counter incr ctr.a 42"}},
		},
		Bind: func(c *fisk.CmdClause, o *listOptions) {
			c.Arg("subject", "Only counters that match").StringVar(&o.subject)
			c.Flag("stream", "The stream of the counters").PlaceHolder("STREAM").StringVar(&o.stream)
			c.Flag("values", "Show the totals too").Short('v').UnNegatableBoolVar(&o.values)
		},
		Check: func(o *listOptions) error {
			if o.subject == "" && o.stream == "" {
				return fail.Usagef("pass <subject>, a pattern, or --stream")
			}
			if o.subject == "" {
				o.subject = ">"
			}
			if err := flagval.CheckSubject(o.subject, true); err != nil {
				return fail.Usagef("subject %q: %w", o.subject, err)
			}
			return nil
		},
		Run: func(ctx context.Context, e *env.Env, o listOptions) error {
			return onCounters(ctx, e, o.stream, o.subject, func(ctx context.Context, c *store.Counters) error {
				out := listing{values: o.values, list: counts{}}
				err := c.List(ctx, o.subject, func(one store.Counter) error {
					out.list = append(out.list, newCount(one))
					return nil
				})
				if err != nil {
					return err
				}
				if len(out.list) == 0 && !e.Out.Machine() {
					return fail.NotFoundf("stream %s has no counters that match %s", c.Stream, o.subject)
				}
				return e.Out.Print(out)
			})
		},
	}
}

// listing is the counters of a stream.
type listing struct {
	list   counts
	values bool
}

// JSON is the list.
func (l listing) JSON() any { return l.list }

// View is one subject a line, or a table with the totals.
func (l listing) View(p *render.Page) {
	if p.Options().Kind == render.Text && !l.values {
		for _, c := range l.list {
			p.Line("%s", c.Subject)
		}
		return
	}
	t := p.Table("Counters", render.Column{Name: "Subject"}, render.Column{Name: "Value", Align: render.Right}, render.Column{Name: "Changed", Wide: true}, render.Column{Name: "Stream", Wide: true})
	for _, c := range l.list {
		total := c.Value.String()
		if kind := p.Options().Kind; kind == render.Text || kind == render.Wide {
			total = grouped(c.Value)
		}
		t.Row(render.Subject(c.Subject), total, render.At(c.Time), c.Stream)
	}
}
