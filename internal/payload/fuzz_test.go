package payload

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"text/template"

	"github.com/nats-io/nats.go"
)

// Whatever takes the short way gives what the template engine gives.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"{{Count}}", "a{{.Token 1}}{{", "{{Random 0 0}}}}", "{{ Request }}{{- Subject}}", "{{/* {{Count}} */}}", "{{`{{Count}}`}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, "ID") || strings.Contains(s, "Random") {
			return // different each time, and costly
		}
		if _, short := simpleParts(s, ForReply); !short || !strings.Contains(s, "{{") {
			return
		}
		text, err := Compile("body", s, ForReply)
		if err != nil {
			t.Fatal(err)
		}
		got, err := text.ExpandString(at(3))
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := template.New("x").Funcs((&instance{}).functions(ForReply)).Parse(s)
		if err != nil {
			t.Fatalf("%q takes the short way, the engine says %v", s, err)
		}
		in := newInstance(parsed, ForReply)
		in.v = at(3)
		if err := in.tmpl.Execute(in, in.root); err != nil || string(in.out) != got {
			t.Errorf("%q: %q by the engine (%v), %q the short way", s, in.out, err, got)
		}
	})
}

// No subject and no request changes how many arguments a command has, or what the literal ones are.
func FuzzCommand(f *testing.F) {
	f.Add("echo {{1}} '{{Request}}' \"x {{Subject}}\"", "a.$(id)", "' {{ID}} \"")
	f.Add("x {{ 0 }} \\{{1}}", "a b", "\x00")
	f.Fuzz(func(t *testing.T, line, subject, request string) {
		c, err := ParseResponder(line)
		if err != nil || strings.Contains(line, "Random") {
			return
		}
		argv, err := c.Argv(&Values{Subject: subject, Request: request})
		if err != nil {
			return
		}
		if len(argv) != len(c.argv) {
			t.Fatalf("%q: %q", line, argv)
		}
		for i, text := range c.argv {
			if text.Literal() && argv[i] != text.literal {
				t.Errorf("%q: argument %d became %q", line, i, argv[i])
			}
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\n\nb"))
	f.Fuzz(func(t *testing.T, in []byte) {
		l := NewLines(bytes.NewReader(in))
		n := 0
		for {
			line, err := l.Next()
			if err == io.EOF {
				break
			}
			if err != nil || bytes.IndexByte(line, '\n') >= 0 {
				t.Fatalf("%q, %v", line, err)
			}
			n++
		}
		want := bytes.Count(in, []byte("\n"))
		if len(in) > 0 && in[len(in)-1] != '\n' {
			want++
		}
		if n != want {
			t.Errorf("%d lines, want %d", n, want)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add("A: b")
	f.Fuzz(func(t *testing.T, s string) {
		key, value, err := ParseHeader(s)
		if err != nil {
			return
		}
		wire, err := AppendHeader(nil, nats.Header{key: {value}})
		if err != nil {
			t.Fatal(err)
		}
		back, err := nats.DecodeHeadersMsg(wire)
		if err != nil || len(back) != 1 || len(back[key]) != 1 || back[key][0] != strings.Trim(value, " \t") {
			t.Errorf("%q: %q, %v", wire, back, err)
		}
	})
}
