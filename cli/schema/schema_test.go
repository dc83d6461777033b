package schema

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/jsm.go/api"
	"go.yaml.in/yaml/v3"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

const purge = "io.nats.jetstream.api.v1.stream_purge_request"

func names(t *testing.T, text string) []string {
	t.Helper()
	var out []string
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return out
}

func TestSearch(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	if out := c.OK("schema search stream_conf").Out; out != "Matched Schemas:\n\n  io.nats.jetstream.api.v1.stream_configuration\n" {
		t.Errorf("%q", out)
	}
	all := names(t, c.OK("schema ls --json").Out)
	if len(all) < 90 {
		t.Errorf("%d schemas", len(all))
	}
	sum := 0
	for _, kind := range []string{"api", "advisory", "metric", "monitor", "micro"} {
		some := names(t, c.OK("schema find . --json --kind "+kind).Out)
		if len(some) == 0 {
			t.Errorf("none of kind %s", kind)
		}
		sum += len(some)
	}
	if sum != len(all) {
		t.Errorf("%d schemas have a kind, there are %d", sum, len(all))
	}
	if out := c.OK("schema search STREAM_CONF").Out; out != "No schemas matched \"STREAM_CONF\"\n" {
		t.Errorf("%q", out)
	}
	if out := c.OK("schema search nosuch --json").Out; out != "[]\n" {
		t.Errorf("%q", out)
	}
	c.Fails(fail.Usage, "schema search '('", "pattern")
	c.Fails(fail.Usage, "schema search --kind other")
}

func TestInfo(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	for _, line := range []string{"schema info " + purge, "schema show --json " + purge} {
		var doc map[string]any
		if err := json.Unmarshal([]byte(c.OK(line).Out), &doc); err != nil || doc["title"] != purge {
			t.Errorf("%s: %v %v", line, doc["title"], err)
		}
	}
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(c.OK("schema view --yaml "+purge).Out), &doc); err != nil || doc["title"] != purge {
		t.Errorf("yaml: %v %v", doc["title"], err)
	}
	c.TTY(80).Fails(fail.NotFound, "schema info stream_purge_request", "there is no schema", "nats schema info "+purge)
	c.Fails(fail.NotFound, "schema info ../../x", "there is no schema")
}

