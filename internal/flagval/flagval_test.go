package flagval

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats.go"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	good := map[string]time.Duration{
		"0": 0, "5s": 5 * time.Second, "1d": day, "1w": 7 * day, "1M": 30 * day, "1y": 365 * day, "1D": day, "1W": 7 * day, "1Y": 365 * day,
		"1.5d": 36 * time.Hour, "1h30m": 90 * time.Minute, "1µs": time.Microsecond, "1μs": time.Microsecond, "1us": time.Microsecond,
		"15ns": 15, "250ms": 250 * time.Millisecond, "0.01d": 864 * time.Second, "0.1y": 876 * time.Hour, "1m1M": 30*day + time.Minute,
		"1d 2h": 26 * time.Hour, " 3s ": 3 * time.Second, "-30s": -30 * time.Second, "-1h30m": -90 * time.Minute, ".5s": 500 * time.Millisecond,
		"0s": 0, "-0": 0, "1.000000000000000000001s": time.Second, "0.1ns": 0, "2562047h47m16.854775807s": math.MaxInt64, "292y": 292 * 365 * day,
	}
	for in, want := range good {
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", in, got, err, want)
		}
	}
	bad := map[string]string{
		"": "give a number and a unit", "1": "give a number and a unit", "abc": "give a number", "5x": `unknown unit "x"`, "foo 1d bar": "give a number",
		"1d-2h": "give a number", "300y": "longer than 292 years", "1h junk": "give a number", "10ms5": "give a number", "1h-30m": "give a number",
		"+1h": "give a number", "--1h": "give a number", "1 h": "give a number", "1..5s": "give a number", "1.s": "give a number", "-": "give a number",
		"1e3s": `unknown unit "e"`, "99999999999999999999s": "longer than 292 years", "292y292y": "longer than 292 years", "00": "give a number",
		"1H": `unknown unit "H"`, "5S": `unknown unit "S"`, "1h\x00": "unknown unit",
	}
	for in, want := range bad {
		got, err := ParseDuration(in)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "invalid duration ") {
			t.Errorf("%q: %v, %v, want %s", in, got, err, want)
		}
	}
}

func TestParseBytes(t *testing.T) {
	t.Parallel()
	good := map[string]int64{
		"0": 0, "1000": 1000, "4GB": 4 << 30, "4gib": 4 << 30, "1kb": 1024, "10T": 10 << 40, "10TiB": 10 << 40, "7B": 7, "7b": 7, "2K": 2048, "2KiB": 2048,
		"3M": 3 << 20, "3mb": 3 << 20, "3MIB": 3 << 20, "5G": 5 << 30, "3000000000": 3000000000, "3000000000B": 3000000000,
		"1.5GB": 3 << 29, "0.5k": 512, "1.3K": 1331, ".5M": 1 << 19, " 8K ": 8192, "9223372036854775807": math.MaxInt64, "8388607T": 8388607 << 40,
	}
	for in, want := range good {
		if got, err := ParseBytes(in); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", in, got, err, want)
		}
	}
	bad := map[string]string{
		"": "give a number", "10PB": `unknown unit "PB"`, "10XX": `unknown unit "XX"`, "1 KB": "no space", "-1": "give a number", "-5G": "give a number",
		"9000000T": "overflow", "2147483647T": "overflow", "8388608T": "overflow", "9223372036854775808": "overflow", "99999999999999999999999": "overflow",
		"99999999999999999999999K": "overflow", "1.5": "a fraction of a byte", "1.5B": "a fraction of a byte", "GB": "give a number", "1.G": "give a number",
		"1.2.3G": "unknown unit", "1_000": "unknown unit", "0x10": "unknown unit", "1e3": "unknown unit", "+5": "give a number", "1KBx": "unknown unit",
	}
	for in, want := range bad {
		if got, err := ParseBytes(in); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "invalid size ") {
			t.Errorf("%q: %v, %v, want %s", in, got, err, want)
		}
	}
}

func TestParseSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	local := func(y int, m time.Month, d, h, min, s int) time.Time {
		return time.Date(y, m, d, h, min, s, 0, time.Local)
	}
	times := map[string]time.Time{
		"1h": now.Add(-time.Hour), "-1h": now.Add(-time.Hour), "1h30m": now.Add(-90 * time.Minute), "0": now, "1.5d": now.Add(-36 * time.Hour),
		"2026-01-02T15:04:05Z":         time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC),
		"2026-01-02T15:04:05.25+01:00": time.Date(2026, 1, 2, 14, 4, 5, 250e6, time.UTC),
		"2026-01-02 15:04:05":          local(2026, 1, 2, 15, 4, 5),
		"2026-01-02T15:04":             local(2026, 1, 2, 15, 4, 0),
		"2026-01-02":                   local(2026, 1, 2, 0, 0, 0),
		"1767366245":                   time.Unix(1767366245, 0),
		"@1767366245":                  time.Unix(1767366245, 0),
		"@1767366245.5":                time.Unix(1767366245, 5e8),
		"@5":                           time.Unix(5, 0),
		"1000000000":                   time.Unix(1000000000, 0),
	}
	for in, want := range times {
		s, err := ParseSince(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if at, ok := s.At(now); !ok || !at.Equal(want) || s.IsSequence() || s.String() != in {
			t.Errorf("%q: %v, %v, want %v", in, at, ok, want)
		}
	}
	for in, want := range map[string]uint64{"1": 1, "100": 100, "999999999": 999999999, "seq:100": 100, "SEQ:7": 7, "#9": 9, "seq:1000000000": 1000000000, "seq:18446744073709551615": math.MaxUint64} {
		s, err := ParseSince(in)
		if _, isTime := s.At(now); err != nil || s.Sequence != want || isTime || !s.IsSequence() {
			t.Errorf("%q: %+v, %v", in, s, err)
		}
	}
	for in, want := range map[string]string{
		"": "give a duration", "abc": "give a duration", "5x": "give a duration", "--1h": "give a duration", "00": "give a duration", "-5": "give a duration",
		"seq:0": "a sequence is", "seq:-1": "a sequence is", "seq:": "a sequence is", "#x": "a sequence is", "@": "unix seconds", "@x": "unix seconds", "@-1": "unix seconds",
		"2026-13-01": "write times as", "2026-01-02T25:00:00Z": "write times as", "2026-1-2": "write times as",
		"1767366245000": "write seq:1767366245000", "99999999999999999999999": "give a duration", "@99999999999999999999999": "unix seconds",
	} {
		if s, err := ParseSince(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v, want %s", in, s, err, want)
		}
	}
	if at, ok := (Since{}).At(now); ok {
		t.Errorf("nothing given is %v", at)
	}
}

