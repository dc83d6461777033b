//go:build unix

package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
)

// Case 122: the graphs of a stream and a consumer draw all their plots on a screen of their own, follow its size, and end with 0.
func TestTerminalGraphs(t *testing.T) {
	srv := testkit.Server(t)
	testkit.Store(t, streamed(t, srv), "s", 3, "x")
	testkit.Consumer(t, srv.JS(), "S", jetstream.ConsumerConfig{Durable: "C", AckPolicy: jetstream.AckExplicitPolicy})
	for _, graph := range []struct {
		args     []string
		captions []string
	}{
		{[]string{"stream", "graph", "S"}, []string{"Messages Stored", "Messages Removed / second", "Messages Stored / second"}},
		{[]string{"consumer", "graph", "S", "C"}, []string{"Messages Pending", "Messages Waiting for Ack", "Messages Acknowledged / second", "Messages Delivered / second"}},
	} {
		term := terminal(t, srv.URL(), graph.args...)
		for _, caption := range graph.captions {
			term.ExpectScreen(caption, 20*time.Second)
		}
		if !term.Alternate() {
			t.Errorf("%v: not on a screen of its own", graph.args)
		}
		term.Resize(60, 40)
		for _, caption := range graph.captions {
			term.ExpectScreen(caption, 20*time.Second)
		}
		term.Send("\x03")
		if code := term.Wait(10 * time.Second); code != 0 || term.Alternate() {
			t.Errorf("%v: exit code %d, alternate screen %v", graph.args, code, term.Alternate())
		}
	}
}

// A server that is away for a while does not end a graph.
func TestTerminalGraphGoesOn(t *testing.T) {
	srv := testkit.Server(t)
	testkit.Store(t, streamed(t, srv), "s", 3, "x")
	term := terminal(t, srv.URL(), "stream", "graph", "S", "--timeout", "500ms")
	term.ExpectScreen("Messages Stored", 20*time.Second)
	srv.Stop()
	term.ExpectScreen("Stream S: no answer since ", 20*time.Second)
	srv.Restart()
	term.ExpectGone("no answer", 20*time.Second)
	if err := srv.JS().DeleteStream(t.Context(), "S"); err != nil {
		t.Fatal(err)
	}
	term.Expect("stream not found (10059)", 20*time.Second)
	if code := term.Wait(10 * time.Second); code != 4 {
		t.Errorf("exit code %d", code)
	}
}

// Cases 64 and 121: a stream is picked from a list, and its messages are looked at page by page; ^C leaves nothing behind.
func TestTerminalPickerAndPager(t *testing.T) {
	srv := testkit.Server(t)
	js := streamed(t, srv)
	for i := range 7 {
		testkit.Store(t, js, "s", 1, fmt.Sprintf("message %d", i+1))
	}
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "A", Subjects: []string{"a"}})

	term := terminal(t, srv.URL(), "stream", "info")
	term.Expect("Select a Stream", 10*time.Second)
	term.Send("\x1b[B\r")
	term.Expect("Information for Stream S created", 10*time.Second)
	if code := term.Wait(10 * time.Second); code != 0 {
		t.Errorf("info: exit code %d", code)
	}

	term = terminal(t, srv.URL(), "stream", "view", "S", "3")
	term.Expect("message 3", 10*time.Second)
	term.Expect("Next Page?", 10*time.Second)
	term.Send("\r")
	term.Expect("message 6", 10*time.Second)
	term.Expect("Next Page?", 10*time.Second)
	term.Send("\r")
	term.Expect("Reached apparent end of data", 10*time.Second)
	if code := term.Wait(10 * time.Second); code != 0 {
		t.Errorf("view: exit code %d", code)
	}
	term = terminal(t, srv.URL(), "stream", "view", "S", "3")
	term.Expect("Next Page?", 10*time.Second)
	term.Send("\x03")
	if code := term.Wait(10 * time.Second); code != 0 {
		t.Errorf("view and ^C: exit code %d", code)
	}
	if n := testkit.State(t, srv.JS(), "S").Consumers; n != 0 {
		t.Errorf("%d consumers were left", n)
	}
}
