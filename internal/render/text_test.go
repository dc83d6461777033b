package render_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

var fixed = clock.NewManual(viewtest.Now)

// view is a result that draws itself with a function.
type view func(p *render.Page)

func (v view) View(p *render.Page) { v(p) }

var gaps = view(func(p *render.Page) {
	t := p.Table("3 gaps found in Stream ORDERS_EUROPE", render.Column{Name: "First"}, render.Column{Name: "Last"})
	t.Row(2, 2)
})

func TestLongTitles(t *testing.T) {
	t.Parallel()
	rows := []struct {
		width int
		want  string
	}{
		{0, `╭──────────────────────────────────────╮
│ 3 gaps found in Stream ORDERS_EUROPE │
├───────┬──────────────────────────────┤
│ First │ Last                         │
├───────┼──────────────────────────────┤
│ 2     │ 2                            │
╰───────┴──────────────────────────────╯

`},
		{30, `╭────────────────────────────╮
│   3 gaps found in Stream   │
│        ORDERS_EUROPE       │
├───────┬────────────────────┤
│ First │ Last               │
├───────┼────────────────────┤
│ 2     │ 2                  │
╰───────┴────────────────────╯

`},
		{16, `╭──────────────╮
│ 3 gaps found │
│   in Stream  │
│ ORDERS…UROPE │
├───────┬──────┤
│ First │ Last │
├───────┼──────┤
│ 2     │ 2    │
╰───────┴──────╯

`},
	}
	for _, r := range rows {
		if got := text(t, gaps, render.Options{Width: r.width, TTY: true}); got != r.want {
			t.Errorf("%d columns:\n%s\nwant:\n%s", r.width, got, r.want)
		}
	}
}

var consumers = view(func(p *render.Page) {
	t := p.Table("Consumers", render.Column{Name: "Name"}, render.Column{Name: "Filter"}, render.Column{Name: "Created", Drop: 1},
		render.Column{Name: "Pending", Align: render.Right}, render.Column{Name: "Host", Drop: 2}, render.Column{Name: "ID", Wide: true})
	t.Row("C1", render.Subject("orders.europe.netherlands.new"), render.At(at("2026-01-01 00:00:00")), render.Count(1234), "n1.example.net", "x9")
})

func TestNarrowTerminals(t *testing.T) {
	t.Parallel()
	whole := text(t, consumers, render.Options{})
	for name, row := range map[string]struct {
		width     int
		has, lost []string
	}{
		"a pipe":              {0, []string{"n1.example.net", "2026-01-01 00:00:00", "orders.europe.netherlands.new"}, []string{"x9", "…"}},
		"as wide as it is":    {strings.Index(whole, "\n") / 3, []string{"n1.example.net"}, []string{"…"}},
		"one too narrow":      {strings.Index(whole, "\n")/3 - 1, []string{"2026-01-01 00:00:00", "orders.europe.netherlands.new"}, []string{"n1.example", "Host", "…"}},
		"narrower":            {72, []string{"orders.europe.netherlands.new", "Created"}, []string{"Host", "…"}},
		"without the second":  {60, []string{"orders.europe.netherlands.new"}, []string{"Host", "Created", "…"}},
		"elided":              {40, []string{"C1", "1,234", "orders.eu…lands.new"}, []string{"Host", "netherlands"}},
		"as narrow as can be": {33, []string{"…", "╭"}, []string{"netherlands"}},
		"cards":               {32, []string{"     Name: C1\n   Filter: orders.europe.netherlands.new\n  Created: 2026-01-01 00:00:00\n  Pending: 1,234\n     Host: n1.example.net\n\n"}, []string{"╭", "…", "ID"}},
	} {
		got := text(t, consumers, render.Options{Width: row.width, TTY: true})
		for _, s := range row.has {
			if !strings.Contains(got, s) {
				t.Errorf("%s: no %q in\n%s", name, s, got)
			}
		}
		for _, s := range row.lost {
			if strings.Contains(got, s) {
				t.Errorf("%s: %q in\n%s", name, s, got)
			}
		}
		for l := range strings.SplitSeq(got, "\n") {
			if n := len([]rune(l)); strings.Contains(got, "╭") && row.width > 0 && n > row.width {
				t.Errorf("%s: a line of %d columns:\n%s", name, n, got)
			}
		}
	}
	wide := text(t, consumers, render.Options{Width: 20, TTY: true, Format: render.Format{Kind: render.Wide}})
	if !strings.Contains(wide, "x9") || !strings.Contains(wide, "orders.europe.netherlands.new") || !strings.Contains(wide, "n1.example.net") {
		t.Errorf("wide is never cut:\n%s", wide)
	}
}

func TestBoxStyles(t *testing.T) {
	t.Parallel()
	v := view(func(p *render.Page) {
		t := p.Table("T", render.Column{Name: "A"}, render.Column{Name: "B"})
		t.Row("日本", 1)
		t.Footer("", 2)
	})
	want := "╔══════════╗\n║     T    ║\n╠══════╦═══╣\n║ A    ║ B ║\n╠══════╬═══╣\n║ 日本 ║ 1 ║\n╠══════╬═══╣\n║      ║ 2 ║\n╚══════╩═══╝\n\n"
	if got := text(t, v, render.Options{Paint: term.Painter{Scheme: "double"}}); got != want {
		t.Errorf("double:\n%s\nwant:\n%s", got, want)
	}
	plain := text(t, v, render.Options{})
	if got := text(t, v, render.Options{Paint: term.Painter{Scheme: "rounded"}}); got != plain || !strings.HasPrefix(got, "╭") {
		t.Errorf("rounded:\n%s", got)
	}
	if got := text(t, v, render.Options{Paint: term.Painter{On: true, Scheme: "red"}}); !strings.HasPrefix(got, "␛[31m╭") {
		t.Errorf("red:\n%s", got)
	}
}

