package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/registry"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/render"
)

// envelope is an event with where it came from, as ndjson holds it.
type envelope struct {
	Subject  string          `json:"subject"`
	Received time.Time       `json:"received"`
	Sequence uint64          `json:"stream_seq,omitempty"`
	Stored   *time.Time      `json:"stored,omitempty"`
	Event    json.RawMessage `json:"event"`
}

// cloudEvent is an event in the form of CloudEvents 1.0. Data is the event as it was sent.
type cloudEvent struct {
	Type        string          `json:"type"`
	Time        time.Time       `json:"time"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	DataSchema  string          `json:"dataschema,omitempty"`
	SpecVersion string          `json:"specversion"`
	Subject     string          `json:"subject"`
	Data        json.RawMessage `json:"data"`
}

// problem is a message that holds no event we know.
type problem struct {
	Error   string `json:"error"`
	Payload string `json:"payload"`
}

// item is one message that is shown.
type item struct {
	message
	short, cloud, wrapped bool
}

func newItem(e *env.Env, o eventsOptions, m message) item {
	return item{message: m, short: o.short, cloud: o.cloud, wrapped: e.Out.Format().Kind == render.NDJSON}
}

// event reads the message as an event whose type is known.
func (i item) event() (registry.Event, error) {
	kind, parsed, err := registry.ParseMessage(i.data)
	if err != nil {
		return nil, fmt.Errorf("parsing failed: %w", err)
	}
	ev, ok := parsed.(registry.Event)
	// The library takes the parts of a type by their number.
	if !ok || strings.Count(kind, ".") < 3 {
		return nil, fmt.Errorf("%q is no type of event that is known", kind)
	}
	return ev, nil
}

// text is the event as people read it, in one line or in many. Times are told in the given zone.
func (i item) text(short bool, zone *time.Location) string {
	ev, err := i.event()
	var b bytes.Buffer
	if err == nil {
		format := registry.TextExtendedFormat
		if short {
			format = registry.TextCompactFormat
		}
		move(ev, zone)
		err = registry.RenderEvent(&b, ev, format)
	}
	if err == nil {
		return strings.TrimRight(b.String(), "\n") + "\n"
	}
	return fmt.Sprintf("Event error: %s\n\n%s\n", err, indent(i.data))
}

// move puts the time of an event into a zone: the library formats it as it stands.
func move(ev registry.Event, zone *time.Location) {
	v := reflect.ValueOf(ev)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return
	}
	if f := v.Elem().FieldByName("Time"); f.IsValid() && f.CanSet() && f.Type() == reflect.TypeFor[time.Time]() {
		f.Set(reflect.ValueOf(ev.EventTime().In(zone)))
	}
}

func indent(data []byte) string {
	const margin = "          "
	return margin + strings.ReplaceAll(strings.TrimRight(string(data), "\n"), "\n", "\n"+margin)
}

// AppendText writes the event; what strangers put into it does not move a terminal's cursor.
func (i item) AppendText(dst []byte, o render.TextOptions) []byte {
	text := i.text(i.short, o.Location)
	if !o.TTY {
		return append(dst, text...)
	}
	return render.AppendVisible(dst, text, true)
}

// JSON is the event as it was sent, wrapped with its origin for ndjson, or as a CloudEvent.
func (i item) JSON() any {
	if !json.Valid(i.data) {
		_, err := i.event()
		return i.wrap(problem{Error: err.Error(), Payload: string(i.data)})
	}
	if !i.cloud {
		return i.wrap(json.RawMessage(i.data))
	}
	ev, err := i.event()
	if err != nil {
		return problem{Error: err.Error(), Payload: string(i.data)}
	}
	address, _, err := registry.SchemaURLForType(ev.EventType())
	if err != nil {
		address = ""
	}
	return cloudEvent{
		Type: ev.EventType(), Time: ev.EventTime(), ID: ev.EventID(), Source: ev.EventSource(), DataSchema: address,
		SpecVersion: "1.0", Subject: ev.EventSubject(), Data: i.data,
	}
}

func (i item) wrap(v any) any {
	if !i.wrapped {
		return v
	}
	w := envelope{Subject: i.subject, Received: i.received, Sequence: i.sequence}
	if !i.stored.IsZero() {
		w.Stored = &i.stored
	}
	w.Event, _ = json.Marshal(v) // text and valid JSON can always be encoded
	return w
}

// LineItem are the parts of the message for a line format.
func (i item) LineItem() render.LineItem {
	return render.LineItem{Subject: i.subject, Payload: i.data, Number: i.sequence, Time: i.received, Size: len(i.data)}
}

// View is a row for formats of rows, and the text of the event for the others.
func (i item) View(p *render.Page) {
	o := p.Options()
	if o.Kind == render.Text || o.Kind == render.Wide {
		p.Text(i.text(i.short, o.Location))
		return
	}
	t := p.Table("", render.Column{Name: "Time"}, render.Column{Name: "Type"}, render.Column{Name: "ID"}, render.Column{Name: "Subject"}, render.Column{Name: "Event"})
	ev, err := i.event()
	if err != nil {
		t.Row(render.At(i.received), "", "", render.Subject(i.subject), "Event error: "+err.Error())
		return
	}
	t.Row(render.At(ev.EventTime()), ev.EventType(), ev.EventID(), render.Subject(i.subject), strings.TrimSpace(i.text(true, o.Location)))
}
