package context

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestValidateLooks(t *testing.T) {
	t.Parallel()
	d := sample(t)
	good := &details{document: document{Name: "good", URL: "nats://h:1", Path: "/home/u/.config/nats/context/good.json"}, findings: findings{Problems: []problem{}, Overrides: []string{}}}
	viewtest.Golden(t, "validate", verdicts{
		{Name: "bad", Path: "/home/u/.config/nats/context/bad.json", findings: findings{Problems: []problem{}, Overrides: []string{}}, Error: "bad.json:1:2: invalid character"},
		{Name: "good", Path: good.Path, OK: true, findings: good.findings, details: good},
		{Name: "prod", Path: d.Path, findings: d.findings, details: d},
	})
}

// TestCase74: what cannot be loaded counts, and so do missing files, misspelt keys and failed connections.
func TestCase74Validate(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	w := setup(t)
	if r := w.OK("context validate --json"); strings.TrimSpace(r.Out) != "[]" {
		t.Fatalf("nothing to validate is %q", r.Out)
	}
	w.OK("context add good --server " + srv.URL())
	says(t, w.OK("context validate"), `Context "good"`)
	says(t, w.OK("context validate good --connect"), "Connection: OK")

	w.write("bad", "{bad")
	r := w.Fails(fail.Failure, "context validate", "Could not load context bad: ", "validation failed: 1 of 2 contexts")
	says(t, r, `Context "good"`)
	w.Fails(fail.Failure, "context validate bad", "validation failed")
	w.OK("context validate good")
	w.OK("context rm bad --force")

	w.write("nofile", `{"url":"nats://h:1","creds":"/no/such.creds"}`)
	r = w.Fails(fail.Failure, "context validate nofile", "validation failed")
	says(t, r, "Credentials: /no/such.creds (ERROR)", "ERROR: creds: open /no/such.creds: no such file")
	w.OK("context rm nofile --force")

	w.write("typo", `{"url":"nats://h:1","credz":"/x"}`)
	says(t, w.Fails(fail.Failure, "context validate typo"), "ERROR: credz: is not a setting of contexts, did you mean creds?")
	w.OK("context rm typo --force")

	w.OK("context add dead --server " + deadURL(t))
	w.OK("context validate")
	says(t, w.Fails(fail.Failure, "context validate --connect", "validation failed: 1 of 2"), "Connection: OK", "Connection: nats: no servers available")
	w.Fails(fail.NotFound, "context validate nosuch", "nosuch")
}

func TestValidateJSON(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.OK("context add good --token hidden-word")
	w.write("bad", "{bad")
	w.write("nofile", `{"nkey":"/no/such"}`)
	r := w.Fails(fail.Failure, "context validate --json", "validation failed: 2 of 3")
	var list []struct {
		Name, Path, Error string
		OK                bool
		Problems          []problem
	}
	if err := json.Unmarshal([]byte(r.Out), &list); err != nil {
		t.Fatalf("%v: %s", err, r.Out)
	}
	if len(list) != 3 || list[0].OK || list[0].Path != w.path("bad") || !strings.Contains(list[0].Error, ":1:2") || !list[1].OK || list[2].OK ||
		len(list[2].Problems) != 1 || list[2].Problems[0].Key != "nkey" {
		t.Fatalf("%s", r.Out)
	}
	missing(t, r, "hidden-word")
}
