package env

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDraftsSpeakOfTheirTarget: an error names the file that somebody wants, and a draft leaves nothing behind.
func TestDraftsSpeakOfTheirTarget(t *testing.T) {
	t.Parallel()
	f := Files{Dir: t.TempDir()}
	for _, name := range []string{"no/such/file", "."} {
		_, err := f.Create(name)
		var told *os.PathError
		if !errors.As(err, &told) || told.Path != f.Path(name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d, err := f.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.File.Close(); err != nil { // the disk goes away
		t.Fatal(err)
	}
	if _, err := d.Write([]byte("x")); err == nil || !strings.HasPrefix(err.Error(), "write "+f.Path("a")+": ") {
		t.Errorf("Write: %v", err)
	}
	if err := d.Commit(); err == nil || !strings.HasPrefix(err.Error(), "sync "+f.Path("a")+": ") {
		t.Errorf("Commit: %v", err)
	}
	if left, err := filepath.Glob(f.Path("*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestCommitReplacesInOneStep(t *testing.T) {
	t.Parallel()
	f := Files{Dir: t.TempDir()}
	for _, text := range []string{"old", "new"} {
		d, err := f.Create("a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := f.ReadFile("a"); text == "new" && (err != nil || string(got) != "old") {
			t.Errorf("before the commit it is %q, %v", got, err)
		}
		if err := d.Commit(); err != nil {
			t.Fatal(err)
		}
		d.Discard()
		if got, err := f.ReadFile("a"); err != nil || string(got) != text {
			t.Errorf("it is %q, %v", got, err)
		}
	}
}
