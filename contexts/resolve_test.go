package contexts_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/fail"
)

type precedence struct {
	name     string
	file     string // of the context prod
	selected bool
	request  contexts.Request
	want     map[contexts.Key]string // value (origin)
	warn     string
}

// Each row is one rule.
func precedences() []precedence {
	const prod = `{"url":"nats://prod:4222","tls_first":true,"socks_proxy":"socks5://gate:1080","color_scheme":"red"}`
	env := func(kv ...string) map[contexts.Key]contexts.Given { return given(contexts.FromEnv, kv...) }
	return []precedence{
		{name: "default", want: map[contexts.Key]string{"server": "nats://127.0.0.1:4222 (default)", "timeout": "5s (default)"}},
		{name: "selected context", file: prod, selected: true, want: map[contexts.Key]string{"server": `nats://prod:4222 (context "prod")`, "colors": `red (context "prod")`}},
		{name: "named context", file: prod, request: contexts.Request{Context: named("prod")}, want: map[contexts.Key]string{"server": `nats://prod:4222 (context "prod")`}},
		{name: "context from the environment", file: prod, request: contexts.Request{Context: contexts.Given{Values: []string{"prod"}, From: contexts.Origin{Kind: contexts.FromEnv, Name: "NATS_CONTEXT"}}}, want: map[contexts.Key]string{"server": `nats://prod:4222 (context "prod")`}},
		{name: "no context", file: prod, selected: true, request: contexts.Request{NoContext: true, Context: named("prod")}, want: map[contexts.Key]string{"server": "nats://127.0.0.1:4222 (default)"}},
		{name: "an empty --context is the selected one", file: prod, selected: true, request: contexts.Request{Context: named("")}, want: map[contexts.Key]string{"server": `nats://prod:4222 (context "prod")`}},
		{name: "environment beats the named context and warns", file: prod, request: contexts.Request{Context: named("prod"), Settings: env("server", "nats://x:1")}, want: map[contexts.Key]string{"server": "nats://x:1 ($NATS_URL)"}, warn: `$NATS_URL overrides the server of context "prod"`},
		{name: "the same value is no surprise", file: prod, request: contexts.Request{Context: named("prod"), Settings: env("server", "nats://prod:4222")}, want: map[contexts.Key]string{"server": "nats://prod:4222 ($NATS_URL)"}},
		{name: "environment beats the default without a word", request: contexts.Request{Settings: env("server", "nats://x:1", "timeout", "2s")}, want: map[contexts.Key]string{"server": "nats://x:1 ($NATS_URL)", "timeout": "2s ($NATS_TIMEOUT)"}},
		{name: "flag beats the context without a word", file: prod, selected: true, request: contexts.Request{Settings: flags("server", "nats://f:1")}, want: map[contexts.Key]string{"server": "nats://f:1 (--server)"}},
		{name: "empty flag leaves the context", file: prod, selected: true, request: contexts.Request{Settings: flags("server", "")}, want: map[contexts.Key]string{"server": `nats://prod:4222 (context "prod")`}},
		{name: "empty flag leaves the default", request: contexts.Request{Settings: flags("server", "")}, want: map[contexts.Key]string{"server": "nats://127.0.0.1:4222 (default)"}},
		{name: "a user without a password is a token", request: contexts.Request{Settings: flags("user", "bob")}, want: map[contexts.Key]string{"user": "", "token": "bob (--user)"}},
		{name: "also from the environment", request: contexts.Request{Settings: env("user", "bob")}, want: map[contexts.Key]string{"user": "", "token": "bob ($NATS_USER)"}},
		{name: "user and password", request: contexts.Request{Settings: both(flags("user", "bob"), env("password", "pw"))}, want: map[contexts.Key]string{"user": "bob (--user)", "password": "pw ($NATS_PASSWORD)", "token": ""}},
		{name: "a user in a context stays a user", file: `{"user":"bob"}`, selected: true, want: map[contexts.Key]string{"user": `bob (context "prod")`, "token": ""}},
		{name: "a user as token replaces the pair of the context", file: `{"user":"al","password":"pw"}`, selected: true, request: contexts.Request{Settings: flags("user", "bob")}, want: map[contexts.Key]string{"user": "", "password": "", "token": "bob (--user)"}},
		{name: "a password for the user of the context", file: `{"user":"al","password":"old"}`, selected: true, request: contexts.Request{Settings: flags("password", "new")}, want: map[contexts.Key]string{"user": `al (context "prod")`, "password": "new (--password)"}},
		{name: "a password alone is dropped with a word", request: contexts.Request{Settings: flags("password", "pw")}, want: map[contexts.Key]string{"password": ""}, warn: "there is no user"},
		{name: "tlsfirst only turns on", file: prod, selected: true, request: contexts.Request{Settings: flags("tlsfirst", "")}, want: map[contexts.Key]string{"tlsfirst": `true (context "prod")`}},
		{name: "unless turned off", file: prod, selected: true, request: contexts.Request{Settings: flags("tlsfirst", "false")}, want: map[contexts.Key]string{"tlsfirst": " (--tlsfirst)"}},
		{name: "tlsfirst turns on", request: contexts.Request{Settings: flags("tlsfirst", "true")}, want: map[contexts.Key]string{"tlsfirst": "true (--tlsfirst)"}},
		{name: "none clears a proxy", file: prod, selected: true, request: contexts.Request{Settings: flags("socks-proxy", "none")}, want: map[contexts.Key]string{"socks-proxy": " (--socks-proxy)"}},
		{name: "a dash clears a proxy", file: prod, selected: true, request: contexts.Request{Settings: flags("socks-proxy", "-")}, want: map[contexts.Key]string{"socks-proxy": " (--socks-proxy)"}},
		{name: "kinds given alike all stay", request: contexts.Request{Settings: flags("user", "u", "password", "p", "creds", "c", "nkey", "n", "jwt", "j", "token", "t")}, want: map[contexts.Key]string{"user": "u (--user)", "creds": "c (--creds)", "nkey": "n (--nkey)", "jwt": "j (--jwt)", "token": "t (--token)"}},
		{name: "creds by flag beat the pair of the context", file: `{"user":"al","password":"pw"}`, selected: true, request: contexts.Request{Settings: flags("creds", "c")}, want: map[contexts.Key]string{"user": "", "password": "", "creds": "c (--creds)"}},
		{name: "and by the environment, with a word", file: `{"user":"al"}`, selected: true, request: contexts.Request{Settings: env("creds", "c")}, want: map[contexts.Key]string{"user": "", "creds": "c ($NATS_CREDS)"}, warn: `$NATS_CREDS overrides the user of context "prod"`},
		{name: "a seed alone is no identity", file: `{"creds":"c"}`, selected: true, request: contexts.Request{Settings: env("seed", "s")}, want: map[contexts.Key]string{"creds": `c (context "prod")`}},
		{name: "a token goes with anything", file: `{"creds":"c"}`, selected: true, request: contexts.Request{Settings: flags("token", "t")}, want: map[contexts.Key]string{"creds": `c (context "prod")`, "token": "t (--token)"}},
		{name: "a user by flag replaces the one in the context's URL", file: `{"url":"nats://al:pw@h:1"}`, selected: true, request: contexts.Request{Settings: flags("user", "bob", "password", "pw2")}, want: map[contexts.Key]string{"server": `nats://h:1 (context "prod")`, "user": "bob (--user)"}},
		{name: "so does a token", file: `{"url":"nats://tok@h:1"}`, selected: true, request: contexts.Request{Settings: flags("token", "mine")}, want: map[contexts.Key]string{"server": `nats://h:1 (context "prod")`, "token": "mine (--token)"}},
		{name: "the user in a URL by flag replaces the context's", file: `{"user":"al","password":"pw"}`, selected: true, request: contexts.Request{Settings: flags("server", "nats://bob:pw2@h:1")}, want: map[contexts.Key]string{"server": "nats://bob:pw2@h:1 (--server)", "user": "", "password": ""}},
		{name: "the more explicit of prefix and domain", file: `{"jetstream_domain":"hub"}`, selected: true, request: contexts.Request{Settings: flags("js-api-prefix", "X.API")}, want: map[contexts.Key]string{"js-domain": "", "js-api-prefix": "X.API (--js-api-prefix)"}},
		{name: "variables that are set are expanded in a URL", file: `{"url":"nats://${HOST_NAME}:1","user":"$WHO"}`, selected: true, want: map[contexts.Key]string{"server": `nats://expanded:1 (context "prod")`, "user": `$WHO (context "prod")`}},
		{name: "paths expand variables and ~", file: `{"creds":"~/c.creds","ca":"$HOST_NAME/ca.pem","password":"$HOST_NAME"}`, selected: true, want: map[contexts.Key]string{"creds": `HOME/c.creds (context "prod")`, "tlsca": `expanded/ca.pem (context "prod")`, "password": ""}, warn: "no user"},
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	for _, r := range precedences() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.env["HOST_NAME"] = "expanded"
			if r.file != "" {
				b.context("prod", r.file)
			}
			if r.selected {
				b.sel("prod")
			}
			before := b.snapshot()
			res := b.resolve(r.request)
			shown := map[contexts.Key]string{}
			for _, e := range res.List(true) {
				shown[e.Key] = strings.ReplaceAll(e.Value, b.home, "HOME") + " (" + e.From.String() + ")"
				if res.Origin(e.Key) != e.From {
					t.Errorf("origin of %s is %v and %v", e.Key, res.Origin(e.Key), e.From)
				}
			}
			for k, want := range r.want {
				if shown[k] != want {
					t.Errorf("%s = %q, want %q", k, shown[k], want)
				}
			}
			warnings := strings.Join(res.Warnings, "\n")
			if r.warn == "" && warnings != "" || !strings.Contains(warnings, r.warn) {
				t.Errorf("warnings %q, want %q", warnings, r.warn)
			}
			if b.snapshot() != before {
				t.Error("resolving wrote something")
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name    string
		file    string
		request contexts.Request
		code    fail.Code
		want    []string
	}{
		{"timeout", "", contexts.Request{Settings: flags("timeout", "1h junk")}, fail.Usage, []string{"--timeout", "1h junk"}},
		{"timeout without unit", "", contexts.Request{Settings: flags("timeout", "5")}, fail.Usage, []string{"--timeout", `"5"`}},
		{"timeout of nothing", "", contexts.Request{Settings: flags("timeout", "0s")}, fail.Usage, []string{"more than 0"}},
		{"timeout from the environment", "", contexts.Request{Settings: given(contexts.FromEnv, "timeout", "soon")}, fail.Usage, []string{"$NATS_TIMEOUT"}},
		{"scheme", "", contexts.Request{Settings: flags("server", "http://h")}, fail.Usage, []string{`"http://h"`, "--server", `unknown scheme "http"`}},
		{"secret in a bad URL", "", contexts.Request{Settings: flags("server", "nats://u:s3cr3t pw@h:4222x")}, fail.Usage, []string{"nats://u:*****@h"}},
		{"bad URL in the context", `{"url":"nats://"}`, contexts.Request{Context: named("prod")}, fail.Failure, []string{`context "prod"`, "no host"}},
		{"embedded with others", "", contexts.Request{Settings: flags("server", "embedded:x,nats://h")}, fail.Usage, []string{"only server"}},
		{"embedded without directory", "", contexts.Request{Settings: flags("server", "embedded:")}, fail.Usage, []string{"embedded:DIR"}},
		{"both proxies", "", contexts.Request{Settings: flags("socks-proxy", "a:1", "http-proxy", "b:1")}, fail.Usage, []string{"socks-proxy", "http-proxy"}},
		{"proxy scheme", "", contexts.Request{Settings: flags("http-proxy", "ftp://u:s3cr3t@a:1")}, fail.Usage, []string{"--http-proxy", "http or https"}},
		{"prefix and domain", "", contexts.Request{Settings: flags("js-domain", "a", "js-api-prefix", "b")}, fail.Usage, []string{"js-domain", "js-api-prefix"}},
		{"header", "", contexts.Request{Settings: flags("ws-header", "s3cr3t")}, fail.Usage, []string{"--ws-header", "Name: value"}},
		{"two passwords", "", contexts.Request{Settings: flags("user", "u", "password", "a", "password-file", "f")}, fail.Usage, []string{"--password", "--password-file"}},
		{"password file", "", contexts.Request{Settings: flags("user", "u", "password-file", "/nope/f")}, fail.Failure, []string{"/nope/f", "--password-file"}},
		{"bool", "", contexts.Request{Settings: flags("tlsfirst", "maybe")}, fail.Usage, []string{"--tlsfirst", "maybe"}},
		{"name", "", contexts.Request{Context: named("../x")}, fail.Usage, []string{"invalid context name"}},
		{"file", "", contexts.Request{Context: named("/nope/c.json")}, fail.NotFound, []string{"/nope/c.json", "no such file"}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			if r.file != "" {
				b.context("prod", r.file)
			}
			_, err := contexts.Resolve(t.Context(), b.Store, r.request)
			wantError(t, err, r.code, r.want...)
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the secret is in %q", err)
			}
		})
	}
}

func TestD12_TypoIsAnErrorAndChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.context("dev", `{"url":"nats://dev:1"}`)
	b.context("prod", `{"url":"nats://prod:1"}`)
	b.sel("dev")
	before := b.snapshot()
	_, err := contexts.Resolve(t.Context(), b.Store, contexts.Request{Context: named("prd")})
	wantError(t, err, fail.NotFound, `context not found: "prd"`, "--context", "did you mean prod?")
	if b.snapshot() != before {
		t.Error("a typo changed files")
	}
	b.sel("gone")
	before = b.snapshot()
	_, err = contexts.Resolve(t.Context(), b.Store, contexts.Request{})
	wantError(t, err, fail.NotFound, `context not found: "gone"`, "selected")
	if b.snapshot() != before {
		t.Error("a stale selection was touched")
	}
	if got := b.resolve(contexts.Request{NoContext: true}).URL; got != "nats://127.0.0.1:4222" {
		t.Errorf("--no-context is a way out, got %s", got)
	}
}

func TestD12_BrokenContextIsNeverReplaced(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, text string
		line, col  int
		want       string
	}{
		{"syntax", "{bad", 1, 2, "invalid character 'b'"},
		{"third line", "{\n  \"url\": \"nats://x\",\n  oops\n}", 3, 3, "invalid character 'o'"},
		{"cut off", "{\"url\":\"nats://x\"", 1, 17, "unexpected end"},
		{"kind", "{\n \"token\": 12345678\n}", 2, 0, `"token" must be a string, not a number`},
		{"list", "[]", 1, 0, ""},
		{"null", "null", 0, 0, "not a JSON object"},
		{"empty", "", 0, 0, "the file is empty"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.context("bad", r.text)
			path := filepath.Join(b.home, "own.json")
			b.file(path, r.text)
			b.sel("bad")
			before := b.snapshot()
			for what, request := range map[string]contexts.Request{
				"named": {Context: named("bad")}, "selected": {}, "path": {Context: named(path)},
			} {
				_, err := contexts.Resolve(t.Context(), b.Store, request)
				file := b.path("bad")
				if what == "path" {
					file = path
				}
				wantError(t, err, fail.Failure, file, r.want)
				broken := isBroken(err)
				if broken == nil {
					t.Fatalf("%s: %T is no BrokenError", what, err)
				}
				if broken.Line != r.line || r.col > 0 && broken.Column != r.col {
					t.Errorf("%s: at %d:%d, want %d:%d", what, broken.Line, broken.Column, r.line, r.col)
				}
				if strings.Contains(err.Error(), "12345678") {
					t.Errorf("the value is in %q", err)
				}
			}
			if b.snapshot() != before {
				t.Error("reading changed files")
			}
		})
	}
}

