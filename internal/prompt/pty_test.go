//go:build unix

package prompt

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"github.com/natskit/natskit/internal/fail"
)

func TestInputOnATerminal(t *testing.T) {
	t.Parallel()
	s := perform(t, "input")
	s.await("[prod] Fruit")
	s.types("bad\r")
	s.await(`bad will not do\x1b[2J`)
	s.types("?\r")
	s.await("what grows on trees")
	s.types("pears\x7f \x1b[D\x1b[D\x1b[Z\r")
	s.wants("pear ", 0)

	s = perform(t, "input")
	s.await("(fig)")
	s.types("\r")
	s.wants("fig", 0)
}

func TestStrayKeysDoNotEndTheQuestion(t *testing.T) {
	t.Parallel()
	s := perform(t, "input")
	s.await("[prod] Fruit")
	s.types("k\x1bxi\x1b[Zw\x1b[200~\x1b[1;5Ci\x1b[5~\x1b\r")
	s.wants("kiwi", 0)
}

func TestTypedAheadIsKept(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"xterm", "dumb"} {
		s := perform(t, "inputs", "TERM="+name)
		s.await("Fruit")
		s.types("one\rtwo\rthree\r")
		s.wants([]string{"one", "two", "three"}, 0)
	}
}

func TestSecretOnATerminal(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"xterm", "dumb"} {
		s := perform(t, "secret", "TERM="+name)
		s.await("[prod] Fruit (not shown): ")
		s.types("?\r")
		s.await("what grows on trees")
		s.await("(not shown): ")
		s.types("bad\r")
		s.await("will not do")
		s.await("(not shown): ")
		s.types("junk\x15\x1b[Ahünter3\x7f2\r")
		if seen := s.wants("hünter2", 0); strings.ContainsAny(seen, "hunter2*") {
			t.Errorf("%s: the secret was drawn: %q", name, seen)
		}
	}
}

func TestConfirmOnATerminal(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"xterm", "dumb"} {
		for keys, code := range map[string]fail.Code{"y\r": 0, "YES\r": 0, "n\r": fail.Declined, "\r": fail.Declined, "\x03": fail.Interrupted} {
			s := perform(t, "confirm", "TERM="+name)
			s.await("[prod] Really remove stream ORDERS?")
			s.await("(y/N)")
			s.types(keys)
			s.wants(nil, code)
		}
		s := perform(t, "confirm", "TERM="+name)
		s.await("(y/N)")
		s.types("perhaps\r")
		s.await("(y/N)")
		s.types("y\r")
		s.wants(nil, 0)
	}
}

func TestSelectOnATerminal(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]int{"\r": 1, "\x1b[B\r": 2, "\x1b[A\r": 0, "da\r": 3} {
		s := perform(t, "select")
		s.await("[prod] Fruit")
		s.await(`cherry\x1b[2J`)
		s.await("date")
		s.types(keys)
		s.wants(want, 0)
	}
	s := perform(t, "select")
	s.await("date")
	s.types("zzz")
	s.await("Fruit zzz")
	s.types("\x04")
	s.wants(0, fail.Interrupted)

	s = perform(t, "select", "TERM=dumb")
	s.await("  4) date")
	s.await("[banana]: ")
	s.types("9\r")
	s.await(`"9" is not in the list: give a number from 1 to 4`)
	s.types("4\r")
	s.wants(3, 0)
}

func TestMultiSelectOnATerminal(t *testing.T) {
	t.Parallel()
	s := perform(t, "multiselect")
	s.await("[prod] Fruit")
	s.await("date")
	s.types(" \x1b[B\x1b[B \r")
	s.wants([]int{0, 2, 3}, 0)

	// survey loses its place when a filter leaves nothing; the question must survive that.
	s = perform(t, "multiselect")
	s.await("date")
	s.types("zzz")
	s.await("Fruit zzz")
	s.types("\x1b[A\x18 ")
	s.await("\x1b[?25h")
	s.await("date")
	s.types("\r")
	s.wants([]int{3}, 0)

	s = perform(t, "multiselect", "TERM=dumb")
	s.await("[date]: ")
	s.types("1, x\r")
	s.await(`"x" is not in the list`)
	s.types("2,banana,1\r")
	s.wants([]int{0, 1}, 0)
}

