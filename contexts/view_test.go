package contexts_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/fail"
)

const secretive = `{
  "url": "nats://al:s3cr3t-url@h:1,nats://s3cr3t-tok@h:2",
  "password": "s3cr3t-password", "token": "s3cr3t-token", "user_jwt": "eyJs3cr3t-jwt", "user_seed": "SUs3cr3t-seed",
  "creds": "data:;base64,czNjcjN0", "nkey": "~/k.nk", "socks_proxy": "socks5://u:s3cr3t-socks@p:1",
  "future": 12345678901234567890, "other": {"api_key": "s3cr3t-nested", "list": ["plain"]}
}`

func TestS4_JSONViewsHideSecrets(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.context("n", secretive)
	b.add("n", contexts.Change{Request: contexts.Request{Settings: flags("http-proxy", "http://u:s3cr3t-http@p:1", "ws-header", "Authorization: s3cr3t-header")}, Unset: []string{"nkey", "jwt"}})
	st, err := b.Load(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := st.JSON(false)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(hidden), "s3cr3t") || strings.Contains(string(hidden), "czNj") {
		t.Errorf("%s", hidden)
	}
	for _, want := range []string{`{"name":"n",`, `"url":"nats://al:*****@h:1,nats://*****@h:2"`, `"future":12345678901234567890`, `"list":["plain"]`, `"selected":false`, `"protected":false`, `"nsc":""`, `"ws_headers":["Authorization: *****"]`, `"path":`} {
		if !strings.Contains(string(hidden), want) {
			t.Errorf("%s is not in %s", want, hidden)
		}
	}
	shown, err := st.JSON(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"s3cr3t-url", "s3cr3t-tok", "s3cr3t-password", "s3cr3t-token", "s3cr3t-seed", "s3cr3t-socks", "s3cr3t-http", "s3cr3t-header", "s3cr3t-nested", "czNj"} {
		if !strings.Contains(string(shown), want) {
			t.Errorf("%s is not in %s", want, shown)
		}
	}
	for key, want := range map[string]string{"password": "*****", "user_seed": "*****", "url": "nats://al:*****@h:1,nats://*****@h:2", "http_proxy": "http://u:*****@p:1", "nkey": ""} {
		if got := st.Shown(key, false); got != want {
			t.Errorf("%s shown as %q, want %q", key, got, want)
		}
	}
}

