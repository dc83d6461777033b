package render_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

func TestParseFormat(t *testing.T) {
	t.Parallel()
	for _, name := range render.FormatNames() {
		in := name
		if name == "template" || name == "jq" || name == "line" {
			in += "=a=b"
		}
		f, err := render.ParseFormat(in)
		if err != nil || f.String() != in {
			t.Errorf("%s: %v, %v", in, f, err)
		}
	}
	if f, err := render.ParseFormat("markdown"); err != nil || f.Kind != render.Markdown {
		t.Errorf("markdown: %v, %v", f, err)
	}
	for in, want := range map[string][2]string{
		"jsno":     {`unknown format "jsno"`, "did you mean json"},
		"JSON":     {`unknown format "JSON"`, "did you mean json"},
		"temp":     {`unknown format "temp"`, "text or template"},
		"spanish!": {`unknown format "spanish!"`, "the formats are text, wide, json"},
		"":         {`unknown format ""`, "the formats are"},
		"jq":       {"format jq needs an expression", "jq=.name"},
		"template": {"format template needs an expression", "template="},
		"line=":    {"format line needs an expression", "line="},
		"json=x":   {`format json takes no argument, got "x"`, ""},
	} {
		_, err := render.ParseFormat(in)
		if fail.CodeOf(err) != fail.Usage || !strings.Contains(err.Error(), want[0]) || !strings.Contains(fail.HintOf(err), want[1]) {
			t.Errorf("%q: %v (hint %q)", in, err, fail.HintOf(err))
		}
	}
}

func TestBadExpressionsAreUsageErrorsAtOnce(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"jq=.a[":              `jq expression ".a["`,
		"jq=nosuch":           "function not defined: nosuch/0",
		"jq=$x":               "variable not defined: $x",
		"template={{.a":       `template "{{.a"`,
		"template={{nope 1}}": `function "nope" not defined`,
		"line=%x":             "unknown %x",
		"line=a%":             "% stands at its end",
		`line=a\`:             `\ stands at its end`,
		`line=\q`:             `unknown \q`,
		`line=\x4`:            `\x wants two hexadecimal digits`,
		`line=\xzz`:           `\x wants two hexadecimal digits`,
		"line=%hName":         "%h wants the name of a header",
		"line=%h{}":           "%h wants the name of a header",
		"line=%h{a":           "%h wants the name of a header",
		"line=%é":             "unknown %é",
	} {
		f, err := render.ParseFormat(in)
		if err != nil {
			t.Fatal(err)
		}
		_, err = render.New(render.Options{Out: &bytes.Buffer{}, Format: f})
		if fail.CodeOf(err) != fail.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
		if f.Kind == render.Line && !strings.Contains(fail.HintOf(err), `%p payload`) {
			t.Errorf("%q: hint %q", in, fail.HintOf(err))
		}
	}
}

func TestMachine(t *testing.T) {
	t.Parallel()
	for _, name := range render.FormatNames() {
		f, err := render.ParseFormat(name + map[bool]string{true: "=x"}[name == "jq" || name == "line" || name == "template"])
		if err != nil {
			t.Fatal(err)
		}
		if name == "jq" {
			f.Arg = "."
		}
		r, err := render.New(render.Options{Out: &bytes.Buffer{}, Format: f})
		if err != nil {
			t.Fatal(err)
		}
		if r.Format() != f || r.Machine() != (name != "text" && name != "wide") {
			t.Errorf("%s: %v, machine %v", name, r.Format(), r.Machine())
		}
	}
}

func FuzzParseFormat(f *testing.F) {
	for _, s := range []string{"json", "jq=.a", "line=%h{X} %p\\n\\x41%%", "template={{.}}", "line=\\", "md=", "=", "line=%h{"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		format, err := render.ParseFormat(s)
		if err != nil {
			if fail.CodeOf(err) != fail.Usage {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if format.Kind == render.JQ {
			return // gojq's own parser is fuzzed where it lives
		}
		var out bytes.Buffer
		r, err := render.New(render.Options{Out: &out, Format: format})
		if err != nil {
			if fail.CodeOf(err) != fail.Usage {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if format.Kind == render.Line {
			if err := r.Print(&message{Subject: "s", Body: "b"}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
