package stream

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

// ^C in the middle of a dump tells the sequence to go on from, and from there comes the rest.
func TestCatInterruptedGoesOn(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "BIG", Subjects: []string{"big"}, Storage: jetstream.MemoryStorage})
	goesOn := regexp.MustCompile(`--since seq:(\d+) goes on`)
	for round := range 5 { // as many messages as it takes to be in the middle when the interrupt comes
		testkit.Publish(t, srv.Conn(), "big", 20000<<round, "m")
		testkit.Store(t, srv.JS(), "big", 1, "m") // acknowledged after all before it; a busy server may drop some of so many
		total := int(testkit.State(t, srv.JS(), "BIG").Msgs)
		r := c.Env("CLICOLOR_FORCE", "").TTY(0).Start("stream cat BIG --raw").Says("m\n").Interrupt()
		if r.Code == fail.OK {
			continue
		}
		if r.Code != fail.Interrupted {
			t.Fatalf("%d: %s", r.Code, r.Err)
		}
		hint := goesOn.FindStringSubmatch(r.Err)
		if hint == nil {
			t.Fatalf("no sequence to go on from: %s", r.Err)
		}
		shown := strings.Count(r.Out, "\n")
		if want := fmt.Sprint(shown + 1); hint[1] != want {
			t.Errorf("goes on from %s, want %s", hint[1], want)
		}
		rest := c.OK("stream cat BIG --raw --since seq:" + hint[1]).Out
		if shown+strings.Count(rest, "\n") != total {
			t.Errorf("%d shown, then %d, of %d", shown, strings.Count(rest, "\n"), total)
		}
		return
	}
	t.Error("all messages were shown before the interrupt came")
}