func TestS4_EffectiveAndPrintedHideSecrets(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	res := b.resolve(contexts.Request{Settings: flags("server", "nats://al:s3cr3t-url@h:1?x=s3cr3t-q,nats://h:2", "token", "s3cr3t-tok", "jwt", "eyJs3cr3t", "seed", "SUs3cr3t",
		"password", "s3cr3t-pw", "user", "u", "http-proxy", "http://s3cr3t-p@p:1", "ws-header", "X: s3cr3t-h", "ws-header", "Y: s3cr3t-i")})
	var out strings.Builder
	for _, e := range res.List(false) {
		out.WriteString(string(e.Key) + "=" + e.Value + "\n")
	}
	raw, err := json.Marshal(map[string]any{"r": res})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(raw)
	out.WriteString(res.String() + res.GoString())
	if strings.Contains(out.String(), "s3cr3t") {
		t.Errorf("%s", out.String())
	}
	for _, want := range []string{"ws-header=X: *****, Y: *****", "password=*****", "server=nats://al:*****@h:1?*****,nats://h:2", `"from":"--server"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out.String())
		}
	}
	all := strings.Join(contexts.SecretsOf(res), "\n")
	for _, want := range []string{"s3cr3t-url", "s3cr3t-tok", "eyJs3cr3t", "SUs3cr3t", "s3cr3t-pw", "s3cr3t-p", "s3cr3t-h", "s3cr3t-i"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in %q", want, all)
		}
	}
	b.env["PW"] = "s3cr3t-env"
	res = b.resolve(contexts.Request{Settings: flags("user", "u", "password", "env://PW")})
	if got := contexts.SecretsOf(res); len(got) != 1 || got[0] != "s3cr3t-env" {
		t.Errorf("%q", got)
	}
}

func TestS4_RedactURL(t *testing.T) {
	t.Parallel()
	rows := map[string]string{
		"":                         "",
		"nats://h:4222":            "nats://h:4222",
		"h:4222,[::1]:4222":        "h:4222,[::1]:4222",
		"nats://[::1]":             "nats://[::1]",
		"nats://u:pw@h:1":          "nats://u:*****@h:1",
		"u:pw@h":                   "u:*****@h",
		"nats://token@h":           "nats://*****@h",
		"nats://u:p@ss@h:1":        "nats://u:*****@h:1",
		"nats://u:p/w@h":           "nats://u:*****@h",
		"nats://to/k:en@h":         "nats://*****@h",
		"nats://u:p,w@h":           "nats://u:*****,*****@h",
		"ws://h:80/path?auth=pw":   "ws://h:80/path?*****",
		"ws://u:pw@h/path?auth=pw": "ws://u:*****@h/path?*****",
		"nats://a,nats://u:pw@b":   "nats://a,nats://u:*****@b",
		"embedded:./data":          "embedded:./data",
		"nats://u:p w%zz@h:x":      "nats://u:*****@h:x",
	}
	for in, want := range rows {
		if got := contexts.RedactURL(in); got != want {
			t.Errorf("RedactURL(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzRedactURL(f *testing.F) {
	f.Add("nats://u:", "@h:1")
	f.Add("", "@h,nats://b")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "s3cr3tS3CR3T"
		// Whatever stands around it, a password is hidden where the client would look for one.
		if strings.ContainsAny(before, "@,?#/ ") || !strings.HasSuffix(before, ":") {
			return
		}
		u := before + secret + "@" + strings.ReplaceAll(after, secret, "")
		if got := contexts.RedactURL(u); strings.Contains(got, secret) && !strings.HasPrefix(u, "embedded:") {
			t.Errorf("RedactURL(%q) = %q", u, got)
		}
	})
}

func TestS8_EditRoundTripLeavesNoFiles(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.context("n", `{"url":"$SRV","creds":"$HOME/x.creds","tls_first":true,"future":{"big":12345678901234567890},"description":"a: b # c"}`)
	st, err := b.Load(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	text, err := st.EditText()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"url: $SRV\n", "creds: $HOME/x.creds\n", "tls_first: true\n", "token: \"\"\n", "# user name\nuser: ", "http_proxy: \"\"\n", "ws_headers: []\n", "future:\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	same, err := st.Edited(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Save(t.Context(), same); err != nil {
		t.Fatal(err)
	}
	if b.stored("n", "url") != "$SRV" || !strings.Contains(read(t, b.path("n")), "12345678901234567890") || b.stored("n", "tls_first") != true || b.stored("n", "description") != "a: b # c" {
		t.Errorf("not touched, yet changed:\n%s", read(t, b.path("n")))
	}
	if files := strings.Count(b.snapshot(), "\n"+filepath.Dir(b.path("n"))+string(filepath.Separator)); files != 1 {
		t.Errorf("S8: files are left:\n%s", b.snapshot())
	}
	other := strings.Replace(string(text), "future:", "future: [1, {a: b}] #", 1)
	if i := strings.Index(other, "] #"); i > 0 {
		other = other[:i+1] + "\n"
	}
	if changed, err := same.Edited([]byte(other)); err != nil || changed.Text("future") != "" {
		t.Errorf("%v", err)
	} else if raw, err := changed.JSON(true); err != nil || !strings.Contains(string(raw), `"future":[1,{"a":"b"}]`) {
		t.Errorf("%s %v", raw, err)
	}
	edited := strings.NewReplacer("url: $SRV", "url: nats://new:1", "tls_first: true\n", "", "http_proxy: \"\"", "http_proxy: p:3128", "ws_headers: []", "ws_headers: ['A: 1', 'B: 2']", "token: \"\"", "token: 12345").Replace(string(text))
	edited = edited[:strings.Index(edited, "future:")]
	next, err := same.Edited([]byte(edited))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Save(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if b.stored("n", "url") != "nats://new:1" || b.stored("n", "tls_first") != false || b.stored("n", "token") != "12345" || b.stored("n", "future") != nil {
		t.Errorf("%s", read(t, b.path("n")))
	}
	if next.Shown("ws_headers", true) != "A: 1, B: 2" || next.Shown("http_proxy", true) != "p:3128" {
		t.Errorf("%s", read(t, filepath.Join(b.root, "nats", "cli", "guard.json")))
	}
}

func TestEditRefuses(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.context("n", `{"url":"nats://h:1","password":"s3cr3t"}`)
	st, err := b.Load(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{
		"":                        {"empty"},
		"url: nats://h\nurll: x":  {"line 2", "urll", "did you mean url"},
		"url: a\nurl: b":          {"line 2", "stands twice"},
		"- url":                   {"line 1"},
		"url: [a, b]":             {"one value"},
		"url: {a: b}":             {"takes text"},
		"tls_first: perhaps":      {"tls_first", "perhaps"},
		"url: \"unclosed":         {`context "n"`},
		"url: http://u:s3cr3t@h":  {"line 1", "unknown scheme"},
		"url: x\nws_headers: [A]": {"line 2", "Name: value"},
	}
	for text, want := range rows {
		_, err := st.Edited([]byte(text))
		wantError(t, err, fail.Usage, want...)
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%v", err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.file(filepath.Join(b.home, "there.nk"), "x")
	b.env["SET"] = "x"
	rows := []struct {
		file string
		want map[string]string
	}{
		{`{"url":"nats://h","nkey":"~/there.nk","password":"env://SET"}`, nil},
		{`{"url":"nats://u:s3cr3t@:1"}`, map[string]string{"url": "no host"}},
		{`{"creds":"~/gone.creds","ca":"/nope/ca"}`, map[string]string{"creds": "gone.creds", "ca": "/nope/ca"}},
		{`{"password":"env://UNSET","user":"u"}`, map[string]string{"password": "UNSET is not set"}},
		{`{"user":"u","creds":"data:;base64,eA=="}`, map[string]string{"": "too many types"}},
		{`{"cert":"~/there.nk"}`, map[string]string{"cert": "only work together"}},
		{`{"urll":"x"}`, map[string]string{"urll": "did you mean url"}},
	}
	for i, r := range rows {
		b.context("n", r.file)
		st, err := b.Load(t.Context(), "n")
		if err != nil {
			t.Fatal(err)
		}
		got := b.Check(st)
		if len(got) != len(r.want) {
			t.Errorf("row %d: %v", i, got)
		}
		for _, p := range got {
			if want, ok := r.want[p.Key]; !ok || !strings.Contains(p.Text, want) || strings.Contains(p.Text, "s3cr3t") {
				t.Errorf("row %d: %v, want %q", i, p, want)
			}
		}
	}
}

func TestSourcesAndKinds(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		key, value string
		want       contexts.Source
	}{
		{"creds", "/x", contexts.SourceFile}, {"password", "/x", contexts.SourceLiteral}, {"password", "env://X", contexts.SourceEnvironment},
		{"creds", "op://a/b/c", contexts.Source1Password}, {"creds", "nsc://a/b/c", contexts.SourceNSC}, {"nkey", "data:;base64,eA==", contexts.SourceEmbedded},
		{"user_jwt", "./u.jwt", contexts.SourceFile}, {"user_jwt", "eyJx.y.z", contexts.SourceLiteral}, {"token", "file:///x", contexts.SourceFile},
	} {
		if got := contexts.SourceOf(r.key, r.value); got != r.want {
			t.Errorf("%s %s: %s, want %s", r.key, r.value, got, r.want)
		}
	}
	b := newBox(t)
	for file, want := range map[string]string{`{"user":"u"}`: "user", `{"creds":"c"}`: "creds", `{"nkey":"n"}`: "nkey", `{"user_jwt":"j"}`: "jwt", `{"token":"t"}`: "token", `{"url":"nats://u@h"}`: "url", `{"cert":"c"}`: "tls", `{}`: "none", `{"nsc":"x"}`: "nsc"} {
		b.context("n", file)
		st, err := b.Load(t.Context(), "n")
		if err != nil || st.AuthKind() != want {
			t.Errorf("%s: %q, %v", file, st.AuthKind(), err)
		}
	}
}
