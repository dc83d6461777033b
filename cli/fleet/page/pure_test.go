//go:build unix

package page

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fleet"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// module evaluates an expression in the page with one of its modules as m.
func (p *tab) module(name, js string) (any, error) {
	return p.eval(fmt.Sprintf(`import("/%s").then((m) => %s)`, name, js))
}

// TestRulesAreTheSameAsElsewhere: browsers and other devices agree on who is selected, and on what else they share.
func TestRulesAreTheSameAsElsewhere(t *testing.T) {
	t.Parallel()
	b := newChromium(t)
	_, said := up(t, clitest.New(t, Command()), "")
	p := b.open(said.URL, 800, 600)
	info := fleet.Info{
		ID: "d1", Nickname: "Ada", Model: "Pixel 9", OS: fleet.OS{Name: "Android", Version: "16"}, Arch: "arm64", CPUs: 8, Memory: 8 << 30,
		Labels: map[string]string{"site": "north", "floor": "2"}, Server: "hub",
	}
	env, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	for _, expression := range []string{
		``, ` `, `true`, `not true`, `os.name == "Android" && memory > 4e9`, `os.name == "Android" && memory > 9e9`, `labels.site == "north"`,
		`labels.none == "north"`, `labels["site"] in ["south", "north"]`, `"site" in labels`, `"none" not in labels`, `cpus >= 4 and not (model contains "pad")`,
		`id matches "^d[0-9]$"`, `nickname matches "(?i)^ADA$"`, `cpus * 2 + 1 == 17`, `2 + 3 * 4 ** 2 / 8 == 8`, `-cpus < 0`, `cpus % 3 == 2`,
		`not (cpus > 4) or arch startsWith "arm"`, `arch endsWith "64"`, `cpus > 4 ? os.name == "Android" : false`, `len(nickname) == 3`,
		`lower(nickname) == 'ada'`, `upper(model) == "PIXEL 9"`, `!(cpus == 8)`, `cpus in 1..8`, `memory / 1073741824 == 8`, `(labels.floor ?? "1") == "2"`,
		`os["version"] == "16"`, `1_000 == 1000`, `cpus != 8 || cpus == 8 && false`, `trouble == ""`, `cluster == ''`, `int(labels.floor) == 2`,
	} {
		selector, err := fleet.Compile(strings.TrimSpace(expression))
		if err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
		want, err := selector.Match(info)
		if err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
		got, err := p.module("expression.js", fmt.Sprintf("m.matches(%q, %s)", expression, env))
		if err != nil || got != want {
			t.Errorf("%s is %v (%v), elsewhere %v", expression, got, err, want)
		}
	}
	for _, bad := range []string{
		`os.name = "x"`, `model`, `memory >`, `nosuch == 1`, `((`, `"x`, `constructor == 1`, `__proto__ == 1`, `model > 1`, `memory > "x"`, `1 2`, `a(`,
		`id matches "(a+)+$"`, `id matches "("`, strings.Repeat("(", 100), strings.Repeat("!", 100) + "true",
	} {
		if got, err := p.module("expression.js", fmt.Sprintf("m.matches(%q, %s)", bad, env)); err == nil {
			t.Errorf("%s is %v and no error", bad, got)
		}
	}
	subsets(t, p)
	patches(t, p)
	servers(t, p)
	machines(t, p)
}

func subsets(t *testing.T, p *tab) {
	t.Helper()
	for _, row := range [][2]string{
		{`{}`, `{"a":1}`}, {`{"a":1}`, `{"a":1,"b":2}`}, {`{"a":1}`, `{"a":2}`}, {`{"a":null}`, `{}`}, {`{"a":null}`, `{"a":null}`},
		{`{"os":{"name":"Android"}}`, `{"os":{"name":"Android","version":"16"}}`}, {`{"os":{"name":"iOS"}}`, `{"os":{"name":"Android"}}`},
		{`{"tags":["b"]}`, `{"tags":["a","b"]}`}, {`{"tags":["c"]}`, `{"tags":["a","b"]}`}, {`{"a":{}}`, `{"a":1}`}, {`{"toString":{}}`, `{}`}, {`{"a":[]}`, `{"a":{}}`},
	} {
		var part, whole any
		if json.Unmarshal([]byte(row[0]), &part) != nil || json.Unmarshal([]byte(row[1]), &whole) != nil {
			t.Fatal(row)
		}
		if got, err := p.module("rules.js", fmt.Sprintf("m.subset(%s, %s)", row[0], row[1])); err != nil || got != fleet.Subset(part, whole) {
			t.Errorf("%s in %s: %v, %v", row[0], row[1], got, err)
		}
	}
}

