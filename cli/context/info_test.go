package context

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

// sample is a context in which every row has something to show.
func sample(t *testing.T) *details {
	t.Helper()
	raw := json.RawMessage(`{"name":"prod","description":"Production","url":"nats://n1:4222,nats://n2:4222","socks_proxy":"socks5://p:1080","token":"*****",
"user":"sys","password":"*****","creds":"/home/u/prod.creds","nkey":"nsc://O/A/U","cert":"/home/u/cert.pem","key":"/home/u/key.pem","ca":"/home/u/ca.pem","nsc":"",
"jetstream_domain":"hub","jetstream_api_prefix":"JS.API","jetstream_event_prefix":"JS.EVENT","inbox_prefix":"_INBOX.u","user_jwt":"*****","user_seed":"*****",
"color_scheme":"cyan","tls_first":true,"windows_cert_store":"","windows_cert_match_by":"","windows_cert_match":"","windows_ca_certs_match":null,
"later":7,"tls_server_name":"nats.example.net","selected":true,"protected":true,"read_only":false,"path":"/home/u/.config/nats/context/prod.json"}`)
	d := &details{
		raw:  raw,
		tags: map[string]string{"creds": "OK", "nkey": "nsc", "cert": "ERROR", "ca": string(contexts.SourceEmbedded)},
		findings: findings{
			Problems:  []problem{{"cert", "open /home/u/cert.pem: no such file or directory"}, {"", "too many types of credentials"}},
			Overrides: []string{"NATS_URL", "NATS_USER"}, Connection: &connection{OK: true},
		},
	}
	if err := json.Unmarshal(raw, &d.document); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestInfoLooks(t *testing.T) {
	t.Parallel()
	viewtest.Golden(t, "info", sample(t))
	viewtest.Golden(t, "effective", effective{
		Context: "prod", Path: "/home/u/.config/nats/context/prod.json", Warnings: []string{`$NATS_USER overrides the user of context "prod"`},
		Settings: []setting{
			{"server", "nats://n1:4222", "--server", "flag"}, {"user", "sys", "$NATS_USER", "environment"},
			{"password", "*****", `context "prod"`, "context"}, {"timeout", "5s", "default", "default"},
		},
	})
}

// TestInfoRowsInOrder holds the screen to the labels and the order that scripts know.
func TestInfoRowsInOrder(t *testing.T) {
	t.Parallel()
	text := string(viewtest.Show(t, sample(t), render.Options{}))
	at := 0
	for _, label := range []string{
		`NATS Configuration Context "prod"`, "Description: ", "Server URLs: ", "SOCKS5 Proxy: ", "Username: ", "Password: ", "Token: ", "Credentials: ", "User JWT: ",
		"User Seed: ", "NKey: ", "Certificate: ", " Key: ", " CA: ", "TLS First: ", "JS API Prefix: ", "JS Event Prefix: ", "JS Domain: ", "Inbox Prefix: ", "Path: ",
		"Color Scheme: ", "Connection: OK", "WARNING: Shell environment overrides in place using NATS_URL, NATS_USER",
	} {
		i := strings.Index(text[at:], label)
		if i < 0 {
			t.Fatalf("%q does not follow:\n%s", label, text)
		}
		at += i
	}
}

func TestInfoChoosesTheContext(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.Fails(fail.Usage, "context info", "no default context and no name supplied")
	w.OK("context add a")
	w.OK("context add b")
	w.OK("context select a --no-connect")
	says(t, w.OK("context info"), `Context "a"`)
	says(t, w.OK("context info b"), `Context "b"`)
	says(t, w.OK("--context b context info"), `Context "b"`)
	says(t, w.with(w.Env("NATS_CONTEXT", "b")).OK("context show"), `Context "b"`)
	w.Fails(fail.Usage, "--no-context context info", "no default context")
	says(t, w.OK("context info "+w.path("b")), `Context "b"`, w.path("b"))
}

// TestCase77: the settings in effect follow --no-context, --context with a path, NATS_CONTEXT and --server.
func TestCase77Effective(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.OK("context add a --server nats://a:1 --user bob --password hidden-word")
	w.OK("context add b --server nats://b:1")
	w.OK("context select a --no-connect")
	server := func(line string) string {
		t.Helper()
		return strings.TrimSpace(w.OK(`context info --effective ` + line + ` --jq '.settings[] | select(.key == "server") | .value + " " + .from + " " + .origin'`).Out)
	}
	for line, want := range map[string]string{
		"":                           `nats://a:1 context "a" context`,
		"b":                          `nats://b:1 context "b" context`,
		"--context b":                `nats://b:1 context "b" context`,
		"--no-context":               `nats://127.0.0.1:4222 default default`,
		"--server nats://c:1":        `nats://c:1 --server flag`,
		"--context " + w.path("b"):   `nats://b:1 context "` + w.path("b") + `" context`,
		"--context b --server 'x:1'": `x:1 --server flag`,
	} {
		if have := server(line); have != want {
			t.Errorf("%s: server is %s, want %s", line, have, want)
		}
	}
	w = w.with(w.Env("NATS_URL", "nats://env:1").Env("NATS_CONTEXT", "b"))
	if have := server(""); have != "nats://env:1 $NATS_URL environment" {
		t.Errorf("server is %s", have)
	}
	r := w.OK("context info a --effective")
	says(t, r, "Setting", `Effective Settings with Context "a"`, "$NATS_URL", "bob", "*****", `context "a"`, "timeout", "default")
	missing(t, r, "hidden-word")
	if !strings.Contains(r.Err, `$NATS_URL overrides the server of context "a"`) {
		t.Fatalf("stderr: %s", r.Err)
	}
	says(t, w.OK("context info a --effective --show-secrets"), "hidden-word")
	w.Fails(fail.Usage, "context info a --effective --connect", "exclude each other")
}

// TestS4 and case 75: no command shows a secret unless it is told to.
func TestS4SecretsAreRedacted(t *testing.T) {
	t.Parallel()
	w := setup(t)
	secrets := []string{"pass-word-1", "to-ken-2", "eyJhbGciOiJlZDI1NTE5", "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY", "url-secret-5", "proxy-secret-6", "header-secret-7"}
	dead := strings.TrimPrefix(deadURL(t), "nats://")
	w.OK("context add user --server 'nats://bob:" + secrets[4] + "@" + dead + "' --user bob --password " + secrets[0])
	w.OK("context add token --token " + secrets[1] + " --socks-proxy socks5://u:" + secrets[5] + "@h:1 --ws-header 'Authorization: " + secrets[6] + "'")
	w.OK("context add jwt --jwt " + secrets[2] + " --seed " + secrets[3])
	for _, line := range []string{
		"context add user --description d", "context info user", "context info user --json", "context info user --format yaml", "context info token", "context info token --json",
		"context info jwt", "context info jwt --json", "context ls --format wide", "context ls --json", "context validate", "context validate --json", "context validate user --connect",
		"context info user --effective", "context info token --effective --json", "context info jwt --effective", "context info user --connect",
		"context select user", "context copy user copied", "context -", "context info user --format 'template={{json .}}'", "context info user --trace --connect",
	} {
		r := w.Run(line)
		if r.Out == "" {
			t.Fatalf("nats %s shows nothing: %s", line, r.Err)
		}
		missing(t, r, secrets...)
	}
	says(t, w.OK("context info user"), "Password: *****", "Server URLs: nats://bob:*****@")
	says(t, w.OK("context info token"), "Token: *****", "SOCKS5 Proxy: socks5://u:*****@h:1", "Authorization: *****")
	says(t, w.OK("context info jwt"), "User JWT: *****", "User Seed: *****")
	says(t, w.OK("context info user --show-secrets"), "Password: "+secrets[0], secrets[4])
	says(t, w.OK("context info jwt --json --show-secrets"), secrets[2], secrets[3])
}

// TestCase74: a connection that fails is an error of its own code.
func TestCase74InfoConnect(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithUser("bob", "sesame"))
	w := setup(t)
	w.OK("context add n --server " + deadURL(t))
	// The environment points at a server that works: it must not count.
	w = w.with(w.Server(srv.AuthURL()))
	r := w.Fails(fail.Unreachable, "context info n --connect", "no servers available")
	says(t, r, "Connection: nats: no servers available")
	says(t, w.Fails(fail.Unreachable, "context info n --connect --json"), `"ok": false`)
	w.OK("context add denied --server " + srv.URL() + " --user bob --password wrong")
	says(t, w.Fails(fail.Unreachable, "context info denied --connect"), "Connection: nats: Authorization Violation")
	w.OK("context add good --server " + srv.URL() + " --user bob --password sesame")
	says(t, w.OK("context info good --connect"), "Connection: OK")
	r = w.OK("context info good --connect --json")
	says(t, r, `"connection"`, `"ok": true`)
}

