package sub

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/payload"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/wire"
)

// record is the JSON of a message. A body that is no UTF-8 is in data_base64 instead of data.
type record struct {
	Number     uint64      `json:"number"`
	Subject    string      `json:"subject"`
	Reply      string      `json:"reply,omitempty"`
	Headers    nats.Header `json:"headers,omitempty"`
	Data       *string     `json:"data,omitempty"`
	DataBase64 []byte      `json:"data_base64,omitempty"`
	Size       int         `json:"size"`
	Time       time.Time   `json:"time"` // received, or stored when it comes from a stream
	Stream     string      `json:"stream,omitempty"`
	Sequence   uint64      `json:"sequence,omitempty"`
	Pending    *uint64     `json:"pending,omitempty"` // how many further messages the stream has for us
	Lost       uint64      `json:"lost,omitempty"`    // messages dropped directly before this one
	Response   *record     `json:"response,omitempty"`
	Unanswered bool        `json:"unanswered,omitempty"` // with --match-replies: no reply came in time
}

// message is one message on its way to the output. Its slices are valid while it is shown.
type message struct {
	number  uint64
	subject []byte
	reply   []byte
	block   []byte // the headers as they came
	header  nats.Header
	data    []byte
	at      time.Time
	lost    uint64
	stored  *stored
	answer  *message // with --match-replies
	no      bool     // no answer came
	style   *style
	unread  bool // header has to be read from block

	// Kept from one message to the next:
	clock  stamp
	name   string // the subject
	lookup func(name string) string
}

// stamp is a time as JSON has it. All that came by one read from the socket has the same time.
type stamp struct {
	at  time.Time
	buf []byte
}

func (s *stamp) text(at time.Time) []byte {
	if len(s.buf) == 0 || at != s.at {
		s.at, s.buf = at, at.AppendFormat(s.buf[:0], time.RFC3339Nano)
	}
	return s.buf
}

// stored is what is known of a message that comes from a stream.
type stored struct {
	stream   string
	sequence uint64
	pending  uint64
	direct   bool
}

// style is how messages are shown to people.
type style struct {
	timestamp, delta          bool
	headersOnly, subjectsOnly bool
	start                     time.Time
	special                   bool // one of the above is asked for
}

func styleOf(o *subOptions, start time.Time) style {
	return style{
		timestamp: o.timestamp, delta: o.delta, headersOnly: o.headersOnly, subjectsOnly: o.subjectsOnly, start: start,
		special: o.timestamp || o.delta || o.headersOnly || o.subjectsOnly,
	}
}

// headers are the headers of the message, read when they are first asked for.
func (m *message) headers() nats.Header {
	if m.unread {
		m.unread = false
		h, err := wire.ParseHeader(m.block)
		if err != nil {
			h = nats.Header{"Malformed-Header": {fmt.Sprintf("%q", m.block)}}
		}
		m.header = h
	}
	return m.header
}

// clone is a copy that stays.
func (m *message) clone() *message {
	c := *m
	c.clock, c.lookup = stamp{}, nil
	c.subject, c.reply, c.block, c.data = bytes.Clone(m.subject), bytes.Clone(m.reply), bytes.Clone(m.block), bytes.Clone(m.data)
	return &c
}

// LineItem gives the parts to the line format.
func (m *message) LineItem() render.LineItem {
	n := m.number
	if m.stored != nil {
		n = m.stored.sequence
	}
	if m.lookup == nil {
		m.lookup = func(name string) string { return m.headers().Get(name) }
	}
	if m.name != string(m.subject) {
		m.name = string(m.subject)
	}
	return render.LineItem{
		Subject: m.name, Reply: string(m.reply), Header: m.lookup,
		Payload: m.data, Number: n, Time: m.at, Size: m.size(),
	}
}

func (m *message) size() int {
	if m.block == nil && len(m.header) > 0 {
		if b, err := payload.AppendHeader(nil, m.header); err == nil {
			return len(b) + len(m.data)
		}
	}
	return len(m.block) + len(m.data)
}