func TestParseNumbers(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{"5": 5, "-5": -5, "010": 10, "9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64} {
		if got, err := ParseInt(in, math.MinInt64, math.MaxInt64); err != nil || got != want {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "2.7", "1e1", "0x10", "1_000", "abc", "+5", "9223372036854775808"} {
		if got, err := ParseInt(in, math.MinInt64, math.MaxInt64); err == nil || !strings.HasPrefix(err.Error(), "invalid number ") || strings.Contains(err.Error(), "strconv") {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
	for _, r := range []struct {
		in          string
		least, most int64
		want        string
	}{
		{"0", 1, 10, `invalid number "0": give a whole number from 1 to 10`},
		{"11", 1, 10, `invalid number "11": give a whole number from 1 to 10`},
		{"-1", 0, math.MaxInt64, `invalid number "-1": give a whole number from 0 on`},
		{"6", math.MinInt64, 5, `invalid number "6": give a whole number up to 5`},
		{"x", math.MinInt64, math.MaxInt64, `invalid number "x": give a whole number`},
	} {
		if _, err := ParseInt(r.in, r.least, r.most); err == nil || err.Error() != r.want {
			t.Errorf("%v, want %s", err, r.want)
		}
	}
	if got, err := ParseUint("18446744073709551615", 0, math.MaxUint64); err != nil || got != math.MaxUint64 {
		t.Error(got, err)
	}
	if _, err := ParseUint("-1", 0, math.MaxUint64); err == nil || err.Error() != `invalid number "-1": give a whole number from 0 on` {
		t.Error(err)
	}
	for in, ok := range map[string]bool{"5": true, "010": false, "0x5": false, "11": false, "1_0": false} {
		if err := Whole(1, 10)(in); (err == nil) != ok {
			t.Errorf("Whole(%q): %v", in, err)
		}
	}
}

func TestSubjectRules(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]bool{ // with wildcards allowed, without
		"a": {true, true}, "a.b.c": {true, true}, "a.*.c": {true, false}, "a.>": {true, false}, ">": {true, false}, "*": {true, false}, "foo*": {true, true},
		"a.>b": {true, true}, "$JS.API": {true, true}, "grün.ß": {true, true}, "": {}, ".": {}, ".a": {}, "a.": {}, "a..b": {}, "a.>.b": {}, "a b": {}, "a\tb": {}, "a\x00": {},
	} {
		for i, wild := range []bool{true, false} {
			if err := CheckSubject(in, wild); (err == nil) != want[i] {
				t.Errorf("%q, wildcards %v: %v", in, wild, err)
			}
		}
	}
	if got := SplitList(" a b,c ,,\n d\t"); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("%q", got)
	}
	if k, v, err := ParsePair("k=a=b,c:d"); k != "k" || v != "a=b,c:d" || err != nil {
		t.Error(k, v, err)
	}
	if k, v, err := ParsePair(" k :a=b"); k != "k" || v != "a=b" || err != nil {
		t.Error(k, v, err)
	}
	for _, in := range []string{"", "k", "=v", " :v"} {
		if _, _, err := ParsePair(in); err == nil {
			t.Errorf("%q is a pair", in)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	options := []string{"memory", "file", "interest", "workq", "Production"}
	for in, want := range map[string]string{"memroy": "memory", "fil": "file", "files": "file", "intrest": "interest", "prod": "Production", "FILE": "file", "xyz": "", "": ""} {
		if got := Nearest(in, options); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// settings is everything there is, on one command line.
type settings struct {
	age, wait  time.Duration
	size, each int64
	since      Since
	header     nats.Header
	meta       map[string]string
	subjects   []string
	count      int64
	seq        uint64
	ca         string
	args       []string
}

func parse(t *testing.T, o *settings, line ...string) error {
	t.Helper()
	app := fisk.New("x", "").Terminate(nil)
	app.Flag("age", "").Default("1h").SetValue(NewDuration(&o.age).Unlimited(0))
	app.Flag("wait", "").SetValue(NewDuration(&o.wait).Positive().Max(time.Hour))
	app.Flag("size", "").SetValue(NewBytes(&o.size).Unlimited())
	app.Flag("each", "").SetValue(NewBytes(&o.each).Min(8).Max(1 << 10))
	app.Flag("since", "").SetValue(NewSince(&o.since).TimesOnly())
	HeaderVar(app.Flag("header", "").Short('H'), &o.header)
	MapVar(app.Flag("metadata", ""), &o.meta)
	SubjectsVar(app.Flag("subjects", ""), &o.subjects)
	app.Flag("count", "").Default("1").SetValue(NewInt64(&o.count).Min(1).Max(9))
	app.Flag("seq", "").SetValue(NewUint64(&o.seq).Min(1).Max(99))
	ExistingFileVar(app.Flag("ca", ""), &o.ca)
	app.Arg("subjects", "").SetValue(NewSubjects(&o.args).Literal())
	_, err := app.Parse(line)
	return err
}

func TestOnACommandLine(t *testing.T) {
	t.Parallel()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var o settings
	err := parse(t, &o, "--age=-1", "--wait", "5s", "--size=", "--each", "1k", "--since", "2h", "-H", "A:b:c", "-HA: d ", "--header=a:1",
		"--metadata", "k=v=w", "--metadata", "x:y", "--metadata", "k=2", "--subjects", "a b,c.>", "--subjects", "d", "--count=9", "--seq", "7", "--ca", ca, "p,q", "r")
	want := settings{
		age: 0, wait: 5 * time.Second, size: -1, each: 1024, since: o.since, header: nats.Header{"A": {"b:c", "d"}, "a": {"1"}},
		meta: map[string]string{"k": "2", "x": "y"}, subjects: []string{"a", "b", "c.>", "d"}, count: 9, seq: 7, ca: ca, args: []string{"p", "q", "r"},
	}
	if err != nil || !reflect.DeepEqual(o, want) {
		t.Errorf("%+v\n%v", o, err)
	}
	if at, ok := o.since.At(time.Unix(7200, 0)); !ok || at.Unix() != 0 {
		t.Errorf("since %v", at)
	}
	var defaults settings
	if err := parse(t, &defaults); err != nil || defaults.age != time.Hour || defaults.count != 1 || defaults.header != nil || defaults.since.Given {
		t.Errorf("%+v, %v", defaults, err)
	}
}

func TestRefusedOnACommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for line, want := range map[string]string{
		"--age=x":               `invalid duration "x"`,
		"--wait=0":              `invalid duration "0": must be above zero`,
		"--wait=-1s":            "must be above zero",
		"--wait=2h":             `must be at most 1h0m0s`,
		"--wait=-1":             "give a number and a unit",
		"--size=-5":             "or -1 for no limit",
		"--size=10XX":           `unknown unit "XX", the units are B K M G T, or -1 for no limit`,
		"--each=-1":             "give a number",
		"--each=7":              "must be at least 8 bytes",
		"--each=1M":             "must be at most 1024 bytes",
		"--since=5":             "a sequence has no meaning here",
		"-Hnocolon":             `invalid header "nocolon"`,
		"--metadata=x":          `invalid pair "x"`,
		"--subjects=a..b":       "empty token",
		"--subjects= ":          "it is empty",
		"--count=0":             "from 1 to 9",
		"--count=2.7":           "from 1 to 9",
		"--seq=0":               "from 1 to 99",
		"--ca=" + dir:           "is a directory",
		"--ca=" + dir + "/nope": "path '" + dir + "/nope' does not exist",
		"a.*":                   "wildcards are not allowed here",
	} {
		var o settings
		if err := parse(t, &o, line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

func TestValuesShowThemselves(t *testing.T) {
	t.Parallel()
	var o settings
	rows := []struct {
		v    fisk.Value
		set  []string
		want string
	}{
		{NewDuration(&o.age), []string{"1.5d"}, "36h0m0s"},
		{NewDuration(&o.age).Unlimited(0), []string{"unlimited"}, "-1"},
		{NewBytes(&o.size), []string{"2K"}, "2048"},
		{NewSince(&o.since), []string{"seq:5"}, "seq:5"},
		{NewHeader(&o.header), []string{"b:1", "A:2", "A:3"}, "A: 2, A: 3, b: 1"},
		{NewMap(&o.meta), []string{"b=1", "a=2"}, "a=2, b=1"},
		{NewSubjects(&o.subjects), []string{"a b", "c"}, "a,b,c"},
		{NewInt64(&o.count), []string{"-4"}, "-4"},
		{NewUint64(&o.seq), []string{"4"}, "4"},
	}
	for i, r := range rows {
		for _, s := range r.set {
			if err := r.v.Set(s); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.v.String(); got != r.want {
			t.Errorf("row %d: %q, want %q", i, got, r.want)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"0", "1.5d", "-1h30m", "1y1M1w1d1h1m1s1ms1us1ns", "9.999999999999999999y", "99999999999999999999s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if strings.HasPrefix(strings.TrimSpace(s), "-") == (d > 0) && d != 0 {
			t.Errorf("%q has the wrong sign: %v", s, d)
		}
		if back, err := ParseDuration(d.String()); err != nil || back != d {
			t.Errorf("%q is %v, read back %v, %v", s, d, back, err)
		}
		if std, err := time.ParseDuration(s); err == nil && (std-d).Abs() > 1 {
			t.Errorf("%q is %v, %v by the standard library", s, d, std)
		}
	})
}

func FuzzParseBytes(f *testing.F) {
	for _, s := range []string{"0", "1.5GB", "9000000T", "18446744073709551616", "-1", "1 KB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseBytes(s); err == nil && n < 0 {
			t.Errorf("%q is %d", s, n)
		}
	})
}

func FuzzParseSince(f *testing.F) {
	for _, s := range []string{"1h", "seq:1", "#1", "@1.5", "2026-01-02T15:04:05Z", "2026-01-02", "1767366245", "5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		since, err := ParseSince(s)
		if err != nil {
			return
		}
		if at, ok := since.At(time.Unix(0, 0)); ok == since.IsSequence() || (ok && since.Ago < 0) {
			t.Errorf("%q: %+v, %v", s, since, at)
		}
	})
}

func FuzzSubject(f *testing.F) {
	f.Add("a.*.>")
	f.Fuzz(func(t *testing.T, s string) {
		if CheckSubject(s, false) == nil && CheckSubject(s, true) != nil {
			t.Errorf("%q is a subject only without wildcards", s)
		}
	})
}