func TestTablesWithoutTitleHeaderOrRows(t *testing.T) {
	t.Parallel()
	rows := map[string]struct {
		v    view
		want string
	}{
		"no title": {func(p *render.Page) { p.Table("", render.Column{Name: "A"}).Row("x") }, "╭───╮\n│ A │\n├───┤\n│ x │\n╰───╯\n\n"},
		"no header": {func(p *render.Page) {
			t := p.Table("T", render.Column{}, render.Column{})
			t.Separator()
			t.Row("a", "b")
			t.Separator()
			t.Row("c")
			t.Separator()
		}, "╭───────╮\n│   T   │\n├───┬───┤\n│ a │ b │\n├───┼───┤\n│ c │   │\n╰───┴───╯\n\n"},
		"no rows":     {func(p *render.Page) { p.Table("T", render.Column{Name: "A"}) }, "╭───╮\n│ T │\n├───┤\n│ A │\n╰───╯\n\n"},
		"only totals": {func(p *render.Page) { p.Table("", render.Column{Name: "A"}).Footer(1) }, "╭───╮\n│ A │\n├───┤\n│ 1 │\n╰───╯\n\n"},
	}
	for name, r := range rows {
		if got := text(t, r.v, render.Options{}); got != r.want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, r.want)
		}
	}
}

func TestCellsOfStrangersStayInTheirBox(t *testing.T) {
	t.Parallel()
	v := view(func(p *render.Page) { p.Table("t\n", render.Column{Name: "A"}).Row("a\nb\x1b[2J\t") })
	if got := text(t, v, render.Options{}); got != "╭──────────────────╮\n│        t\\n       │\n├──────────────────┤\n│ A                │\n├──────────────────┤\n│ a\\nb\\x1b[2J\\t    │\n╰──────────────────╯\n\n" {
		if !strings.Contains(got, `a\nb\x1b[2J\t`) || strings.Count(got, "\n") != 8 {
			t.Errorf("got:\n%s", got)
		}
	}
}

func TestBlankLines(t *testing.T) {
	t.Parallel()
	rows := []struct {
		v    view
		want string
	}{
		{func(p *render.Page) {
			p.Gap()
			p.Section("A")
			p.Gap()
			p.Line("x")
			p.Gap()
			p.Gap()
			p.Section("B:")
		}, "A:\n\nx\n\nB:\n"},
		{func(p *render.Page) {
			p.Heading("H")
			p.Section("A")
			p.Indent(func() { p.Section("B") })
			p.Field("f", "")
		}, "H\n\nA:\n\n  B:\n\n  f: \n"},
		{func(p *render.Page) { p.Heading("H"); p.Field("Description", "one\ntwo"); p.Field("", "three") }, "H\n\n  Description: one\n               two\n               three\n"},
		{func(p *render.Page) {
			p.Table("", render.Column{Name: "A"})
			p.Table("", render.Column{Name: "B"})
			p.Line("x")
		}, "╭───╮\n│ A │\n╰───╯\n\n╭───╮\n│ B │\n╰───╯\n\nx\n"},
		{func(p *render.Page) {
			p.Line("")
			p.Line("a")
			p.Line("")
			p.Line("")
			p.Text("t\n")
			p.Text("")
		}, "\na\n\n\nt\n\n"},
		{func(p *render.Page) {}, ""},
	}
	for i, r := range rows {
		if got := text(t, r.v, render.Options{}); got != r.want {
			t.Errorf("%d: %q, want %q", i, got, r.want)
		}
	}
}

func TestViewsKnowTheirPlace(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("X", 3600)
	var seen render.ViewOptions
	v := view(func(p *render.Page) { seen = p.Options() })
	text(t, v, render.Options{Width: 70, TTY: true, Raw: true, Location: zone, Format: render.Format{Kind: render.Wide}})
	want := render.ViewOptions{Width: 70, Kind: render.Wide, Wide: true, Raw: true, TTY: true, Location: zone, Now: viewtest.Now}
	if seen != want {
		t.Errorf("%+v", seen)
	}
}

func TestTextIsNeverCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 500)
	v := view(func(p *render.Page) { p.Text(long); p.Line("%s", long); p.Field("F", long) })
	got := text(t, v, render.Options{Width: 20, TTY: true})
	if strings.Count(got, long) != 3 {
		t.Errorf("%q", got)
	}
}

type failing struct{}

var errFull = errors.New("disk full")

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestOneResultForEachCommand(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r, err := render.New(render.Options{Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Print(leaders{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Print(leaders{}); err == nil || out.String() != leadersText {
		t.Errorf("%v:\n%s", err, out.String())
	}
	r, err = render.New(render.Options{Out: failing{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Print(leaders{}); !errors.Is(err, errFull) {
		t.Error(err)
	}
}

func TestBytesAreUntouched(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r, err := render.New(render.Options{Out: &out, TTY: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(r.Bytes(), "a\x1b\xff\x00"); err != nil || out.Len() > 0 {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := r.Flush(); err != nil || out.String() != "a\x1b\xff\x00" {
		t.Errorf("%q, %v", out.String(), err)
	}
	// What Bytes holds goes before a feed that begins.
	_, _ = io.WriteString(r.Bytes(), "b")
	f := r.Feed()
	_ = f.Emit(&message{Subject: "s", Body: "c"})
	if err := f.Close(nil); err != nil || !strings.HasPrefix(out.String(), "a\x1b\xff\x00b[#0]") {
		t.Errorf("%q, %v", out.String(), err)
	}
}
