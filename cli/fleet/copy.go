package fleet

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/fleet/control"
	"github.com/natskit/natskit/internal/fleetcmd"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/store"
)

// copying is what mirror and source have in common.
type copying struct {
	into   string
	dry    bool
	wait   bool
	within fleetcmd.Within
}

func (o *copying) bind(c *fisk.CmdClause) {
	c.Flag("into", "The JetStream domain that gets the copy").Required().PlaceHolder("DOMAIN").StringVar(&o.into)
	c.Flag("dry-run", "Show what would be done, and end with 1 if anything would").UnNegatableBoolVar(&o.dry)
	c.Flag("wait", "Wait until the copy holds what there is").UnNegatableBoolVar(&o.wait)
	o.within.Bind(c, 30*time.Second)
}

// checkDomain refuses what cannot be a domain: one token of a subject.
func checkDomain(flag, domain string) error {
	if err := flagval.CheckSubject(domain, false); err != nil || strings.Contains(domain, ".") {
		return fail.Usagef("--%s: %q is no name of a JetStream domain", flag, domain)
	}
	return nil
}

type mirrorOptions struct {
	copying
	streams []string
	buckets []string
	from    string
}

func mirrorVerb() command.Node {
	return command.Verb[mirrorOptions]{
		Meta: command.Meta{
			Name: "mirror", Short: "Copy streams and buckets into another domain",
			Long: "A leaf node that holds mirrors serves its devices while the hub is away, and follows the hub again afterwards. Mirrors have the name of their origin. What is there already stays as it is: the command can be repeated.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: copies{},
		Names: command.Names{"stream": command.Streams, "bucket": command.Buckets},
		Bind: func(c *fisk.CmdClause, o *mirrorOptions) {
			c.Flag("stream", "A stream to mirror; may be repeated").PlaceHolder("STREAM").StringsVar(&o.streams)
			c.Flag("bucket", "A key-value bucket to mirror; may be repeated").PlaceHolder("BUCKET").StringsVar(&o.buckets)
			c.Flag("from", "The domain that holds them; otherwise that of --js-domain, or of the server").PlaceHolder("DOMAIN").StringVar(&o.from)
			o.copying.bind(c)
		},
		Check: func(o *mirrorOptions) error {
			if len(o.streams)+len(o.buckets) == 0 {
				return fail.Usagef("say what to mirror: --stream STREAM, --bucket BUCKET")
			}
			for _, s := range o.streams {
				if err := jsconf.CheckName("stream", s); err != nil {
					return err
				}
			}
			for _, b := range o.buckets {
				if err := store.CheckBucket(b); err != nil {
					return err
				}
			}
			if o.from != "" {
				if err := checkDomain("from", o.from); err != nil {
					return err
				}
			}
			return checkDomain("into", o.into)
		},
		Examples: []command.Example{
			{Line: "nats fleet mirror --stream survey --bucket config --from cloud --into leaf", Says: "created", About: "What a leaf node needs to go on without its hub"},
			{Line: "nats fleet mirror --bucket config --from cloud --into leaf --wait --jq '.[0].behind'", Says: "0", About: "Wait until it holds what there is, for a script"},
		},
		Run: runMirror,
	}
}

func runMirror(ctx context.Context, e *env.Env, o mirrorOptions) error {
	return onCopier(ctx, e, func(ctx context.Context, c *control.Copier) error {
		from, err := origin(ctx, e, c, o.from)
		if err != nil {
			return err
		}
		if from == o.into {
			return fail.Usagef("--from and --into are the same domain %s", from)
		}
		names := slices.Clone(o.streams)
		for _, b := range o.buckets {
			names = append(names, "KV_"+b)
		}
		plans := []control.Copy{}
		for _, name := range names {
			plan, err := c.PlanMirror(ctx, name, from, o.into)
			if err != nil {
				return err
			}
			plans = append(plans, plan)
		}
		return o.carryOut(ctx, e, c, plans)
	})
}

// origin is the domain to copy from when none was named: that of the connection.
func origin(ctx context.Context, e *env.Env, c *control.Copier, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	if d := e.Nats.Effective().JSDomain; d != "" {
		return d, nil
	}
	d, err := c.Domain(ctx)
	if err != nil {
		return "", err
	}
	if d == "" {
		return "", fail.Usagef("the server has no JetStream domain of its own: say where the origin is: --from DOMAIN")
	}
	return d, nil
}

type sourceOptions struct {
	copying
	stream string
	from   []string
	name   string
}

func sourceVerb() command.Node {
	return command.Verb[sourceOptions]{
		Meta: command.Meta{
			Name: "source", Short: "Gather a stream of several domains in one",
			Long: "Each leaf node stores what its devices publish; a stream at the hub gathers it all, and catches up with those that were away. Repeated with further domains it gathers those too.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: copies{},
		Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats fleet source metrics --from leaf --into cloud", Says: "global_metrics", About: "All metrics at the hub"},
			{Line: "nats fleet source metrics --from leaf --into cloud --name all_metrics --wait", Says: "all_metrics", About: "Under another name, with all that there is"},
		},
		Bind: func(c *fisk.CmdClause, o *sourceOptions) {
			c.Arg("stream", "The stream to gather").Required().StringVar(&o.stream)
			c.Flag("from", "A domain that has the stream; may be repeated").Required().PlaceHolder("DOMAIN").StringsVar(&o.from)
			c.Flag("name", "The name of the stream that gathers; otherwise global_STREAM").PlaceHolder("STREAM").StringVar(&o.name)
			o.copying.bind(c)
		},
		Check: func(o *sourceOptions) error {
			if o.name == "" {
				o.name = "global_" + o.stream
			}
			for _, name := range []string{o.stream, o.name} {
				if err := jsconf.CheckName("stream", name); err != nil {
					return err
				}
			}
			for _, d := range o.from {
				if err := checkDomain("from", d); err != nil {
					return err
				}
			}
			return checkDomain("into", o.into)
		},
		Run: func(ctx context.Context, e *env.Env, o sourceOptions) error {
			return onCopier(ctx, e, func(ctx context.Context, c *control.Copier) error {
				plan, err := c.PlanSource(ctx, o.stream, o.from, o.into, o.name)
				if err != nil {
					return err
				}
				return o.carryOut(ctx, e, c, []control.Copy{plan})
			})
		},
	}
}

// onCopier connects and lets do work.
func onCopier(ctx context.Context, e *env.Env, do func(context.Context, *control.Copier) error) error {
	ctx, end := e.Nats.Allowed(ctx)
	defer end()
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return err
	}
	return contexts.Refusal(ctx, do(ctx, &control.Copier{Conn: nc, Clock: e.Clock, Timeout: e.Nats.Effective().Timeout}))
}

