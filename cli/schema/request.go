package schema

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/jsm.go/registry"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
)

type requestOptions struct {
	subject string
	body    string
	schema  string
	show    bool
}

func requestVerb() command.Node {
	return command.Verb[requestOptions]{
		Meta: command.Meta{
			Name: "request", Aliases: []string{"req"}, Short: "Send a request and check the response against its schema",
			Long: "The schema is the one that the response names in its type. A response that tells of an error is valid when it has the form that the schema gives errors; it is pointed out.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: response{},
		Examples: []command.Example{
			{Line: "nats schema request '$JS.API.INFO'", Says: "Response is a valid io.nats.jetstream.api.v1.account_info_response message", About: "Check the response to an API request"},
			{Line: "nats schema req '$JS.API.INFO' --show", Says: `"type": "io.nats.jetstream.api.v1.account_info_response"`, About: "And show it"},
		},
		Bind: func(c *fisk.CmdClause, o *requestOptions) {
			c.Arg("subject", "Subject to send the request to").Required().StringVar(&o.subject)
			c.Arg("body", "Body of the request").Default("{}").StringVar(&o.body)
			c.Flag("schema", "The schema that the response must name").PlaceHolder("ID").StringVar(&o.schema)
			c.Flag("show", "Show the response").UnNegatableBoolVar(&o.show)
		},
		Check: func(o *requestOptions) error {
			if err := flagval.CheckSubject(o.subject, false); err != nil {
				return fail.Usagef("subject %q: %w", o.subject, err)
			}
			return nil
		},
		Run: runRequest,
	}
}

// response is what came back and what is wrong with it. Error is the API error that the response tells of.
type response struct {
	Subject  string          `json:"subject"`
	Schema   string          `json:"schema"`
	Valid    bool            `json:"valid"`
	Reasons  []string        `json:"reasons"`
	Error    *api.ApiError   `json:"error,omitempty"`
	Response json.RawMessage `json:"response,omitempty"`
}

// View is the response if it was asked for, and the verdict.
func (r response) View(p *render.Page) {
	if !wordy(p) {
		t := p.Table("", render.Column{Name: "Subject"}, render.Column{Name: "Schema"}, render.Column{Name: "Reason"})
		for _, reason := range r.Reasons {
			t.Row(render.Subject(r.Subject), r.Schema, reason)
		}
		return
	}
	if len(r.Response) > 0 {
		p.Text(pretty(r.Response))
		p.Gap()
	}
	if r.Error != nil {
		p.Line("The response is an error: %s", render.Warn(r.Error.Error()))
	}
	if r.Valid {
		p.Line("Response is a valid %s message", r.Schema)
		return
	}
	viewReasons(p, "Response is not a valid "+r.Schema+" message", r.Reasons)
}

func runRequest(ctx context.Context, e *env.Env, o requestOptions) error {
	if o.schema != "" {
		if _, err := load(o.schema); err != nil {
			return err
		}
	}
	data, err := ask(ctx, e, o)
	if err != nil {
		return err
	}
	kind, err := typeOf(data)
	if err != nil {
		return fmt.Errorf("the response to %s: %w", o.subject, err)
	}
	if o.schema != "" && kind != o.schema {
		return fail.Newf(fail.Failure, "the response to %s is a %s, not a %s", o.subject, kind, o.schema)
	}
	if _, err := load(kind); err != nil {
		return fmt.Errorf("the response to %s: %w", o.subject, err)
	}
	r := response{Subject: o.subject, Schema: kind}
	if r.Reasons, err = check(kind, data); err != nil {
		return err
	}
	r.Valid = len(r.Reasons) == 0
	var told struct {
		Error *api.ApiError `json:"error"`
	}
	if err := json.Unmarshal(data, &told); err == nil {
		r.Error = told.Error
	}
	if o.show {
		r.Response = data
	}
	if err := e.Out.Print(r); err != nil {
		return err
	}
	if !r.Valid {
		return fail.Newf(fail.Failure, "the response to %s does not validate against %s", o.subject, kind)
	}
	return nil
}

// ask sends the request; it fails as soon as the server does not let it through.
func ask(ctx context.Context, e *env.Env, o requestOptions) ([]byte, error) {
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return nil, err
	}
	ctx, done := e.Nats.Allowed(ctx)
	defer done()
	waiting, cancel := e.Nats.Deadline(ctx)
	defer cancel()
	m, err := nc.RequestWithContext(waiting, o.subject, []byte(o.body))
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("nobody answers on %s: %w", o.subject, err)
	case err != nil:
		return nil, contexts.Refusal(ctx, fmt.Errorf("request to %s: %w", o.subject, err))
	}
	return m.Data, nil
}

// typeOf is the schema that a message names.
func typeOf(data []byte) (string, error) {
	kind, err := registry.SchemaTypeForMessage(data)
	switch {
	case err != nil:
		return "", fmt.Errorf("it is no JSON object: %w", err)
	case kind == "io.nats.unknown_message":
		return "", fail.Newf(fail.Failure, "it does not name its schema in a field type")
	}
	return kind, nil
}
