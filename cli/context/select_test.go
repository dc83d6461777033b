package context

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt/prompttest"
	"github.com/natskit/natskit/internal/testkit"
)

func TestCase70SelectAndPrevious(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	w := setup(t)
	w.OK("context add a --server " + srv.URL())
	w.OK("context add b --server " + srv.URL())
	says(t, w.OK("context select a"), `Context "a"`, "Connection: OK")
	w.OK("ctx switch b")
	w.wantSelected("b")
	for _, want := range []string{"a", "b", "a"} {
		r := w.OK("context previous")
		says(t, r, `NATS Configuration Context "`+want+`"`)
		w.wantSelected(want)
	}
	// The alias is a lone dash, which the parser itself would take for an empty word.
	for _, want := range []string{"b", "a"} {
		says(t, w.OK("context -"), `NATS Configuration Context "`+want+`"`)
		w.wantSelected(want)
	}
	says(t, w.OK("ctx - --json"), `"name": "b"`)
}

func TestPreviousWithoutOneIsInfo(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.Fails(fail.Usage, "context -", "no default context and no name supplied")
	w.OK("context add a")
	w.OK("context select a --no-connect")
	says(t, w.OK("context -"), `Context "a"`)
	w.wantSelected("a")
}

func TestUnselect(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if r := w.OK("context unselect"); r.Out != "No context currently selected\n" {
		t.Fatalf("%q", r.Out)
	}
	w.OK("context add prod")
	w.OK("context select prod --no-connect")
	if r := w.OK("context unselect"); r.Out != "Unselected the \"prod\" context\n" {
		t.Fatalf("%q", r.Out)
	}
	w.wantSelected("")
	says(t, w.OK("context previous"), `Context "prod"`)
	w.wantSelected("prod")
	says(t, w.OK("context unselect --json"), `"previous": "prod"`)
}

func TestSelectAsks(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.Fails(fail.NotFound, "context select", "no context defined")
	w.OK("context add a")
	w.OK("context add b")
	w.Fails(fail.Usage, "context select", "pass <name>")
	script := prompttest.Scripted(t, "b")
	says(t, w.Answers(script).OK("context select --no-connect"), `Context "b"`)
	if q := script.Asked()[0]; q.Question.Message != "Select a Context" || strings.Join(q.Options, " ") != "a b" {
		t.Fatalf("asked %+v", q)
	}
	w.wantSelected("b")
	w.Answers(prompttest.Scripted(t, fail.ErrInterrupted)).Fails(fail.Interrupted, "context select")
	w.wantSelected("b")
}

// TestD12, cases 13 and 14: neither a mistyped name nor a file that cannot be read changes what is selected.
func TestD12SelectionSurvivesMistakes(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	w := setup(t)
	w.OK("context add development --server " + srv.URL() + " --select")
	w.write("bad", "{bad")
	for _, line := range []string{
		"context select developmnt", "context info developmnt", "--context developmnt context info", "context copy developmnt x", "context edit developmnt",
		"context validate developmnt", "--context developmnt context info --effective", "context rm developmnt",
	} {
		w.Fails(fail.NotFound, line, "developmnt", "did you mean development?")
		w.wantSelected("development")
	}
	for _, line := range []string{"context select bad", "context info bad", "--context bad context info", "context copy bad x", "--context bad context info --effective"} {
		r := w.Fails(fail.Failure, line, w.path("bad")+":1:2")
		if strings.Contains(r.Err, "not found") {
			t.Fatalf("a broken context is called missing: %s", r.Err)
		}
		w.wantSelected("development")
	}
	if got := w.file("bad"); got != "{bad" {
		t.Fatalf("the broken file was changed: %q", got)
	}
}

// TestD12 continued: a selected context whose file has gone stays selected until the user says otherwise.
func TestD12SelectedContextIsGone(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.OK("context add dev")
	w.OK("context select dev --no-connect")
	if err := os.Remove(w.path("dev")); err != nil {
		t.Fatal(err)
	}
	w.OK("context add other")
	for _, line := range []string{"context info", "context info --effective", "context rm dev"} {
		w.Fails(fail.NotFound, line, `"dev"`)
		w.wantSelected("dev")
	}
	w.OK("context unselect")
	w.Fails(fail.NotFound, "context previous", `"dev"`)
	w.wantSelected("")
}

func TestSelectSaysWhenAnotherPlaceDecides(t *testing.T) {
	t.Parallel()
	w := setup(t)
	dir := filepath.Join(t.TempDir(), "shared")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"team.json": `{"url":"nats://h:1"}`, "context.txt": "team"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w = w.with(w.Env("NATS_CONTEXTS_PATH", dir))
	w.OK("context add mine")
	r := w.OK("context select mine --no-connect")
	if !strings.Contains(r.Err, filepath.Join(dir, "context.txt")) {
		t.Fatalf("stderr: %s", r.Err)
	}
	w.Fails(fail.Failure, "context rm team -f", "not changed from here")
}