// View is for the formats that draw pages.
func (m *message) View(p *render.Page) {
	o := p.Options()
	switch o.Kind {
	case render.CSV, render.TSV, render.Markdown:
		cols := []render.Column{{Name: "Number"}, {Name: "Time"}, {Name: "Subject"}, {Name: "Reply"}, {Name: "Headers"}, {Name: "Body"}}
		t := p.Table("", cols...)
		t.Row(m.number, render.At(m.at), render.Subject(m.subject), string(m.reply), render.Lines(payload.HeaderLines(m.headers())), string(m.data))
		return
	}
	p.Text(string(m.AppendText(nil, render.TextOptions{TTY: o.TTY, Location: o.Location, Now: o.Now})))
}

// AppendText writes the message as people see it.
func (m *message) AppendText(dst []byte, o render.TextOptions) []byte {
	if m.plain() && !o.TTY {
		return m.appendPlain(dst)
	}
	return m.appendText(dst, &o)
}

// plain reports whether the message is one of those that come by the million: live, without headers, and nothing asked for beyond it.
func (m *message) plain() bool {
	return m.stored == nil && !m.unread && len(m.header) == 0 && len(m.data) > 0 && m.answer == nil && !m.no && !m.style.special
}

// appendPlain writes a plain message, as appendText does, into a pipe or file.
func (m *message) appendPlain(dst []byte) []byte {
	dst = append(dst, "[#"...)
	dst = strconv.AppendUint(dst, m.number, 10)
	dst = append(dst, `] Received on "`...)
	dst = append(dst, m.subject...)
	if len(m.reply) > 0 {
		dst = append(dst, `" with reply "`...)
		dst = append(dst, m.reply...)
	}
	dst = append(dst, "\"\n"...)
	dst = append(dst, m.data...)
	if m.data[len(m.data)-1] != '\n' {
		return append(dst, "\n\n\n"...)
	}
	return append(dst, '\n')
}

func (m *message) appendText(dst []byte, o *render.TextOptions) []byte {
	dst = append(dst, "[#"...)
	dst = strconv.AppendUint(dst, m.number, 10)
	dst = append(dst, ']')
	dst = m.appendTime(dst, o)
	if m.stored != nil {
		dst = m.appendStored(dst, o)
	} else {
		dst = append(dst, ` Received on "`...)
		dst = appendText(dst, m.subject, o, false)
		if len(m.reply) > 0 {
			dst = append(dst, `" with reply "`...)
			dst = appendText(dst, m.reply, o, false)
		}
		dst = append(dst, "\"\n"...)
	}
	dst = m.appendContent(dst, o)
	switch {
	case m.answer != nil:
		dst = append(dst, "[#"...)
		dst = strconv.AppendUint(dst, m.number, 10)
		dst = append(dst, `] Matched reply on "`...)
		dst = appendText(dst, m.answer.subject, o, false)
		dst = append(dst, "\"\n"...)
		dst = m.answer.appendContent(dst, o)
	case m.no:
		dst = append(dst, "[#"...)
		dst = strconv.AppendUint(dst, m.number, 10)
		dst = append(dst, `] No reply on "`...)
		dst = appendText(dst, m.reply, o, false)
		dst = append(dst, "\"\n\n\n"...)
	}
	return dst
}

func (m *message) appendTime(dst []byte, o *render.TextOptions) []byte {
	switch {
	case m.style.timestamp:
		dst = append(dst, " @ "...)
		return m.at.In(o.Location).AppendFormat(dst, "Jan _2 15:04:05.000000")
	case m.style.delta && m.stored != nil:
		return append(append(dst, " @ "...), o.Now.Sub(m.at).String()...)
	case m.style.delta:
		return append(append(dst, " @ "...), m.at.Sub(m.style.start).String()...)
	}
	return dst
}

