package schema

import (
	"context"
	"encoding/json"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
)

type infoOptions struct {
	schema string
	yaml   bool
}

// OutputFormat is that of --yaml.
func (o infoOptions) OutputFormat() string {
	if o.yaml {
		return "yaml"
	}
	return ""
}

func infoVerb() command.Node {
	return command.Verb[infoOptions]{
		Meta:  command.Meta{Name: "info", Aliases: []string{"show", "view"}, Short: "Show a schema"},
		Scope: command.Local, Output: command.Value, Result: document{},
		Examples: []command.Example{
			{Line: "nats schema info io.nats.jetstream.api.v1.stream_configuration", Says: "draft-07", About: "The schema of a stream's configuration"},
			{Line: "nats schema info io.nats.jetstream.api.v1.stream_configuration --yaml", Says: "properties:", About: "As YAML"},
		},
		Bind: func(c *fisk.CmdClause, o *infoOptions) {
			c.Arg("schema", "Name of the schema").Required().StringVar(&o.schema)
			c.Flag("yaml", "Print YAML, the same as --format yaml").UnNegatableBoolVar(&o.yaml)
		},
		Run: runInfo,
	}
}

// document is a schema as it was published.
type document struct{ json.RawMessage }

// View is the text of the schema.
func (d document) View(p *render.Page) { p.Text(string(d.RawMessage)) }

func runInfo(_ context.Context, e *env.Env, o infoOptions) error {
	text, err := load(o.schema)
	if err != nil {
		return err
	}
	return e.Out.Print(document{text})
}
