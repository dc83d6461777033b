package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/fleet/device/journal"
)

func open(t *testing.T, path string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(path, "d1")
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, j *journal.Journal, id string) bool {
	t.Helper()
	fresh, err := j.Receive(fleet.Command{ID: id, Args: []string{"true"}})
	must(t, err)
	return fresh
}

func TestRemembersOverRestarts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	for _, id := range []string{"a", "b", "c"} {
		if !receive(t, j, id) {
			t.Errorf("%s is not fresh", id)
		}
	}
	must(t, j.Put(fleet.Result{Command: "b", State: fleet.Running}))
	must(t, j.Put(fleet.Result{Command: "c", State: fleet.Done, Exit: 3}))
	must(t, j.Put(fleet.Result{Command: "a", State: fleet.Done}))
	must(t, j.Told("a"))
	must(t, j.Close())
	j = open(t, path)
	defer func() { _ = j.Close() }()
	var got []string
	for _, e := range j.Entries() {
		got = append(got, fmt.Sprint(e.Result.Command, e.Result.State, e.Result.Exit))
	}
	if want := "[brunning0 cdone3]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	for _, id := range []string{"a", "b", "c"} {
		if receive(t, j, id) {
			t.Errorf("%s is fresh again", id)
		}
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st.Mode(), err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	if _, err := journal.Open(path, "d1"); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("%v", err)
	}
	must(t, j.Close())
	must(t, open(t, path).Close())
}

func TestTornTail(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	receive(t, j, "a")
	must(t, j.Close())
	whole, err := os.ReadFile(path)
	must(t, err)
	for _, tail := range []string{`{"command":{"id":"b"`, `{"command":{"id":"b"}}`, "\x00\x00\x00", "{\n"} {
		must(t, os.WriteFile(path, append(append([]byte{}, whole...), tail...), 0o600))
		j := open(t, path)
		if n := len(j.Entries()); n != 1 {
			t.Errorf("%q: %d entries", tail, n)
		}
		receive(t, j, "c")
		must(t, j.Close())
		j = open(t, path)
		if n := len(j.Entries()); n != 2 {
			t.Errorf("%q: %d entries after another one", tail, n)
		}
		must(t, j.Close())
	}
	must(t, os.WriteFile(path, append([]byte("{broken\n"), whole...), 0o600))
	if _, err := journal.Open(path, "d1"); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a line in the middle: %v", err)
	}
}

func TestCompaction(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	receive(t, j, "keep")
	const n = 700
	for i := range n {
		id := fmt.Sprint("c", i)
		receive(t, j, id)
		must(t, j.Put(fleet.Result{Command: id, State: fleet.Done, Stdout: []byte("some output that is not kept for ever")}))
		must(t, j.Told(id))
	}
	must(t, j.Close())
	text, err := os.ReadFile(path)
	must(t, err)
	if lines := strings.Count(string(text), "\n"); lines > n+1100 {
		t.Errorf("%d lines for %d commands", lines, n)
	}
	if _, err := os.Stat(path + ".new"); !os.IsNotExist(err) {
		t.Errorf("the draft is still there: %v", err)
	}
	j = open(t, path)
	defer func() { _ = j.Close() }()
	if len(j.Entries()) != 1 || !j.Known("c0") || !j.Known(fmt.Sprint("c", n-1)) || receive(t, j, "c300") {
		t.Errorf("%d entries", len(j.Entries()))
	}
}
