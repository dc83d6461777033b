package kv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt/prompttest"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// TestRefusalsAreToldAtOnce: what the server does not let through fails with its subject, long before the timeout.
func TestRefusalsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithAccountsLimited())
	app := clitest.New(t, Command()).Server(srv.UserURL("app"))
	app.OK("kv add CFG")
	app.OK("kv put CFG a 1")
	limited := clitest.New(t, Command()).Server(srv.UserURL("limited"))
	for _, line := range []string{"kv get CFG a", "kv put CFG a 2", "kv ls", "kv ls CFG", "kv watch CFG", "kv export CFG", "kv add B", "kv del CFG a -f"} {
		// The test itself waits 30 seconds at most.
		if r := limited.Fails(fail.Unreachable, line+" --timeout 10m", "ermissions", "$JS.API."); r.Out != "" {
			t.Errorf("%s prints %q", line, r.Out)
		}
	}
	nostream := clitest.New(t, Command()).Server(srv.UserURL("nostream"))
	nostream.Fails(fail.Unreachable, "kv add B --timeout 10m", "$JS.API.STREAM.CREATE.KV_B")
	nostream.Fails(fail.Unreachable, "kv rm CFG -f --timeout 10m", "$JS.API.STREAM.DELETE.KV_CFG")
	if got := app.OK("kv get CFG a --raw").Out; got != "1" {
		t.Errorf("%q", got)
	}
}

// TestProtectedContextsAskForTheName: in a context that is marked so, a yes is not enough.
func TestProtectedContextsAskForTheName(t *testing.T) {
	t.Parallel()
	srv, c := with(t, "kv add CFG", "kv put CFG a 1")
	root := filepath.Join(filepath.Dir(c.Dir()), "config", "nats")
	for name, text := range map[string]string{
		"context/prod.json": `{"url": "` + srv.URL() + `"}`, "cli/guard.json": `{"contexts": {"prod": {"protected": true}}}`,
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	prod := c.Env("NATS_URL", "").Env("NATS_CONTEXT", "prod")
	asked := prompttest.Scripted(t, "CFG")
	prod.Answers(asked).OK("kv rm CFG")
	if q := asked.Asked(); len(q) != 1 || q[0].Kind != "input" || !strings.Contains(q[0].Question.Message, "CFG") {
		t.Errorf("asked %+v", q)
	}
	c.Fails(fail.NotFound, "kv info CFG")
}
