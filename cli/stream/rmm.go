package stream

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

type rmmOptions struct {
	stream string
	id     string
	force  bool
	fast   bool
	dryRun bool
	group  *group
}

func rmmVerb(g *group) command.Node {
	return command.Verb[rmmOptions]{
		Meta: command.Meta{
			Name: "rmm", Short: "Remove messages by their sequences",
			Long: "The id is a sequence, a range such as 5-10, or several of both with commas. What is stored is overwritten before it is removed; --fast leaves that out.",
		},
		Scope: command.User, Effect: command.Destroys, Output: command.Value, Result: removedMessages{}, Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats stream rmm ORDERS 1 --force", About: "One message", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "pub -J orders.new one"}},
			{Line: "nats stream rmm ORDERS 1-10 --dry-run", Says: "Would remove 1 messages", About: "What a range holds", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "pub -J orders.new one"}},
		},
		Bind: func(c *fisk.CmdClause, o *rmmOptions) {
			o.group = g
			c.Arg("stream", "The stream").StringVar(&o.stream)
			c.Arg("id", "The sequence, or ranges such as 1,5-10").StringVar(&o.id)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
			c.Flag("fast", "Do not overwrite what is stored").UnNegatableBoolVar(&o.fast)
			c.Flag("dry-run", "Count what would be removed").UnNegatableBoolVar(&o.dryRun)
		},
		Check: func(o *rmmOptions) error {
			if o.id == "" {
				return nil
			}
			_, err := parseRanges(o.id)
			return err
		},
		Run: runRmm,
	}
}

// parseRanges reads sequences and ranges of them, both ends included.
func parseRanges(text string) ([]js.Gap, error) {
	var out []js.Gap
	for _, part := range strings.Split(text, ",") {
		first, last, ranged := strings.Cut(strings.TrimSpace(part), "-")
		from, err := flagval.ParseUint(first, 1, math.MaxUint64)
		if err != nil {
			return nil, fail.Usagef("<id> %q: give a sequence from 1 on, or a range such as 5-10", text)
		}
		to := from
		if ranged {
			if to, err = flagval.ParseUint(last, from, math.MaxUint64); err != nil {
				return nil, fail.Usagef("<id> %q: the end of a range is not below its beginning", text)
			}
		}
		out = append(out, js.Gap{from, to})
	}
	return out, nil
}

// removedMessages is what was removed, or would be.
type removedMessages struct {
	DryRun   bool     `json:"dry_run"`
	Stream   string   `json:"stream"`
	Ranges   []js.Gap `json:"ranges"`
	Messages uint64   `json:"messages"`
	Bytes    uint64   `json:"bytes"` // of subjects, headers and bodies; 0 when they were not read
}

// View is silent about what was done, as scripts expect.
func (r removedMessages) View(p *render.Page) {
	if !r.DryRun && jscmd.Wordy(p) {
		return
	}
	if jscmd.Wordy(p) {
		p.Line("Would remove %s messages (%s) from %s", render.Count(r.Messages), render.Bytes(r.Bytes), r.Stream)
		return
	}
	t := p.Table("", render.Column{Name: "Stream"}, render.Column{Name: "Messages"}, render.Column{Name: "Bytes"})
	t.Row(r.Stream, render.Count(r.Messages), render.Bytes(r.Bytes))
}

func runRmm(ctx context.Context, e *env.Env, o rmmOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	if o.stream != "" && o.id == "" && !e.Prompt.Available() {
		return fail.Usagef("pass <id> (there is no terminal to ask on)")
	}
	s, err := jscmd.Pick(ctx, e, c, o.group.all, o.stream)
	if err != nil {
		return err
	}
	if o.id, err = prompt.Need(ctx, e.Prompt, o.id, prompt.Question{Flag: jscmd.Argument("id"), Message: "Message Sequence to remove", Validate: func(v string) error {
		_, err := parseRanges(v)
		return err
	}}); err != nil {
		return err
	}
	ranges, err := parseRanges(o.id)
	if err != nil {
		return err
	}
	r := removedMessages{DryRun: o.dryRun, Stream: s.StreamInfo.Config.Name, Ranges: ranges}
	single := len(ranges) == 1 && ranges[0][0] == ranges[0][1]
	if o.dryRun || !o.force && !single {
		if err := r.count(ctx, c, s); err != nil {
			return err
		}
	}
	if o.dryRun {
		return e.Out.Print(r)
	}
	jscmd.WarnBucket(e, r.Stream)
	what := fmt.Sprintf("remove message %s from Stream %s", o.id, r.Stream)
	if !single {
		what = fmt.Sprintf("remove messages %s, %s of them, from Stream %s", o.id, render.HumaneCount(r.Messages), r.Stream)
	}
	if err := jscmd.Sure(ctx, e, o.force, what, r.Stream); err != nil {
		return err
	}
	r.Messages, r.Bytes = 0, 0
	for _, g := range ranges {
		if err := r.remove(ctx, c, s, g, single, o.fast); err != nil {
			return err
		}
	}
	return e.Out.Print(r)
}

// count reads what the ranges hold.
func (r *removedMessages) count(ctx context.Context, c *js.Client, s js.Stream) error {
	for _, g := range r.Ranges {
		err := c.Read(ctx, r.Stream, js.Range{Seq: g[0], UpTo: g[1]}, s.StreamInfo.Config.AllowDirect, func(m *js.DirectMessage) error {
			r.Messages++
			r.Bytes += uint64(len(m.Subject) + len(m.Data) + len(headerBlock(m.Header)))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// remove removes a range. A single sequence must be there; gaps in a range are no error.
func (r *removedMessages) remove(ctx context.Context, c *js.Client, s js.Stream, g js.Gap, must, fast bool) error {
	st := s.StreamInfo.State
	from, to := g[0], g[1]
	if !must {
		from, to = max(from, st.FirstSeq), min(to, st.LastSeq)
	}
	for seq := from; seq <= to; seq++ {
		err := c.DeleteMessage(ctx, r.Stream, seq, fast)
		switch {
		case err == nil:
			r.Messages++
		case must && js.IsCode(err, 10057): // the server calls it the end of its store
			return fail.NotFoundf("message %d of stream %s: there is no such message (10057)", seq, r.Stream)
		case must || fail.CodeOf(err) != fail.NotFound || js.IsCode(err, 10059):
			return err
		}
	}
	return nil
}