func (m *message) appendStored(dst []byte, o *render.TextOptions) []byte {
	s := m.stored
	if s.direct {
		dst = append(dst, " Received JetStream message (direct): stream: "...)
		dst = append(dst, s.stream...)
		dst = append(dst, " seq "...)
		dst = strconv.AppendUint(dst, s.sequence, 10)
	} else {
		dst = append(dst, " Received JetStream message: stream: "...)
		dst = append(dst, s.stream...)
		dst = append(dst, " seq: "...)
		dst = strconv.AppendUint(dst, s.sequence, 10)
		dst = append(dst, " / pending: "...)
		dst = strconv.AppendUint(dst, s.pending, 10)
	}
	dst = append(dst, " / subject: "...)
	dst = appendText(dst, m.subject, o, false)
	dst = append(dst, " / time: "...)
	dst = m.at.In(o.Location).AppendFormat(dst, time.DateTime)
	return append(dst, '\n')
}

// appendContent writes headers and body: a body without a line break at its end is followed by two blank lines, else by one.
func (m *message) appendContent(dst []byte, o *render.TextOptions) []byte {
	if m.style.subjectsOnly {
		return dst
	}
	if h := m.headers(); len(h) > 0 {
		for _, line := range payload.HeaderLines(h) {
			dst = appendText(dst, line, o, false)
			dst = append(dst, '\n')
		}
		dst = append(dst, '\n')
	}
	if m.style.headersOnly {
		return dst
	}
	if len(m.data) == 0 {
		return append(dst, "nil body\n\n\n"...)
	}
	dst = appendText(dst, m.data, o, true)
	if m.data[len(m.data)-1] != '\n' {
		return append(dst, "\n\n\n"...)
	}
	return append(dst, '\n')
}

func appendText[T ~string | ~[]byte](dst []byte, text T, o *render.TextOptions, layout bool) []byte {
	if o.TTY {
		return render.AppendVisible(dst, text, layout)
	}
	return append(dst, text...)
}

// AppendJSON writes the document that record describes.
func (m *message) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"number":`...)
	dst = strconv.AppendUint(dst, m.number, 10)
	dst = append(dst, `,"subject":`...)
	dst = render.AppendJSONString(dst, m.subject)
	if len(m.reply) > 0 && m.stored == nil {
		dst = append(dst, `,"reply":`...)
		dst = render.AppendJSONString(dst, m.reply)
	}
	dst = m.appendJSONContent(dst)
	dst = append(dst, `,"size":`...)
	dst = strconv.AppendInt(dst, int64(m.size()), 10)
	dst = append(dst, `,"time":"`...)
	dst = append(dst, m.clock.text(m.at)...)
	dst = append(dst, '"')
	if s := m.stored; s != nil {
		dst = append(dst, `,"stream":`...)
		dst = render.AppendJSONString(dst, s.stream)
		dst = append(dst, `,"sequence":`...)
		dst = strconv.AppendUint(dst, s.sequence, 10)
		dst = append(dst, `,"pending":`...)
		dst = strconv.AppendUint(dst, s.pending, 10)
	}
	if m.lost > 0 {
		dst = append(dst, `,"lost":`...)
		dst = strconv.AppendUint(dst, m.lost, 10)
	}
	if m.answer != nil {
		dst = append(dst, `,"response":`...)
		dst = m.answer.AppendJSON(dst)
	}
	if m.no {
		dst = append(dst, `,"unanswered":true`...)
	}
	return append(dst, '}')
}

func (m *message) appendJSONContent(dst []byte) []byte {
	if m.style.subjectsOnly {
		return dst
	}
	if h := m.headers(); len(h) > 0 {
		dst = append(dst, `,"headers":`...)
		dst = appendJSONHeader(dst, h)
	}
	switch {
	case m.style.headersOnly:
	case utf8.Valid(m.data):
		dst = append(dst, `,"data":`...)
		dst = render.AppendJSONString(dst, m.data)
	default:
		dst = append(dst, `,"data_base64":"`...)
		dst = appendBase64(dst, m.data)
		dst = append(dst, '"')
	}
	return dst
}
