//go:build unix

package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/ptytest"
)

// terminal runs nats on a real terminal of 80 by 30, in a home of its own.
func terminal(t *testing.T, url string, args ...string) *ptytest.Terminal {
	t.Helper()
	return ptytest.Start(t, command(t, url, args...), 80, 30)
}

// terminalLine lets sh run a line on such a terminal, in which nats is the program.
func terminalLine(t *testing.T, url, line string) *ptytest.Terminal {
	t.Helper()
	cmd := command(t, url)
	sh := exec.Command("/bin/sh", "-c", line)
	sh.Dir, sh.Env = cmd.Dir, append(cmd.Env, "PATH="+cmd.Dir+":"+os.Getenv("PATH"))
	return ptytest.Start(t, sh, 80, 30)
}

func command(t *testing.T, url string, args ...string) *exec.Cmd {
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
	return cmd
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

// Progress is drawn while bytes come, and is gone at the end; what is piped away holds nothing of it.
func TestTerminalProgress(t *testing.T) {
	srv := testkit.Server(t)
	testkit.Objects(t, srv.JS(), jetstream.ObjectStoreConfig{Bucket: "B"})
	home := t.TempDir()
	fifo := home + "/fifo"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	term := terminalLine(t, srv.URL(), "nats object put B --name big <"+fifo+" >"+home+"/out")
	in, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan struct{})
	written := make(chan error, 1)
	go func() {
		for {
			select {
			case <-seen:
				written <- in.Close()
				return
			default:
				if _, err := in.Write(make([]byte, 64<<10)); err != nil {
					written <- err
					return
				}
			}
		}
	}()
	term.Expect("Storing big", 30*time.Second)
	close(seen)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if code := term.Wait(30 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if screen := term.Screen(); strings.Contains(screen, "Storing") {
		t.Errorf("the progress is still there: %q", screen)
	}
	out, err := os.ReadFile(home + "/out")
	if err != nil || !strings.HasPrefix(string(out), "Object information for B > big\n") || strings.ContainsAny(string(out), "\r\x1b") {
		t.Errorf("stdout %q, %v", out, err)
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

// --password-stdin on a terminal asks, and what is typed is not shown.
func TestTerminalPassword(t *testing.T) {
	srv := testkit.Server(t, testkit.WithUser("ann", "s3cr3t-pw"))
	term := terminal(t, srv.URL(), "pub", "foo", "hello", "--user", "ann", "--password-stdin")
	term.Expect("Password", 10*time.Second)
	term.Send("s3cr3t-pw\r")
	term.Expect(`Published 5 bytes to "foo"`, 10*time.Second)
	if code := term.Wait(10 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(term.Raw(), "s3cr3t") {
		t.Errorf("the password was shown: %q", term.Raw())
	}
	term = terminal(t, srv.URL(), "pub", "foo", "hello", "--user", "ann", "--password-stdin", "--no-prompt")
	if code := term.Wait(10 * time.Second); code != 2 {
		t.Errorf("exit code %d: %s", code, term.Transcript())
	}
	term = terminal(t, srv.URL(), "pub", "foo", "hello", "--user", "ann", "--password-stdin")
	term.Expect("Password", 10*time.Second)
	term.Send("\x03")
	if code := term.Wait(10 * time.Second); code != 130 {
		t.Errorf("interrupted: exit code %d", code)
	}
}

// The tab key in a real bash: words broken at : and =, names from a server, and nothing that a name says is run.
func TestTerminalCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not here")
	}
	srv := testkit.Server(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "X$(touch${IFS}pwned)", Subjects: []string{"x"}})
	home := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, home+"/nats"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bash, "--norc", "--noprofile", "-i")
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "TERM=dumb", "PATH=" + home + ":" + os.Getenv("PATH"), "PS1=ready>", "NATS_COMPLETION_TIMEOUT=20s", "INPUTRC=/dev/null"}
	term := ptytest.Start(t, cmd, 200, 30)
	term.Expect("ready>", 10*time.Second)
	term.Send("bind 'set enable-bracketed-paste off'; source <(nats completion bash); echo loaded\r")
	term.Expect("\nloaded", 10*time.Second)
	term.Expect("ready>", 10*time.Second)
	term.Send("nats -s " + srv.URL() + " stream inf\tO\t")
	term.Expect("stream info ORDERS ", 30*time.Second)
	term.Send("\x15nats --server=" + srv.URL() + " stream info X\t")
	term.Expect(`info X\$\(touch\$\{IFS\}pwned\) `, 30*time.Second)
	term.Send("\x15nats context add prod\r")
	term.Expect("ready>", 10*time.Second)
	term.Send("nats --context=p\t")
	term.Expect("nats --context=prod ", 30*time.Second)
	term.Send("\x15exit\r")
	term.Wait(10 * time.Second)
	if _, err := os.Stat(home + "/pwned"); err == nil {
		t.Error("a name was run")
	}
}

// The live graph and the live report have a screen of their own and leave the terminal as it was; the report stays.
func TestTerminalSubScreens(t *testing.T) {
	srv := testkit.Server(t)
	term := terminal(t, srv.URL(), "sub", "foo", "--graph")
	term.ExpectScreen("foo / second", 20*time.Second)
	if !term.Alternate() {
		t.Error("the graph is not on a screen of its own")
	}
	term.Resize(60, 24)
	srv.AwaitInterest("foo")
	testkit.Publish(t, srv.Conn(), "foo", 3, "x")
	term.ExpectScreen("╭", 20*time.Second) // the line goes up
	term.Send("\x03")
	if code := term.Wait(10 * time.Second); code != 0 || term.Alternate() {
		t.Errorf("exit code %d, alternate screen %v", code, term.Alternate())
	}

	term = terminal(t, srv.URL(), "sub", "rp.>", "--report-subjects")
	srv.AwaitInterest("rp.a")
	srv.AwaitInterest("rp.a")
	testkit.Publish(t, srv.Conn(), "rp.a", 4, "x")
	term.ExpectScreen("Active Subjects Report", 20*time.Second)
	term.ExpectScreen("rp.a", 20*time.Second)
	if !term.Alternate() {
		t.Error("the report is not on a screen of its own")
	}
	term.Send("\x03")
	if code := term.Wait(10 * time.Second); code != 0 || term.Alternate() {
		t.Errorf("exit code %d, alternate screen %v", code, term.Alternate())
	}
	term.ExpectScreen("rp.a", 10*time.Second)
}
