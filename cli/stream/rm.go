package stream

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/render"
)

type rmOptions struct {
	stream string
	match  string
	force  bool
	dryRun bool
	group  *group
}

func rmVerb(g *group) command.Node {
	return command.Verb[rmOptions]{
		Meta: command.Meta{
			Name: "rm", Aliases: []string{"delete", "del"}, Short: "Remove a stream with all its messages and consumers",
			Long: "Several streams are named by a list with commas, or by --match with a pattern such as 'TEST_*'; one confirmation is for all of them. --dry-run shows what would go.",
		},
		Scope: command.User, Effect: command.Destroys, Output: command.Value, Result: removal{}, Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats stream rm ORDERS --dry-run", Says: "ORDERS", About: "See what would be lost", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats stream rm ORDERS --force", About: "Remove it", Needs: []string{"stream add ORDERS --subjects orders.> --defaults"}},
			{Line: "nats stream rm --match 'TEST_*' --force", About: "Remove all of a kind", Needs: []string{"stream add TEST_1 --subjects t1 --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *rmOptions) {
			o.group = g
			c.Arg("stream", "The stream, or several with commas").StringVar(&o.stream)
			c.Flag("match", "Remove the streams whose names match a pattern: * and ? stand for anything").PlaceHolder("PATTERN").StringVar(&o.match)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
			c.Flag("dry-run", "Show what would be removed").UnNegatableBoolVar(&o.dryRun)
		},
		Check: checkRm,
		Run:   runRm,
	}
}

func checkRm(o *rmOptions) error {
	if o.match != "" {
		if o.stream != "" {
			return fail.Usagef("<stream> and --match exclude each other")
		}
		if _, err := path.Match(o.match, ""); err != nil {
			return fail.Usagef("--match %q: %w", o.match, err)
		}
		return nil
	}
	if o.stream == "" {
		return nil
	}
	for _, name := range strings.Split(o.stream, ",") {
		if err := jsconf.CheckName("stream", name); err != nil {
			return err
		}
	}
	return nil
}

// removal is what was removed, or would be. Counts are known only where the streams were looked at first.
type removal struct {
	DryRun  bool      `json:"dry_run"`
	Streams []removed `json:"streams"`
}

type removed struct {
	Name      string `json:"name"`
	Messages  uint64 `json:"messages"`
	Bytes     uint64 `json:"bytes"`
	Consumers int    `json:"consumers"`
	Known     bool   `json:"counted"`
	Error     string `json:"error,omitempty"`
}

// View is silent about what was done, as scripts expect.
func (r removal) View(p *render.Page) {
	if jscmd.Wordy(p) && !r.DryRun {
		return
	}
	t := p.Table("Streams that would be removed", render.Column{Name: "Stream"}, render.Column{Name: "Messages"}, render.Column{Name: "Bytes"}, render.Column{Name: "Consumers"})
	for _, s := range r.Streams {
		t.Row(render.Key(s.Name), render.Count(s.Messages), render.Bytes(s.Bytes), render.Count(s.Consumers))
	}
}

func (r removal) summary() string {
	if len(r.Streams) == 1 {
		s := r.Streams[0]
		if !s.Known {
			return "delete Stream " + s.Name
		}
		return fmt.Sprintf("delete Stream %s with %s messages (%s) and %d consumers", s.Name, render.HumaneCount(s.Messages), render.HumaneBytes(s.Bytes), s.Consumers)
	}
	var messages, bytes uint64
	list := make([]string, 0, len(r.Streams))
	for _, s := range r.Streams {
		messages, bytes = messages+s.Messages, bytes+s.Bytes
		list = append(list, s.Name)
	}
	return fmt.Sprintf("delete %d Streams (%s) with %s messages (%s)", len(list), strings.Join(list, ", "), render.HumaneCount(messages), render.HumaneBytes(bytes))
}

func runRm(ctx context.Context, e *env.Env, o rmOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	targets, err := rmTargets(ctx, e, c, o)
	if err != nil {
		return err
	}
	r := removal{DryRun: o.dryRun}
	for _, name := range targets {
		t := removed{Name: name}
		// A broken stream is removed all the same: forced, its state is not asked for.
		if !o.force || o.dryRun {
			if t, err = describe(ctx, c, name); err != nil {
				return err
			}
		}
		jscmd.WarnBucket(e, name)
		r.Streams = append(r.Streams, t)
	}
	if o.dryRun {
		return e.Out.Print(r)
	}
	if err := jscmd.Sure(ctx, e, o.force, r.summary(), strings.Join(targets, ",")); err != nil {
		return err
	}
	return removeAll(ctx, e, c, r)
}

func rmTargets(ctx context.Context, e *env.Env, c *js.Client, o rmOptions) ([]string, error) {
	if o.match == "" {
		if strings.Contains(o.stream, ",") {
			return strings.Split(o.stream, ","), nil
		}
		name, err := jscmd.NameStream(ctx, e, c, o.group.all, o.stream)
		return []string{name}, err
	}
	var out []string
	err := c.StreamNames(ctx, "", func(n string) error {
		if ok, _ := path.Match(o.match, n); ok && (o.group.all || !jsm.IsInternalStream(n)) {
			out = append(out, n)
		}
		return nil
	})
	if err == nil && len(out) == 0 {
		err = fail.NotFoundf("no stream matches %s", o.match)
	}
	return out, err
}

// describe counts what goes with the stream. One whose servers do not answer is still there to be removed.
func describe(ctx context.Context, c *js.Client, name string) (removed, error) {
	s, err := c.Info(ctx, name)
	switch {
	case err == nil:
		st := s.StreamInfo.State
		return removed{Name: name, Messages: st.Msgs, Bytes: st.Bytes, Consumers: st.Consumers, Known: true}, nil
	case fail.CodeOf(err) == fail.NotFound || ctx.Err() != nil:
		return removed{}, err
	}
	known := false
	if lerr := c.StreamNames(ctx, "", func(n string) error {
		known = known || n == name
		return nil
	}); lerr != nil || !known {
		return removed{}, err
	}
	return removed{Name: name}, nil
}

// removeAll removes each and goes on after an error, so that one broken stream does not keep the others.
func removeAll(ctx context.Context, e *env.Env, c *js.Client, r removal) error {
	failed := 0
	var last error
	for i := range r.Streams {
		if err := c.Delete(ctx, r.Streams[i].Name); err != nil {
			if ctx.Err() != nil {
				return err
			}
			failed++
			last = err
			r.Streams[i].Error = err.Error()
			if len(r.Streams) > 1 {
				e.Say("%s", err)
			}
		}
	}
	switch {
	case failed == len(r.Streams):
		if fail.CodeOf(last) == fail.NoAnswer {
			return fail.Hint(last, "the stream may still be removed by the server later: nats stream ls tells")
		}
		return last
	case failed > 0:
		if err := e.Out.Print(r); err != nil {
			return err
		}
		return fail.Partialf("%d of %d streams were not removed: %w", failed, len(r.Streams), last)
	}
	return e.Out.Print(r)
}
