package stream

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/render"
)

// item is a stored message as view shows it. Its JSON is the server's: headers and body in base64.
type item struct {
	Subject string    `json:"subject"`
	Seq     uint64    `json:"seq"`
	Header  []byte    `json:"hdrs,omitempty"`
	Data    []byte    `json:"data,omitempty"`
	Time    time.Time `json:"time"`

	parsed nats.Header
	raw    bool
}

// internalHeaders are put on by servers and clients for themselves and say nothing to readers.
const internalHeaders = "Nats-"

func newItem(m *js.DirectMessage, body []byte, raw bool) item {
	i := item{Subject: m.Subject, Seq: m.Sequence, Data: body, Time: m.Time, parsed: m.Header, raw: raw}
	if len(m.Header) > 0 {
		i.Header = headerBlock(m.Header)
	}
	return i
}

// headerBlock is a header as it is stored; the order of names is theirs.
func headerBlock(h nats.Header) []byte {
	block, err := payload.AppendHeader(nil, h)
	if err != nil {
		return nil
	}
	return block
}

// LineItem gives the parts to --format line.
func (i item) LineItem() render.LineItem {
	return render.LineItem{Subject: i.Subject, Header: i.parsed.Get, Payload: i.Data, Number: i.Seq, Time: i.Time, Size: len(i.Header) + len(i.Data)}
}

// AppendJSON writes the document that the JSON tags describe.
func (i item) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"subject":`...)
	dst = render.AppendJSONString(dst, i.Subject)
	dst = append(dst, `,"seq":`...)
	dst = strconv.AppendUint(dst, i.Seq, 10)
	if len(i.Header) > 0 {
		dst = append(dst, `,"hdrs":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, i.Header)
		dst = append(dst, '"')
	}
	if len(i.Data) > 0 {
		dst = append(dst, `,"data":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, i.Data)
		dst = append(dst, '"')
	}
	dst = append(dst, `,"time":"`...)
	dst = i.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	return append(dst, `"}`...)
}

// AppendText writes the message for people: a line about it, its headers, its body, two blank lines; with --raw the body alone.
func (i item) AppendText(dst []byte, o render.TextOptions) []byte {
	stranger := func(text string, layout bool) {
		if o.TTY {
			dst = render.AppendVisible(dst, text, layout)
		} else {
			dst = append(dst, text...)
		}
	}
	if i.raw {
		stranger(string(i.Data), true)
		return append(dst, '\n')
	}
	dst = fmt.Appendf(dst, "[%d] Subject: ", i.Seq)
	stranger(i.Subject, false)
	dst = append(dst, " Received: "...)
	dst = i.Time.In(o.Location).AppendFormat(dst, time.DateTime)
	dst = append(dst, '\n')
	lines := payload.HeaderLines(i.parsed)
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, internalHeaders) })
	if len(lines) > 0 {
		dst = append(dst, '\n')
		for _, l := range lines {
			dst = append(dst, "  "...)
			stranger(l, false)
			dst = append(dst, '\n')
		}
	}
	stranger(string(i.Data), true)
	return append(dst, "\n\n\n"...)
}

// View is AppendText for the formats that draw pages.
func (i item) View(p *render.Page) {
	o := p.Options()
	if o.Kind == render.CSV || o.Kind == render.TSV || o.Kind == render.Markdown {
		t := p.Table("", render.Column{Name: "Sequence"}, render.Column{Name: "Time"}, render.Column{Name: "Subject"}, render.Column{Name: "Body"})
		t.Row(i.Seq, render.At(i.Time), render.Subject(i.Subject), string(i.Data))
		return
	}
	p.Text(string(i.AppendText(nil, render.TextOptions{Location: o.Location})))
}
