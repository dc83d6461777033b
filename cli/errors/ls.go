package errors

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strconv"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

type lsOptions struct {
	file    *string
	match   string
	sort    string
	reverse bool
	pattern *regexp.Regexp
}

func lsVerb(file *string) command.Node {
	return command.Verb[lsOptions]{
		Meta:  command.Meta{Name: "ls", Aliases: []string{"list"}, Short: "List errors"},
		Scope: command.Local, Output: command.Value, Result: []server.ErrorsData{},
		Examples: []command.Example{
			{Line: "nats errors ls", Says: "JSStreamNotFoundErr", About: "All errors by number"},
			{Line: "nats errors ls 'stream.*not found'", Says: "10059", About: "Those that match a regular expression"},
			{Line: "nats errors ls purge description --json", Says: `"error_code": 10110`, About: "Sorted by description, for a script"},
		},
		Bind: func(c *fisk.CmdClause, o *lsOptions) {
			o.file = file
			c.Arg("match", "Regular expression on description, numbers, help, constant and comment, whatever the case").StringVar(&o.match)
			c.Arg("sort", "Sort by code, http or description").Default("code").HintOptions("code", "http", "description").EnumVar(&o.sort, "code", "http", "description", "descr", "desc", "d")
			c.Flag("reverse", "Sort the other way round").Short('R').BoolVar(&o.reverse)
		},
		Check: func(o *lsOptions) error {
			// Compiled as it was given first: an error shows the expression.
			if _, err := regexp.Compile(o.match); err != nil {
				return fail.Usagef("match %q is no regular expression: %w", o.match, err)
			}
			var err error
			o.pattern, err = regexp.Compile("(?i)" + o.match)
			return err
		},
		Run: runLs,
	}
}

// listing is the errors that were asked for, in the order that was asked for.
type listing []server.ErrorsData

// View is the table of errors.
func (l listing) View(p *render.Page) {
	t := p.Table("NATS Errors", render.Column{Name: "NATS Code"}, render.Column{Name: "HTTP Error Code", Drop: 1},
		render.Column{Name: "Description", Elide: render.End}, render.Column{Name: "Comment", Elide: render.End, Drop: 3}, render.Column{Name: "Go Constant", Drop: 2})
	for _, x := range l {
		t.Row(strconv.Itoa(int(x.ErrCode)), strconv.Itoa(x.Code), x.Description, x.Comment, x.Constant)
	}
}

func runLs(_ context.Context, e *env.Env, o lsOptions) error {
	list, err := load(e, *o.file)
	if err != nil {
		return err
	}
	found := listing{}
	for _, x := range list {
		if matches(o.pattern, x.ErrorsData) {
			found = append(found, x.ErrorsData)
		}
	}
	if len(found) == 0 {
		return fail.NotFoundf("no error matches %q", o.match).WithHint("nats errors ls lists all of them")
	}
	slices.SortStableFunc(found, func(a, b server.ErrorsData) int {
		order := 0
		switch o.sort {
		case "http":
			order = cmp.Compare(a.Code, b.Code)
		case "description", "descr", "desc", "d":
			order = cmp.Compare(a.Description, b.Description)
		}
		return cmp.Or(order, cmp.Compare(a.ErrCode, b.ErrCode))
	})
	if o.reverse {
		slices.Reverse(found)
	}
	return e.Out.Print(found)
}

func matches(re *regexp.Regexp, x server.ErrorsData) bool {
	return slices.ContainsFunc([]string{
		x.Description, strconv.Itoa(int(x.ErrCode)), strconv.Itoa(x.Code), x.Help, x.Constant, x.Comment,
	}, re.MatchString)
}
