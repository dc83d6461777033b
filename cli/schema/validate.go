package schema

import (
	"context"
	"fmt"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

type validateOptions struct {
	schema string
	file   string
	more   []string
}

func validateVerb() command.Node {
	return command.Verb[validateOptions]{
		Meta: command.Meta{
			Name: "validate", Aliases: []string{"check"}, Short: "Check JSON files against a schema",
			Long: "A document that is not valid ends with code 1. - is standard input. JSON is the list of what is wrong; with several files, an object with that list for each.",
		},
		Scope: command.Local, Output: command.Value, Result: []string{},
		Examples: []command.Example{
			{Line: `printf '{"seq":5}' | nats schema validate io.nats.jetstream.api.v1.stream_purge_request -`, Says: "validates against", About: "A document from standard input"},
		},
		Bind: func(c *fisk.CmdClause, o *validateOptions) {
			c.Arg("schema", "Name of the schema").Required().StringVar(&o.schema)
			c.Arg("file", "The document; - is standard input").Required().StringVar(&o.file)
			c.Arg("more", "Further documents").StringsVar(&o.more)
		},
		Run: runValidate,
	}
}

// verdict is what is wrong with each file.
type verdict struct {
	schema string
	files  []judged
}

type judged struct {
	file    string
	reasons []string
}

// JSON is the reasons of the one file, or those of each by its name.
func (v verdict) JSON() any {
	if len(v.files) == 1 {
		return v.files[0].reasons
	}
	out := map[string][]string{}
	for _, f := range v.files {
		out[f.file] = f.reasons
	}
	return out
}

// View says of each file that it is valid, or why not.
func (v verdict) View(p *render.Page) {
	if !wordy(p) {
		t := p.Table("", render.Column{Name: "File"}, render.Column{Name: "Reason"})
		for _, f := range v.files {
			for _, r := range f.reasons {
				t.Row(f.file, r)
			}
		}
		return
	}
	for _, f := range v.files {
		if len(f.reasons) == 0 {
			p.Line("%s validates against %s", f.file, v.schema)
			continue
		}
		p.Gap()
		viewReasons(p, "Validation errors in "+f.file, f.reasons)
	}
}

func viewReasons(p *render.Page, title string, reasons []string) {
	p.Line("%s:", title)
	p.Gap()
	for _, r := range reasons {
		p.Line("  %s", r)
	}
}

func runValidate(_ context.Context, e *env.Env, o validateOptions) error {
	if _, err := load(o.schema); err != nil {
		return err
	}
	v := verdict{schema: o.schema}
	bad := 0
	for _, name := range append([]string{o.file}, o.more...) {
		doc, err := e.Files.ReadFile(name)
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		reasons, err := check(o.schema, doc)
		if err != nil {
			return err
		}
		if len(reasons) > 0 {
			bad++
		}
		v.files = append(v.files, judged{name, reasons})
	}
	if err := e.Out.Print(v); err != nil {
		return err
	}
	switch {
	case bad == 0:
		return nil
	case len(v.files) == 1:
		return fail.Newf(fail.Failure, "%s does not validate against %s", o.file, o.schema)
	}
	return fail.Newf(fail.Failure, "%d of %d files do not validate against %s", bad, len(v.files), o.schema)
}
