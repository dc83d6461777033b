package device_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/device"
	"github.com/natskit/natskit/internal/fleet/device/journal"
	"github.com/natskit/natskit/internal/testkit"
)

// The test's binary is also the program that commands run, and a device in a process of its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "append" {
		os.Exit(appendLine(os.Args[2], len(os.Args) > 3))
	}
	if os.Getenv("FLEET_TEST_DEVICE") != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

// appendLine leaves a trace; with wait it goes on until its parent is gone or it is killed.
func appendLine(path string, wait bool) int {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 1
	}
	fmt.Fprintln(f, "ran")
	_ = f.Close()
	fmt.Println("did it")
	for parent := os.Getppid(); wait && os.Getppid() == parent; {
		<-time.After(10 * time.Millisecond)
	}
	return 3
}

// child is a device that stops to be killed where FLEET_TEST_HOLD says.
func child() int {
	hold := fleet.State(os.Getenv("FLEET_TEST_HOLD"))
	j, err := journal.Open(filepath.Join(os.Getenv("FLEET_TEST_DIR"), "journal"), "d1")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	o := options(os.Getenv("FLEET_TEST_DEVICE"), "d1")
	o.Commands = &device.Commands{Journal: j, Allow: device.Allow{os.Args[0]}, Environ: os.Environ(), Notice: func(r fleet.Result) {
		if r.State == hold {
			fmt.Println("reached")
			select {}
		}
	}}
	if _, err := device.Start(context.Background(), o); err != nil {
		fmt.Println(err)
		return 1
	}
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until the test goes
	return 0
}

// streams makes the streams of commands and results.
func streams(t testing.TB, js jetstream.JetStream) {
	t.Helper()
	testkit.Stream(t, js, jetstream.StreamConfig{Name: "qcon_commands", Subjects: []string{"qcon.command.*"}})
	testkit.Stream(t, js, jetstream.StreamConfig{Name: "qcon_results", Subjects: []string{"qcon.result.>"}, MaxMsgsPerSubject: 1})
}

func send(t testing.TB, js jetstream.JetStream, c fleet.Command) {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(testkit.Context(t), "qcon.command.d1", text); err != nil {
		t.Fatal(err)
	}
}

// result waits for a result that is final.
func result(t testing.TB, js jetstream.JetStream, id string) fleet.Result {
	t.Helper()
	s, err := js.Stream(testkit.Context(t), "qcon_results")
	if err != nil {
		t.Fatal(err)
	}
	var r fleet.Result
	testkit.Eventually(t, within, "the result of "+id, func() bool {
		m, err := s.GetLastMsgForSubject(testkit.Context(t), "qcon.result.d1."+id)
		r = fleet.Result{}
		return err == nil && json.Unmarshal(m.Data, &r) == nil && r.State.Final()
	})
	return r
}

func self(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// runs counts the lines that commands have left.
func runs(t testing.TB, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}

func spawn(t *testing.T, url, dir string, hold fleet.State) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(self(t))
	cmd.Env = append(os.Environ(), "FLEET_TEST_DEVICE="+url, "FLEET_TEST_DIR="+dir, "FLEET_TEST_HOLD="+string(hold))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewReader(out)
}

// TestKilled kills a device by SIGKILL at each moment in the life of a command and looks at what is said of it afterwards.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		hold fleet.State // the device is killed when it has noted this; empty kills it while the program runs
		want fleet.State
		runs int
	}{
		{"received and not begun", fleet.Queued, fleet.Done, 1},
		{"noted as begun", fleet.Running, fleet.Interrupted, 0},
		{"while it ran", "", fleet.Interrupted, 1},
		{"over and not told", fleet.Done, fleet.Done, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			srv := testkit.Server(t)
			js := srv.JS()
			streams(t, js)
			dir := t.TempDir()
			trace := filepath.Join(dir, "trace")
			args := []string{self(t), "append", trace}
			if row.hold == "" {
				args = append(args, "wait")
			}
			send(t, js, fleet.Command{ID: "c1", Args: args})
			cmd, out := spawn(t, srv.URL(), dir, row.hold)
			if row.hold == "" {
				testkit.Eventually(t, within, "the program's trace", func() bool { return runs(t, trace) == 1 })
			} else if line, err := out.ReadString('\n'); line != "reached\n" {
				t.Fatalf("the device says %q, %v", line, err)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			spawn(t, srv.URL(), dir, "nothing")
			r := result(t, js, "c1")
			if r.State != row.want || r.Device != "d1" || len(r.Args) < 3 {
				t.Errorf("%+v", r)
			}
			if r.State == fleet.Done && (r.Exit != 3 || string(r.Stdout) != "did it\n") {
				t.Errorf("exit %d, %q", r.Exit, r.Stdout)
			}
			if n := runs(t, trace); n != row.runs {
				t.Errorf("it ran %d times", n)
			}
		})
	}
}

// worker is a device that takes commands.
func worker(t *testing.T, url string, change func(*device.Commands)) *device.Device {
	t.Helper()
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal"), "d1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	o := options(url, "d1")
	o.Commands = &device.Commands{Journal: j, Allow: device.Allow{self(t), "true", "sh"}, Environ: os.Environ()}
	if change != nil {
		change(o.Commands)
	}
	return start(t, o)
}

