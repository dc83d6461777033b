package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
)

// TestAcceptanceMany is case 120: long lists cost a few requests, not one for each thing. That is what makes them quick on
// a machine of any speed; internal/scale measures times and memory.
func TestAcceptanceMany(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a thousand streams")
	}
	cases(t, map[string]func(w *acceptance){
		"120, streams": func(w *acceptance) {
			for i := range 1000 {
				testkit.Stream(w.T, w.srv.JS(), jetstream.StreamConfig{Name: fmt.Sprintf("S%d", i), Subjects: []string{fmt.Sprintf("many.%d", i)}, Storage: jetstream.MemoryStorage})
			}
			w.costs(5, "stream ls -n", 1005)
			w.costs(5, "stream find --subject many.7 -n", 1)
			w.costs(30, "stream ls --format csv", 1005+1) // pages of 256
		},
		"120, keys": func(w *acceptance) {
			const n = 20_000
			w.c.OK("kv add B --storage memory")
			var all strings.Builder
			for i := range n {
				fmt.Fprintf(&all, `{"key":"k.%d","value":"v"}`+"\n", i)
			}
			w.c.Stdin(all.String()).OK("kv import B")
			for _, flags := range []string{"", "-n", "--format csv --verbose", "--format ndjson --display-value"} {
				header := strings.Count(flags, "csv")
				w.costs(n/100, "kv ls B "+flags, n+header)
			}
		},
	})
}

// costs runs a line, whose output has so many lines, and sees that the server got no more messages for it than most.
func (w *acceptance) costs(most int64, line string, lines int) {
	w.Helper()
	before := w.received()
	out := w.c.OK(line).Out
	if got := strings.Count(out, "\n"); got != lines {
		w.Errorf("%s prints %d lines, want %d", line, got, lines)
	}
	if got := w.received() - before; got > most {
		w.Errorf("%s costs %d messages to the server, want %d at most", line, got, most)
	}
}

// received is how many messages the server got from all its clients.
func (w *acceptance) received() int64 {
	w.Helper()
	v, err := w.srv.Server().Varz(nil)
	if err != nil {
		w.Fatal(err)
	}
	return v.InMsgs
}
