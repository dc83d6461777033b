package stream

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

// spanFlags say which part of a stream to read.
type spanFlags struct {
	subject string
	since   flagval.Since
	until   flagval.Since
	raw     bool
}

func (f *spanFlags) bind(c *fisk.CmdClause) {
	c.Flag("subject", "Only messages on this subject; wildcards are allowed").StringVar(&f.subject)
	c.Flag("since", "Begin this long ago, at a time or at a sequence (seq:100)").PlaceHolder("START").SetValue(flagval.NewSince(&f.since))
	c.Flag("until", "End this long ago, at a time or with a sequence (seq:200)").PlaceHolder("END").SetValue(flagval.NewSince(&f.until))
	c.Flag("raw", "Print the bodies alone, a line each").UnNegatableBoolVar(&f.raw)
}

func (f *spanFlags) check() error { return jscmd.CheckFilter(f.subject) }

// span is the range to read, and the moment after which a message is too late; zero when there is none.
func (f *spanFlags) span(now time.Time) (r js.Range, end time.Time) {
	r.Filter = f.subject
	r.Seq = f.since.Sequence
	if at, ok := f.since.At(now); ok {
		r.Since = &at
	}
	r.UpTo = f.until.Sequence
	end, _ = f.until.At(now)
	return r, end
}

type catOptions struct {
	stream string
	limit  uint64
	span   spanFlags
	group  *group
}

func catVerb(g *group) command.Node {
	return command.Verb[catOptions]{
		Meta: command.Meta{
			Name: "cat", Short: "Print the messages of a stream",
			Long: "From the first to the last that there is now, a line each; --raw prints bodies, --format ndjson whole messages. Nothing is consumed: work queues keep their messages. Interrupted, it says where to go on.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Feed, Result: line{}, Names: command.Names{"stream": command.Streams, "subject": command.Subjects},
		Examples: []command.Example{
			{Line: "nats stream cat ORDERS", Says: "orders.new: one", About: "Everything", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "pub -J orders.new one"}},
			{Line: "nats stream cat ORDERS --since 1h --subject orders.new --format ndjson", Says: `"text":"one"`, About: "The last hour of a subject, for a script", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "pub -J orders.new one"}},
		},
		Bind: func(c *fisk.CmdClause, o *catOptions) {
			o.group = g
			c.Arg("stream", "The stream").StringVar(&o.stream)
			o.span.bind(c)
			c.Flag("limit", "Stop after this many messages").PlaceHolder("MESSAGES").SetValue(flagval.NewUint64(&o.limit).Min(1))
		},
		Check: func(o *catOptions) error { return o.span.check() },
		Run:   runCat,
	}
}

// line is a message in one line. Its JSON has the body as text where it is text, else in base64 as data.
type line struct {
	Subject string      `json:"subject"`
	Seq     uint64      `json:"seq"`
	Time    time.Time   `json:"time"`
	Headers nats.Header `json:"headers,omitempty"`
	Text    string      `json:"text,omitempty"`
	Data    []byte      `json:"data,omitempty"`
	Context bool        `json:"context,omitempty"` // it does not match, but stands near one that does

	raw bool
}

func newLine(m *js.DirectMessage, raw bool) line {
	return line{Subject: m.Subject, Seq: m.Sequence, Time: m.Time, Headers: m.Header, Data: m.Data, raw: raw}
}

// LineItem gives the parts to --format line.
func (l line) LineItem() render.LineItem {
	return render.LineItem{Subject: l.Subject, Header: l.Headers.Get, Payload: l.Data, Number: l.Seq, Time: l.Time, Size: len(l.Data) + len(headerBlock(l.Headers))}
}

// AppendJSON writes the document that the JSON tags describe.
func (l line) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"subject":`...)
	dst = render.AppendJSONString(dst, l.Subject)
	dst = append(dst, `,"seq":`...)
	dst = strconv.AppendUint(dst, l.Seq, 10)
	dst = append(dst, `,"time":"`...)
	dst = append(l.Time.UTC().AppendFormat(dst, time.RFC3339Nano), '"')
	if len(l.Headers) > 0 {
		dst = append(dst, `,"headers":{`...)
		names := make([]string, 0, len(l.Headers))
		for k := range l.Headers {
			names = append(names, k)
		}
		slices.Sort(names)
		for i, k := range names {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(render.AppendJSONString(dst, k), ':', '[')
			for j, v := range l.Headers[k] {
				if j > 0 {
					dst = append(dst, ',')
				}
				dst = render.AppendJSONString(dst, v)
			}
			dst = append(dst, ']')
		}
		dst = append(dst, '}')
	}
	switch {
	case len(l.Data) == 0:
	case utf8.Valid(l.Data):
		dst = append(dst, `,"text":`...)
		dst = render.AppendJSONString(dst, l.Data)
	default:
		dst = append(dst, `,"data":"`...)
		dst = append(base64.StdEncoding.AppendEncode(dst, l.Data), '"')
	}
	if l.Context {
		dst = append(dst, `,"context":true`...)
	}
	return append(dst, '}')
}

// AppendText writes "[seq] time subject: body", with - for : where the message is context alone.
func (l line) AppendText(dst []byte, o render.TextOptions) []byte {
	body := func() {
		if o.TTY {
			dst = render.AppendVisible(dst, l.Data, true)
		} else {
			dst = append(dst, l.Data...)
		}
		dst = append(dst, '\n')
	}
	if l.raw {
		body()
		return dst
	}
	dst = append(dst, '[')
	dst = strconv.AppendUint(dst, l.Seq, 10)
	dst = append(dst, "] "...)
	dst = l.Time.In(o.Location).AppendFormat(dst, time.DateTime)
	dst = append(dst, ' ')
	dst = render.AppendVisible(dst, l.Subject, false)
	if l.Context {
		dst = append(dst, "- "...)
	} else {
		dst = append(dst, ": "...)
	}
	body()
	return dst
}

// View is for the formats that draw pages: a line, or a row.
func (l line) View(p *render.Page) {
	if jscmd.Wordy(p) {
		p.Text(string(l.AppendText(nil, render.TextOptions{Location: p.Options().Location})))
		return
	}
	t := p.Table("", render.Column{Name: "Sequence"}, render.Column{Name: "Time"}, render.Column{Name: "Subject"}, render.Column{Name: "Body"})
	t.Row(l.Seq, render.At(l.Time), render.Subject(l.Subject), string(l.Data))
}

func runCat(ctx context.Context, e *env.Env, o catOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := jscmd.Pick(ctx, e, c, o.group.all, o.stream)
	if err != nil {
		return err
	}
	r, end := o.span.span(e.Clock.Now())
	r.Limit = o.limit
	feed := e.Out.Feed()
	last := uint64(0)
	err = c.Scan(ctx, s, r, func(m *js.DirectMessage) error {
		if !end.IsZero() && m.Time.After(end) {
			return js.ErrStop
		}
		if err := feed.Emit(newLine(m, o.span.raw)); err != nil {
			return err
		}
		last = m.Sequence
		return nil
	})
	if cerr := feed.Close(nil); err == nil {
		err = cerr
	}
	return resumable(err, s, last)
}

// resumable says how to go on after an interrupt or a failure half way.
func resumable(err error, s js.Stream, last uint64) error {
	if err == nil || last == 0 || fail.CodeOf(err) == fail.OK {
		return err
	}
	return fail.Hint(fmt.Errorf("stopped after sequence %d of stream %s: %w", last, s.StreamInfo.Config.Name, err), "--since seq:%d goes on", last+1)
}
