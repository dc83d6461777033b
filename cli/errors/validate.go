package errors

import (
	"context"
	"fmt"
	"strconv"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

type validateOptions struct {
	group *string
	file  string
}

func validateVerb(file *string) command.Node {
	return command.Verb[validateOptions]{
		Meta: command.Meta{
			Name: "validate", Short: "Check a list of errors",
			Long: "Every error needs a number from 10000 on that no other has, an HTTP code, a constant of its own and a description. Braces in a description come in pairs; a constant whose description holds tokens ends in F, and a description that is nothing but a token needs a comment. - is standard input.",
		},
		Scope: command.Local, Output: command.Value, Result: verdict{},
		Examples: []command.Example{
			{Line: `printf '[{"constant":"AErr","code":400,"error_code":10001,"description":"a"}]' | nats errors validate -`, Says: "Validated 1 errors", About: "A list from standard input"},
		},
		Bind: func(c *fisk.CmdClause, o *validateOptions) {
			o.group = file
			c.Arg("file", "The list; without it that of --errors, else the built-in one").StringVar(&o.file)
		},
		Run: runValidate,
	}
}

// verdict is what is wrong with a list. Checked counts errors.
type verdict struct {
	Checked  int       `json:"checked"`
	Failures []failure `json:"failures"`
}

// failure is an error that breaks rules.
type failure struct {
	Code     uint16   `json:"error_code"`
	Constant string   `json:"constant"`
	Reasons  []string `json:"reasons"`
}

// View is a line for each broken rule, or the count of errors when there is none.
func (v verdict) View(p *render.Page) {
	if !wordy(p) {
		t := p.Table("", render.Column{Name: "NATS Code"}, render.Column{Name: "Go Constant"}, render.Column{Name: "Reason"})
		for _, f := range v.Failures {
			for _, r := range f.Reasons {
				t.Row(strconv.Itoa(int(f.Code)), f.Constant, r)
			}
		}
		return
	}
	for _, f := range v.Failures {
		for _, r := range f.Reasons {
			p.Line("%d failed: %s", f.Code, r)
		}
	}
	if len(v.Failures) == 0 {
		p.Line("Validated %d errors", v.Checked)
	}
}

// err is nil for a list without failures.
func (v verdict) err() error {
	if len(v.Failures) == 0 {
		return nil
	}
	return fail.Newf(fail.Failure, "%d of %d errors in the list are not valid", len(v.Failures), v.Checked)
}

func runValidate(_ context.Context, e *env.Env, o validateOptions) error {
	if o.file == "" {
		o.file = *o.group
	}
	list, err := load(e, o.file)
	if err != nil {
		return err
	}
	v := judge(list)
	if err := e.Out.Print(v); err != nil {
		return err
	}
	return v.err()
}

// judge checks each error, and that no two share a number or a constant.
func judge(list []entry) verdict {
	v := verdict{Checked: len(list), Failures: []failure{}}
	codes, constants := map[uint16]string{}, map[string]uint16{}
	for _, x := range list {
		why := reasons(x.ErrorsData)
		if other, taken := codes[x.ErrCode]; taken {
			why = append(why, fmt.Sprintf("error_code is that of %s too", other))
		}
		if other, taken := constants[x.Constant]; taken && x.Constant != "" {
			why = append(why, fmt.Sprintf("the constant %s is that of %d too", x.Constant, other))
		}
		codes[x.ErrCode], constants[x.Constant] = x.Constant, x.ErrCode
		if len(why) > 0 {
			v.Failures = append(v.Failures, failure{x.ErrCode, x.Constant, why})
		}
	}
	return v
}