// copied is a copy of a stream or bucket.
type copied struct {
	Kind     string           `json:"kind"` // stream or bucket
	Name     string           `json:"name"`
	Domain   string           `json:"domain"`
	Origins  []control.Origin `json:"origins"`
	State    string           `json:"state"`              // created, extended or there; would create, would extend
	Messages *uint64          `json:"messages,omitempty"` // with --wait: in the copy
	Behind   *uint64          `json:"behind,omitempty"`   // and that it lacks
}

func newCopied(c control.Copy, dry bool) copied {
	out := copied{Kind: "stream", Name: c.Stream, Domain: c.Domain, Origins: c.Origins, State: "there"}
	if b, ok := c.Bucket(); ok {
		out.Kind, out.Name = "bucket", b
	}
	switch {
	case c.Step == control.Keep:
	case dry:
		out.State = "would " + string(c.Step)
	default:
		out.State = string(c.Step) + "d"
		if c.Step == control.Extend {
			out.State = "extended"
		}
	}
	return out
}

// copies are all that were asked for.
type copies []copied

// View is one row for each.
func (l copies) View(p *render.Page) {
	columns := []render.Column{{Name: "Name"}, {Name: "Kind"}, {Name: "Domain"}, {Name: "Copy Of"}, {Name: "State"}}
	measured := slices.ContainsFunc(l, func(c copied) bool { return c.Messages != nil })
	if measured {
		columns = append(columns, render.Column{Name: "Messages", Align: render.Right}, render.Column{Name: "Behind", Align: render.Right})
	}
	t := p.Table("", columns...)
	for _, c := range l {
		of := render.Lines{}
		for _, o := range c.Origins {
			of = append(of, o.Stream+" in "+o.Domain)
		}
		state := any(render.Good(c.State))
		if c.State == "there" {
			state = render.Muted(c.State)
		}
		cells := []any{c.Name, c.Kind, c.Domain, of, state}
		if c.Messages != nil {
			cells = append(cells, render.Count(*c.Messages), render.Count(*c.Behind))
		}
		t.Row(cells...)
	}
}

// carryOut does what was planned, and waits for the copies if that is wanted.
func (o copying) carryOut(ctx context.Context, e *env.Env, c *control.Copier, plans []control.Copy) error {
	out, behind, differs := copies{}, []string{}, false
	for _, plan := range plans {
		differs = differs || plan.Step != control.Keep
		if !o.dry {
			if err := c.Do(ctx, plan); err != nil {
				return err
			}
		}
		out = append(out, newCopied(plan, o.dry))
	}
	if o.wait && !o.dry {
		end := e.Clock.Now().Add(o.within.Duration(e))
		for i, plan := range plans {
			lag, err := c.Await(ctx, plan, end.Sub(e.Clock.Now()))
			if err != nil {
				return err
			}
			out[i].Messages, out[i].Behind = &lag.Messages, &lag.Behind
			if !lag.Caught {
				behind = append(behind, out[i].Name)
			}
		}
	}
	if err := e.Out.Print(out); err != nil {
		return err
	}
	switch {
	case o.dry && differs:
		return fail.ErrDifference
	case len(behind) > 0:
		return fail.Partialf("not caught up within %s: %s", o.within.Duration(e), fleetcmd.List(behind)).
			WithHint("copies go on by themselves; nats stream report --js-domain %s shows how far they are", o.into)
	}
	return nil
}
