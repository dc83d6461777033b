package stream

import (
	"context"
	"fmt"
	"strconv"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

type getOptions struct {
	stream    string
	id        uint64
	idSet     bool
	lastFor   string
	translate string
	group     *group
}

func getVerb(g *group) command.Node {
	return command.Verb[getOptions]{
		Meta: command.Meta{
			Name: "get", Short: "Show one message of a stream",
			Long: "The message with a sequence, or the last one on a subject. It is read from the stream's leader and stays where it is.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: api.StoredMsg{}, Names: command.Names{"stream": command.Streams, "last-for": command.Subjects},
		Examples: []command.Example{
			{Line: "nats stream get ORDERS 1", Says: "Item: ORDERS#1", About: "By sequence", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "pub -J orders.new one"}},
			{Line: "nats stream get ORDERS --last-for orders.new", Says: "on Subject orders.new", About: "The last on a subject", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "pub -J orders.new one"}},
		},
		Bind: func(c *fisk.CmdClause, o *getOptions) {
			o.group = g
			c.Arg("stream", "The stream").StringVar(&o.stream)
			c.Arg("id", "The sequence of the message").IsSetByUser(&o.idSet).SetValue(flagval.NewUint64(&o.id).Min(1))
			c.Flag("last-for", "The last message on this subject").Short('S').PlaceHolder("SUBJECT").StringVar(&o.lastFor)
			c.Flag("translate", "Put the body through a command").PlaceHolder("COMMAND").StringVar(&o.translate)
		},
		Check: func(o *getOptions) error { return jscmd.CheckFilter(o.lastFor) },
		Run:   runGet,
	}
}

// stored is one message; its JSON is the server's document.
type stored struct {
	api.StoredMsg
	stream string
	body   []byte
}

// JSON is the message as the server stores it, with the translated body where there is one.
func (s stored) JSON() any {
	m := s.StoredMsg
	m.Data = s.body
	return m
}

// View is a line about the message, its headers and its body.
func (s stored) View(p *render.Page) {
	p.Line("Item: %s#%s received %s (%s) on Subject %s", s.stream, strconv.FormatUint(s.Sequence, 10), s.Time.UTC().Format("2006-01-02 15:04:05.999999999 -0700 MST"),
		render.Span(max(p.Options().Now.Sub(s.Time), 0)), render.Subject(s.Subject))
	p.Gap()
	if headers := js.ParseHeaders(s.Header); len(headers) > 0 {
		p.Line("Headers:")
		for _, h := range headers {
			p.Line("  %s: %s", h.Name, h.Value)
		}
		p.Gap()
	}
	if len(s.body) == 0 {
		p.Line("nil body")
		return
	}
	p.Text(string(s.body))
}

func runGet(ctx context.Context, e *env.Env, o getOptions) error {
	if o.stream != "" && !o.idSet && o.lastFor == "" && !e.Prompt.Available() {
		return fail.Usagef("pass <id> or --last-for (there is no terminal to ask on)")
	}
	if _, err := jscmd.NewTranslator(e, o.translate, o.stream); err != nil {
		return err // a bad command is refused before anything is asked
	}
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	name, err := jscmd.NameStream(ctx, e, c, o.group.all, o.stream)
	if err != nil {
		return err
	}
	t, err := jscmd.NewTranslator(e, o.translate, name)
	if err != nil {
		return err
	}
	if err := askMessage(ctx, e, &o); err != nil {
		return err
	}
	s := stored{stream: name}
	if o.id > 0 {
		s.StoredMsg, err = c.Message(ctx, name, o.id)
	} else {
		s.StoredMsg, err = c.LastMessage(ctx, name, o.lastFor)
	}
	if err != nil {
		return err
	}
	var h nats.Header
	if len(s.Header) > 0 {
		if h, err = nats.DecodeHeadersMsg(s.Header); err != nil {
			return fmt.Errorf("message %d of stream %s: %w", s.Sequence, name, err)
		}
	}
	if s.body, err = t.Body(ctx, s.Subject, h, s.Data); err != nil {
		return err
	}
	return e.Out.Print(s)
}

// askMessage asks which message is meant when nothing said it.
func askMessage(ctx context.Context, e *env.Env, o *getOptions) error {
	if o.idSet || o.lastFor != "" {
		return nil
	}
	text, err := e.Prompt.Input(ctx, prompt.Question{
		Flag: jscmd.Argument("id"), Message: "Message Sequence to retrieve", Default: "-1", Help: "-1 to name a subject instead",
		Validate: func(s string) error {
			_, err := flagval.ParseInt(s, -1, 1<<63-1)
			return err
		},
	})
	if err != nil {
		return err
	}
	if n, err := flagval.ParseInt(text, 1, 1<<63-1); err == nil {
		o.id = uint64(n)
		return nil
	}
	o.lastFor, err = e.Prompt.Input(ctx, prompt.Question{Flag: "--last-for", Message: "Subject to retrieve last message for", Validate: func(s string) error { return flagval.CheckSubject(s, true) }})
	return err
}
