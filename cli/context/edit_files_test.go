//go:build unix

package context

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/ptytest"
)

const patience = 20 * time.Second

// TestMain lets the test binary be the program, for runs that need a terminal of their own.
func TestMain(m *testing.M) {
	if os.Getenv("CONTEXT_TEST_PROGRAM") == "" {
		os.Exit(m.Run())
	}
	os.Exit(clitest.Program(Command()).Run(context.Background(), os.Args[1:], env.System()))
}

// editor writes an editor: a script that notes the name and mode of the file it was given, then does what the lines say with "$f".
func editor(t *testing.T, lines string) (script, note string) {
	t.Helper()
	dir := t.TempDir()
	script, note = filepath.Join(dir, "editor.sh"), filepath.Join(dir, "note")
	text := "#!/bin/sh\nf=$1\nPATH=/usr/bin:/bin\nls -l \"$f\" | cut -c1-10 > " + note + ".mode\n" +
		"env > " + note + ".env\necho \"$f\" > " + note + "\n" + lines + "\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return script, note
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// private checks that the file the editor was given could be read by nobody else and is gone, with its directory.
func private(t *testing.T, note string) {
	t.Helper()
	if mode := read(t, note+".mode"); mode != "-rw-------" {
		t.Errorf("the file to edit had mode %s", mode)
	}
	file := read(t, note)
	for _, p := range []string{file, filepath.Dir(file)} {
		if _, err := os.Stat(p); !os.IsNotExist(err) {
			t.Errorf("%s remains: %v", p, err)
		}
	}
	if env := read(t, note+".env"); strings.Contains(env, "hidden-word") {
		t.Errorf("the editor was told a secret: %s", env)
	}
}

// TestS8: no file with secrets remains, however the edit ends.
func TestS8EditLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		code   fail.Code
		says   string
	}{
		"saved":       {"sed -i s/h:1/h:2/ $f", fail.OK, ""},
		"unchanged":   {"true", fail.OK, ""},
		"bad yaml":    {"echo 'url: [' > $f", fail.Usage, "line"},
		"unknown key": {"echo 'urk: x' > $f", fail.Usage, "urk"},
		"refused":     {"printf 'user: u\\ncreds: /x\\n' > $f", fail.Usage, "too many types"},
		"failed":      {"echo oops >&2; exit 3", fail.Failure, "exit status 3: oops"},
		"killed":      {"kill -9 $$", fail.Failure, "editor"},
		"removed":     {"rm $f", fail.Failure, "left no file behind"},
		"backup":      {"cp $f $f~; sed -i s/h:1/h:2/ $f", fail.OK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.write("n", `{"url":"nats://h:1","token":"hidden-word"}`)
			script, note := editor(t, c.script)
			w = w.with(w.Env("EDITOR", script).Env("NATS_TOKEN", "hidden-word"))
			r := w.Fails(c.code, "context edit n", c.says)
			missing(t, r, "hidden-word")
			private(t, note)
			changed := strings.Contains(w.file("n"), "h:2")
			if want := strings.Contains(c.script, "h:2"); changed != want || !strings.Contains(w.file("n"), "hidden-word") {
				t.Errorf("the context is now %s", w.file("n"))
			}
		})
	}
}

func TestS8InterruptedEditLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.write("n", `{"url":"nats://h:1","token":"hidden-word"}`)
	fifo := filepath.Join(t.TempDir(), "started")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	script, note := editor(t, "echo started > "+fifo+"\nsleep 60")
	run := w.Env("EDITOR", script).Start("context edit n")
	if got := read(t, fifo); got != "started" { // waits for the writer
		t.Fatalf("the editor says %q", got)
	}
	if r := run.Terminate(); r.Code != fail.Terminated {
		t.Fatalf("exit code %d: %s", r.Code, r.Err)
	}
	private(t, note)
}

// TestS8 on a terminal: a text that cannot be stored comes back to the editor as it was typed, and nothing remains.
func TestS8EditOnATerminalKeepsTheText(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.write("n", `{"url":"nats://h:1","token":"hidden-word"}`)
	tmp := t.TempDir()
	// The first time it spoils a line, the second time it mends that line: only a text that was kept can be mended.
	script, note := editor(t, `if grep -q 'spoilt: \[' "$f"; then sed -i '/spoilt/d; s/h:1/h:2/' "$f"; else echo 'spoilt: [' >> "$f"; fi`)
	p := onTerminal(t, w, []string{"EDITOR=" + script, "TMPDIR=" + tmp}, "context", "edit", "n")
	p.Expect("edit again?", patience)
	p.Send("y\r")
	if code := p.Wait(patience); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.Transcript())
	}
	if !strings.Contains(w.file("n"), "nats://h:2") {
		t.Fatalf("the context is now %s", w.file("n"))
	}
	private(t, note)
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Fatalf("%v remain, %v", left, err)
	}

	// Giving up leaves the context as it was and nothing else.
	w.write("n", `{"url":"nats://h:1","token":"hidden-word"}`)
	script, note = editor(t, `echo 'spoilt: [' > "$f"`)
	p = onTerminal(t, w, []string{"EDITOR=" + script, "TMPDIR=" + tmp}, "context", "edit", "n")
	p.Expect("edit again?", patience)
	p.Send("n\r")
	if code := p.Wait(patience); code != int(fail.Declined) || strings.Contains(p.Raw(), "hidden-word") {
		t.Fatalf("exit code %d: %s", code, p.Transcript())
	}
	private(t, note)
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Fatalf("%v remain, %v", left, err)
	}
	if w.file("n") != `{"url":"nats://h:1","token":"hidden-word"}` {
		t.Fatalf("the context is now %s", w.file("n"))
	}
}

// onTerminal is the program on a terminal of its own.
func onTerminal(t *testing.T, w *world, env []string, args ...string) *ptytest.Terminal {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append([]string{"CONTEXT_TEST_PROGRAM=1", "TERM=dumb", "XDG_CONFIG_HOME=" + w.root, "HOME=" + w.Dir(), "PATH=" + os.Getenv("PATH")}, env...)
	cmd.Dir = w.Dir()
	return ptytest.Start(t, cmd, 100, 40)
}

// TestS5 on a terminal: the password is asked for and not shown.
func TestS5PasswordIsAskedForOnATerminal(t *testing.T) {
	t.Parallel()
	w := setup(t)
	p := onTerminal(t, w, nil, "context", "add", "n", "--user", "bob", "--password-stdin")
	p.Expect("Password", patience)
	p.Send("open-sesame\r")
	if code := p.Wait(patience); code != 0 || strings.Contains(p.Raw(), "open-sesame") {
		t.Fatalf("exit code %d: %s", code, p.Transcript())
	}
	w.want("n", "password", "open-sesame")
}
