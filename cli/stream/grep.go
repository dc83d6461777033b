package stream

import (
	"context"
	"strconv"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

type grepOptions struct {
	stream                string
	match                 js.Match
	span                  spanFlags
	in                    string
	first, count          bool
	limit                 uint64
	before, after, around uint64
}

func grepVerb() command.Node {
	return command.Verb[grepOptions]{
		Meta: command.Meta{
			Name: "grep", Short: "Search the messages of a stream",
			Long: `The pattern is a regular expression, searched in bodies unless --in says otherwise. --where takes a jq expression over subject, seq, time, headers, size and body, which is parsed where it is JSON. Conditions add up; without a pattern they alone count.

Nothing is consumed. The code is 0 when something was found, 1 when nothing was. Interrupted, it says where to go on.`,
		},
		Scope: command.User, Effect: command.Reads, Output: command.Feed, Result: line{}, Names: command.Names{"stream": command.Streams, "subject": command.Subjects},
		Examples: []command.Example{
			{Line: "nats stream grep ORDERS 'on[ce]'", Says: "orders.new: one", About: "By regular expression", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "pub -J orders.new one"}},
			{Line: `nats stream grep ORDERS --where '.body.total > 100' --since 1d -c`, Says: "1", About: "Count by what is in JSON bodies", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", `pub -J orders.new '{"total":101}'`}},
			{Line: "nats stream grep ORDERS one --first --raw", Says: "one", About: "The first match alone", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "pub -J orders.new one"}},
		},
		Bind:  bindGrep,
		Check: checkGrep,
		Run:   runGrep,
	}
}

func bindGrep(c *fisk.CmdClause, o *grepOptions) {
	c.Arg("stream", "The stream").Required().StringVar(&o.stream)
	c.Arg("pattern", "What to search for, a regular expression").StringVar(&o.match.Pattern)
	o.span.bind(c)
	c.Flag("fixed", "The pattern is plain text").Short('F').UnNegatableBoolVar(&o.match.Fixed)
	c.Flag("ignore-case", "Upper and lower case are the same").Short('i').UnNegatableBoolVar(&o.match.IgnoreCase)
	c.Flag("invert-match", "Select messages that do not match").Short('v').UnNegatableBoolVar(&o.match.Invert)
	c.Flag("in", "Where to search: body, subject, headers or all").Default("body").EnumVar(&o.in, "body", "subject", "headers", "all")
	c.Flag("header", "The message has this header, with a value that matches a pattern").PlaceHolder("NAME[:PATTERN]").StringsVar(&o.match.Named)
	c.Flag("where", "A jq expression is true for the message").PlaceHolder("EXPR").StringVar(&o.match.Where)
	c.Flag("first", "Stop after the first match").UnNegatableBoolVar(&o.first)
	c.Flag("limit", "Stop after this many matches").PlaceHolder("MATCHES").SetValue(flagval.NewUint64(&o.limit).Min(1))
	c.Flag("count", "Print how many match").Short('c').UnNegatableBoolVar(&o.count)
	c.Flag("before-context", "Print this many messages before each match too").Short('B').PlaceHolder("N").SetValue(flagval.NewUint64(&o.before).Max(10_000))
	c.Flag("after-context", "Print this many messages after each match too").Short('A').PlaceHolder("N").SetValue(flagval.NewUint64(&o.after).Max(10_000))
	c.Flag("around", "Print this many messages on both sides").Short('C').PlaceHolder("N").SetValue(flagval.NewUint64(&o.around).Max(10_000))
}

func checkGrep(o *grepOptions) error {
	all := o.in == "all"
	o.match.Bodies, o.match.Subjects, o.match.Headers = all || o.in == "body", all || o.in == "subject", all || o.in == "headers"
	o.before, o.after = max(o.before, o.around), max(o.after, o.around)
	switch {
	case o.match.Pattern == "" && o.match.Where == "" && len(o.match.Named) == 0:
		return fail.Usagef("nothing to search for: pass <pattern>, --where or --header")
	case o.count && (o.before > 0 || o.after > 0):
		return fail.Usagef("--count prints no messages, so there is no context")
	}
	if o.first {
		o.limit = 1
	}
	if _, err := o.match.Compile(); err != nil {
		return err
	}
	return o.span.check()
}

