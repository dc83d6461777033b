package context

import (
	"os"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt/prompttest"
)

func (w *world) gone(name string) bool {
	_, err := os.Stat(w.path(name))
	return os.IsNotExist(err)
}

func TestCase71Rm(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.OK("context add sel")
	w.OK("context add x")
	w.OK("context select sel --no-connect")
	w.Fails(fail.Failure, "context rm sel", `context "sel" is selected`, "--force")
	w.Fails(fail.Usage, "context rm x", "pass --force (there is no terminal to ask on)")
	if w.gone("sel") || w.gone("x") {
		t.Fatal("a context was removed")
	}
	says(t, w.OK("context rm sel -f"), `Removed context "sel", no context is selected now`)
	w.wantSelected("")
	if !w.gone("sel") {
		t.Fatal("sel is still there")
	}
	w.Fails(fail.NotFound, "context rm sel", "sel", "nats context ls")
	says(t, w.OK("context rm sel --force --json"), `"removed": false`)
}

func TestRmAsks(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.OK("context add x")
	script := prompttest.Scripted(t, false)
	w.Answers(script).Fails(fail.Declined, "context rm x", "declined")
	if q := script.Asked()[0].Question.Message; q != `Really delete context "x"?` {
		t.Fatalf("asked %q", q)
	}
	if w.gone("x") {
		t.Fatal("x was removed")
	}
	w.Answers(prompttest.Scripted(t, true)).OK("context rm x")
	if !w.gone("x") {
		t.Fatal("x is still there")
	}
}

func TestRmOfAProtectedContextWantsItsName(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.OK("context add x")
	w.OK("context protect x")
	w.Answers(prompttest.Scripted(t, "")).Fails(fail.Declined, "context rm x")
	w.Answers(prompttest.Scripted(t, "x")).OK("context remove x")
	if !w.gone("x") {
		t.Fatal("x is still there")
	}
}

func TestRmOfABrokenContext(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.write("bad", "{bad")
	w.Answers(prompttest.Scripted(t, true)).OK("context rm bad")
	if !w.gone("bad") {
		t.Fatal("bad is still there")
	}
}
