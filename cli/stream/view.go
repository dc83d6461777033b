package stream

import (
	"context"
	"errors"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

type viewOptions struct {
	stream    string
	size      int64
	sizeSet   bool
	id        uint64
	since     flagval.Since
	raw       bool
	translate string
	subject   string
	group     *group
}

// maxPage is the largest page: more does not fit a screen.
const maxPage = 25

func viewVerb(g *group) command.Node {
	return command.Verb[viewOptions]{
		Meta: command.Meta{
			Name: "view", Short: "Page through the messages of a stream",
			Long: "On a terminal a page is shown at a time. Into a pipe all messages are written, or as many as the size says. No consumer is made and nothing is acknowledged, so work queues may be looked at too.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Feed, Result: api.StoredMsg{}, Names: command.Names{"stream": command.Streams, "subject": command.Subjects},
		Examples: []command.Example{
			{Line: "nats stream view ORDERS 3", Says: "Subject: orders.new", About: "Three messages at a time", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "pub -J orders.new one"}},
			{Line: "nats stream view ORDERS --raw --since 1h", Says: "one", About: "The bodies of the last hour", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "pub -J orders.new one"}},
		},
		Bind: func(c *fisk.CmdClause, o *viewOptions) {
			o.group = g
			c.Arg("stream", "The stream").StringVar(&o.stream)
			c.Arg("size", "Messages on a page").Default("10").IsSetByUser(&o.sizeSet).SetValue(flagval.NewInt64(&o.size).Min(1))
			c.Flag("id", "Begin at this sequence").SetValue(flagval.NewUint64(&o.id).Min(1))
			c.Flag("since", "Begin this long ago, at a time or at a sequence").PlaceHolder("DURATION").SetValue(flagval.NewSince(&o.since))
			c.Flag("raw", "Print the bodies alone").UnNegatableBoolVar(&o.raw)
			c.Flag("translate", "Put the bodies through a command").PlaceHolder("COMMAND").StringVar(&o.translate)
			c.Flag("subject", "Only messages on this subject; wildcards are allowed").StringVar(&o.subject)
		},
		Check: func(o *viewOptions) error {
			if o.id > 0 && o.since.Given {
				return errors.New("--id and --since exclude each other")
			}
			return jscmd.CheckFilter(o.subject)
		},
		Run: runView,
	}
}

func runView(ctx context.Context, e *env.Env, o viewOptions) error {
	if _, err := jscmd.NewTranslator(e, o.translate, o.stream); err != nil {
		return err // a bad command is refused before anything is asked
	}
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := jscmd.Pick(ctx, e, c, o.group.all, o.stream)
	if err != nil {
		return err
	}
	t, err := jscmd.NewTranslator(e, o.translate, s.StreamInfo.Config.Name)
	if err != nil {
		return err
	}
	r := js.Range{Seq: o.id, Filter: o.subject, UpTo: s.State.LastSeq}
	if o.since.IsSequence() {
		r.Seq = o.since.Sequence
	}
	if at, ok := o.since.At(e.Clock.Now()); ok {
		r.Since = &at
	}
	v := &viewer{e: e, c: c, o: o, s: s, t: t, feed: e.Out.Feed(), paged: e.IO.OutTTY && e.Prompt.Available() && !e.Out.Machine()}
	if s.State.Msgs > 0 {
		err = v.run(ctx, r)
	} else {
		v.atEnd()
	}
	if code := fail.CodeOf(err); code == fail.Interrupted || code == fail.Terminated {
		err = nil // how a pager ends
	}
	if cerr := v.feed.Close(nil); err == nil {
		err = cerr
	}
	return err
}

// viewer writes messages, a page at a time where there is somebody to turn it.
type viewer struct {
	e     *env.Env
	c     *js.Client
	o     viewOptions
	s     js.Stream
	t     *jscmd.Translator
	feed  *render.Feed
	paged bool
}

func (v *viewer) run(ctx context.Context, r js.Range) error {
	switch {
	case v.paged:
		r.Limit = uint64(v.o.size)
		if r.Limit > maxPage {
			r.Limit = maxPage
			v.e.Say("A page holds %d messages at most", maxPage)
		}
	case v.o.sizeSet:
		r.Limit = uint64(v.o.size)
	}
	for {
		shown := uint64(0)
		err := v.c.Read(ctx, v.s.StreamInfo.Config.Name, r, v.s.StreamInfo.Config.AllowDirect, func(m *js.DirectMessage) error {
			shown++
			r.Seq, r.Since = m.Sequence+1, nil
			return v.emit(ctx, m)
		})
		if err != nil {
			return err
		}
		if err := v.feed.Flush(); err != nil {
			return err
		}
		if r.Limit == 0 || shown < r.Limit || r.Seq > r.UpTo {
			v.atEnd()
			return nil
		}
		if !v.paged {
			return nil
		}
		more, err := v.e.Prompt.Confirm(ctx, prompt.Question{Flag: jscmd.Argument("size"), Message: "Next Page?", Default: "true"})
		if err != nil || !more {
			return err
		}
	}
}

func (v *viewer) emit(ctx context.Context, m *js.DirectMessage) error {
	body, err := v.t.Body(ctx, m.Subject, m.Header, m.Data)
	if err != nil {
		return err
	}
	return v.feed.Emit(newItem(m, body, v.o.raw))
}

// atEnd tells that there is no more; not beside raw bodies.
func (v *viewer) atEnd() {
	if !v.o.raw && !v.e.Out.Machine() {
		v.e.Say("Reached apparent end of data")
	}
}
