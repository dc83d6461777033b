package events

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jsm.go/registry"

	"github.com/natskit/natskit/internal/render"
)

// TestEveryType: an event of any type with next to nothing in it is shown, in one line and in many, and as a CloudEvent.
func TestEveryType(t *testing.T) {
	t.Parallel()
	types, err := registry.SchemaSearch(`\.(advisory|metric)\.`)
	if err != nil || len(types) < 20 {
		t.Fatalf("%d types, %v", len(types), err)
	}
	for _, kind := range types {
		i := item{message: message{subject: "s", data: []byte(`{"type":"` + kind + `","id":"7","timestamp":"2026-11-21T09:39:03Z"}`)}}
		if _, err := i.event(); err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		for _, short := range []bool{true, false} {
			text := i.text(short, time.UTC)
			if strings.TrimSpace(text) == "" || strings.Contains(text, "<no value>") {
				t.Errorf("%s: %q", kind, text)
			}
			if short && strings.Count(text, "\n") != 1 {
				t.Errorf("%s takes more than a line: %q", kind, text)
			}
		}
		i.cloud = true
		if ce, ok := i.JSON().(cloudEvent); !ok || ce.Type != kind || ce.ID != "7" || ce.SpecVersion != "1.0" || ce.DataSchema == "" {
			t.Errorf("%s: %+v", kind, ce)
		}
	}
}

// FuzzItem: nothing that a stranger can publish breaks the output or moves a terminal's cursor.
func FuzzItem(f *testing.F) {
	for _, s := range []string{"", "null", "[]", `"x"`, `{}`, `{"type":"a"}`, `{"type":"io.nats.x"}`, `{"type":7}`, "not json \x1b[2J", event(1),
		`{"type":"io.nats.jetstream.advisory.v1.stream_action","timestamp":"x"}`, `{"type":"io.nats.server.advisory.v1.client_connect","client":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sieve, err := newSieve(eventsOptions{filter: "."})
		if err != nil {
			t.Fatal(err)
		}
		m := message{subject: "s", data: data}
		sieve.passes(m)
		for _, i := range []item{{message: m}, {message: m, short: true}, {message: m, cloud: true}, {message: m, wrapped: true}} {
			out := i.AppendText(nil, render.TextOptions{TTY: true, Location: time.UTC})
			if strings.ContainsAny(string(out), "\x1b\r\a\b") {
				t.Errorf("%q", out)
			}
			if _, err := json.Marshal(i.JSON()); err != nil {
				t.Error(err)
			}
		}
	})
}