func TestContextByPath(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	path := filepath.Join(b.home, "c.json")
	b.file(path, `{"url":"nats://file:1"}`)
	b.context("c.json", `{"url":"nats://name:1"}`)
	res := b.resolve(contexts.Request{Context: named(path)})
	if res.URL != "nats://file:1" || res.Context != path || res.ContextPath != path {
		t.Errorf("by path: %+v", res)
	}
	if res := b.resolve(contexts.Request{Context: named("~/c.json")}); res.URL != "nats://file:1" {
		t.Errorf("by ~: %+v", res)
	}
	if res := b.resolve(contexts.Request{Context: named("c.json")}); res.URL != "nats://name:1" {
		t.Errorf("a name that ends in .json: %+v", res)
	}
}

func TestS5_PasswordFromFileAndFunction(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	file := filepath.Join(b.home, "pw")
	b.file(file, "env://not a reference\r\n")
	res := b.resolve(contexts.Request{Settings: flags("user", "bob", "password-file", "~/pw")})
	if res.Password != "env://not a reference" || res.Origin("password").String() != "--password-file" {
		t.Errorf("from a file: %q from %s", res.Password, res.Origin("password"))
	}
	if len(res.Warnings) > 0 {
		t.Errorf("a private file: %q", res.Warnings)
	}
	for _, e := range res.List(false) {
		if strings.Contains(e.Value, "reference") {
			t.Errorf("shown: %v", e)
		}
	}
	if !slices.Contains(contexts.SecretsOf(res), "env://not a reference") {
		t.Error("a literal that looks like a reference is a secret all the same")
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	res = b.resolve(contexts.Request{Settings: both(flags("user", "bob", "password-file", file), given(contexts.FromEnv, "password", "weaker"))})
	if res.Password != "env://not a reference" || !strings.Contains(strings.Join(res.Warnings, ""), "everybody on this machine can read") {
		t.Errorf("a public file: %q, %q", res.Password, res.Warnings)
	}
	calls := 0
	read := func() ([]byte, error) { calls++; return []byte("typed"), nil }
	res = b.resolve(contexts.Request{Settings: flags("user", "bob", "password-stdin", "true"), Password: read})
	if res.Password != "typed" || res.User != "bob" || res.Origin("password").String() != "--password-stdin" || calls != 1 {
		t.Errorf("typed: %q from %s, asked %d times", res.Password, res.Origin("password"), calls)
	}
	_, err := contexts.Resolve(t.Context(), b.Store, contexts.Request{Settings: flags("user", "bob"), Password: func() ([]byte, error) { return nil, context.Canceled }})
	wantError(t, err, fail.Interrupted, "reading the password")
	_, err = contexts.Resolve(t.Context(), b.Store, contexts.Request{Settings: flags("user", "bob"), Password: func() ([]byte, error) { return nil, nil }})
	wantError(t, err, fail.Failure, "the password is empty")
}

func TestInsecureIsLoudAndProtectedIsKnown(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.context("prod", `{"url":"nats://prod:1"}`)
	if err := b.SetProtected(t.Context(), "prod", true); err != nil {
		t.Fatal(err)
	}
	res := b.resolve(contexts.Request{Context: named("prod"), Settings: flags("tls-insecure", "true")})
	if !res.TLSInsecure || !res.Protected || !strings.Contains(strings.Join(res.Warnings, ""), "NOT verified (--tls-insecure)") {
		t.Errorf("%+v %q", res.TLSInsecure, res.Warnings)
	}
	b.file(filepath.Join(b.root, "nats", "cli", "guard.json"), `{"contexts": {`)
	_, err := contexts.Resolve(t.Context(), b.Store, contexts.Request{Context: named("prod")})
	wantError(t, err, fail.Failure, "guard.json:1:")
}

func TestFromEnvironment(t *testing.T) {
	t.Parallel()
	got := contexts.FromEnvironment(func(k string) string {
		return map[string]string{"NATS_URL": "nats://x", "NATS_CERT": "c", "NATS_USER": ""}[k]
	})
	if len(got) != 2 || got["server"].From.String() != "$NATS_URL" || got["tlscert"].Values[0] != "c" {
		t.Errorf("%v", got)
	}
	if contexts.EnvOf("seed") != "NATS_SEED" || contexts.EnvOf("js-domain") != "" || contexts.EnvOf("nope") != "" {
		t.Error("variables of flags")
	}
}

func TestTimeoutUnits(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	for text, want := range map[string]time.Duration{"500ms": 500 * time.Millisecond, "1m30s": 90 * time.Second, "1d": 24 * time.Hour, "1.5h": 90 * time.Minute} {
		if got := b.resolve(contexts.Request{Settings: flags("timeout", text)}).Timeout; got != want {
			t.Errorf("%s = %v, want %v", text, got, want)
		}
	}
}

func TestReadErrorIsNoMissingContext(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	if err := os.MkdirAll(b.path("dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := contexts.Resolve(t.Context(), b.Store, contexts.Request{Context: named("dir")})
	wantError(t, err, fail.Failure, `context "dir"`)
	if errors.Is(err, os.ErrNotExist) {
		t.Error("is not missing")
	}
}

// Every command pays for this.
func BenchmarkResolve(b *testing.B) {
	root := b.TempDir()
	dir := filepath.Join(root, "nats", "context")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	for path, text := range map[string]string{filepath.Join(dir, "prod.json"): `{"url":"nats://prod:1"}`, filepath.Join(root, "nats", "context.txt"): "prod"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	s := contexts.NewStore(root, func(string) string { return "" })
	for b.Loop() {
		if _, err := contexts.Resolve(b.Context(), s, contexts.Request{}); err != nil {
			b.Fatal(err)
		}
	}
}
