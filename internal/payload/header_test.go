package payload

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
)

func TestParseHeader(t *testing.T) {
	t.Parallel()
	rows := []struct{ in, key, value, err string }{
		{"A:b:c", "A", "b:c", ""},
		{"A: d ", "A", "d", ""},
		{" nats-Msg-Id :1", "nats-Msg-Id", "1", ""},
		{"Empty:", "Empty", "", ""},
		{"U:grün", "U", "grün", ""},
		{"nocolon", "", "", `invalid header "nocolon"`},
		{":v", "", "", `invalid header ":v": the name is empty`},
		{"My Key: v", "", "", "the name may hold"},
		{"Ke\x01y: v", "", "", "the name may hold"},
		{"K: a\r\nEvil: b", "", "", "may not hold line breaks"},
	}
	for _, r := range rows {
		key, value, err := ParseHeader(r.in)
		if r.err != "" {
			if err == nil || !strings.Contains(err.Error(), r.err) {
				t.Errorf("%q: %v, want %s", r.in, err, r.err)
			}
			continue
		}
		if err != nil || key != r.key || value != r.value {
			t.Errorf("%q: %q %q %v", r.in, key, value, err)
		}
	}
}

func TestHeaderFile(t *testing.T) {
	t.Parallel()
	rows := []struct {
		in   string
		want nats.Header
		err  string
	}{
		{"# comment\r\nA: 1\r\n\r\nA: 2\nB:x", nats.Header{"A": {"1", "2"}, "B": {"x"}}, ""},
		{"", nats.Header{}, ""},
		{` {"A":["1","2"],"B":"x"} `, nats.Header{"A": {"1", "2"}, "B": {"x"}}, ""},
		{"A: 1\nbroken", nil, `header file h: line 2: invalid header "broken"`},
		{`{"A":1}`, nil, "header file h: A must be a string or a list of strings"},
		{`{"A b":"1"}`, nil, `invalid header "A b"`},
		{`{"A":"a\nb"}`, nil, "line breaks"},
		{`{"A":`, nil, "header file h: "},
	}
	for _, r := range rows {
		got, err := ParseHeaderFile("h", []byte(r.in))
		if r.err != "" {
			if err == nil || !strings.Contains(err.Error(), r.err) || fail.CodeOf(err) != fail.Usage {
				t.Errorf("%q: %v, want %s", r.in, err, r.err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, r.want) {
			t.Errorf("%q: %v, %v", r.in, got, err)
		}
	}
	if got := MergeHeaders(nil, nats.Header{"A": {"1"}}, nats.Header{"A": {"2"}}); !reflect.DeepEqual(got, nats.Header{"A": {"1", "2"}}) {
		t.Errorf("merged: %v", got)
	}
	if MergeHeaders(nil) != nil {
		t.Error("nothing merged is nil")
	}
}

func TestHeaderText(t *testing.T) {
	t.Parallel()
	h := nats.Header{"b": {"2"}, "A": {"1", " x "}, "C": {""}}
	if got := strings.Join(HeaderLines(h), "|"); got != "A: 1|A:  x |C: |b: 2" {
		t.Errorf("lines %q", got)
	}
	got, err := AppendHeader([]byte(">"), h)
	if want := ">NATS/1.0\r\nA: 1\r\nA: x\r\nC: \r\nb: 2\r\n\r\n"; err != nil || string(got) != want {
		t.Errorf("wire %q, %v", got, err)
	}
	// What the client library reads is what was meant.
	back, err := nats.DecodeHeadersMsg(got[1:])
	if want := (nats.Header{"b": {"2"}, "A": {"1", "x"}, "C": {""}}); err != nil || !reflect.DeepEqual(back, want) {
		t.Errorf("read back %v, %v", back, err)
	}
	if got, err := AppendHeader(nil, nil); got != nil || err != nil {
		t.Errorf("no header: %q, %v", got, err)
	}
	if _, err := AppendHeader(nil, nats.Header{"A": {"1\r\nB: 2"}}); err == nil {
		t.Error("a line break went onto the wire")
	}
}

func TestHeaderTemplates(t *testing.T) {
	t.Parallel()
	tmpl, err := CompileHeader(nats.Header{"N": {"{{Count}}", "x"}, "K": {"v"}}, ForPublish)
	if err != nil || tmpl.Literal() {
		t.Fatal(err)
	}
	got, err := tmpl.Expand(at(2))
	if want := (nats.Header{"N": {"2", "x"}, "K": {"v"}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	got["K"][0], got["Extra"] = "changed", []string{"1"}
	again, err := tmpl.Expand(at(3))
	if want := (nats.Header{"N": {"3", "x"}, "K": {"v"}}); err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("the second expansion saw the first: %v, %v", again, err)
	}

	_, err = CompileHeader(nats.Header{"N": {"{{Bogus}}"}}, ForPublish)
	if err == nil || !strings.HasPrefix(err.Error(), "header N template: ") || fail.CodeOf(err) != fail.Usage {
		t.Errorf("a bad template: %v", err)
	}
	hostile, err := CompileHeader(nats.Header{"R": {"{{Request}}"}}, ForReply)
	if err != nil {
		t.Fatal(err)
	}
	v := at(1)
	v.Request = "x\r\nNats-Evil: 1"
	if _, err := hostile.Expand(v); err == nil || !strings.Contains(err.Error(), "header R") {
		t.Errorf("a request broke out of its header: %v", err)
	}
	none, err := CompileHeader(nil, ForPublish)
	if err != nil || !none.Literal() {
		t.Fatal(err)
	}
	if h, err := none.Expand(at(1)); h != nil || err != nil {
		t.Errorf("%v, %v", h, err)
	}
	var own *fail.Error
	if !errors.As(func() error { _, err := hostile.Expand(v); return err }(), &own) || own.Code != fail.Failure {
		t.Errorf("code of a failed expansion: %v", own)
	}
}
