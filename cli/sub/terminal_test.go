//go:build unix

package sub

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/ptytest"
)

const asCommand = "NATSKIT_TEST_RUNS"

// TestRuns is no test: it is the command itself, in the process that onTerminal makes.
func TestRuns(t *testing.T) {
	line := os.Getenv(asCommand)
	if line == "" {
		t.Skip("a part of the tests with a terminal")
	}
	os.Exit(clitest.Program(Command()).Run(context.Background(), strings.Split(line, " "), env.System()))
}

// onTerminal runs a command line on a pseudo terminal.
func onTerminal(t *testing.T, url, line string) *ptytest.Terminal {
	t.Helper()
	home := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestRuns$")
	cmd.Env = []string{asCommand + "=" + line, "NATS_URL=" + url, "HOME=" + home, "XDG_CONFIG_HOME=" + home}
	return ptytest.Start(t, cmd, 100, 40)
}

// TestTerminalSeesEachMessage: what has come is on the screen before the next one comes; nothing waits for a buffer to be full.
func TestTerminalSeesEachMessage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ flags, says string }{
		{"", "b%d"},
		{" --raw", "b%d"},
		{" --json", `"data":"b%d"`},
		{" --format line=%p;", "b%d;"},
	} {
		t.Run("live"+row.flags, func(t *testing.T) {
			t.Parallel()
			srv := testkit.Server(t)
			term := onTerminal(t, srv.URL(), "sub foo --count 5"+row.flags)
			srv.AwaitInterest("foo")
			eachIsSeen(t, srv, term, "foo", row.says)
		})
		for _, mode := range []string{" --new", " --new --direct"} {
			t.Run("stream"+mode+row.flags, func(t *testing.T) {
				t.Parallel()
				srv := testkit.Server(t)
				testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, AllowDirect: true})
				term := onTerminal(t, srv.URL(), "sub --stream S --count 5"+mode+row.flags)
				term.Expect("for new messages", time.Minute)
				eachIsSeen(t, srv, term, "s", row.says)
			})
		}
	}
}

func eachIsSeen(t *testing.T, srv *testkit.NATS, term *ptytest.Terminal, subject, says string) {
	t.Helper()
	for i := range 5 {
		testkit.Publish(t, srv.Conn(), subject, 1, fmt.Sprintf("b%d", i))
		term.Expect(fmt.Sprintf(says, i), time.Minute)
	}
	if code := term.Wait(time.Minute); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
