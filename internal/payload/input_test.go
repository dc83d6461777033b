package payload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/nats-io/nats.go"
)

// untouchable fails the test when anything reads it.
type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("standard input was read")
	return 0, io.EOF
}

func ptr(s string) *string { return &s }

func all(t *testing.T, in Input) []string {
	t.Helper()
	b := in.Open(t.Context())
	defer b.Close()
	var got []string
	for {
		body, err := b.Next()
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(body.Data))
	}
}

func same(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestWhereABodyComesFrom(t *testing.T) {
	t.Parallel()
	binary := "\x00\xff{{Count}}\r\n\n"
	rows := []struct {
		name  string
		in    Input
		stdin string
		want  []string
	}{
		{"argument, piped", Input{Arg: ptr("arg")}, "", []string{"arg"}},
		{"argument, terminal", Input{Arg: ptr("arg"), StdinTTY: true}, "", []string{"arg"}},
		{"argument and force", Input{Arg: ptr("arg"), Force: true}, "", []string{"arg"}},
		{"empty argument", Input{Arg: ptr("")}, "", []string{""}},
		{"empty argument, lines", Input{Arg: ptr(""), Lines: true}, "", []string{""}},
		{"at sign", Input{Arg: ptr("@/etc/hostname")}, "", []string{"@/etc/hostname"}},
		{"terminal", Input{StdinTTY: true}, "", []string{""}},
		{"pipe", Input{}, binary, []string{binary}},
		{"empty pipe", Input{}, "", []string{""}},
		{"empty pipe, lines", Input{Lines: true}, "", nil},
		{"dash", Input{Arg: ptr("-")}, binary, []string{binary}},
		{"dash, terminal", Input{Arg: ptr("-"), StdinTTY: true}, "typed\n", []string{"typed\n"}},
		{"force, terminal", Input{Force: true, StdinTTY: true}, "typed\n", []string{"typed\n"}},
		{"lines", Input{Lines: true}, "a\n\nb", []string{"a", "", "b"}},
		{"three lines", Input{Lines: true}, "1\n2\n3\n", []string{"1", "2", "3"}},
	}
	for _, r := range rows {
		if !r.in.FromStdin() {
			r.in.Stdin = untouchable{t}
		} else {
			r.in.Stdin = strings.NewReader(r.stdin)
		}
		if got := all(t, r.in); !same(got, r.want) {
			t.Errorf("%s: %q, want %q", r.name, got, r.want)
		}
	}
}

func TestWhichBodiesAreTemplates(t *testing.T) {
	t.Parallel()
	rows := []struct {
		in   Input
		want bool
	}{
		{Input{Arg: ptr("x"), Templates: true}, true},
		{Input{Arg: ptr("x"), Templates: false}, false},
		{Input{Arg: ptr("x"), TemplatesAsked: true}, false},
		{Input{Templates: true}, false},
		{Input{Arg: ptr("-"), Templates: true}, false},
		{Input{Templates: true, TemplatesAsked: true}, true},
	}
	for i, r := range rows {
		if got := r.in.ExpandBody(); got != r.want {
			t.Errorf("row %d: %v", i, got)
		}
		body := Body{Data: []byte("{{Count}}")}
		text, err := r.in.Text(body, ForPublish)
		if err != nil {
			t.Fatal(err)
		}
		got, err := text.Expand(nil, &Values{Count: 7})
		if want := map[bool]string{true: "7", false: "{{Count}}"}[r.want]; err != nil || string(got) != want {
			t.Errorf("row %d: %q, %v", i, got, err)
		}
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3*lineBuffer+5)
	rows := []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"\n", []string{""}},
		{"a", []string{"a"}},
		{"a\r\nb\n", []string{"a", "b"}},
		{"a\r\rb\r\n\r\n", []string{"a\r\rb", ""}},
		{"end\r", []string{"end\r"}},
		{"\x00\xff\n", []string{"\x00\xff"}},
		{long + "\n" + long, []string{long, long}},
		{strings.Repeat("x", lineBuffer-1) + "\nz", []string{strings.Repeat("x", lineBuffer-1), "z"}},
		{strings.Repeat("x", lineBuffer) + "\r\nz\n", []string{strings.Repeat("x", lineBuffer), "z"}},
	}
	for i, r := range rows {
		for name, src := range map[string]io.Reader{"whole": strings.NewReader(r.in), "bytewise": iotest.OneByteReader(strings.NewReader(r.in))} {
			l := NewLines(src)
			var got []string
			for {
				line, err := l.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(line))
			}
			if !same(got, r.want) || l.Number() != len(r.want) {
				t.Errorf("row %d, %s: %d lines, number %d, want %d", i, name, len(got), l.Number(), len(r.want))
			}
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	if _, err := ReadWhole(strings.NewReader("12345"), 4); !errors.Is(err, nats.ErrMaxPayload) || !strings.Contains(err.Error(), "maximum payload exceeded") {
		t.Errorf("whole: %v", err)
	}
	if got, err := ReadWhole(strings.NewReader("12345"), 5); err != nil || string(got) != "12345" {
		t.Errorf("whole at the limit: %q, %v", got, err)
	}
	in := Input{Lines: true, Limit: 5, Stdin: strings.NewReader("12345\r\n123456\n" + strings.Repeat("y", 2*lineBuffer) + "\nok\n")}
	b := in.Open(t.Context())
	defer b.Close()
	var got []string
	for {
		body, err := b.Next()
		if err == io.EOF {
			break
		}
		switch {
		case errors.Is(err, nats.ErrMaxPayload):
			got = append(got, err.Error())
		case err != nil:
			t.Fatal(err)
		default:
			got = append(got, string(body.Data))
		}
	}
	if len(got) != 4 || got[0] != "12345" || got[3] != "ok" || !strings.Contains(got[1], "line 2") || !strings.Contains(got[2], "line 3") {
		t.Errorf("lines: %q", got)
	}
}

func TestInterruptEndsTheWaitForStdin(t *testing.T) {
	t.Parallel()
	for _, lines := range []bool{false, true} {
		pr, pw, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		b := Input{Stdin: pr, Lines: lines}.Open(ctx)
		got := make(chan error, 1)
		go func() {
			_, err := b.Next()
			got <- err
		}()
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Errorf("lines %v: %v", lines, err)
		}
		b.Close()
		_, _ = pw.Close(), pr.Close()
	}
}

func TestReadErrorsNameStdin(t *testing.T) {
	t.Parallel()
	b := Input{Stdin: iotest.ErrReader(errors.New("disk on fire"))}.Open(t.Context())
	defer b.Close()
	if _, err := b.Next(); err == nil || err.Error() != "standard input: disk on fire" {
		t.Error(err)
	}
}

func TestLinesAllocateNothing(t *testing.T) {
	text := bytes.Repeat([]byte(strings.Repeat("x", 99)+"\n"), 1000)
	src := bytes.NewReader(text)
	l := NewLines(src)
	allocs := testing.AllocsPerRun(10, func() {
		src.Reset(text)
		for {
			if _, err := l.Next(); err != nil {
				break
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for 1000 lines", allocs)
	}
}

func BenchmarkLines(b *testing.B) {
	text := bytes.Repeat([]byte(strings.Repeat("x", 127)+"\n"), 1<<16)
	src := bytes.NewReader(text)
	l := NewLines(src)
	b.SetBytes(128)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Next(); err == io.EOF {
			src.Reset(text)
		}
	}
}
