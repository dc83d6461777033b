package context

import (
	"os"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt/prompttest"
)

// replacing is an editor that replaces one text by another.
func replacing(old, new string) func([]byte) []byte {
	return func(text []byte) []byte { return []byte(strings.Replace(string(text), old, new, 1)) }
}

func TestEditChangesOnlyWhatWasChanged(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.write("n", `{"url":"nats://h:1","creds":"$HOME/x","token":"hidden-word","later":{"a":12345678901234567890}}`)
	script := prompttest.Scripted(t, replacing("nats://h:1", "nats://h:2"))
	r := w.Answers(script).OK("context edit n")
	says(t, r, "Server URLs: nats://h:2")
	missing(t, r, "hidden-word")
	asked := script.Asked()[0]
	if asked.Question.Suffix != ".yaml" || !strings.Contains(asked.Content, "$HOME/x") || !strings.Contains(asked.Content, "# ") {
		t.Fatalf("the editor was given %+v", asked)
	}
	w.want("n", "creds", "$HOME/x")
	w.want("n", "token", "hidden-word")
	if !strings.Contains(w.file("n"), "12345678901234567890") {
		t.Fatalf("a number was changed: %s", w.file("n"))
	}
}

func TestEditRefusesWhatCannotBeStored(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.write("n", `{"url":"nats://h:1","user":"u","password":"hidden-word"}`)
	before := w.file("n")
	for text, why := range map[string]string{
		"url: [": "line 1", "urk: nats://h:2\n": "urk is not a setting", "user: u\ncreds: /x\n": "too many types of credentials",
		"url: 'http://x y'\n": "url", "": "the text is empty", "- a\n": "line 1",
	} {
		if err := os.WriteFile(w.Path("new"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, r := range []string{"context edit n --file new", "context edit n --file -"} {
			got := w.with(w.Stdin(text)).Fails(fail.Usage, r, why)
			missing(t, got, "hidden-word")
		}
		if w.file("n") != before {
			t.Fatalf("%q changed the file: %s", text, w.file("n"))
		}
	}
	w.Fails(fail.NotFound, "context edit n --file nowhere", "nowhere")
	w.Fails(fail.Usage, "context edit n", "pass --file (there is no terminal to ask on)")
	w.Fails(fail.NotFound, "context edit zzz")
}

func TestEditWithoutAChangeWritesNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.write("n", `{"url":"nats://h:1"}`)
	w.Answers(prompttest.Scripted(t, prompttest.Answer{})).OK("context vi n")
	if got := w.file("n"); got != `{"url":"nats://h:1"}` {
		t.Fatalf("the file was rewritten: %s", got)
	}
}

func TestEditMendsABrokenFile(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.write("bad", `{"url":"nats://h:1",}`)
	script := prompttest.Scripted(t, replacing(",}", "}"))
	says(t, w.Answers(script).OK("context edit bad"), "Server URLs: nats://h:1")
	if asked := script.Asked()[0]; asked.Question.Suffix != ".json" || asked.Content != `{"url":"nats://h:1",}` {
		t.Fatalf("the editor was given %+v", asked)
	}
	w.write("bad", `{"url":`)
	w.with(w.Stdin(`{"url":1`)).Fails(fail.Failure, "context edit bad --file -", `context "bad"`)
	if got := w.file("bad"); got != `{"url":` {
		t.Fatalf("the file was changed: %s", got)
	}
	info, err := os.Stat(w.path("bad"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
}