func TestInfoConnectsToAnEmbeddedServer(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.OK("context add here --server embedded:data")
	says(t, w.OK("context info here --connect"), "Connection: OK")
	if _, err := os.Stat(w.Path("data")); err != nil {
		t.Fatal(err)
	}
}

func TestInfoTagsWhereCredentialsAre(t *testing.T) {
	t.Parallel()
	w := setup(t)
	there := filepath.Join(t.TempDir(), "n.nk")
	if err := os.WriteFile(there, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"--nkey " + there:                           "NKey: " + there + " (OK)",
		"--nkey /no/such":                           "NKey: /no/such (ERROR)",
		"--creds nsc://O/A/U":                       "Credentials: nsc://O/A/U (nsc)",
		"--user u --password op://v/i/f":            "Password: op://v/i/f (1Password)",
		"--creds 'data:;base64,aGVsbG8='":           "Credentials: embedded data",
		"--user u --password env://SET":             "Password: env://SET (runtime environment)",
		"--tlscert " + there + " --tlskey " + there: "Key: " + there + " (OK)",
	} {
		w.OK("context rm n --force")
		says(t, w.with(w.Env("SET", "x")).OK("context add n "+line), want)
	}
}

func TestInfoParse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]infoOptions{
		"context info":                   {},
		"ctx v prod --connect":           {name: "prod", connect: true},
		"context view x --effective -j":  {name: "x", effective: true},
		"context show --json --jq .name": {},
	} {
		o, err := clitest.Parse[infoOptions](t, Command(), line)
		if err != nil || o != want {
			t.Errorf("%s: %+v %v, want %+v", line, o, err, want)
		}
	}
}
