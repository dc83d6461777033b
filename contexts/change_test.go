package contexts_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/fail"
)

func (b *box) add(name string, c contexts.Change) *contexts.Stored {
	b.t.Helper()
	st, _, err := b.Add(b.t.Context(), name, c)
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

func request(settings map[contexts.Key]contexts.Given) contexts.Change {
	return contexts.Change{Request: contexts.Request{Settings: settings}}
}

func TestD13_TokenIsStored(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.add("t", request(flags("server", "nats://x:1", "token", "abc")))
	if got := b.stored("t", "token"); got != "abc" {
		t.Errorf("token = %v", got)
	}
	if !strings.Contains(read(t, b.path("t")), `"token": "abc"`) {
		t.Errorf("%s", read(t, b.path("t")))
	}
	b.add("u", request(flags("user", "tok")))
	if b.stored("u", "token") != "tok" || b.stored("u", "user") != "" {
		t.Errorf("a user without a password: %s", read(t, b.path("u")))
	}
}

func TestD13_EnvironmentIsNotStoredUnlessAsked(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	settings := both(given(contexts.FromEnv, "server", "nats://env:1", "user", "u", "password", "s3cr3t", "creds", "c"), flags("js-domain", "hub"))
	b.add("n", request(settings))
	if b.stored("n", "url") != "nats://127.0.0.1:4222" || b.stored("n", "jetstream_domain") != "hub" {
		t.Errorf("%s", read(t, b.path("n")))
	}
	for _, key := range []string{"user", "password", "creds"} {
		if got := b.stored("n", key); got != "" {
			t.Errorf("%s = %v", key, got)
		}
	}
	delete(settings, "creds")
	asked := request(settings)
	asked.Environment = true
	b.add("m", asked)
	if b.stored("m", "url") != "nats://env:1" || b.stored("m", "password") != "s3cr3t" {
		t.Errorf("%s", read(t, b.path("m")))
	}
	b.context("base", `{"url":"nats://base:1"}`)
	fromEnv := contexts.Change{Request: contexts.Request{Context: contexts.Given{Values: []string{"base"}, From: contexts.Origin{Kind: contexts.FromEnv, Name: "NATS_CONTEXT"}}}}
	b.add("o", fromEnv)
	if b.stored("o", "url") != "nats://127.0.0.1:4222" {
		t.Error("NATS_CONTEXT was baked in")
	}
	fromEnv.Request.Context = named("base")
	b.add("p", fromEnv)
	if b.stored("p", "url") != "nats://base:1" {
		t.Error("--context is the start of a new one")
	}
}

func TestUpdateKeepsVariablesAndUnknownKeys(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.context("n", "{\n  \"URL\": \"nats://h:1\",\n  \"creds\": \"$HOME/x\",\n  \"ca\": \"~/ca.pem\",\n  \"future\": {\"big\": 12345678901234567890, \"e\": 1.10}\n}\n")
	d := "now <with> & a description"
	b.add("n", contexts.Change{Description: &d})
	text := read(t, b.path("n"))
	for _, want := range []string{`"creds": "$HOME/x"`, `"ca": "~/ca.pem"`, "12345678901234567890", "1.10", `"url": "nats://h:1"`, `"description": "now <with> & a description"`, `"user_seed": ""`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "URL") || strings.Contains(text, b.home) {
		t.Errorf("doubled or expanded:\n%s", text)
	}
	_, _, err := b.Copy(t.Context(), "n", "m", contexts.Change{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(read(t, b.path("m")), "12345678901234567890") || b.stored("m", "creds") != "$HOME/x" {
		t.Errorf("copied:\n%s", read(t, b.path("m")))
	}
}

func TestUnset(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.context("n", `{"url":"nats://h:1","creds":"c","tls_first":true,"description":"d","future":1,"windows_ca_certs_match":["a"]}`)
	b.add("n", request(flags("http-proxy", "http://p:1", "tls-server-name", "srv", "ws-header", "A: 1", "ws-header", "B: 2")))
	c := request(flags("nkey", "k"))
	c.Unset = []string{"creds", "tls_first", "description", "future", "certstore-ca-match", "ws-header"}
	st := b.add("n", c)
	for key, want := range map[string]any{"creds": "", "tls_first": false, "description": "", "future": nil, "nkey": "k", "windows_ca_certs_match": nil} {
		if got := b.stored("n", key); got != want {
			t.Errorf("%s = %v, want %v", key, got, want)
		}
	}
	if st.Shown("ws_headers", true) != "" || st.Shown("http_proxy", true) != "http://p:1" || st.Shown("tls_server_name", true) != "srv" {
		t.Errorf("guard.json: %s", read(t, filepath.Join(b.root, "nats", "cli", "guard.json")))
	}
	res := b.resolve(contexts.Request{Context: named("n")})
	if res.HTTPProxy != "http://p:1" || res.TLSServerName != "srv" || res.Origin("http-proxy").String() != `context "n"` {
		t.Errorf("%+v", res.List(true))
	}
	c.Unset = []string{"cred"}
	_, _, err := b.Add(t.Context(), "n", c)
	wantError(t, err, fail.Usage, "--unset cred", "did you mean creds")
	b.add("n", contexts.Change{Unset: []string{"http-proxy", "tls-server-name"}})
	if got := strings.Join(strings.Fields(read(t, filepath.Join(b.root, "nats", "cli", "guard.json"))), ""); got != `{"contexts":{}}` {
		t.Errorf("guard.json = %s", got)
	}
}

func TestUpdatesOfFlags(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.context("n", `{"url":"nats://h:1","tls_first":true,"socks_proxy":"socks5://p:1","user":"al","password":"pw"}`)
	b.add("n", request(flags("tlsfirst", "false", "socks-proxy", "none", "server", "")))
	if b.stored("n", "tls_first") != false || b.stored("n", "socks_proxy") != "" || b.stored("n", "url") != "nats://h:1" {
		t.Errorf("%s", read(t, b.path("n")))
	}
	b.add("n", request(flags("password", "env://V")))
	if b.stored("n", "user") != "al" || b.stored("n", "password") != "env://V" {
		t.Errorf("%s", read(t, b.path("n")))
	}
	b.add("n", request(flags("user", "bob")))
	if b.stored("n", "user") != "" || b.stored("n", "password") != "" || b.stored("n", "token") != "bob" {
		t.Errorf("a user without a password replaces the pair: %s", read(t, b.path("n")))
	}
	_, notes, err := b.Add(t.Context(), "n", request(flags("tls-insecure", "true", "timeout", "1s")))
	if err != nil || len(notes) != 2 || !strings.Contains(strings.Join(notes, "|"), "--tls-insecure is not stored") {
		t.Errorf("%q, %v", notes, err)
	}
	if text := read(t, b.path("n")); strings.Contains(text, "insecure") {
		t.Errorf("%s", text)
	}
}

func TestPasswordsOfAdd(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.add("f", request(flags("user", "u", "password-file", "/run/pw")))
	if b.stored("f", "password") != "file:///run/pw" {
		t.Errorf("%v", b.stored("f", "password"))
	}
	c := request(flags("user", "u", "password-stdin", "true"))
	c.Request.Password = func() ([]byte, error) { return []byte("typed"), nil }
	b.add("s", c)
	if b.stored("s", "password") != "typed" {
		t.Errorf("%v", b.stored("s", "password"))
	}
	c.Request.Password = func() ([]byte, error) { return []byte("op://typed"), nil }
	b.add("s", c)
	if b.stored("s", "password") != "data:;base64,"+base64.StdEncoding.EncodeToString([]byte("op://typed")) {
		t.Errorf("%v", b.stored("s", "password"))
	}
	_, _, err := b.Add(t.Context(), "x", request(flags("user", "u", "password", "a", "password-file", "b")))
	wantError(t, err, fail.Usage, "--password-file")
	_, _, err = b.Add(t.Context(), "x", request(flags("user", "u", "token", "t")))
	wantError(t, err, fail.Usage, "--token")
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	_, _, err := b.Add(t.Context(), "m", request(flags("user", "u", "password", "p", "nkey", "k")))
	wantError(t, err, fail.Usage, "too many types of credentials", "--unset nkey --unset user")
	if _, err := os.Stat(b.path("m")); !os.IsNotExist(err) {
		t.Errorf("a file was made: %v", err)
	}
	b.context("c", `{"creds":"x"}`)
	before := read(t, b.path("c"))
	_, _, err = b.Add(t.Context(), "c", request(flags("nkey", "k")))
	wantError(t, err, fail.Usage, "too many types of credentials")
	if read(t, b.path("c")) != before {
		t.Error("the file changed")
	}
	for _, r := range []struct{ key, value, want string }{
		{"server", "http://x", "unknown scheme"}, {"http-proxy", "ftp://x", "http or https"}, {"ws-header", "x", "Name: value"}, {"tlsfirst", "perhaps", "--tlsfirst"},
	} {
		_, _, err := b.Add(t.Context(), "z", request(flags(r.key, r.value)))
		wantError(t, err, fail.Usage, r.want)
	}
	_, _, err = b.Add(t.Context(), "a/b", contexts.Change{})
	wantError(t, err, fail.Usage, "invalid context name")
	b.context("bad", "{bad")
	_, _, err = b.Add(t.Context(), "bad", contexts.Change{})
	wantError(t, err, fail.Failure, b.path("bad")+":1:2")
	if read(t, b.path("bad")) != "{bad" {
		t.Error("the broken file was replaced")
	}
	_, _, err = b.Copy(t.Context(), "nope", "x", contexts.Change{})
	wantError(t, err, fail.NotFound, `unknown context "nope"`)
	_, _, err = b.Copy(t.Context(), "c", "bad", contexts.Change{})
	if isBroken(err) == nil {
		t.Errorf("copying onto a broken file: %v", err)
	}
	b.context("d", "{}")
	_, _, err = b.Copy(t.Context(), "c", "d", contexts.Change{})
	wantError(t, err, fail.Failure, `context "d" already exist`)
}

func TestNobodysChangeIsOverwritten(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.context("n", `{"url":"nats://h:1"}`)
	st, err := b.Load(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	b.context("n", `{"url":"nats://theirs:1"}`)
	wantError(t, b.Save(t.Context(), st), fail.Failure, `"n"`, "concurrent modification")
	if b.stored("n", "url") != "nats://theirs:1" {
		t.Errorf("%s", read(t, b.path("n")))
	}
}

func TestEmbed(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	file := filepath.Join(b.home, "k.nk")
	b.file(file, "SEED")
	want := "data:;base64," + base64.StdEncoding.EncodeToString([]byte("SEED"))
	for _, ref := range []string{file, "~/k.nk", "$HOME/k.nk", "file://" + file} {
		c := request(flags("nkey", ref))
		c.Embed = true
		b.add("n", c)
		if got := b.stored("n", "nkey"); got != want {
			t.Errorf("%s: %v", ref, got)
		}
	}
	c := request(flags("jwt", "eyJhbGciOiJ.x.y", "seed", "~/k.nk"))
	c.Embed, c.Unset = true, []string{"nkey"}
	b.add("n", c)
	if b.stored("n", "user_jwt") != "eyJhbGciOiJ.x.y" || b.stored("n", "user_seed") != want {
		t.Errorf("%s", read(t, b.path("n")))
	}
	c = request(flags("nkey", "env://V"))
	c.Embed, c.Unset = true, []string{"jwt", "seed"}
	b.add("n", c)
	if b.stored("n", "nkey") != "env://V" {
		t.Errorf("a reference is kept: %v", b.stored("n", "nkey"))
	}
	c = request(flags("nkey", "/nope/k.nk"))
	c.Embed = true
	before := read(t, b.path("n"))
	_, _, err := b.Add(t.Context(), "n", c)
	wantError(t, err, fail.Failure, "nkey", "/nope/k.nk")
	if read(t, b.path("n")) != before {
		t.Error("half done")
	}
}

// The old key nsc moves to creds when the context is saved, with the URL that nsc knows.
func TestLegacyNSC(t *testing.T) {
	b := newBox(t)
	bin := t.TempDir()
	b.file(filepath.Join(bin, "nsc"), "#!/bin/sh\necho '{\"user_creds\":\"/k/u.creds\",\"operator\":{\"service\":[\"nats://op:1\",\"nats://op:2\"]}}'\n")
	if err := os.Chmod(filepath.Join(bin, "nsc"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	b.context("n", `{"nsc":"nsc://O/A/U"}`)
	res := b.resolve(contexts.Request{Context: named("n")})
	if res.URL != "nats://op:1,nats://op:2" || res.Creds != "nsc://O/A/U" {
		t.Errorf("%+v", res.List(true))
	}
	b.add("n", contexts.Change{})
	if b.stored("n", "nsc") != "" || b.stored("n", "creds") != "nsc://O/A/U" || b.stored("n", "url") != "nats://op:1,nats://op:2" {
		t.Errorf("%s", read(t, b.path("n")))
	}
}
