package context

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/natskit/natskit/internal/fail"
)

// project puts a .nats directory into the working directory of w.
func (w *world) project(files map[string]string) string {
	w.t.Helper()
	dir := w.Path(".nats")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	return real
}

func TestTrust(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.Fails(fail.NotFound, "context trust", "no .nats directory here or above")
	w.Fails(fail.NotFound, "context trust sub", "no such directory")
	dir := w.project(map[string]string{"team.json": `{"url":"nats://team:1"}`, "context.txt": "team\n"})

	w.Fails(fail.Usage, "context info", "no default context")
	says(t, w.OK("context info team"), "nats://team:1")
	w.Fails(fail.Failure, "context select team", "is not trusted", "nats context trust")

	for _, line := range []string{"context trust", "context trust .", "context trust .nats", "context trust " + w.Dir()} {
		says(t, w.OK(line), dir+" is trusted")
		says(t, w.OK("context info"), `Context "team"`)
		says(t, w.OK("context ls"), "team*")
		says(t, w.OK("context untrust"), dir+" is not trusted")
		w.Fails(fail.Usage, "context info", "no default context")
	}
	says(t, w.OK("context trust --json"), `"trusted": true`)
	w.Fails(fail.Failure, "context edit team", "not changed from here")
	w.Fails(fail.Failure, "context add team", "not changed from here")
	w.OK("context copy team mine")
	w.want("mine", "url", "nats://team:1")
}

func TestProtect(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.OK("context add prod")
	says(t, w.OK("context protect prod"), `Context "prod" is protected`)
	says(t, w.OK("context info prod"), "Protected: true")
	says(t, w.OK("context info prod --jq .protected"), "true")
	says(t, w.OK("--context prod context unprotect"), `Context "prod" is not protected`)
	says(t, w.OK("context info prod --jq .protected"), "false")
	w.Fails(fail.NotFound, "context protect pro", "did you mean prod?")
}
