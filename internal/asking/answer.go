package asking

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/publish"
	"github.com/natskit/natskit/internal/render"
)

// Answer is one reply. A body that is no UTF-8 is in data_base64 instead of data.
type Answer struct {
	Request    int           `json:"request"` // number of the request, from 1
	Subject    string        `json:"subject"`
	Headers    nats.Header   `json:"headers,omitempty"`
	RTT        time.Duration `json:"rtt_ns"`
	Size       int           `json:"size"`
	Data       *string       `json:"data,omitempty"`
	DataBase64 []byte        `json:"data_base64,omitempty"`
	Time       time.Time     `json:"time"`

	body []byte
}

// LineItem gives the parts to the line format.
func (a *Answer) LineItem() render.LineItem {
	return render.LineItem{Subject: a.Subject, Header: a.Headers.Get, Payload: a.body, Number: uint64(a.Request), Time: a.Time, Size: a.Size}
}

// View is the body for people; the rest of the reply is told on stderr.
func (a *Answer) View(p *render.Page) {
	switch p.Options().Kind {
	case render.CSV, render.TSV, render.Markdown:
		t := p.Table("", render.Column{Name: "Request"}, render.Column{Name: "RTT"}, render.Column{Name: "Headers"}, render.Column{Name: "Body"})
		t.Row(a.Request, render.Span(a.RTT), render.Lines(payload.HeaderLines(a.Headers)), string(a.body))
		return
	}
	p.Text(string(a.AppendText(nil, render.TextOptions{TTY: p.Options().TTY})))
}

// AppendText writes the body: followed by two blank lines if it does not end with a line break, else by one.
func (a *Answer) AppendText(dst []byte, o render.TextOptions) []byte {
	switch {
	case len(a.body) == 0:
		return append(dst, "nil body\n\n\n"...)
	case o.TTY:
		dst = render.AppendVisible(dst, a.body, true)
	default:
		dst = append(dst, a.body...)
	}
	if a.body[len(a.body)-1] == '\n' {
		return append(dst, '\n')
	}
	return append(dst, "\n\n\n"...)
}

// output puts replies where the flags want them.
type output struct {
	e          *env.Env
	o          *Options
	feed       *render.Feed
	exec       payload.Exec
	values     payload.Values
	translated int // failures of the translating command
}

func newOutput(e *env.Env, o *Options) *output {
	out := &output{e: e, o: o, values: payload.Values{Clock: e.Clock}}
	if !o.Raw {
		out.feed = e.Out.Feed()
	}
	if o.translator != nil {
		out.exec = e.Child()
	}
	return out
}

// show writes one reply to request number n.
func (p *output) show(ctx context.Context, n int, r publish.Reply) error {
	a := &Answer{Request: n, Subject: r.Subject, Headers: r.Header, RTT: r.RTT, Time: p.e.Clock.Now(), body: r.Data}
	if p.o.translator != nil {
		if err := p.translate(ctx, a); err != nil {
			return err
		}
	}
	a.Size = len(a.body)
	if p.o.Raw {
		return p.bare(a.body)
	}
	if !p.e.Out.Machine() {
		p.e.Say("Received with rtt %s", r.RTT)
		lines := payload.HeaderLines(r.Header)
		for _, line := range lines {
			p.e.Say("%s", line)
		}
		if len(lines) > 0 {
			p.e.Say("")
		}
	} else if utf8.Valid(a.body) {
		text := string(a.body)
		a.Data = &text
	} else {
		a.DataBase64 = a.body
	}
	if err := p.feed.Emit(a); err != nil {
		return err
	}
	return p.feed.Flush()
}

func (p *output) bare(body []byte) error {
	w := p.e.Out.Bytes()
	if _, err := w.Write(body); err != nil {
		return err
	}
	if len(body) > 0 && body[len(body)-1] != '\n' {
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
	}
	return p.e.Out.Flush()
}

// translate replaces the body by what the command makes of it. A failure is told and counted, and leaves no body.
func (p *output) translate(ctx context.Context, a *Answer) error {
	p.values.Next(a.Request)
	p.values.Subject, p.values.Header = a.Subject, a.Headers
	out, err := p.o.translator.Run(ctx, p.exec, &p.values, a.body)
	if len(out.Stderr) > 0 {
		p.e.Say("%s: %s", p.o.translator.Name(), strings.TrimRight(string(out.Stderr), "\n"))
	}
	a.body = out.Stdout
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.translated++
		a.body = nil
		p.e.Say("Error while translating msg body: %s", err)
	}
	return nil
}

func (p *output) close() error {
	if p.feed != nil {
		return p.feed.Close(nil)
	}
	return p.e.Out.Flush()
}

// trips are the figures of many round trips.
type trips struct{ min, mean, p99, max time.Duration }

func summarize(rtts []time.Duration) trips {
	sorted := slices.Sorted(slices.Values(rtts))
	var sum time.Duration
	for _, d := range sorted {
		sum += d
	}
	n := len(sorted)
	return trips{min: sorted[0], mean: sum / time.Duration(n), p99: sorted[(n*99+99)/100-1], max: sorted[n-1]}
}