func TestValidate(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command())
	for name, text := range map[string]string{"good.json": `{"seq":18446744073709551615}`, "bad.json": `{"subject":"x","seq":-1}`, "no.json": `{"a"`} {
		if err := os.WriteFile(c.Path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out := c.OK("schema validate " + purge + " good.json").Out; out != "good.json validates against "+purge+"\n" {
		t.Errorf("%q", out)
	}
	r := c.Fails(fail.Failure, "schema check "+purge+" bad.json", "does not validate")
	if !strings.HasPrefix(r.Out, "Validation errors in bad.json:\n\n  /seq: must be ") {
		t.Errorf("%q", r.Out)
	}
	if got := names(t, c.Fails(fail.Failure, "schema validate --json "+purge+" bad.json").Out); len(got) != 1 || !strings.HasPrefix(got[0], "/seq: ") {
		t.Errorf("%q", got)
	}
	if out := c.OK("schema validate --json " + purge + " good.json").Out; out != "[]\n" {
		t.Errorf("%q", out)
	}
	r = c.Fails(fail.Failure, "schema validate --json "+purge+" good.json bad.json no.json", "2 of 3")
	var each map[string][]string
	if err := json.Unmarshal([]byte(r.Out), &each); err != nil || len(each) != 3 || len(each["good.json"]) != 0 || len(each["bad.json"]) != 1 || !strings.Contains(each["no.json"][0], "no JSON") {
		t.Errorf("%v %s", err, r.Out)
	}
	c.Stdin(`{"seq":1}`).OK("schema validate " + purge + " -")
	c.Stdin(`[]`).Fails(fail.Failure, "schema validate "+purge+" -")
	c.Fails(fail.NotFound, "schema validate nosuch good.json", "nosuch")
	c.Fails(fail.NotFound, "schema validate "+purge+" nowhere.json", "nowhere.json")
}

func TestPointer(t *testing.T) {
	t.Parallel()
	reasons, err := check("io.nats.jetstream.api.v1.stream_configuration", []byte(`{"name":"a","placement":{"cluster":7},"sources":[{"name":true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(reasons, "\n")
	for _, want := range []string{"/placement/cluster: ", "/sources/0/name: "} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithAccounts())
	c := clitest.New(t, Command()).Server(srv.URL()).Env("NOVALIDATE", "1")
	info := "io.nats.jetstream.api.v1.account_info_response"
	if out := c.OK("schema request '$JS.API.INFO'").Out; out != "Response is a valid "+info+" message\n" {
		t.Errorf("%q", out)
	}
	if out := c.OK("schema req '$JS.API.INFO' --show --schema " + info).Out; !strings.Contains(out, "  \"type\": \""+info+"\"") {
		t.Errorf("%q", out)
	}
	var r response
	if err := json.Unmarshal([]byte(c.OK("schema request '$JS.API.STREAM.INFO.NOSUCH' '' --json").Out), &r); err != nil || !r.Valid || r.Error == nil || r.Error.ErrCode != 10059 {
		t.Errorf("%+v %v", r, err)
	}
	if out := c.OK("schema request '$JS.API.STREAM.INFO.NOSUCH' ''").Out; !strings.Contains(out, "stream not found (10059)") {
		t.Errorf("%q", out)
	}
	nc := srv.Conn()
	testkit.Respond(t, nc, "bad", `{"type":"`+info+`","memory":"much"}`)
	testkit.Respond(t, nc, "untyped", `{}`)
	testkit.Respond(t, nc, "text", `hello`)
	testkit.Respond(t, nc, "unknown", `{"type":"io.nats.other"}`)
	got := c.Fails(fail.Failure, "schema request bad", "does not validate")
	if !strings.Contains(got.Out, "Response is not a valid") || !strings.Contains(got.Out, "  /") {
		t.Errorf("%q", got.Out)
	}
	c.Fails(fail.Failure, "schema request untyped", "type")
	c.Fails(fail.Failure, "schema request text", "no JSON")
	c.Fails(fail.NotFound, "schema request unknown", "io.nats.other")
	c.Fails(fail.Failure, "schema request '$JS.API.INFO' --schema "+purge, info, purge)
	c.Fails(fail.NotFound, "schema request '$JS.API.INFO' --schema nosuch", "nosuch")
	c.Fails(fail.NoAnswer, "schema request nobody", "nobody")
	c.Fails(fail.Usage, "schema request 'a.*'", "a.*")
	c.Server(srv.UserURL("limited")).Fails(fail.Unreachable, "schema request '$JS.API.INFO' --timeout 20s", "$JS.API.INFO")
	clitest.New(t, Command()).Server(testkit.Dead(t)).Fails(fail.Unreachable, "schema request x", "no servers")
}

func TestViews(t *testing.T) {
	viewtest.Golden(t, "search", matched{".", []string{purge, "io.nats.micro.v1.ping_response"}})
	viewtest.Golden(t, "info", document{json.RawMessage(`{
  "title": "t",
  "type": "object"
}`)})
	viewtest.Golden(t, "validate", verdict{purge, []judged{{"good.json", []string{}}, {"bad.json", []string{"/seq: must be 0 or more"}}}})
	viewtest.Golden(t, "request", response{Subject: "a", Schema: purge, Reasons: []string{"/seq: must be 0 or more"}, Response: json.RawMessage(`{"seq":-1}`)})
	viewtest.Golden(t, "request-error", response{Subject: "a", Schema: purge, Valid: true, Reasons: []string{}, Error: &api.ApiError{Code: 404, ErrCode: 10059, Description: "stream not found"}})
}
