package embedded

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

func TestLockedStore(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	s := run(t, Options{Name: "first", JetStream: true, Store: store})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(store, link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{store, link} {
		err := refusal(t, Options{Port: -1, JetStream: true, Store: dir, Clean: true}, fail.Failure, dir, "first", fmt.Sprint(os.Getpid()), s.URL())
		if hint := fail.HintOf(err); !strings.Contains(hint, s.URL()) {
			t.Errorf("hint %q", hint)
		}
	}
	if _, err := os.Stat(filepath.Join(store, jetStreamDir)); err != nil {
		t.Errorf("the refused server cleaned the store: %v", err)
	}
	stop(t, s)
	run(t, Options{JetStream: true, Store: store})
}

func TestLockedInProcess(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	run(t, Options{Name: "quiet", DontListen: true, JetStream: true, Store: store})
	refusal(t, Options{DontListen: true, JetStream: true, Store: store}, fail.Failure, store, "quiet", fmt.Sprint(os.Getpid()))
}

func TestStaleLockFile(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a process that is gone": `{"pid":1,"name":"old","url":"nats://127.0.0.1:4222","id":"nats-old"}`,
		"nothing":                "",
		"garbage":                "{\x00",
		"more than is written":   `{"pid":1}` + strings.Repeat(" ", 1000) + "x",
	} {
		store := t.TempDir()
		if err := os.WriteFile(filepath.Join(store, lockFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := run(t, Options{JetStream: true, Store: store})
		if name == "a process that is gone" && s.Name() != "nats-old" {
			t.Errorf("%s: name %s", name, s.Name())
		}
		refusal(t, Options{Port: -1, JetStream: true, Store: store}, fail.Failure, s.Name(), s.URL())
	}
}

// holder runs a server in another process.
func startHolder(t *testing.T, store string) (cmd *exec.Cmd, url string, out *bytes.Buffer) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), holdStore+"="+store)
	out = &bytes.Buffer{}
	cmd.Stderr = out
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe() // open until the process ends
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close() })
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("holder: %v %s", err, out)
	}
	return cmd, strings.TrimSpace(line), out
}

// The lock ends with the process, however it ends; and nats-server prints nothing by itself.
func TestLockOfAnotherProcess(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	cmd, url, out := startHolder(t, store)
	refusal(t, Options{Port: -1, JetStream: true, Store: store}, fail.Failure, store, "holder", fmt.Sprint(cmd.Process.Pid), url)
	js := jetStream(t, connect(t, with(url, "u:p")))
	testkit.Stream(t, js, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	testkit.Store(t, js, "s", 100, "x")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process ended well")
	}
	if out.Len() > 0 {
		t.Errorf("stderr: %s", out)
	}
	s := run(t, Options{JetStream: true, Store: store, User: "u", Password: "p"})
	if got := testkit.State(t, jetStream(t, connect(t, with(s.URL(), "u:p"))), "S"); got.Msgs == 0 {
		t.Errorf("state %+v", got)
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	keep := filepath.Join(store, "keep.txt")
	if err := os.WriteFile(keep, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	fill := func(o Options) int {
		s := run(t, o)
		js := jetStream(t, connect(t, s.URL()))
		if _, err := js.CreateOrUpdateStream(testkit.Context(t), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
			t.Fatal(err)
		}
		testkit.Store(t, js, "s", 1, "x")
		n := int(testkit.State(t, js, "S").Msgs)
		stop(t, s)
		return n
	}
	o := Options{JetStream: true, Store: store}
	if a, b := fill(o), fill(o); a != 1 || b != 2 {
		t.Errorf("%d, then %d messages", a, b)
	}
	// A server that cannot start cleans nothing.
	taken := testkit.Server(t)
	refusal(t, Options{Port: taken.Port(), JetStream: true, Store: store, Clean: true}, fail.Failure, "in use")
	if n := fill(o); n != 3 {
		t.Errorf("%d messages after a failed start", n)
	}
	o.Clean = true
	if n := fill(o); n != 1 {
		t.Errorf("%d messages after cleaning", n)
	}
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("cleaning took what is not the server's: %v", err)
	}
}

func TestUnusableStore(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refusal(t, Options{Port: -1, JetStream: true, Store: file}, fail.Failure, file)
	refusal(t, Options{Port: -1, JetStream: true, Store: filepath.Join(file, "below")}, fail.Failure, file)
}
