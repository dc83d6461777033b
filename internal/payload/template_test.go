package payload

import (
	"regexp"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/fail"
)

var noon = time.Date(2026, 11, 21, 9, 16, 54, 123456789, time.FixedZone("CET", 3600))

func at(count int) *Values {
	return &Values{
		Count: count, Clock: clock.NewManual(noon), Request: "ping", Subject: "w.london.uk", Reply: "_INBOX.x",
		Header: nats.Header{"K": {"v"}},
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	rows := []struct{ text, want string }{
		{"plain } } { text", "plain } } { text"},
		{"", ""},
		{"{{Count}} {{.Count}} {{ Cnt }}{{.Cnt}}", "3 3 33"},
		{"{{TimeStamp}}", "2026-11-21T09:16:54+01:00"},
		{"{{Time}}|{{.Time}}", "9:16AM|9:16AM"},
		{"{{Unix}} {{UnixNano}}", "1795249014 1795249014123456789"},
		{"{{printf \"%03d\" Count}}", "003"},
		{"{{if eq Count 3}}three{{else}}other{{end}}", "three"},
		{"{{range $i := slice \"ab\" 0 1 | printf \"%s\" | len}}{{end}}x{{- Count -}} y", "x3y"},
		{"{{Request}} {{.Request}}", "ping ping"},
		{"{{Subject}} {{Reply}} {{Token 1}} {{Token 9}}|{{.Token 0}}", "w.london.uk _INBOX.x london |w"},
		{"{{Header \"K\"}}{{.Header \"none\"}}", "v"},
		{"{{with .Request}}{{.}}{{$.Count}}{{end}}", "ping3"},
		{"{{Random 0 0}}.", "."},
	}
	for _, r := range rows {
		text, err := Compile("body", r.text, ForReply)
		if err != nil {
			t.Errorf("%s: %v", r.text, err)
			continue
		}
		got, err := text.Expand(nil, at(3))
		if err != nil || string(got) != r.want {
			t.Errorf("%s: %q, %v, want %q", r.text, got, err, r.want)
		}
		if got, err := text.ExpandString(at(3)); err != nil || got != r.want {
			t.Errorf("%s as string: %q, %v", r.text, got, err)
		}
	}
}

func TestRandomNames(t *testing.T) {
	t.Parallel()
	rows := []struct{ text, want string }{
		{"{{ID}}", `^[0-9A-Za-z]{22}$`},
		{"{{.ID}}{{printf \"-%s\" ID}}", `^[0-9A-Za-z]{22}-[0-9A-Za-z]{22}$`},
		{"{{Random 5 5}}", `^[0-9A-Za-z]{5}$`},
		{"{{.Random 8 2}}", `^[0-9A-Za-z]{2,8}$`},
		{"{{Random 1 3 | printf \"%s!\"}}", `^[0-9A-Za-z]{1,3}!$`},
	}
	for _, r := range rows {
		text, err := Compile("body", r.text, ForPublish)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for range 20 {
			got, err := text.ExpandString(at(1))
			if err != nil || !regexp.MustCompile(r.want).MatchString(got) {
				t.Errorf("%s: %q, %v", r.text, got, err)
			}
			seen[got] = true
		}
		if len(seen) < 2 {
			t.Errorf("%s gives the same each time", r.text)
		}
	}
}

// The short way and the template engine must agree on everything the short way takes.
func TestShortWayIsTheEnginesWay(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"{{Count}}", "a{{.Cnt}}b", "{{ TimeStamp }}", "{{Time}}", "{{Unix}}{{UnixNano}}", "{{Request}}/{{Subject}}/{{Reply}}",
		"{{Token 0}}{{Token 2}}{{ Token  1 }}", "{{Random 0 0}}",
	} {
		if _, ok := simpleParts(text, ForReply); !ok {
			t.Errorf("%s does not take the short way", text)
		}
		short, err := Compile("body", text, ForReply)
		if err != nil {
			t.Fatal(err)
		}
		got, err := short.ExpandString(at(4))
		if err != nil {
			t.Fatal(err)
		}
		parsed := template.Must(template.New("x").Funcs((&instance{}).functions(ForReply)).Parse(text))
		in := newInstance(parsed, ForReply)
		in.v = at(4)
		if err := in.tmpl.Execute(in, in.root); err != nil || string(in.out) != got {
			t.Errorf("%s: %q by the engine (%v), %q the short way", text, in.out, err, got)
		}
	}
	for _, text := range []string{"{{-Count}}", "{{- Count}}", "{{Count 1}}", "{{Token}}", "{{Token 01}}", "{{Random 1}}", "{{. Count}}", "{{}}", "{{Count", "{{/* x */}}", "{{$x}}", "{{Header \"K\"}}", "{{Bogus}}"} {
		if _, ok := simpleParts(text, ForReply); ok {
			t.Errorf("%s takes the short way", text)
		}
	}
	if _, ok := simpleParts("{{Request}}", ForPublish); ok {
		t.Error("Request takes the short way outside replies")
	}
}

