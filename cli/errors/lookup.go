package errors

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
)

type lookupOptions struct {
	file  *string
	first string
	more  []string
}

func lookupVerb(file *string) command.Node {
	return command.Verb[lookupOptions]{
		Meta: command.Meta{
			Name: "lookup", Aliases: []string{"find", "get", "l", "view", "show"}, Short: "Explain errors",
			Long: "An error is named by its number, by its Go constant, or by a part of its description. JSON is a list, also for a single error.",
		},
		Scope: command.Local, Output: command.Value, Result: []server.ErrorsData{},
		Examples: []command.Example{
			{Line: "nats errors lookup 10059", Says: "stream not found", About: "By number"},
			{Line: "nats errors lookup 10059 JSConsumerNotFoundErr", Says: "10014", About: "Several, one by its constant"},
			{Line: "nats errors lookup 'wrong last sequence' --json", Says: `"error_code": 10071`, About: "By text, for a script"},
		},
		Bind: func(c *fisk.CmdClause, o *lookupOptions) {
			o.file = file
			c.Arg("code", "Number, constant or part of the description").Required().StringVar(&o.first)
			c.Arg("more", "Further errors").StringsVar(&o.more)
		},
		Run: runLookup,
	}
}

// explained is the errors that were looked up.
type explained []server.ErrorsData

// View is a screen for each error; formats for programs get the table.
func (x explained) View(p *render.Page) {
	if !wordy(p) {
		listing(x).View(p)
		return
	}
	for i, d := range x {
		if i > 0 {
			p.Gap()
		}
		p.Heading("NATS Error Code: %d", d.ErrCode)
		p.Field("Description", d.Description)
		p.FieldIf(d.Comment != "", "Comment", d.Comment)
		p.Field("HTTP Code", d.Code)
		p.Field("Go Index Constant", d.Constant)
		p.FieldIf(d.URL != "", "Help URL", d.URL)
		p.FieldIf(d.Deprecates != "" && p.Options().Wide, "Deprecates", d.Deprecates)
		p.Gap()
		if d.Help == "" {
			p.Line(" No further information available")
		} else {
			p.Line("%s", d.Help)
		}
	}
}

// wordy reports whether sentences have a place on the page.
func wordy(p *render.Page) bool {
	k := p.Options().Kind
	return k == render.Text || k == render.Wide
}

func runLookup(_ context.Context, e *env.Env, o lookupOptions) error {
	list, err := load(e, *o.file)
	if err != nil {
		return err
	}
	out := explained{}
	for _, word := range append([]string{o.first}, o.more...) {
		found := named(list, word)
		if len(found) == 0 {
			return unknown(list, word)
		}
		for _, x := range found {
			if !slices.Contains(out, x) {
				out = append(out, x)
			}
		}
	}
	return e.Out.Print(out)
}

// named finds what a word means: a number, else a constant, else a part of descriptions.
func named(list []entry, word string) []server.ErrorsData {
	_, err := flagval.ParseUint(word, 0, 1<<63)
	number := err == nil
	var constant, text []server.ErrorsData
	for _, x := range list {
		switch {
		case number:
			if strconv.Itoa(int(x.ErrCode)) == word {
				return []server.ErrorsData{x.ErrorsData}
			}
		case strings.EqualFold(x.Constant, word):
			constant = append(constant, x.ErrorsData)
		case word != "" && strings.Contains(strings.ToLower(x.Description), strings.ToLower(word)):
			text = append(text, x.ErrorsData)
		}
	}
	if len(constant) > 0 {
		return constant
	}
	return text
}

func unknown(list []entry, word string) error {
	constants := make([]string, 0, len(list))
	for _, x := range list {
		constants = append(constants, x.Constant)
	}
	err := fail.NotFoundf("no error is known as %q", word)
	if hint := fail.DidYouMean("", word, constants); hint != "" {
		return err.WithHint("%s", hint)
	}
	return err.WithHint("nats errors ls lists all of them")
}
