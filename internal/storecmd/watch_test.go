package storecmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

type word string

func (w word) View(p *render.Page) { p.Line("%s", string(w)) }

func world(t *testing.T) (*env.Env, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	r, err := render.New(render.Options{Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	return &env.Env{Out: r}, &out
}

func TestWatchEnds(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, row := range map[string]struct {
		limits Limits
		run    func(context.Context, *Watching) error
		want   error
		out    string
	}{
		"after so many": {Limits{Count: 2}, func(_ context.Context, w *Watching) error {
			for i := 0; ; i++ {
				if err := w.Emit(word(fmt.Sprint(i))); err != nil {
					return err
				}
			}
		}, nil, "0\n1\n"},
		"after some time": {Limits{Wait: time.Millisecond}, func(ctx context.Context, _ *Watching) error { <-ctx.Done(); return context.Cause(ctx) }, nil, ""},
		"in a request": {Limits{Wait: time.Millisecond}, func(ctx context.Context, _ *Watching) error {
			<-ctx.Done()
			return fmt.Errorf("bucket B: %w", ctx.Err())
		}, nil, ""},
		"by a failure":            {Limits{Wait: time.Hour}, func(context.Context, *Watching) error { return broken }, broken, ""},
		"by a deadline of others": {Limits{Wait: time.Hour}, func(context.Context, *Watching) error { return context.DeadlineExceeded }, context.DeadlineExceeded, ""},
		"by itself":               {Limits{}, func(_ context.Context, w *Watching) error { return w.Emit(word("only")) }, nil, "only\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, out := world(t)
			if err := Watch(t.Context(), e, row.limits, row.run); !errors.Is(err, row.want) || out.String() != row.out {
				t.Errorf("%v, %q", err, out.String())
			}
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fail.ErrInterrupted)
	e, _ := world(t)
	if err := Watch(ctx, e, Limits{}, func(ctx context.Context, _ *Watching) error { return context.Cause(ctx) }); fail.CodeOf(err) != fail.OK {
		t.Errorf("interrupted: %v", err)
	}
}