// tally is the result of --count.
type tally struct {
	Matches uint64 `json:"matches"`
	Scanned uint64 `json:"scanned"`
}

// View is the number of matches.
func (t tally) View(p *render.Page) {
	if jscmd.Wordy(p) {
		p.Line("%s", strconv.FormatUint(t.Matches, 10))
		return
	}
	p.Table("", render.Column{Name: "Matches"}, render.Column{Name: "Scanned"}).Row(t.Matches, t.Scanned)
}

// gap is the line between groups of matches with context.
type gap struct{}

// AppendText is the line of grep.
func (gap) AppendText(dst []byte, _ render.TextOptions) []byte { return append(dst, "--\n"...) }

// View draws nothing: only text has such lines.
func (gap) View(*render.Page) {}

// search prints what matches and what stands around it.
type search struct {
	o       grepOptions
	matcher *js.Matcher
	feed    *render.Feed
	text    bool
	tally   tally
	last    uint64 // sequence seen last
	ring    []*js.DirectMessage
	trail   uint64 // messages still to print after a match
	printed bool
	skipped bool // something was left out since the last that was printed
}

func runGrep(ctx context.Context, e *env.Env, o grepOptions) error {
	matcher, err := o.match.Compile()
	if err != nil {
		return err
	}
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := c.Info(ctx, o.stream)
	if err != nil {
		return err
	}
	r, end := o.span.span(e.Clock.Now())
	g := &search{o: o, matcher: matcher, feed: e.Out.Feed(), text: !e.Out.Machine()}
	progress := e.IO.Progress(e.Clock, "Searching", int64(s.State.Msgs), func(n int64) string { return render.HumaneCount(uint64(max(n, 0))) })
	err = c.Scan(ctx, s, r, func(m *js.DirectMessage) error {
		if !end.IsZero() && m.Time.After(end) {
			return js.ErrStop
		}
		if g.tally.Scanned++; g.tally.Scanned%1000 == 0 {
			progress.Add(1000)
		}
		return g.take(m)
	})
	progress.Close()
	if err == nil && o.count {
		err = g.feed.Emit(g.tally)
	}
	if cerr := g.feed.Close(nil); err == nil {
		err = cerr
	}
	if err != nil {
		return resumable(err, s, g.last)
	}
	if g.tally.Matches == 0 {
		return fail.Silently(fail.Failure)
	}
	return nil
}

func (g *search) take(m *js.DirectMessage) error {
	g.last = m.Sequence
	if g.o.limit > 0 && g.tally.Matches >= g.o.limit {
		if g.trail == 0 {
			return js.ErrStop
		}
		g.trail--
		return g.print(m, true)
	}
	yes, err := g.matcher.Test(m)
	if err != nil {
		return err
	}
	if !yes {
		return g.beside(m)
	}
	g.tally.Matches++
	if !g.o.count {
		if err := g.hit(m); err != nil {
			return err
		}
	}
	if g.o.limit > 0 && g.tally.Matches >= g.o.limit && g.trail == 0 {
		return js.ErrStop
	}
	return nil
}

// hit prints a match after the messages that go before it.
func (g *search) hit(m *js.DirectMessage) error {
	if g.printed && g.skipped && g.text && g.o.before+g.o.after > 0 && !g.o.span.raw {
		if err := g.feed.Emit(gap{}); err != nil {
			return err
		}
	}
	for _, b := range g.ring {
		if err := g.print(b, true); err != nil {
			return err
		}
	}
	g.ring = g.ring[:0]
	g.trail = g.o.after
	return g.print(m, false)
}

// beside prints a message that follows a match closely enough, or keeps it in case one follows it.
func (g *search) beside(m *js.DirectMessage) error {
	if g.trail > 0 {
		g.trail--
		return g.print(m, true)
	}
	if g.o.before == 0 {
		g.skipped = true
		return nil
	}
	if uint64(len(g.ring)) == g.o.before {
		copy(g.ring, g.ring[1:])
		g.ring = g.ring[:len(g.ring)-1]
		g.skipped = true
	}
	g.ring = append(g.ring, m.Clone())
	return nil
}

func (g *search) print(m *js.DirectMessage, context bool) error {
	g.printed, g.skipped = true, false
	l := newLine(m, g.o.span.raw)
	l.Context = context
	return g.feed.Emit(l)
}
