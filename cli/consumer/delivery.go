package consumer

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/render"
)

// delivery is a message as a consumer delivered it.
type delivery struct {
	Stream      string      `json:"stream"`
	Consumer    string      `json:"consumer"`
	Subject     string      `json:"subject"`
	StreamSeq   uint64      `json:"stream_seq"`
	ConsumerSeq uint64      `json:"consumer_seq"`
	Tries       uint64      `json:"tries"`
	Pending     uint64      `json:"pending"`
	Time        time.Time   `json:"time"`
	Headers     nats.Header `json:"headers,omitempty"`
	Data        []byte      `json:"data"`

	raw   bool
	close bool      // the layout of consumer sub: fewer blank lines
	at    time.Time // when it was shown
}

// LineItem gives the parts to --format line.
func (d delivery) LineItem() render.LineItem {
	return render.LineItem{Subject: d.Subject, Header: d.Headers.Get, Payload: d.Data, Number: d.StreamSeq, Time: d.Time, Size: len(d.Data)}
}

// AppendJSON writes the document that the JSON tags describe.
func (d delivery) AppendJSON(dst []byte) []byte {
	text := func(key, value string) {
		dst = append(append(dst, key...), ':')
		dst = render.AppendJSONString(dst, value)
	}
	number := func(key string, value uint64) {
		dst = append(append(dst, key...), ':')
		dst = strconv.AppendUint(dst, value, 10)
	}
	text(`{"stream"`, d.Stream)
	text(`,"consumer"`, d.Consumer)
	text(`,"subject"`, d.Subject)
	number(`,"stream_seq"`, d.StreamSeq)
	number(`,"consumer_seq"`, d.ConsumerSeq)
	number(`,"tries"`, d.Tries)
	number(`,"pending"`, d.Pending)
	text(`,"time"`, d.Time.UTC().Format(time.RFC3339Nano))
	if len(d.Headers) > 0 {
		if raw, err := json.Marshal(d.Headers); err == nil {
			dst = append(append(dst, `,"headers":`...), raw...)
		}
	}
	dst = append(dst, `,"data":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, d.Data)
	return append(dst, `"}`...)
}

// AppendText writes the message for people; raw is the body alone.
func (d delivery) AppendText(dst []byte, o render.TextOptions) []byte {
	stranger := func(text string, layout bool) {
		if o.TTY {
			dst = render.AppendVisible(dst, text, layout)
		} else {
			dst = append(dst, text...)
		}
	}
	if d.raw {
		stranger(string(d.Data), true)
		return append(dst, '\n')
	}
	dst = fmt.Appendf(dst, "[%s] subj: ", d.at.In(o.Location).Format(time.TimeOnly))
	stranger(d.Subject, false)
	dst = fmt.Appendf(dst, " / tries: %d / cons seq: %d / str seq: %d / pending: %s\n", d.Tries, d.ConsumerSeq, d.StreamSeq, render.HumaneCount(d.Pending))
	indent, gap := "  ", "\n\n"
	if d.close {
		indent, gap = "   ", ""
	}
	if len(d.Headers) > 0 {
		dst = append(dst, "\nHeaders:\n\n"...)
		for _, l := range payload.HeaderLines(d.Headers) {
			dst = append(dst, indent...)
			stranger(l, false)
			dst = append(dst, '\n')
		}
	}
	dst = append(append(dst, "\nData:\n"...), gap...)
	stranger(string(d.Data), true)
	return append(dst, "\n\n"...)
}

// View is AppendText for the formats that draw pages.
func (d delivery) View(p *render.Page) {
	o := p.Options()
	if o.Kind == render.CSV || o.Kind == render.TSV || o.Kind == render.Markdown {
		t := p.Table("", render.Column{Name: "Stream Sequence"}, render.Column{Name: "Consumer Sequence"}, render.Column{Name: "Tries"}, render.Column{Name: "Time"},
			render.Column{Name: "Subject"}, render.Column{Name: "Body"})
		t.Row(d.StreamSeq, d.ConsumerSeq, d.Tries, render.At(d.Time), render.Subject(d.Subject), string(d.Data))
		return
	}
	p.Text(string(d.AppendText(nil, render.TextOptions{Location: o.Location})))
}

// remark is a line between the messages, for people.
type remark string

// AppendText writes the line and a blank one.
func (r remark) AppendText(dst []byte, _ render.TextOptions) []byte {
	return append(append(dst, r...), "\n\n"...)
}

// View is the line.
func (r remark) View(p *render.Page) { p.Line("%s", string(r)) }
