package jscmd_test

import (
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/jscmd"
)

func TestRate(t *testing.T) {
	t.Parallel()
	var r jscmd.Rate
	at := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		n     uint64
		after time.Duration
		want  float64
	}{{10, 0, 0}, {30, time.Second, 20}, {40, 3 * time.Second, 5}, {5, 4 * time.Second, 0}, {6, 4 * time.Second, 0}, {16, 6 * time.Second, 5}} {
		if got := r.Next(row.n, at.Add(row.after)); got != row.want {
			t.Errorf("%+v: %g", row, got)
		}
	}
}

func TestDraw(t *testing.T) {
	t.Parallel()
	plots := []jscmd.Plot{{Caption: "Messages Stored"}, {Caption: "Messages Stored / second", Precise: true}}
	many := make([]float64, 500)
	for i := range many {
		many[i] = float64(i % 7)
	}
	picture := jscmd.Draw("Stream X", plots, [][]float64{{1, 2, 3}, many}, 80, 30)
	lines := strings.Split(strings.TrimRight(picture, "\n"), "\n")
	if len(lines) > 30 {
		t.Errorf("%d lines", len(lines))
	}
	for _, l := range lines {
		if n := len([]rune(l)); n > 80 {
			t.Errorf("%d columns: %s", n, l)
		}
	}
	for _, p := range plots {
		if !strings.Contains(picture, p.Caption) {
			t.Errorf("no %q in\n%s", p.Caption, picture)
		}
	}
	for _, want := range []string{"7┤", "3┤", "0┼"} {
		if n := strings.Count(jscmd.Draw("X", plots[:1], [][]float64{{0, 3, 7}}, 60, 30), " "+want); n != 1 {
			t.Errorf("%d times %s", n, want)
		}
	}
	if jscmd.Draw("X", plots, make([][]float64, 2), 20, 20) == "" {
		t.Error("nothing is drawn without points")
	}
}
