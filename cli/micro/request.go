package micro

import (
	"context"
	"slices"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/asking"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/micro"
)

type requestOptions struct {
	asking.Options
	name, endpoint string
}

func requestVerb() command.Node {
	return command.Verb[requestOptions]{
		Meta: command.Meta{
			Name: "request", Aliases: []string{"req"}, Short: "Send requests to an endpoint of a service",
			Long: "The subject of the endpoint is looked up first; one instance answers. An error that the service puts into its headers ends the command with 1.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Feed, Result: asking.Answer{},
		Names: command.Names{"service": command.Services, "endpoint": command.Endpoints},
		Examples: []command.Example{
			{Line: "nats micro request calc echo hi --raw", Says: "hi", About: "Ask a service", Needs: []string{"& micro serve calc"}},
		},
		Bind: func(c *fisk.CmdClause, o *requestOptions) {
			c.Arg("service", "The service").Required().StringVar(&o.name)
			c.Arg("endpoint", "The name of the endpoint").Required().StringVar(&o.endpoint)
			c.Arg("payload", "Body of the request; - is standard input").IsSetByUser(&o.BodySet).StringVar(&o.Body)
			o.Bind(c)
		},
		Check: func(o *requestOptions) error {
			o.Replies = 1
			return o.Options.Check()
		},
		Run: runRequest,
	}
}

// OutputFormat is the format of --raw.
func (o *requestOptions) OutputFormat() string { return o.Format() }

func runRequest(ctx context.Context, e *env.Env, o requestOptions) error {
	var err error
	if o.Subject, err = endpoint(ctx, e, o); err != nil {
		return err
	}
	return asking.Run(ctx, e, o.Options)
}

// endpoint is the subject on which one instance of the service offers the endpoint.
func endpoint(ctx context.Context, e *env.Env, o requestOptions) (string, error) {
	client, ctx, done, err := asker(ctx, e)
	if err != nil {
		return "", err
	}
	defer done()
	infos, err := client.Infos(ctx, o.name, "", micro.First)
	if len(infos) == 0 {
		return "", none(ctx, err, o.name)
	}
	var names []string
	for _, ep := range infos[0].Endpoints {
		if ep.Name == o.endpoint {
			return ep.Subject, nil
		}
		names = append(names, ep.Name)
	}
	slices.Sort(names)
	out := fail.NotFoundf("service %q has no endpoint %q (available: %s)", o.name, o.endpoint, strings.Join(names, ", "))
	out.Hint = fail.DidYouMean("", o.endpoint, names)
	return "", out
}
