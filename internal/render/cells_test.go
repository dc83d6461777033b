package render

import (
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/term"
)

var now = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

var (
	zone  = time.FixedZone("X", 3600)
	seven = 7
)

var cellRows = []struct {
	cell          any
	humane, exact string
}{
	{Count(0), "0", "0"},
	{Count(999), "999", "999"},
	{Count(12345), "12,345", "12345"},
	{Count(math.MaxUint64), "18,446,744,073,709,551,615", "18446744073709551615"},
	{Signed(-12345), "-12,345", "-12345"},
	{Signed(math.MinInt64), "-9,223,372,036,854,775,808", "-9223372036854775808"},
	{Bytes(4), "4 B", "4"},
	{Bytes(34816), "34 KiB", "34816"},
	{Limit(-1), "unlimited", "-1"},
	{Limit(-5), "unlimited", "-1"},
	{Limit(0), "0", "0"},
	{Limit(1e6), "1,000,000", "1000000"},
	{BytesLimit(-1), "unlimited", "-1"},
	{BytesLimit(10240), "10 KiB", "10240"},
	{Percent(92), "92%", "92"},
	{Percent(92.38), "92.4%", "92.38"},
	{Percent(math.NaN()), "-%", ""},
	{Rate(1234.24), "1,234", "1234.24"},
	{Rate(12.34), "12.3", "12.34"},
	{Rate(1.5), "1.5", "1.5"},
	{Since(now.Add(-182 * time.Second)), "3m2s ago", "2026-01-02T16:01:03+01:00"},
	{Since(now.Add(5 * time.Second)), "in 5.00s", "2026-01-02T16:04:10+01:00"},
	{Since{}, "never", ""},
	{At(now.Add(5)), "2026-01-02 16:04:05", "2026-01-02T16:04:05.000000005+01:00"},
	{At{}, "never", ""},
	{Span(90 * time.Minute), "1h30m0s", "1h30m0s"},
	{Span(3700 * time.Millisecond), "3.70s", "3.7s"},
	{SpanLimit(0), "unlimited", "0s"},
	{SpanLimit(-1), "unlimited", "-1ns"},
	{SpanLimit(math.MaxInt64), "never", "2562047h47m16.854775807s"},
	{SpanLimit(time.Hour), "1h0m0s", "1h0m0s"},
	{Subject("a.b"), "a.b", "a.b"},
	{Good("g"), "g", "g"},
	{Warn("w"), "w", "w"},
	{Bad("b"), "b", "b"},
	{Key("k"), "k", "k"},
	{Muted("m"), "m", "m"},
	{Secret("s3cret"), "********", "********"},
	{Secret(""), "", ""},
	{Lines{"a", "b"}, "a\nb", "a, b"},
	{Sprintf("%s of %s", Count(1000), Bytes(2048)), "1,000 of 2.0 KiB", "1000 of 2048"},
	{"text", "text", "text"},
	{[]byte("bytes"), "bytes", "bytes"},
	{nil, "", ""},
	{true, "true", "true"},
	{12345, "12,345", "12345"},
	{int8(-3), "-3", "-3"},
	{uint32(1000), "1,000", "1000"},
	{1234.5678, "1,234.568", "1234.5678"},
	{-0.0001, "0", "-0.0001"},
	{float32(0.5), "0.5", "0.5"},
	{now, "2026-01-02 16:04:05", "2026-01-02T16:04:05+01:00"},
	{25 * time.Millisecond, "25ms", "25ms"},
	{[]string{"a", "b"}, "a, b", "a, b"},
	{errors.New("boom"), "boom", "boom"},
	{netip.MustParseAddr("127.0.0.1"), "127.0.0.1", "127.0.0.1"},
	{&seven, "7", "7"},
	{(*int)(nil), "", ""},
	{(*strings.Builder)(nil), "", ""},
	{[]int{1, 2}, "[1 2]", "[1 2]"},
}

func TestCellsInBothForms(t *testing.T) {
	t.Parallel()
	for _, r := range cellRows {
		humane := look{loc: zone, now: now}
		exact := look{loc: zone, now: now, exact: true}
		if got := humane.cell(r.cell).text; got != r.humane {
			t.Errorf("%T %v: humane %q, want %q", r.cell, r.cell, got, r.humane)
		}
		if got := exact.cell(r.cell).text; got != r.exact {
			t.Errorf("%T %v: exact %q, want %q", r.cell, r.cell, got, r.exact)
		}
	}
}

func TestRawNumbersInText(t *testing.T) {
	t.Parallel()
	l := look{raw: true, loc: time.UTC, now: now}
	for cell, want := range map[any]string{
		Count(12345): "12345", Bytes(2048): "2048", Limit(-1): "unlimited", Limit(1234): "1234", BytesLimit(2048): "2048",
		Percent(12.345): "12.345%", Rate(1.2345): "1.2345", Span(1500 * time.Millisecond): "1.5s", 12345: "12345",
		At(now): "2026-01-02 15:04:05", Since(now.Add(-time.Minute)): "1m0s ago",
	} {
		if got := l.cell(cell).text; got != want {
			t.Errorf("%T: %q, want %q", cell, got, want)
		}
	}
}

func TestHumaneDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 400: "0s", 500: "1µs", 107 * time.Microsecond: "107µs", 999_600: "1ms", 25 * time.Millisecond: "25ms", 999_400_000: "999ms",
		999_600_000: "1.00s", 3700 * time.Millisecond: "3.70s", 30 * time.Second: "30.00s", 59_994 * time.Millisecond: "59.99s",
		59_996 * time.Millisecond: "1m0s", 90 * time.Second: "1m30s", 90*time.Second + 900*time.Millisecond: "1m30s", time.Hour: "1h0m0s",
		26 * time.Hour: "1d2h0m0s", 365 * 24 * time.Hour: "1y0d0h0m0s", 368 * 24 * time.Hour: "1y3d0h0m0s", math.MaxInt64: "never",
		-90 * time.Second: "-1m30s", math.MinInt64: "-292y171d23h47m16s",
	} {
		if got := HumaneDuration(d); got != want {
			t.Errorf("%d ns: %q, want %q", d, got, want)
		}
	}
}

func TestHumaneBytes(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]string{
		0: "0 B", 4: "4 B", 455: "455 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 10 * 1024: "10 KiB", 34 * 1024: "34 KiB",
		1 << 20: "1.0 MiB", 10 << 20: "10 MiB", 5<<30 + 1<<29: "5.5 GiB", 1 << 60: "1.0 EiB", math.MaxUint64: "16 EiB",
	} {
		if got := HumaneBytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestArgumentsOfFormats(t *testing.T) {
	t.Parallel()
	hostile := "a\x1b[2Jb\nc"
	rows := []struct {
		l      look
		format string
		args   []any
		want   string
	}{
		{look{}, "%d%%", []any{Count(1234)}, "1,234%"},
		{look{}, "[%-6s][%6s][%.2s]", []any{Count(1234), Bytes(10), Key("abc")}, "[1,234 ][  10 B][ab]"},
		{look{}, "%d %5.1f %x %t", []any{1234, 2.25, 255, true}, "1234   2.2 ff true"},
		{look{}, "%q", []any{Subject(`a"b`)}, `"a\"b"`},
		{look{}, "%s", []any{hostile}, hostile},
		{look{tty: true}, "%s %v", []any{hostile, errors.New("\x07")}, `a\x1b[2Jb` + "\nc " + `\x07`},
		{look{tty: true}, "%v|%5d|%s", []any{Subject("\x1b"), 7, []string{"\x1b"}}, `\x1b|    7|[\x1b]`},
		{look{flat: true}, "%s", []any{hostile}, `a\x1b[2Jb\nc`},
		{look{paint: term.Painter{On: true}}, "[%-4s|%4s]", []any{Good("ok"), Bad("no")}, "[\x1b[32mok\x1b[0m  |  \x1b[31mno\x1b[0m]"},
		{look{loc: time.UTC}, "%s %v", []any{90 * time.Second, now}, "1m30s 2026-01-02 15:04:05"},
		{look{}, "%v %s", []any{nil, Sprintf("%s", Sprintf("%s", Count(1000)))}, "<nil> 1,000"},
	}
	for _, r := range rows {
		if got := r.l.sprintf(r.format, r.args); got != r.want {
			t.Errorf("%q: %q, want %q", r.format, got, r.want)
		}
	}
}

func TestComposedCellsArePainted(t *testing.T) {
	t.Parallel()
	l := look{paint: term.Painter{On: true}, tty: true}
	s := l.cell(Sprintf("n2, %s, %s", Bad("OFFLINE"), "\x1b"))
	if s.text != `n2, OFFLINE, \x1b` || s.paint(l.paint) != "n2, \x1b[31mOFFLINE\x1b[0m, \\x1b" {
		t.Errorf("%+v", s)
	}
}

func TestElide(t *testing.T) {
	t.Parallel()
	rows := []struct {
		s    string
		n    int
		how  Elide
		want string
	}{
		{"orders.new", 10, Middle, "orders.new"},
		{"orders.new", 9, Middle, "orde….new"},
		{"orders.new", 9, End, "orders.n…"},
		{"orders.new", 9, None, "orders.new"},
		{"日本語日本語", 7, Middle, "日…本語"},
		{"日本語日本語", 6, End, "日本…"},
		{"abc", 1, Middle, "…"},
	}
	for _, r := range rows {
		got := elide(r.s, r.n, r.how)
		if got != r.want || r.how != None && width(got) > r.n {
			t.Errorf("%q to %d: %q (%d), want %q", r.s, r.n, got, width(got), r.want)
		}
	}
}
