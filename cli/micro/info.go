package micro

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/micro"
	"github.com/natskit/natskit/internal/render"
)

type infoOptions struct {
	name, id, endpoint string
}

func infoVerb() command.Node {
	return command.Verb[infoOptions]{
		Meta: command.Meta{
			Name: "info", Aliases: []string{"i"}, Short: "Show one instance of a service: what it offers and has done",
			Long: "Without an id it is the first of the instances that answer, by their ids.",
		},
		Scope: command.User, Output: command.Value, Result: instance{},
		Names: command.Names{"service": command.Services, "id": command.Instances},
		Examples: []command.Example{
			{Line: "nats micro info calc", Says: "Service Information", Needs: []string{"& micro serve calc"}},
		},
		Bind: func(c *fisk.CmdClause, o *infoOptions) {
			c.Arg("service", "The service").Required().StringVar(&o.name)
			c.Arg("id", "The instance").StringVar(&o.id)
			c.Flag("endpoint", "Only endpoints whose name matches this regular expression").Short('e').PlaceHolder("REGEX").StringVar(&o.endpoint)
		},
		Check: func(o *infoOptions) error {
			if _, err := regexp.Compile(o.endpoint); err != nil {
				return fail.Usagef("--endpoint: %w", err)
			}
			return nil
		},
		Run: runInfo,
	}
}

// instance is one instance: its description and its statistics.
type instance struct {
	Info  micro.Info  `json:"info"`
	Stats micro.Stats `json:"stats"`
}

// View is the info screen; in formats of rows a row for each endpoint.
func (i instance) View(p *render.Page) {
	if k := p.Options().Kind; k != render.Text && k != render.Wide {
		i.rows(p)
		return
	}
	p.Heading("Service Information")
	p.Field("Service", fmt.Sprintf("%s (%s)", i.Info.Name, i.Info.ID))
	p.Field("Description", i.Info.Description)
	p.Field("Version", i.Info.Version)
	metadata(p, i.Info.Metadata)

	p.Section("Endpoints")
	for n, ep := range i.Info.Endpoints {
		if n > 0 {
			p.Gap()
		}
		p.Field("Name", endpointName(ep.Name))
		p.Field("Subject", ep.Subject)
		p.Field("Queue Group", ep.QueueGroup)
		metadata(p, ep.Metadata)
	}

	p.Section(fmt.Sprintf("Statistics for %d Endpoint(s)", len(i.Stats.Endpoints)))
	for _, ep := range i.Stats.Endpoints {
		p.Indent(func() {
			p.Section(endpointName(ep.Name) + " Endpoint Statistics")
			p.Field("Requests", render.Sprintf("%s in group %q", render.Count(ep.NumRequests), ep.QueueGroup))
			p.Field("Processing Time", render.Sprintf("%s (average %s)", render.Span(ep.ProcessingTime), render.Span(ep.AverageProcessingTime)))
			p.Field("Started", render.Sprintf("%s (%s)", render.At(i.Stats.Started), render.Since(i.Stats.Started)))
			p.Field("Errors", render.Count(ep.NumErrors))
			p.FieldIf(ep.LastError != "", "Last Error", ep.LastError)
			if len(ep.Data) > 0 {
				p.Section("Endpoint Specific Statistics")
				p.Text(indented(ep.Data))
			}
		})
	}
}

func (i instance) rows(p *render.Page) {
	t := p.Table("Endpoints", render.Column{Name: "Endpoint"}, render.Column{Name: "Subject"}, render.Column{Name: "Queue Group"}, render.Column{Name: "Requests"}, render.Column{Name: "Errors"},
		render.Column{Name: "Processing Time"}, render.Column{Name: "Average Time"}, render.Column{Name: "Last Error"}, render.Column{Name: "Service"}, render.Column{Name: "ID"}, render.Column{Name: "Version"},
		render.Column{Name: "Started"})
	done := map[string]*counted{}
	for _, ep := range i.Stats.Endpoints {
		done[ep.Name+" "+ep.Subject] = ep
	}
	for _, ep := range i.Info.Endpoints {
		n := done[ep.Name+" "+ep.Subject]
		if n == nil {
			n = &counted{}
		}
		t.Row(endpointName(ep.Name), ep.Subject, ep.QueueGroup, render.Count(n.NumRequests), render.Count(n.NumErrors), render.Span(n.ProcessingTime), render.Span(n.AverageProcessingTime), n.LastError,
			i.Info.Name, i.Info.ID, i.Info.Version, render.At(i.Stats.Started))
	}
}

func metadata(p *render.Page, m map[string]string) {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for n, k := range keys {
		label := "Metadata"
		if n > 0 {
			label = ""
		}
		p.Field(label, k+": "+m[k])
	}
}

// indented lays JSON out below its section.
func indented(data json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Indent(&b, data, "  ", "    "); err != nil {
		return "  " + string(data)
	}
	return "  " + b.String()
}

func runInfo(ctx context.Context, e *env.Env, o infoOptions) error {
	client, ctx, done, err := asker(ctx, e)
	if err != nil {
		return err
	}
	defer done()
	rule := micro.Adaptive
	if o.id != "" {
		rule = micro.First
	}
	infos, err := client.Infos(ctx, o.name, o.id, rule)
	if len(infos) == 0 {
		return none(ctx, err, o.name)
	}
	stats, err := client.Stats(ctx, o.name, infos[0].ID, micro.First)
	if len(stats) == 0 {
		return none(ctx, err, infos[0].ID)
	}
	i := instance{infos[0], stats[0]}
	if o.endpoint != "" {
		re := regexp.MustCompile(o.endpoint) // checked before
		i.Info.Endpoints = slices.DeleteFunc(i.Info.Endpoints, func(ep proto) bool { return !re.MatchString(ep.Name) })
		i.Stats.Endpoints = slices.DeleteFunc(i.Stats.Endpoints, func(ep *counted) bool { return !re.MatchString(ep.Name) })
	}
	if len(infos) > 1 {
		e.IO.Hint("%d instances answer; nats micro info %s ID shows another", len(infos), o.name)
	}
	return e.Out.Print(i)
}
