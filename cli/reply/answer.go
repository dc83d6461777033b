package reply

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/render"
)

// handled is one request and what became of it. Bodies that are no UTF-8 are in the fields that end in _base64.
type handled struct {
	Number         int         `json:"number"`
	Subject        string      `json:"subject"`
	Reply          string      `json:"reply"`
	Headers        nats.Header `json:"headers,omitempty"`
	Time           time.Time   `json:"time"`
	Data           *string     `json:"data,omitempty"`
	DataBase64     []byte      `json:"data_base64,omitempty"`
	Response       *string     `json:"response,omitempty"`
	ResponseBase64 []byte      `json:"response_base64,omitempty"`
	Error          string      `json:"error,omitempty"`

	body []byte
}

// LineItem gives the parts of the request to the line format.
func (h *handled) LineItem() render.LineItem {
	return render.LineItem{
		Subject: h.Subject, Reply: h.Reply, Header: h.Headers.Get, Payload: h.body, Number: uint64(h.Number), Time: h.Time, Size: len(h.body),
	}
}

// View is a blank line and the request for people; the rest of it is told on stderr.
func (h *handled) View(p *render.Page) {
	switch p.Options().Kind {
	case render.CSV, render.TSV, render.Markdown:
		t := p.Table("", render.Column{Name: "Number"}, render.Column{Name: "Time"}, render.Column{Name: "Subject"}, render.Column{Name: "Body"}, render.Column{Name: "Error"})
		t.Row(h.Number, render.At(h.Time), render.Subject(h.Subject), string(h.body), h.Error)
		return
	}
	p.Text(string(h.AppendText(nil, render.TextOptions{TTY: p.Options().TTY})))
}

// AppendText writes a blank line and the request.
func (h *handled) AppendText(dst []byte, o render.TextOptions) []byte {
	dst = append(dst, '\n')
	if o.TTY {
		return append(render.AppendVisible(dst, h.body, true), '\n')
	}
	return append(append(dst, h.body...), '\n')
}

// finish fills in the bodies for programs.
func (h *handled) finish(response []byte) {
	h.Data, h.DataBase64 = texts(h.body)
	h.Response, h.ResponseBase64 = texts(response)
}

func texts(body []byte) (*string, []byte) {
	if utf8.Valid(body) {
		s := string(body)
		return &s, nil
	}
	return nil, body
}

// answer makes the reply. Beside an error it is one that says so in its headers and has no body.
func (r *responder) answer(ctx context.Context, m *nats.Msg, n int) (*nats.Msg, error) {
	v := &payload.Values{Clock: r.e.Clock, Subject: m.Subject, Reply: m.Reply, Header: m.Header, Request: string(m.Data)}
	v.Next(n)
	out := nats.NewMsg(m.Reply)
	own, err := r.o.header.Expand(v)
	if err != nil {
		return failed(out, "the reply could not be made"), err
	}
	if r.o.echo {
		out.Data = m.Data
		out.Header = payload.MergeHeaders(out.Header, m.Header, own)
		out.Header.Set("NATS-Reply-Counter", strconv.Itoa(n))
		return out, nil
	}
	out.Header = payload.MergeHeaders(out.Header, own)
	if r.o.responder == nil {
		if out.Data, err = r.o.text.Expand(nil, v); err != nil {
			return failed(out, "the reply could not be made"), err
		}
		return out, nil
	}
	argv, err := r.o.responder.Argv(v)
	if err == nil {
		r.e.Log.Debug("Running command: " + strings.Join(argv, " "))
	}
	result, err := r.o.responder.Run(ctx, r.exec, v, m.Data)
	if len(result.Stderr) > 0 {
		r.e.Say("%s: %s", r.o.responder.Name(), strings.TrimRight(string(result.Stderr), "\n"))
	}
	if err != nil {
		return failed(out, "the command failed"), err
	}
	out.Data = result.Stdout
	return out, nil
}

// failed makes a reply that tells of an error as services do. What went wrong in detail stays here.
func failed(m *nats.Msg, text string) *nats.Msg {
	m.Data = nil
	m.Header.Set("Nats-Service-Error", text)
	m.Header.Set("Nats-Service-Error-Code", "500")
	return m
}
