package micro

import (
	"context"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/micro"
	"github.com/natskit/natskit/internal/render"
)

type statsOptions struct {
	name, id string
}

func statsVerb() command.Node {
	return command.Verb[statsOptions]{
		Meta:  command.Meta{Name: "stats", Short: "Show what the instances of a service have done"},
		Scope: command.User, Output: command.Value, Result: statistics{},
		Names: command.Names{"service": command.Services, "id": command.Instances},
		Examples: []command.Example{
			{Line: "nats micro stats calc", Says: "calc Service Statistics", Needs: []string{"& micro serve calc"}},
		},
		Bind: func(c *fisk.CmdClause, o *statsOptions) {
			c.Arg("service", "The service").Required().StringVar(&o.name)
			c.Arg("id", "Only this instance").StringVar(&o.id)
		},
		Run: runStats,
	}
}

// statistics are the statistics of each instance, sorted by id.
type statistics struct {
	name string
	all  []micro.Stats
}

// JSON is the list of what the instances have counted.
func (s statistics) JSON() any { return s.all }

// View draws a row for each endpoint of each instance and the sums below them.
func (s statistics) View(p *render.Page) {
	t := p.Table(s.name+" Service Statistics", render.Column{Name: "ID"}, render.Column{Name: "Endpoint"}, render.Column{Name: "Requests"},
		render.Column{Name: "Queue Group", Drop: 2}, render.Column{Name: "Errors"}, render.Column{Name: "Processing Time"}, render.Column{Name: "Average Time", Drop: 1})
	var requests, errors int
	var spent time.Duration
	for _, i := range s.all {
		id := i.ID
		for _, ep := range i.Endpoints {
			t.Row(id, endpointName(ep.Name), render.Count(ep.NumRequests), ep.QueueGroup, render.Count(ep.NumErrors), render.Span(ep.ProcessingTime), render.Span(ep.AverageProcessingTime))
			if p.Options().Kind == render.Text {
				id = ""
			}
			requests, errors, spent = requests+ep.NumRequests, errors+ep.NumErrors, spent+ep.ProcessingTime
		}
	}
	t.Footer("", "", render.Count(requests), "", render.Count(errors), render.Span(spent), render.Span(average(spent, requests+errors)))
}

// average is the time of one call; no calls took none.
func average(spent time.Duration, calls int) time.Duration {
	if calls == 0 {
		return 0
	}
	return spent / time.Duration(calls)
}

func endpointName(name string) string {
	if name == "" {
		return "default"
	}
	return name
}

func runStats(ctx context.Context, e *env.Env, o statsOptions) error {
	client, ctx, done, err := asker(ctx, e)
	if err != nil {
		return err
	}
	defer done()
	rule := micro.Adaptive
	if o.id != "" {
		rule = micro.First
	}
	all, err := client.Stats(ctx, o.name, o.id, rule)
	if len(all) == 0 {
		return none(ctx, err, o.name)
	}
	return e.Out.Print(statistics{o.name, all})
}
