package viewtest

import (
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/natskit/natskit/internal/render"
)

type greeting struct {
	Name string `json:"name"`
}

func (g greeting) View(p *render.Page) { p.Line("hello %s at %s", g.Name, render.At(p.Options().Now)) }

func TestGolden(t *testing.T) {
	t.Parallel()
	Golden(t, "greeting", greeting{"world"})
}

func TestShow(t *testing.T) {
	t.Parallel()
	if got := string(Show(t, greeting{"\x1b"}, render.Options{})); got != "hello ␛ at 2026-01-02 15:04:05\n" {
		t.Errorf("%q", got)
	}
	if got := string(Show(t, greeting{}, render.Options{Format: render.Format{Kind: render.Line, Arg: "%s"}})); !strings.HasPrefix(got, "error: format line") {
		t.Errorf("%q", got)
	}
}

func TestMismatchesAreSeen(t *testing.T) {
	t.Parallel()
	want := txtar.Parse([]byte("-- same --\nx\n-- text --\none\ntwo\n-- gone --\ny\n"))
	got := txtar.Parse([]byte("-- same --\nx\n-- text --\none\n2\n-- new --\nz\n"))
	all := mismatches(got, want)
	if len(all) != 3 || !strings.HasPrefix(all[0], "text differs at line 2:\n got: 2\nwant: two\n") ||
		all[1] != `no section "new"` || all[2] != `section "gone" is not written any more` {
		t.Errorf("%q", all)
	}
	if same := mismatches(want, want); len(same) > 0 {
		t.Errorf("%q", same)
	}
	if d := difference("a\n", "a\nb\n"); !strings.HasPrefix(d, "line 2:\n got: \nwant: b\n") {
		t.Errorf("%q", d)
	}
}
