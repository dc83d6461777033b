package control

import (
	"context"
	"time"

	"github.com/natskit/natskit/internal/fleet"
)

// Advertise tells all devices at once of a server to move to, an empty URL back to their own, and hands over what each said.
func (f *Fleet) Advertise(ctx context.Context, url string, p Patience, each func(fleet.Controlled) error) (Gathered, error) {
	return gather(ctx, f, f.Names.Advertise(), []byte(url), p, func(c fleet.Controlled) string { return c.ID }, each)
}

// AwaitAnswers asks until each of the devices has answered, or within is over, and hands each answer over once. What it returns are the
// ids of those that did not answer. round bounds one question.
func (f *Fleet) AwaitAnswers(ctx context.Context, ids []string, within, round time.Duration, each func(fleet.Info) error) ([]string, error) {
	left, late := map[string]bool{}, f.Clock.After(within)
	for _, id := range ids {
		left[id] = true
	}
	for len(left) > 0 {
		again := f.Clock.After(poll)
		_, err := f.Query(ctx, "", Patience{Timeout: round, Quiet: round, Known: keys(left)}, func(a fleet.Answer) error {
			if a.Info == nil || !left[a.ID] {
				return nil
			}
			delete(left, a.ID)
			return each(*a.Info)
		})
		if err != nil {
			return keys(left), err
		}
		select {
		case <-late:
			return keys(left), nil
		case <-again:
		case <-ctx.Done():
			return keys(left), context.Cause(ctx)
		}
	}
	return nil, nil
}
