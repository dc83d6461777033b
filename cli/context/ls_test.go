package context

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestLsLooks(t *testing.T) {
	t.Parallel()
	viewtest.Golden(t, "ls", listing{
		{name: "bad", broken: "line 1: unexpected end", json: json.RawMessage(`{"name":"bad","selected":false,"error":"line 1: unexpected end"}`)},
		{name: "dev", description: "This machine", url: "nats://127.0.0.1:4222", auth: "none", json: json.RawMessage(`{"name":"dev","url":"nats://127.0.0.1:4222","selected":false}`)},
		{name: "prod", description: "All of it, handle with care\x1b[2J", url: "nats://app:*****@n1,nats://n2", auth: "url", selected: true,
			json: json.RawMessage(`{"name":"prod","url":"nats://app:*****@n1,nats://n2","selected":true}`)},
	})
	viewtest.Golden(t, "ls-empty", listing{})
}

func TestCase69Ls(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if r := w.OK("context ls"); !strings.Contains(r.Out, "No known contexts") {
		t.Fatalf("an empty list reads %q", r.Out)
	}
	if r := w.OK("context ls --json"); strings.TrimSpace(r.Out) != "[]" {
		t.Fatalf("an empty list is %q", r.Out)
	}
	if r := w.OK("context ls --names"); r.Out != "" {
		t.Fatalf("an empty list of names is %q", r.Out)
	}
	w.OK("context add prod --server nats://bob:sesame@h:1 --description Production")
	w.OK("context add alpha --token hidden-word")
	w.write("a:b", `{"description":"two parts"}`)
	w.write("empty", "")
	w.OK("context select prod --no-connect")

	if r := w.OK("context ls --names"); r.Out != "a:b\nalpha\nprod\n" {
		t.Fatalf("names are %q", r.Out)
	}
	says(t, w.OK("context ls"), "Known Contexts", "│ prod* ", "Production")
	r := w.OK("context ls --format wide")
	says(t, r, "nats://bob:*****@h:1", "token")
	missing(t, r, "sesame", "hidden-word")
	r = w.OK("context ls --json")
	missing(t, r, "sesame", "hidden-word")
	var list []map[string]any
	if err := json.Unmarshal([]byte(r.Out), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 || list[2]["name"] != "prod" || list[2]["url"] != "nats://bob:*****@h:1" || list[2]["selected"] != true || list[1]["selected"] != false {
		t.Fatalf("the list is %s", r.Out)
	}
	if r := w.OK("--show-secrets context ls --json"); !strings.Contains(r.Out, "sesame") || !strings.Contains(r.Out, "hidden-word") {
		t.Fatalf("--show-secrets shows %s", r.Out)
	}
	if r := w.OK("context ls --completion"); r.Out != "a\\:b:two parts\nalpha:\nprod*:Production\n" {
		t.Fatalf("completions are %q", r.Out)
	}
	w.Fails(fail.Usage, "context ls --completion --names")
}

func TestLsShowsWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.OK("context add good")
	w.write("bad", "{bad")
	r := w.OK("context ls")
	says(t, r, "bad", "cannot be read", "good")
	if !strings.Contains(r.Err, "Could not load context bad: ") || !strings.Contains(r.Err, w.path("bad")+":1:2") {
		t.Fatalf("stderr: %s", r.Err)
	}
	r = w.OK("context ls --jq '.[0].error'")
	says(t, r, w.path("bad")+":1:2")
}

// TestRowsHaveTheDocumentedKeys: the type that the documentation shows is what is printed.
func TestRowsHaveTheDocumentedKeys(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.OK("context add n --http-proxy http://p:1 --tls-server-name x --ws-header 'A: b'")
	for line, shape := range map[string]any{"context ls --jq '.[0] | keys'": rowShape{Error: "x"}, "context info n --connect --server h --jq keys": detailsShape{}} {
		r := w.Run(line)
		var have []string
		if err := json.Unmarshal([]byte(r.Out), &have); err != nil {
			t.Fatalf("%s: %v: %s%s", line, err, r.Out, r.Err)
		}
		documented := keysOf(t, shape)
		for _, k := range have {
			if !slices.Contains(documented, k) && !slices.Contains([]string{"connection", "error", "http_proxy", "tls_server_name", "ws_headers"}, k) {
				t.Errorf("%s prints %s, which the documentation does not show", line, k)
			}
		}
		for _, k := range documented {
			if !slices.Contains(have, k) && k != "error" {
				t.Errorf("%s does not print %s, which the documentation shows", line, k)
			}
		}
	}
}

func keysOf(t *testing.T, v any) []string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

func TestLsParse(t *testing.T) {
	t.Parallel()
	o, err := clitest.Parse[lsOptions](t, Command(), "ctx l --names")
	if err != nil || !o.names || o.completion {
		t.Fatalf("%+v %v", o, err)
	}
}