func TestKeyboardInterrupt(t *testing.T) {
	t.Parallel()
	for _, scene := range []string{"input", "secret", "select", "multiselect"} {
		for _, name := range []string{"xterm", "dumb"} {
			s := perform(t, scene, "TERM="+name)
			s.await(map[bool]string{true: "date", false: "Fruit"}[strings.HasSuffix(scene, "select")])
			s.types("abc\x03")
			if o, _ := s.end(); o.Code != fail.Interrupted {
				t.Errorf("%s on %s: %+v", scene, name, o)
			}
		}
	}
}

func TestEndOfInputIsAnInterrupt(t *testing.T) {
	t.Parallel()
	s := perform(t, "input", "TERM=dumb")
	s.await("Fruit")
	s.types("\x04")
	if o, _ := s.end(); o.Code != fail.Interrupted {
		t.Errorf("%+v", o)
	}
}

func TestASignalEndsTheQuestion(t *testing.T) {
	t.Parallel()
	for _, scene := range []string{"input", "secret", "confirm", "select"} {
		for _, name := range []string{"xterm", "dumb"} {
			s := perform(t, scene, "TERM="+name)
			s.await("[prod] ")
			if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if o, _ := s.end(); o.Code != fail.Terminated {
				t.Errorf("%s on %s: %+v", scene, name, o)
			}
		}
	}
}

// A terminal that does not tell where its cursor is must not make survey deaf to Ctrl-C.
func TestInterruptWithoutCursorAnswers(t *testing.T) {
	t.Parallel()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	cmd := exec.Command(os.Args[0])
	var stdout bytes.Buffer
	cmd.Env = append(os.Environ(), "TERM=xterm", "GORACE=atexit_sleep_ms=0", "PROMPT_TEST_SCENE=input")
	cmd.Stdin, cmd.Stdout, cmd.SysProcAttr = slave, &stdout, &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	var seen []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(seen, []byte("\x1b[6n")) {
		n, err := master.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, buf[:n]...)
	}
	if _, err := master.WriteString("abc\x03"); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = master.Read(buf)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(stdout.String(), `"Code":130`) {
		t.Errorf("%s, %v", stdout.String(), err)
	}
}

func editing(t *testing.T) (*stage, string) {
	t.Helper()
	tmp := t.TempDir()
	editor := fmt.Sprintf("env PROMPT_TEST_SCENE=editor '%s' -flag 'two words'", os.Args[0])
	return perform(t, "edit", "VISUAL="+editor, "EDITOR=false", "NATS_PASSWORD=s3cret", "TMPDIR="+tmp), tmp
}

func TestEditOnATerminal(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, keys string
		answer     string
		code       fail.Code
	}{
		{"saved", "after\r", "after", 0},
		{"failed", "fail\r", "", fail.Failure},
		{"removed", "gone\r", "", fail.Failure},
		{"interrupted", "\x03", "", fail.Interrupted},
	}
	for _, r := range rows {
		s, tmp := editing(t)
		s.await("EDITING ")
		s.await(`.json "before" -rw------- -rwx------ secret=""`)
		s.types(r.keys)
		s.wants(r.answer, r.code)
		if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind %v, %v", r.name, left, err)
		}
	}

	s, tmp := editing(t)
	s.await("EDITING ")
	s.types("bad\r")
	s.await("edit again?")
	s.types("\r")
	s.await("EDITING ")
	s.types("good\r")
	s.wants("good", 0)
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("edited twice: left behind %v, %v", left, err)
	}

	s, _ = editing(t)
	s.await("EDITING ")
	s.types("bad\r")
	s.await("edit again?")
	s.types("n\r")
	s.wants("", fail.Declined)

	s, tmp = editing(t)
	s.await("EDITING ")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.wants("", fail.Terminated)
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("terminated: left behind %v, %v", left, err)
	}
}

func TestNoEditor(t *testing.T) {
	t.Parallel()
	s := perform(t, "edit", "VISUAL= ", "EDITOR=")
	if o, _ := s.end(); o.Code != fail.Usage || o.Error != "there is no editor: set $VISUAL or $EDITOR, or pass --config" {
		t.Errorf("%+v", o)
	}
	s = perform(t, "edit", "VISUAL=vi 'open", "EDITOR=vi")
	if o, _ := s.end(); o.Code != fail.Usage || !strings.HasPrefix(o.Error, `$VISUAL "vi 'open": `) {
		t.Errorf("%+v", o)
	}
}
