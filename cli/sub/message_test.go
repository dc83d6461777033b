package sub

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func sample() *message {
	s := &style{}
	return &message{
		number: 7, subject: []byte("orders.new"), reply: []byte("_INBOX.a.b"), data: []byte("{\"id\":\"<7>\"}\x1b[31m"), at: viewtest.Now, style: s, lost: 3,
		header: nats.Header{"B": {"2", "3"}, "A": {"1"}},
		answer: &message{number: 7, subject: []byte("_INBOX.a.b"), data: []byte("done\n"), at: viewtest.Now.Add(time.Second), style: s},
	}
}

func TestMessageLooks(t *testing.T) { viewtest.Golden(t, "message", sample()) }

func TestStoredMessageLooks(t *testing.T) {
	m := sample()
	m.answer, m.lost = nil, 0
	m.stored = &stored{stream: "ORDERS", sequence: 12345, pending: 2}
	viewtest.Golden(t, "stored", m)
}

func TestReportLooks(t *testing.T) {
	tl := newTally()
	for i := range 1200 {
		tl.add([]byte("orders."+string("aab"[i%3])), 100)
	}
	viewtest.Golden(t, "report", tl.report(&subOptions{reportSubjects: true}, 0))
}

func TestSummaryLooks(t *testing.T) {
	viewtest.Golden(t, "summary", &summary{Received: 12345, Bytes: 2 << 20, Dropped: 7, Duration: 90 * time.Second})
}

// TestJSONIsTheRecord: the fast path writes what the tags of record say.
func TestJSONIsTheRecord(t *testing.T) {
	t.Parallel()
	m := sample()
	var r record
	strict(t, string(m.AppendJSON(nil)), &r)
	again, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var fast, tags any
	if err := json.Unmarshal(m.AppendJSON(nil), &fast); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(again, &tags); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(fast, tags) {
		t.Errorf("fast path %v\ntags %v", fast, tags)
	}
}

func TestGraph(t *testing.T) {
	t.Parallel()
	tl := newTally()
	g := newGraph([]string{"a.*", "b"})
	for i := range 5 {
		for range i * 10 {
			tl.addKey("a.*", 1)
		}
		g.draw(tl, 60, 30)
	}
	picture := g.draw(tl, 60, 30)
	if !strings.Contains(picture, "a.* / second") || !strings.Contains(picture, "b / second") || !strings.Contains(picture, "40") {
		t.Errorf("the picture is\n%s", picture)
	}
	if n := strings.Count(picture, "\n"); n > 30 {
		t.Errorf("the picture has %d lines", n)
	}
	for range 200 {
		g.draw(tl, 60, 30)
	}
	if n := len(g.samples[0]); n > 60 {
		t.Errorf("%d samples are kept", n)
	}
}
