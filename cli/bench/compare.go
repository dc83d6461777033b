package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/render"
)

type compareOptions struct {
	before, after string
	failIf        []string

	conditions []meter.Condition
}

func compareVerb() command.Node {
	return command.Verb[compareOptions]{
		Meta: command.Meta{Name: "compare", Short: "Compare two reports, and fail when a threshold is crossed",
			Long: `The reports are those that --report FILE.json or --json wrote. --fail-if takes a metric, one of > >= < <=, and a value: with a sign it is the change from the first report to the second, in percent or in the unit of the metric, without a sign the new figure itself. Several are separated by commas or given one by one.

Metrics: ` + strings.Join(meter.Metrics(), " ") + `. For runs with two sides "pub." or "sub." in front chooses one; otherwise the receiving side counts.

A difference between the settings or machines of the runs is mentioned and is no failure.`},
		Scope: command.Local, Effect: command.Reads, Output: command.Value, Result: comparison{},
		Examples: []command.Example{
			{Line: "nats bench compare old.json new.json --fail-if 'rate<-99%'", Says: "rate", About: "Did it become slower?",
				Needs: []string{"bench pub demo --msgs 20000 --report old.json", "bench pub demo --msgs 20000 --report new.json"}},
		},
		Bind: func(c *fisk.CmdClause, o *compareOptions) {
			c.Arg("before", "The older report").Required().StringVar(&o.before)
			c.Arg("after", "The newer report").Required().StringVar(&o.after)
			c.Flag("fail-if", "Fail when this holds, such as p99>+10%").PlaceHolder("CONDITION").StringsVar(&o.failIf)
		},
		Check: func(o *compareOptions) error {
			for _, text := range o.failIf {
				c, err := meter.ParseConditions(text)
				if err != nil {
					return fail.Usagef("--fail-if: %w", err)
				}
				if len(c) == 0 { // such as a variable that is not set: it would never fail
					return fail.Usagef("--fail-if %q: there is no condition in it", text)
				}
				o.conditions = append(o.conditions, c...)
			}
			return nil
		},
		Run: runCompare,
	}
}

// comparison is two reports side by side.
type comparison struct{ *meter.Comparison }

// View is a table of the figures; a change for the worse stands out.
func (c comparison) View(p *render.Page) {
	t := p.Table("Comparison of bench "+c.Bench, render.Column{Name: "Metric"}, render.Column{Name: "Before"}, render.Column{Name: "After"}, render.Column{Name: "Change"})
	for _, f := range c.Rows {
		t.Row(f.Metric, amount(p, f, f.Before), amount(p, f, f.After), change(f))
	}
	for _, w := range c.Warnings {
		p.Note("%s", w)
	}
	for _, f := range c.Failed {
		p.Line("%s %s", render.Bad("failed"), f)
	}
}

// amount is a figure: with its unit for people, its exact value for programs, times in nanoseconds.
func amount(p *render.Page, f meter.Figure, v float64) string {
	if k := p.Options().Kind; k == render.CSV || k == render.TSV {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return f.Text(v)
}

// change is how a figure changed; for people with a colour when that is good or bad.
func change(f meter.Figure) any {
	switch f.Better {
	case 1:
		return render.Good(f.ChangeText())
	case -1:
		return render.Bad(f.ChangeText())
	}
	return f.ChangeText()
}

func runCompare(_ context.Context, e *env.Env, o compareOptions) error {
	before, err := readReport(e, o.before)
	if err != nil {
		return err
	}
	after, err := readReport(e, o.after)
	if err != nil {
		return err
	}
	c, err := meter.Compare(before, after, o.conditions)
	if err != nil {
		return err
	}
	if err := e.Out.Print(comparison{c}); err != nil {
		return err
	}
	switch n := len(c.Failed); {
	case n == 1:
		return fmt.Errorf("the condition %s", c.Failed[0])
	case n > 1:
		return fmt.Errorf("%d conditions hold, the first: %s", n, c.Failed[0])
	}
	return nil
}

func readReport(e *env.Env, name string) (*meter.Report, error) {
	data, err := e.Files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r, err := meter.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}