func TestTemplateErrors(t *testing.T) {
	t.Parallel()
	rows := []struct {
		text  string
		scope Scope
		want  string
	}{
		{"{{Bogus}}", ForPublish, `body template: line 1: function "Bogus" not defined`},
		{"{{.Bogus}}", ForPublish, `body template: there is no field ".Bogus"`},
		{"{{if .Bogus}}x{{end}}", ForPublish, `body template: there is no field ".Bogus"`},
		{"{{if true}}{{else}}{{.Bogus}}{{end}}", ForReply, `body template: there is no field ".Bogus"`},
		{"a\n{{Count", ForPublish, `body template: line 2: unclosed action`},
		{"{{Request}}", ForPublish, `body template: line 1: function "Request" not defined`},
		{"{{.Request}}", ForPublish, `body template: there is no field ".Request"`},
	}
	for _, r := range rows {
		_, err := Compile("body", r.text, r.scope)
		if err == nil || err.Error() != r.want || fail.CodeOf(err) != fail.Usage || !strings.Contains(fail.HintOf(err), "UnixNano") {
			t.Errorf("%s: %v (code %d)", r.text, err, fail.CodeOf(err))
		}
	}
	for text, want := range map[string]string{
		"{{Random -1 2}}":          "subject template: Random: a length cannot be negative",
		"{{Random 1 99999999999}}": "subject template: Random: longer than 67108864 letters",
		"{{index Request 99}}":     "subject template: index: index out of range: 99",
	} {
		tmpl, err := Compile("subject", text, ForReply)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tmpl.Expand(nil, at(1))
		if err == nil || !strings.HasPrefix(err.Error(), want) || fail.CodeOf(err) != fail.Failure || got != nil {
			t.Errorf("%s: %q, %v, want %s", text, got, err, want)
		}
	}
}

// What a stranger sends is data: it is never expanded, whichever way it takes.
func TestHostileRequestsStayData(t *testing.T) {
	t.Parallel()
	v := at(1)
	v.Request, v.Subject, v.Reply = "{{ID}}{{Count}}", "a.{{ID}}.$(id)", "{{.Request}}"
	v.Header = nats.Header{"X": {"{{ID}}"}}
	for text, want := range map[string]string{
		"{{Request}}":                    "{{ID}}{{Count}}",
		"{{.Request | printf \"<%s>\"}}": "<{{ID}}{{Count}}>",
		"{{Token 1}} {{Subject}}":        "{{ID}} a.{{ID}}.$(id)",
		"{{Header \"X\"}}{{Reply}}":      "{{ID}}{{.Request}}",
	} {
		tmpl, err := Compile("body", text, ForReply)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.ExpandString(v); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	v.Request = ""
	tmpl, err := Compile("body", "pong{{Request}}", ForReply)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tmpl.ExpandString(v); err != nil || got != "pong" {
		t.Errorf("an empty request: %q, %v", got, err)
	}
}

func TestOneMomentForOneMessage(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(noon)
	v := &Values{Clock: c}
	text, err := Compile("body", "{{UnixNano}}", ForPublish)
	if err != nil {
		t.Fatal(err)
	}
	show := func() string {
		s, err := text.ExpandString(v)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	v.Next(1)
	first := show()
	c.Advance(time.Second)
	if show() != first {
		t.Error("the time changed within a message")
	}
	v.Next(2)
	if show() == first {
		t.Error("the time stood still between messages")
	}
}

func TestExpandSideBySide(t *testing.T) {
	t.Parallel()
	text, err := Compile("body", "{{printf \"%d\" Count}} {{.Request}}", ForReply)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				v := &Values{Count: i, Request: strings.Repeat("r", i)}
				want := string(rune('0'+i)) + " " + v.Request
				if got, err := text.ExpandString(v); err != nil || got != want {
					t.Errorf("%q, %v, want %q", got, err, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestVerbatim(t *testing.T) {
	t.Parallel()
	text := Verbatim("subject", "a.{{Count}}")
	if got, err := text.ExpandString(at(1)); err != nil || got != "a.{{Count}}" || !text.Literal() {
		t.Errorf("%q, %v", got, err)
	}
}

func TestLiteralCostsNothing(t *testing.T) {
	text, err := Compile("body", strings.Repeat("body ", 100), ForPublish)
	if err != nil {
		t.Fatal(err)
	}
	v := at(1)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = text.Expand(nil, v)
		_, _ = text.ExpandString(v)
	}); n != 0 {
		t.Errorf("%v allocations for a literal", n)
	}
	counted, err := Compile("body", "message {{Count}} of {{Unix}}", ForPublish)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		v.Next(5)
		buf, _ = counted.Expand(buf, v)
	}); n != 0 {
		t.Errorf("%v allocations for plain names", n)
	}
}

func benchTemplate(b *testing.B, text string) {
	tmpl, err := Compile("body", text, ForPublish)
	if err != nil {
		b.Fatal(err)
	}
	v := &Values{}
	var buf []byte
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		v.Next(n)
		if tmpl.Literal() {
			_, _ = tmpl.Expand(nil, v)
			continue
		}
		if buf, err = tmpl.Expand(buf, v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTemplateLiteral(b *testing.B) { benchTemplate(b, "a body without anything to expand") }
func BenchmarkTemplateNames(b *testing.B)   { benchTemplate(b, "message {{Count}} at {{UnixNano}}") }
func BenchmarkTemplateEngine(b *testing.B) {
	benchTemplate(b, "message {{printf \"%d\" Count}} at {{UnixNano}}")
}