// patches are examples of RFC 7396.
func patches(t *testing.T, p *tab) {
	t.Helper()
	for _, row := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`}, {`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`}, {`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`}, {`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`}, {`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`}, {`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`}, {`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
	} {
		var want any
		if err := json.Unmarshal([]byte(row[2]), &want); err != nil {
			t.Fatal(err)
		}
		if got, err := p.module("rules.js", fmt.Sprintf("m.mergePatch(%s, %s)", row[0], row[1])); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s with %s: %v (%v), want %v", row[0], row[1], got, err, want)
		}
	}
	if got, err := p.module("rules.js", `m.mergePatch({}, JSON.parse('{"__proto__":{"bad":1}}')).bad ?? "none"`); err != nil || got != "none" {
		t.Errorf("a patch reached the prototype: %v %v", got, err)
	}
	for _, text := range []string{"", "a.b", "x*y>z", "ok", "tab\there"} {
		want := strings.TrimPrefix(fleet.Metrics(text, "c"), "metrics.")
		if got, err := p.module("rules.js", fmt.Sprintf("m.token(%q) + '.c'", text)); err != nil || got != want {
			t.Errorf("token %q is %v, elsewhere %s", text, got, want)
		}
	}
}

func servers(t *testing.T, p *tab) {
	t.Helper()
	for text, want := range map[string]string{
		"ws://h:1":                `{"urls":["ws://h:1"],"credentials":null}`,
		"h:1":                     `{"urls":["ws://h:1"],"credentials":null}`,
		"wss://h/path":            `{"urls":["wss://h/path"],"credentials":null}`,
		"http://h:1/, https://i":  `{"urls":["ws://h:1","wss://i"],"credentials":null}`,
		"ws://tok%40en@h:1":       `{"urls":["ws://h:1"],"credentials":{"token":"tok@en"}}`,
		"wss://u:p%2F@h:1,ws://i": `{"urls":["wss://h:1","ws://i"],"credentials":{"user":"u","password":"p/"}}`,
		"ws://0.0.0.0:1":          `{"urls":["ws://127.0.0.1:1"],"credentials":null}`,
		"nats://h:4222":           "error", "tls://h": "error", "": "error", "ws://": "error", "javascript://x": "error",
	} {
		got, err := p.module("rules.js", fmt.Sprintf("JSON.stringify(m.parseServers(%q))", text))
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: %v (%v), want %s", text, got, err, want)
		}
	}
}

// machines are what browsers say of themselves, without the hints that only secure pages get.
func machines(t *testing.T, p *tab) {
	t.Helper()
	for ua, want := range map[string]string{
		"Mozilla/5.0 (Linux; Android 14; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36":                   "Pixel 9|Android|14||Chrome|130.0.0.0|true",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36":                         "Browser|Android|10||Chrome|130.0.0.0|true",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1": "iPhone|iOS|18.1|arm64|Safari|18.1|true",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15":                   "Mac|macOS|10.15.7||Safari|18.1|false",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0":                                                        "Browser|Windows|10.0|amd64|Firefox|132.0|false",
	} {
		js := fmt.Sprintf(`m.facts({userAgent: %q, hardwareConcurrency: 4}).then((f) => [f.model, f.os.name, f.os.version, f.arch, f.browser.name, f.browser.version, f.browser.mobile].join("|"))`, ua)
		if got, err := p.module("facts.js", js); err != nil || got != want {
			t.Errorf("%s\n is %v (%v)\n want %s", ua, got, err, want)
		}
	}
}

// TestAddressWithCredentials: who opens it has joined, and the address shows the credentials no more.
func TestAddressWithCredentials(t *testing.T) {
	t.Parallel()
	b := newChromium(t)
	hub := testkit.Server(t, testkit.WithUser("ada", "pass word&1"), testkit.WithWebsocket(), testkit.WithoutJetStream())
	_, said := up(t, clitest.New(t, Command()).Env("NATS_USER", "ada").Env("NATS_PASSWORD", "pass word&1"), "--with-credentials --service sensors --websocket "+hub.WebsocketURL())
	p := b.open(said.URL, 360, 740)
	p.until("the device has joined", `document.body.dataset.state === "online"`)
	if at := p.get("location.href"); at != strings.Split(said.URL, "#")[0] {
		t.Errorf("the address is still %v", at)
	}
	testkit.Eventually(t, 30e9, "the device answers", func() bool {
		_, err := hub.Conn().Request("sensors.nickname", nil, 5e9)
		return err == nil
	})
	p.until("that there is no JetStream is told", `document.getElementById("config-trouble").innerText.includes("JetStream") && document.getElementById("survey-trouble").innerText.includes("JetStream")`)
	second := b.open(strings.Split(said.URL, "#")[0], 360, 740)
	if first, other := p.text("#facts dd"), second.text("#facts dd"); first == "" || first == other {
		t.Errorf("two tabs are devices %s and %s", first, other)
	}
	if c := b.complaints(); len(c) > 0 {
		t.Errorf("the browser complains: %s", strings.Join(c, "\n"))
	}
}
