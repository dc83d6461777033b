package term

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/clock"
)

func TestVisible(t *testing.T) {
	rows := []struct{ in, keep, flat string }{
		{"plain", "plain", "plain"},
		{"héllo ☃", "héllo ☃", "héllo ☃"},
		{"a\nb\tc", "a\nb\tc", `a\nb\tc`},
		{"\x1b[31mred\x07", `\x1b[31mred\x07`, `\x1b[31mred\x07`},
		{"bad\xff", `bad\xff`, `bad\xff`},
		{"real \uFFFD", "real \uFFFD", "real \uFFFD"},
		{"c1\u009b31m", `c1\u009b31m`, `c1\u009b31m`},
		{"rtl\u202eevil", `rtl\u202eevil`, `rtl\u202eevil`},
		{"cr\rx", `cr\rx`, `cr\rx`},
	}
	for _, r := range rows {
		if got := Visible(r.in, true); got != r.keep {
			t.Errorf("Visible(%q, true) = %q", r.in, got)
		}
		if got := Visible(r.in, false); got != r.flat {
			t.Errorf("Visible(%q, false) = %q", r.in, got)
		}
	}
}

func TestColorIsDecidedOnce(t *testing.T) {
	env := func(kv ...string) func(string) string {
		return func(k string) string {
			for i := 0; i < len(kv); i += 2 {
				if kv[i] == k {
					return kv[i+1]
				}
			}
			return ""
		}
	}
	rows := []struct {
		env  func(string) string
		tty  bool
		want bool
	}{
		{env(), true, true}, {env(), false, false},
		{env("NO_COLOR", "1", "CLICOLOR_FORCE", "1"), true, false},
		{env("CLICOLOR_FORCE", "1"), false, true}, {env("CLICOLOR_FORCE", "0"), false, false},
		{env("TERM", "dumb"), true, false},
	}
	for i, r := range rows {
		if got := wantsColor(r.env, r.tty); got != r.want {
			t.Errorf("row %d: %v", i, got)
		}
	}
}

func TestTalk(t *testing.T) {
	var out bytes.Buffer
	s := &Streams{Err: &out, ErrTTY: true}
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	c := clock.NewManual(now)
	p := s.Progress(c, "Copying", 10, func(n int64) string { return strconv.FormatInt(n, 10) })
	c.Advance(time.Second)
	p.Add(5)
	s.Say(now, "got %s", "a\x1b]0;x")
	p.Close()
	p.Close()
	s.Hint("try %s", "this")
	want := "\r\x1b[KCopying  ████████████░░░░░░░░░░░░  50%  5 of 10  5/s" +
		"\r\x1b[K15:04:05 got a\\x1b]0;x\n" + "Copying  ████████████░░░░░░░░░░░░  50%  5 of 10  5/s" +
		"\r\x1b[K" + "nats: hint: try this\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}

	out.Reset()
	s.ErrTTY = false
	s.Hint("nobody to see it")
	s.Say(now, "piped")
	if out.String() != "15:04:05 piped\n" {
		t.Errorf("piped talk = %q", out.String())
	}
}

func TestStatusFitsTheTerminal(t *testing.T) {
	var out bytes.Buffer
	s := &Streams{Err: &out, ErrTTY: true, Width: 10}
	s.setStatus("0123456789abc")
	if got := out.String(); got != "\r\x1b[K0123456" {
		t.Errorf("%q", got)
	}
}

// TestBarLeavesRoomForTheFigures: on a narrow terminal the bar is shorter, and on a very narrow one it is left out.
func TestBarLeavesRoomForTheFigures(t *testing.T) {
	for width, want := range map[int]string{
		0: "Copying  ████████████░░░░░░░░░░░░  50%  5 of 10  5/s", 40: "Copying  ████░░░░░  50%  5 of 10  5/s", 36: "Copying   50%  5 of 10  5/s",
	} {
		start := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
		p := (&Streams{ErrTTY: true, Width: width}).Progress(clock.NewManual(start), "Copying", 10, func(n int64) string { return strconv.FormatInt(n, 10) })
		p.done = 5
		if got := p.line(start.Add(time.Second)); got != want {
			t.Errorf("%d columns: %q, want %q", width, got, want)
		}
	}
}

func TestPaint(t *testing.T) {
	if got := (Painter{On: true, Scheme: "blue"}).Paint(Accent, "x"); got != "\x1b[34mx\x1b[0m" {
		t.Errorf("accent = %q", got)
	}
	if got := (Painter{On: true, Scheme: "double"}).Paint(Accent, "x"); got != "x" {
		t.Errorf("a box style has no colour, got %q", got)
	}
	if got := (Painter{}).Paint(Bad, "x"); got != "x" {
		t.Errorf("off = %q", got)
	}
}
