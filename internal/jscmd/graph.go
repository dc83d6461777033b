package jscmd

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/guptarohit/asciigraph"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/term"
)

// Plot is one curve of a graph: its caption, and how a sample of all values becomes its next point.
type Plot struct {
	Caption string
	Precise bool // points may be fractions
}

// least is the width and height below which a graph says nothing.
const least = 20

// Graph fills the terminal with plots, one below the other, a new point every second, until it is interrupted. sample returns one
// value for each plot. without is what to type where there is no terminal.
func Graph(ctx context.Context, e *env.Env, title, without string, plots []Plot, sample func(context.Context) ([]float64, error)) error {
	if !e.IO.OutTTY {
		return fail.Usagef("a graph needs a terminal").WithHint("%s", without)
	}
	screen, err := e.IO.OpenScreen(ctx)
	if errors.Is(err, term.ErrNoTerminal) {
		return fail.Usagef("a graph needs a terminal").WithHint("%s", without)
	}
	if err != nil {
		return err
	}
	defer screen.Close()
	points := make([][]float64, len(plots))
	tick := e.Clock.NewTicker(time.Second)
	defer tick.Stop()
	var answered time.Time
	for {
		values, err := sample(ctx)
		head := title
		switch {
		case ctx.Err() != nil:
			return nil // how a graph ends
		case err == nil:
			answered = e.Clock.Now()
		case answered.IsZero() || !passing(err):
			return err
		default:
			head += ": no answer since " + answered.Format(time.TimeOnly)
		}
		width, height := screen.Size()
		if width < least || height < least {
			return fail.Usagef("the terminal is too small for a graph: it needs %d columns and %d rows", least, least)
		}
		for i, v := range values {
			points[i] = append(points[i], v)
			if n := len(points[i]); n > width {
				points[i] = points[i][n-width:]
			}
		}
		if err := screen.Draw(Draw(head, plots, points, width, height)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C():
		case <-screen.Resized():
		}
	}
}

// passing reports whether err may go by: a server that restarts, or a leader that is not elected yet.
func passing(err error) bool {
	code := fail.CodeOf(err)
	return (code == fail.NoAnswer || code == fail.Unreachable) && !errors.Is(err, nats.ErrPermissionViolation)
}

// Draw is the picture for a terminal of the given size.
func Draw(title string, plots []Plot, points [][]float64, width, height int) string {
	each := max((height-2)/max(len(plots), 1)-3, 2)
	var b strings.Builder
	b.WriteString(title + "\n")
	for i, p := range plots {
		precision := uint(0)
		if p.Precise {
			precision = 1
		}
		shown := points[i]
		if room := width - 12; len(shown) > room && room > 0 {
			shown = shown[len(shown)-room:]
		}
		if len(shown) == 0 {
			shown = []float64{0}
		}
		height := each
		if top := slices.Max(shown); !p.Precise && top < float64(each) {
			height = int(math.Ceil(top)) // no whole number stands at the axis twice
		}
		b.WriteString("\n")
		b.WriteString(asciigraph.Plot(shown, asciigraph.Height(height), asciigraph.Caption(p.Caption), asciigraph.Precision(precision), asciigraph.LowerBound(0)))
		b.WriteString("\n")
	}
	return b.String()
}

// Rate turns a counter that only grows into how much it grew a second; a counter that fell, because it began anew, grew by nothing.
type Rate struct {
	last uint64
	at   time.Time
}

// Next is the rate since the last call, 0 at the first.
func (r *Rate) Next(n uint64, now time.Time) float64 {
	defer func() { r.last, r.at = n, now }()
	span := now.Sub(r.at).Seconds()
	if r.at.IsZero() || span <= 0 || n < r.last {
		return 0
	}
	return float64(n-r.last) / span
}
