package consumer

import (
	"context"
	"slices"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

type unpinOptions struct {
	target
	name  string
	force bool
}

func unpinVerb(g *group) command.Node {
	return command.Verb[unpinOptions]{
		Meta: command.Meta{
			Name: "unpin", Short: "Take the pinned client off a priority group",
			Long: "The next client that pulls for the group is pinned in its place.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: unpinned{},
		Names: command.Names{"stream": command.Streams, "consumer": command.Consumers},
		Examples: []command.Example{
			{Line: "nats consumer unpin ORDERS SHARED main --force", Says: "Unpinned client", Needs: []string{
				"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS SHARED --pull --pinned-groups main --defaults", "pub orders.new 1", "consumer next ORDERS SHARED --group main",
			}},
		},
		Bind: func(c *fisk.CmdClause, o *unpinOptions) {
			o.bind(c, g)
			c.Arg("group", "The priority group").StringVar(&o.name)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
		},
		Check: (*unpinOptions).check,
		Run:   runUnpin,
	}
}

// unpinned is the client that lost its group.
type unpinned struct {
	Stream   string `json:"stream"`
	Consumer string `json:"consumer"`
	Group    string `json:"group"`
	Client   string `json:"pinned_client_id"`
}

// View says what was done.
func (r unpinned) View(p *render.Page) {
	p.Line("Unpinned client %s from Priority Group %s > %s", r.Client, full(r.Stream, r.Consumer), r.Group)
}

func runUnpin(ctx context.Context, e *env.Env, o unpinOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	i, err := o.pick(ctx, e, c)
	if err != nil {
		return err
	}
	name := full(i.Stream, i.Name)
	if i.ConsumerInfo.Config.PriorityPolicy != api.PriorityPinnedClient {
		return fail.Newf(fail.Failure, "consumer %s has no pinned groups", name)
	}
	g, err := chooseGroup(ctx, e, i, o.name)
	if err != nil {
		return err
	}
	if err := jscmd.Sure(ctx, e, o.force, "unpin client "+g.PinnedClientID+" from Priority Group "+name+" > "+g.Group, i.Name); err != nil {
		return err
	}
	if err := consumers.Unpin(ctx, c, i.Stream, i.Name, g.Group); err != nil {
		return err
	}
	return e.Out.Print(unpinned{i.Stream, i.Name, g.Group, g.PinnedClientID})
}

// chooseGroup is the group that was named, or one of those that have a pinned client.
func chooseGroup(ctx context.Context, e *env.Env, i consumers.Consumer, name string) (api.PriorityGroupState, error) {
	var pinned []api.PriorityGroupState
	var names []string
	for _, g := range i.PriorityGroups {
		if g.PinnedClientID != "" {
			pinned, names = append(pinned, g), append(names, g.Group)
		}
	}
	full := full(i.Stream, i.Name)
	switch {
	case name != "" && !slices.Contains(i.ConsumerInfo.Config.PriorityGroups, name):
		return api.PriorityGroupState{}, fail.NotFoundf("consumer %s has no priority group %s (10160)", full, name).WithHint("%s", fail.DidYouMean("", name, i.ConsumerInfo.Config.PriorityGroups))
	case name != "" && !slices.Contains(names, name):
		return api.PriorityGroupState{}, fail.Newf(fail.Failure, "no client is pinned to priority group %s > %s", full, name)
	case name != "":
		return pinned[slices.Index(names, name)], nil
	case len(pinned) == 0:
		return api.PriorityGroupState{}, fail.Newf(fail.Failure, "no client is pinned to a priority group of consumer %s", full)
	}
	n, err := e.Prompt.Select(ctx, prompt.Question{Flag: jscmd.Argument("group"), Message: "Select a Group"}, names)
	if err != nil {
		return api.PriorityGroupState{}, err
	}
	return pinned[n], nil
}