func TestCommandsOfEveryKind(t *testing.T) {
	srv := testkit.Server(t)
	js := srv.JS()
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	worker(t, srv.URL(), func(c *device.Commands) { c.OutputLimit = 5 })
	streams(t, js) // appear after the device
	send(t, js, fleet.Command{ID: "exit", Args: []string{self(t), "append", trace}})
	send(t, js, fleet.Command{ID: "refused", Args: []string{"uptime"}})
	send(t, js, fleet.Command{ID: "relative", Args: []string{"./true"}})
	send(t, js, fleet.Command{ID: "other", Args: []string{"/opt/evil/true"}})
	send(t, js, fleet.Command{ID: "empty"})
	send(t, js, fleet.Command{ID: "late", Args: []string{"true"}, Expires: time.Unix(1, 0)})
	send(t, js, fleet.Command{ID: "long", Args: []string{self(t), "append", trace, "wait"}, Timeout: time.Millisecond})
	for id, want := range map[string]fleet.State{"exit": fleet.Done, "refused": fleet.Refused, "relative": fleet.Refused, "other": fleet.Refused,
		"empty": fleet.Refused, "late": fleet.Expired, "long": fleet.TimedOut} {
		r := result(t, js, id)
		if r.State != want || r.Ended.IsZero() || (want != fleet.Done && r.Error == "") {
			t.Errorf("%s: %+v", id, r)
		}
		if id == "exit" && (r.Exit != 3 || string(r.Stdout) != "did i" || r.Lost != 2 || r.Started.IsZero()) {
			t.Errorf("%+v", r)
		}
	}
	if s := testkit.State(t, js, "qcon_results"); s.NumSubjects != 7 {
		t.Errorf("%d results", s.NumSubjects)
	}
}

func TestCancel(t *testing.T) {
	srv := testkit.Server(t)
	js := srv.JS()
	streams(t, js)
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	worker(t, srv.URL(), nil)
	cancel := func(id string) (c fleet.Controlled) {
		t.Helper()
		ask(t, srv.Conn(), "qcon.control.d1", fmt.Sprintf(`{"cancel":%q}`, id), &c)
		return c
	}
	send(t, js, fleet.Command{ID: "c1", Args: []string{self(t), "append", trace, "wait"}})
	send(t, js, fleet.Command{ID: "c2", Args: []string{self(t), "append", trace}})
	send(t, js, fleet.Command{ID: "c3", Args: []string{self(t), "append", trace}})
	testkit.Eventually(t, within, "the first to run", func() bool { return runs(t, trace) == 1 })
	if c := cancel("c2"); !c.OK {
		t.Errorf("%+v", c)
	}
	if c := cancel("c1"); !c.OK {
		t.Errorf("%+v", c)
	}
	if r := result(t, js, "c1"); r.State != fleet.Cancelled {
		t.Errorf("%+v", r)
	}
	if r := result(t, js, "c2"); r.State != fleet.Cancelled {
		t.Errorf("%+v", r)
	}
	if r := result(t, js, "c3"); r.State != fleet.Done {
		t.Errorf("%+v", r)
	}
	if n := runs(t, trace); n != 2 {
		t.Errorf("%d ran", n)
	}
	testkit.Eventually(t, within, "the word that it is over", func() bool { return !cancel("c3").OK })
	if c := cancel("no token"); c.OK || c.Error == "" {
		t.Errorf("%+v", c)
	}
}

func TestAllow(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "[", "bin/x", "./x"} {
		if err := (device.Allow{bad}).Check(); err == nil {
			t.Errorf("%q is a pattern", bad)
		}
	}
	if err := (device.Allow{"true", "/usr/bin/*", "ls*"}).Check(); err != nil {
		t.Error(err)
	}
	for _, row := range []struct {
		allow, name string
		ok          bool
	}{
		{"true", "true", true}, {"t*", "true", true}, {"*", "true", true}, {"true", "false", false},
		{"*", self(t), false}, {self(t), self(t), true}, {filepath.Dir(self(t)) + "/*", self(t), true},
		{filepath.Dir(self(t)) + "/*", filepath.Dir(self(t)) + "/../" + filepath.Base(self(t)), false},
		{"*", "../true", false}, {"*", "", false}, {"*", "no-such-program-anywhere", false},
	} {
		if _, err := (device.Allow{row.allow}).Program(row.name); (err == nil) != row.ok {
			t.Errorf("%s for %s: %v", row.allow, row.name, err)
		}
	}
	if _, err := (device.Allow{}).Program("true"); err == nil || !strings.Contains(err.Error(), "allow list") {
		t.Errorf("%v", err)
	}
}

// A device that was moved to a server with another domain still takes commands from home, and tells home what it is.
func TestHomeReachesADeviceThatMoved(t *testing.T) {
	t.Parallel()
	hub := testkit.Server(t, testkit.WithDomain("cloud"))
	streams(t, hub.JS())
	state := testkit.KV(t, hub.JS(), jetstream.KeyValueConfig{Bucket: "qcon_state"})
	leaf := testkit.Leaf(t, hub)
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal"), "d1")
	if err != nil {
		t.Fatal(err)
	}
	o := options(hub.URL(), "d1")
	o.Commands = &device.Commands{Journal: j, Allow: device.Allow{self(t)}, Environ: os.Environ()}
	start(t, o)
	ask(t, hub.Conn(), "qcon.advertise", leaf.URL(), nil)
	testkit.Eventually(t, within, "the state of the device where it is now", func() bool {
		e, err := state.Get(testkit.Context(t), "device.d1")
		var info fleet.Info
		return err == nil && json.Unmarshal(e.Value(), &info) == nil && info.Server == "leaf" && info.Domain == "leaf"
	})
	trace := filepath.Join(t.TempDir(), "trace")
	send(t, hub.JS(), fleet.Command{ID: "c1", Args: []string{self(t), "append", trace}, Issued: time.Now()})
	if r := result(t, hub.JS(), "c1"); r.State != fleet.Done {
		t.Errorf("%+v", r)
	}
	if text, err := os.ReadFile(trace); string(text) != "ran\n" {
		t.Errorf("it left %q, %v", text, err)
	}
}
