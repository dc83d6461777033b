//go:build unix

package main

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/ptytest"
)

// terminal runs nats on a real terminal of 80 by 30, in a home of its own.
func terminal(t *testing.T, url string, args ...string) *ptytest.Terminal {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	link := home + "/nats" // the test binary is nats when it is called so
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(link, args...)
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "TERM=xterm", "PATH=" + os.Getenv("PATH"), "NATS_URL=" + url}
	return ptytest.Start(t, cmd, 80, 30)
}

func TestTerminalQuestions(t *testing.T) {
	srv := testkit.Server(t)
	term := terminal(t, srv.URL(), "stream", "add")
	term.Expect("Stream Name", 10*time.Second)
	term.Send("ORDERS\r")
	term.Expect("Subjects", 10*time.Second)
	term.Send("orders.>\r")
	for _, q := range []string{"Storage", "Replication", "Retention Policy", "Discard Policy", "Stream Messages Limit", "Per Subject Messages Limit",
		"Total Stream Size", "Message TTL", "Max Message Size", "Duplicate tracking time window", "Allow message Roll-ups", "Allow message deletion", "Allow purging"} {
		term.Expect(q, 10*time.Second)
		term.Send("\r")
	}
	term.Expect("Stream ORDERS was created", 10*time.Second)
	if code := term.Wait(10 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := testkit.State(t, srv.JS(), "ORDERS"); got.Msgs != 0 {
		t.Errorf("state %+v", got)
	}
}

func TestTerminalDeclineAndInterrupt(t *testing.T) {
	srv := testkit.Server(t)
	testkit.Store(t, streamed(t, srv), "s", 3, "x")

	term := terminal(t, srv.URL(), "stream", "rm", "S")
	term.Expect("Really delete", 10*time.Second)
	term.Send("n\r")
	if code := term.Wait(10 * time.Second); code != 6 {
		t.Errorf("declined: exit code %d", code)
	}
	term = terminal(t, srv.URL(), "stream", "purge", "S")
	term.Expect("Really purge", 10*time.Second)
	term.Send("\x03")
	if code := term.Wait(10 * time.Second); code != 130 {
		t.Errorf("interrupted: exit code %d", code)
	}
	if got := testkit.State(t, srv.JS(), "S"); got.Msgs != 3 {
		t.Errorf("%d messages are left", got.Msgs)
	}
}

// ^C ends a publisher that waits for its terminal.
func TestTerminalInterruptWhileTyping(t *testing.T) {
	srv := testkit.Server(t)
	term := terminal(t, srv.URL(), "pub", "foo", "--force-stdin", "--send-on", "newline")
	term.Expect("Reading payload from STDIN", 10*time.Second)
	term.Send("one\r")
	term.Expect(`Published 3 bytes to "foo"`, 10*time.Second)
	term.Send("\x03")
	if code := term.Wait(10 * time.Second); code != 130 {
		t.Errorf("exit code %d", code)
	}
}
