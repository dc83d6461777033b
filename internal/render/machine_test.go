package render_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

// show prints v in the format and returns stdout with the error.
func show(t *testing.T, v render.Viewer, format string, o render.Options) (string, error) {
	t.Helper()
	f, err := render.ParseFormat(format)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	o.Out, o.Format = &out, f
	if o.Location == nil {
		o.Location = time.UTC
	}
	r, err := render.New(o)
	if err != nil {
		t.Fatal(err)
	}
	err = r.Print(v)
	return out.String(), err
}

// shape is a result whose JSON is given.
type shape struct{ v any }

func (s shape) JSON() any         { return s.v }
func (s shape) View(*render.Page) {}

// tree is a shape with JSON text.
func tree(text string) shape { return shape{json.RawMessage(text)} }

func TestExpressions(t *testing.T) {
	t.Parallel()
	doc := tree(`{"name":"ORDERS","seq":9007199254740993,"big":123456789012345678901234567890,"rate":2.50,"half":0.5,"subjects":["a","b"],"none":null,"state":{"bytes":34816,"last":"2026-01-02T15:01:03Z"},"off":false}`)
	for format, want := range map[string]string{
		"jq=.name":                               "ORDERS\n",
		"jq=.seq":                                "9007199254740993\n",
		"jq=.seq + 1":                            "9007199254740994\n",
		"jq=.big":                                "123456789012345678901234567890\n",
		"jq=.subjects[]":                         "a\nb\n",
		"jq=.subjects":                           "[\"a\",\"b\"]\n",
		"jq=.missing":                            "null\n",
		"jq=empty":                               "",
		"jq=.name, halt":                         "ORDERS\n",
		"jq=\"<&>\"":                             "<&>\n",
		"jq=env|length":                          "0\n",
		"jq=$ENV.HOME":                           "null\n",
		"template={{.name}} {{.seq}} {{.big}}":   "ORDERS 9007199254740993 123456789012345678901234567890\n",
		"template={{.rate}} {{.half}}\n":         "2.50 0.5\n",
		"template={{if gt .seq 100}}many{{end}}": "many\n",
		"template={{if gt .half 0.25}}yes{{end}}":                "yes\n",
		"template={{.subjects | join \", \"}}":                   "a, b\n",
		"template={{.none | join \", \"}}":                       "",
		"template={{json .subjects}}{{json .half}}{{json .seq}}": "[\"a\",\"b\"]0.59007199254740993\n",
		"template={{bytes .state.bytes}}":                        "34 KiB\n",
		"template={{bytes -1}}":                                  "unlimited\n",
		"template={{ago .state.last}}":                           "3m2s ago\n",
		"template={{ago .none}}":                                 "never\n",
		"template={{color \"good\" .name}}":                      "ORDERS\n",
		"template={{range .subjects}}{{.}}\n{{end}}":             "a\nb\n",
		"yaml":  "name: ORDERS\nseq: 9007199254740993\nbig: 123456789012345678901234567890\nrate: 2.50\nhalf: 0.5\nsubjects:\n  - a\n  - b\nnone: null\nstate:\n  bytes: 34816\n  last: \"2026-01-02T15:01:03Z\"\n\"off\": false\n",
		"csv":   "name,seq,big,rate,half,subjects,none,state,off\nORDERS,9007199254740993,123456789012345678901234567890,2.50,0.5,\"[\"\"a\"\",\"\"b\"\"]\",,\"{\"\"bytes\"\":34816,\"\"last\"\":\"\"2026-01-02T15:01:03Z\"\"}\",false\n",
		"names": "ORDERS\n",
	} {
		got, err := show(t, doc, format, render.Options{Clock: fixed})
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", format, got, err, want)
		}
	}
	got, err := show(t, doc, `template={{color "bad" .name}}`, render.Options{Paint: term.Painter{On: true}})
	if err != nil || got != "\x1b[31mORDERS\x1b[0m\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestExpressionsThatFail(t *testing.T) {
	t.Parallel()
	doc := tree(`{"name":"ORDERS","n":1,"list":[1,2]}`)
	for format, want := range map[string][2]string{
		"jq=.name.x":                          {"", "expected an object but got: string"},
		"jq=.name, error(\"x\")":              {"ORDERS\n", "x"},
		"template=a{{ago .name}}":             {"", "ago wants an RFC 3339 time"},
		"template=a{{bytes .name}}":           {"", "bytes wants a number"},
		"template=a{{join \",\" .name}}":      {"", "join wants a list"},
		"template=a{{color \"beige\" .name}}": {"", `color "beige" is not known`},
		"line=%p":                             {"", "this result has no messages"},
	} {
		got, err := show(t, doc, format, render.Options{})
		if err == nil || !strings.Contains(err.Error(), want[1]) || got != want[0] {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
	if _, err := show(t, tree(`[{"id":1}]`), "names", render.Options{}); fail.CodeOf(err) != fail.Usage {
		t.Errorf("names: %v", err)
	}
}

func TestNumbersSurviveEveryFormat(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "ndjson", "yaml", "csv", "tsv", "md", "jq=.", "jq=.last_seq", "template={{.last_seq}}", "template={{json .}}"} {
		got, err := show(t, pa, format, render.Options{})
		if err != nil || !strings.Contains(got, "9007199254740993") {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
}

func TestEmptyResults(t *testing.T) {
	t.Parallel()
	for _, v := range []render.Viewer{streams(nil), streams{}, shape{[]string(nil)}} {
		for format, want := range map[string]string{"json": "[]\n", "ndjson": "", "yaml": "[]\n", "jq=.": "[]\n", "template={{json .}}": "[]\n", "names": "", "line=%p": ""} {
			if _, list := v.(streams); format == "line=%p" || !list && format == "names" {
				continue
			}
			if got, err := show(t, v, format, render.Options{}); err != nil || got != want {
				t.Errorf("%T %s: %q, %v", v, format, got, err)
			}
		}
	}
	if got, err := show(t, shape{map[string]int(nil)}, "json", render.Options{}); err != nil || got != "{}\n" {
		t.Errorf("map: %q, %v", got, err)
	}
	if got, err := show(t, messages{}, "csv", render.Options{}); err != nil || got != "" {
		t.Errorf("csv: %q, %v", got, err)
	}
	if got, err := show(t, messages{}, "line=%p", render.Options{}); err != nil || got != "" {
		t.Errorf("line: %q, %v", got, err)
	}
}

type base struct {
	ID int `json:"id"`
}

type record struct {
	*base
	Skipped  string `json:"-"`
	hidden   int
	Untagged bool
	Size     uint64 `json:"size,omitempty"`
	Any      any    `json:"any"`
}

func TestRowsOfResultsWithoutATable(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{
		"id,Untagged,size,any\n7,true,,\n,false,5,\"[1,\"\"a\"\"]\"\n": []record{{base: &base{7}, Untagged: true, hidden: 1}, {Size: 5, Any: []any{1, "a"}}},
		"a,b,c\n1,2,\n,3,4\n":               json.RawMessage(`[{"a":1,"b":2},{"b":3,"c":4}]`),
		"value\n1\nx\n\"[2,null]\"\ntrue\n": json.RawMessage(`[1,"x",[2,null],true]`),
		"value\n\"\"\n":                     nil,
		"":                                  json.RawMessage(`[{},{}]`),
		"at\n2026-01-02T15:04:05Z\n":        []map[string]time.Time{{"at": viewtest.Now}},
		"value\n2026-01-02T15:04:05Z\n":     []time.Time{viewtest.Now},
		"value\nplain\n":                    "plain",
	} {
		if got, err := show(t, shape{v}, "csv", render.Options{}); err != nil || got != want {
			t.Errorf("%v: %q, %v; want %q", v, got, err, want)
		}
	}
}

func TestNamesOfResultsWithoutATable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{`["a","b"]`: "a\nb\n", `[{"name":"a"},{"x":1,"name":"b"}]`: "a\nb\n", `{"name":"a"}`: "a\n", `"a"`: "a\n"} {
		if got, err := show(t, tree(text), "names", render.Options{}); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

func TestResultsThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "ndjson", "yaml", "csv", "names", "jq=.", "template={{.}}"} {
		if got, err := show(t, shape{make(chan int)}, format, render.Options{}); err == nil || got != "" {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
}

func TestNoHTMLEscaping(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "ndjson", "yaml", "csv", "jq=.", "jq=.s", "template={{json .}}", "template={{.s}}"} {
		if got, err := show(t, tree(`{"s":"orders.> <&>"}`), format, render.Options{}); err != nil || !strings.Contains(got, "orders.> <&>") {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
}

func TestLineFormats(t *testing.T) {
	t.Parallel()
	m := &message{Subject: "orders.new", Seq: 1<<63 + 1, Body: "one\ntwo"}
	for format, want := range map[string]string{
		`line=%s %n %S\n`:            "orders.new 9223372036854775809 7\n",
		`line=%p\0`:                  "one\ntwo\x00",
		`line=%h{X-N}|%h{Missing}|`:  "three||",
		`line=%t %r%%\t\\\x41\r`:     "1970-01-01T00:00:01.000000005Z _INBOX.x%\t\\A\r",
		`line=plain`:                 "plain",
		"line=%s\n":                  "orders.new\n",
		`line={"s":"%s","n":%n}\x0a`: `{"s":"orders.new","n":9223372036854775809}` + "\n",
	} {
		if got, err := show(t, m, format, render.Options{}); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", format, got, err, want)
		}
	}
	got, err := show(t, messages{{Subject: "a"}, {Subject: "b"}}, `line=%s\n`, render.Options{})
	if err != nil || got != "a\nb\n" {
		t.Errorf("list: %q, %v", got, err)
	}
	got, err = show(t, &message{Subject: "a\x1b[2J\n", Body: "x\x07\n"}, `line=%s %p`, render.Options{TTY: true})
	if err != nil || got != `a\x1b[2J\n x\x07`+"\n" {
		t.Errorf("terminal: %q, %v", got, err)
	}
}

func TestTerminalsAreSafeInEveryFormat(t *testing.T) {
	t.Parallel()
	hostile := "a\x1b[2J\x07\u009b1m\u202e\x7fz"
	v := messages{{Subject: hostile, Body: hostile}}
	for _, format := range render.FormatNames() {
		switch format {
		case "template":
			format = "template={{range .}}{{.subject}}{{json .}}{{end}}"
		case "jq":
			format = "jq=.[].subject, ."
		case "line":
			format = "line=%s %p"
		case "names":
			continue
		}
		got, err := show(t, v, format, render.Options{TTY: true})
		if err != nil || strings.ContainsAny(got, "\x1b\x07\u009b\u202e\x7f") || !strings.Contains(got, "z") {
			t.Errorf("%s: %q, %v", format, got, err)
		}
		if format != "json" && format != "ndjson" {
			continue
		}
		// Escaped, but the same document.
		var back messages
		if format == "ndjson" {
			got = "[" + got + "]"
		}
		if err := json.Unmarshal([]byte(got), &back); err != nil || !reflect.DeepEqual(back, v) {
			t.Errorf("%s: %q does not read back: %v", format, got, err)
		}
		if got, err = show(t, v, format, render.Options{}); err != nil || !strings.Contains(got, "\u009b") {
			t.Errorf("%s to a pipe: %q, %v", format, got, err)
		}
	}
}

func TestYAMLIsWhatJSONIs(t *testing.T) {
	t.Parallel()
	for _, s := range yamlTraps {
		checkYAML(t, s)
	}
	for in, want := range map[string]string{`"a\nb"`: "|-\n  a\n  b\n", `7`: "7\n", `{}`: "{}\n", `[]`: "[]\n", `null`: "null\n", `"on"`: "\"on\"\n"} {
		if got, err := show(t, tree(in), "yaml", render.Options{}); err != nil || got != want {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
}

var yamlTraps = []string{
	"", " ", "a", "yes", "No", "on", "OFF", "y", "~", "null", "true", "1", "1.5", "0x1f", "0o7", "1e3", ".inf", "1_000", "12:30", "2026-01-02", "=", "<<", "-", "- a", "a: b", "a #b",
	"#x", "*a", "&a", "!a", "%a", "@a", "`a", "{a", "[a", "a,b", "'a'", `"a"`, `a\b`, " lead", "trail ", "tab\t", "a\nb", "a\nb\n", "a\n\nb\n\n", "\na", " a\nb", "a \nb", "a\r\nb", "\ta\nb",
	"$KV.a.>", "orders.*", "/a", "a:b", "a,b]", "éa: b", "\ufffe", "\uffff", "-5", "+1", ".5", "1.0.0", "NaN", ".nan", "a\n#b\n- c\nd: e", "a\n---\nb", strings.Repeat("k", 999), strings.Repeat("k", 2000),
	"a\n\tb", "a\x00b", "\x7f", "\u0085", "\u2028", "\ufeff", "é", "日本語", "😀", "a\n b", "---", "---\na", "...", "\n", "?", "? a", ":", "a:", "|", ">", "\u202e",
}

func checkYAML(t *testing.T, s string) {
	t.Helper()
	want := map[string]any{
		"k" + s: []any{s, map[string]any{s: s, "map": map[string]any{s: []any{s}}}, []any{[]any{s}, s}, []any{}, map[string]any{}, nil, true, 1.5},
		"list":  []any{map[string]any{"a": s, "b": map[string]any{"c": nil}}}, "none": []any{}, "empty": map[string]any{}, s: s,
	}
	got, err := show(t, shape{want}, "yaml", render.Options{})
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var fromJSON, fromYAML any
	if err := json.Unmarshal(text, &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(got), &fromYAML); err != nil || !reflect.DeepEqual(fromYAML, fromJSON) {
		t.Errorf("%q: %q reads back as %#v, %v", s, got, fromYAML, err)
	}
}

func FuzzYAML(f *testing.F) {
	for _, s := range yamlTraps {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkYAML(t, s) })
}

type vault struct {
	Name  string                   `json:"name"`
	Pass  render.Secret            `json:"pass"`
	Ptr   *render.Secret           `json:"ptr"`
	List  []render.Secret          `json:"list"`
	Map   map[string]render.Secret `json:"map"`
	Any   any                      `json:"any"`
	Inner struct {
		Deep [1]render.Secret `json:"deep"`
	} `json:"inner"`
	Empty render.Secret `json:"empty"`
	embedded
}

type embedded struct {
	Promoted render.Secret `json:"promoted"`
	hidden   render.Secret
}

func (v vault) View(p *render.Page) {
	p.Line("%s %v %d %x %q", v.Pass, v.Any, v.List[0], *v.Ptr, v.hidden)
	p.Field("Password", v.Pass)
	v.hidden = "" // fmt does not ask unexported fields how they want to be printed
	p.Field("All", fmt.Sprint(v))
	t := p.Table("Secrets", render.Column{Name: "Name"}, render.Column{Name: "Secret"})
	t.Row(v.Name, v.Pass)
}

func newVault() vault {
	s := render.Secret("s3cret1")
	v := vault{
		Name: "v", Pass: "s3cret2", Ptr: &s, List: []render.Secret{"s3cret3"}, Map: map[string]render.Secret{"k": "s3cret4"},
		Any: []any{render.Secret("s3cret5")}, embedded: embedded{"s3cret6", "s3cret7"},
	}
	v.Inner.Deep[0] = "s3cret8"
	return v
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	v := newVault()
	for _, format := range []string{"text", "wide", "json", "ndjson", "yaml", "csv", "tsv", "md", "names", "jq=.", "jq=.pass", "template={{.}}", "template={{json .}}"} {
		got, err := show(t, v, format, render.Options{})
		if err != nil || strings.Contains(got, "s3cret") || !strings.Contains(got, "********") && format != "names" {
			t.Errorf("%s: %q, %v", format, got, err)
		}
		if strings.HasPrefix(format, "names") {
			continue
		}
		if got, err = show(t, v, format, render.Options{ShowSecrets: true}); err != nil || !strings.Contains(got, "s3cret2") {
			t.Errorf("%s with secrets: %q, %v", format, got, err)
		}
	}
	got, err := show(t, v, "json", render.Options{ShowSecrets: true})
	if err != nil || strings.Contains(got, "****") || strings.Contains(got, "\\u0000") {
		t.Errorf("%q, %v", got, err)
	}
	for n := range 8 {
		if s := fmt.Sprintf("s3cret%d", n+1); n+1 != 7 && !strings.Contains(got, s) {
			t.Errorf("%s is not in %s", s, got)
		}
	}
	if !reflect.DeepEqual(v, newVault()) {
		t.Error("showing secrets changed the result")
	}
}

func TestSecretsOutsideTheRenderer(t *testing.T) {
	t.Parallel()
	s := render.Secret("s3cret")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s, "v", newVault())
	text, err := json.Marshal(newVault())
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x %X %d %t", s, s, s, s, s, s, s, s, s), fmt.Sprintf("%+v %#v", newVault().List, newVault().Map), s.String(), string(text)} {
		if strings.Contains(out, "s3cret") || strings.Contains(out, "733363726574") {
			t.Errorf("%q", out)
		}
	}
	if !strings.Contains(log.String(), "s=********") {
		t.Errorf("%q", log.String())
	}
	if string(s) != "s3cret" || render.Secret("").String() != "" {
		t.Error("the value is there for who asks for it")
	}
}
