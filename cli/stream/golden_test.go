package stream

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

// What the verbs print in every format.
func TestGoldens(t *testing.T) {
	t.Parallel()
	pa := sample(t, paDoc)
	changes := []jsconf.Change{
		{Path: "max_age", Old: json.RawMessage("0"), New: json.RawMessage("3600000000000")},
		{Path: "max_msgs", Old: json.RawMessage("-1"), New: json.RawMessage("100")},
		{Path: "subjects", Old: json.RawMessage(`["a"]`), New: json.RawMessage(`["b"]`)},
	}
	at := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	l := line{Subject: "orders.new", Seq: 7, Time: at, Headers: nats.Header{"X-N": {"7"}}, Data: []byte("seven")}
	m := item{Subject: "orders.new", Seq: 7, Time: at, Header: []byte("NATS/1.0\r\nX-N: 7\r\n\r\n"), parsed: nats.Header{"X-N": {"7"}}, Data: []byte("seven")}
	for name, v := range map[string]render.Viewer{
		"edit":         edited{Name: "PA", Changes: changes, stream: &pa},
		"edit-dry-run": edited{Name: "PA", DryRun: true, Changes: changes},
		"edit-nothing": edited{Name: "PA"},
		"rmm-dry-run":  removedMessages{DryRun: true, Stream: "PA", Ranges: []js.Gap{{1, 3}}, Messages: 3, Bytes: 2048},
		"grep-count":   tally{Matches: 12, Scanned: 12345},
		"cat":          l,
		"view":         m,
	} {
		viewtest.Golden(t, name, v)
	}
	// The fast way and the tags say the same.
	for _, pair := range [][2]string{{string(l.AppendJSON(nil)), `{"subject":"orders.new","seq":7,"time":"2026-01-02T15:00:00Z","headers":{"X-N":["7"]},"text":"seven"}`}, {string(m.AppendJSON(nil)), asJSON(t, m)}} {
		var a, b any
		if json.Unmarshal([]byte(pair[0]), &a) != nil || json.Unmarshal([]byte(pair[1]), &b) != nil || asJSON(t, a) != asJSON(t, b) {
			t.Errorf("%s\n%s", pair[0], pair[1])
		}
	}
}
