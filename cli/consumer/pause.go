package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/prompt"
	"github.com/natskit/natskit/internal/render"
)

type pauseOptions struct {
	target
	until string
	force bool
}

func pauseVerb(g *group) command.Node {
	return command.Verb[pauseOptions]{
		Meta: command.Meta{
			Name: "pause", Short: "Deliver nothing until a time",
			Long: "The time is a duration such as 1h, RFC 3339 such as 2026-01-02T15:04:05Z, or local time such as \"2026-01-02 15:04:05\".",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: paused{},
		Names: command.Names{"stream": command.Streams, "consumer": command.Consumers},
		Examples: []command.Example{
			{Line: "nats consumer pause ORDERS NEW 1h --force", Says: "Paused ORDERS > NEW until", About: "Pause for an hour", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *pauseOptions) {
			o.bind(c, g)
			c.Arg("until", "How long, or until when").PlaceHolder("TIME").StringVar(&o.until)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
		},
		Check: (*pauseOptions).check,
		Run:   runPause,
	}
}

// paused tells until when a consumer is paused, or was.
type paused struct {
	Stream    string        `json:"stream"`
	Consumer  string        `json:"consumer"`
	Paused    bool          `json:"paused"`
	Until     time.Time     `json:"pause_until"`
	Remaining time.Duration `json:"pause_remaining"`
}

// View says what was done.
func (r paused) View(p *render.Page) {
	if !r.Paused {
		p.Line("Consumer %s was resumed while previously paused until %s", full(r.Stream, r.Consumer), zoned(p.Options().Location, r.Until))
		return
	}
	p.Line("Paused %s until %s (%s)", full(r.Stream, r.Consumer), zoned(p.Options().Location, r.Until), render.Span(r.Remaining.Round(time.Second)))
}

// zoned is a moment with the zone it is told in.
func zoned(loc *time.Location, t time.Time) render.Cell {
	return render.Sprintf("%s %s", render.At(t), t.In(loc).Format("-07:00"))
}

func runPause(ctx context.Context, e *env.Env, o pauseOptions) error {
	now := e.Clock.Now()
	if o.until != "" {
		if _, err := consumers.ParseUntil(o.until, now); err != nil {
			if errors.Is(err, consumers.ErrPast) {
				return fail.Newf(fail.Failure, "pause until: %w", err)
			}
			return fail.Usagef("pause until: %w", err)
		}
	}
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	stream, name, err := o.named(ctx, e, c)
	if err != nil {
		return err
	}
	if o.until == "" {
		o.until, err = prompt.Need(ctx, e.Prompt, "", prompt.Question{
			Flag: jscmd.Argument("until"), Message: "Pause until (time or duration)", Default: now.Add(time.Hour).Local().Format(time.RFC3339),
			Validate: func(text string) error {
				_, err := consumers.ParseUntil(text, now)
				return err
			},
		})
		if err != nil {
			return err
		}
	}
	until, err := consumers.ParseUntil(o.until, now)
	if err != nil {
		return err
	}
	if err := jscmd.Sure(ctx, e, o.force, "pause Consumer "+full(stream, name)+" until "+until.Local().Format("2006-01-02 15:04:05 -07:00"), name); err != nil {
		return err
	}
	r, err := consumers.Pause(ctx, c, stream, name, until.UTC())
	if err != nil {
		return err
	}
	if !r.Paused {
		return fail.Newf(fail.Failure, "consumer %s: the server did not pause it: its clock is past %s", full(stream, name), r.PauseUntil.Format(time.RFC3339))
	}
	return e.Out.Print(paused{stream, name, true, r.PauseUntil, r.PauseRemaining})
}

type resumeOptions struct {
	target
	force bool
}

func resumeVerb(g *group) command.Node {
	return command.Verb[resumeOptions]{
		Meta:  command.Meta{Name: "resume", Short: "Let a paused consumer deliver again"},
		Scope: command.User, Effect: command.Writes, Output: command.Value, Result: paused{},
		Names: command.Names{"stream": command.Streams, "consumer": command.Consumers},
		Examples: []command.Example{
			{Line: "nats consumer resume ORDERS NEW --force", Says: "was resumed", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults", "consumer pause ORDERS NEW 1h --force"}},
		},
		Bind: func(c *fisk.CmdClause, o *resumeOptions) {
			o.bind(c, g)
			c.Flag("force", "Do not ask for confirmation").Short('f').UnNegatableBoolVar(&o.force)
		},
		Check: (*resumeOptions).check,
		Run:   runResume,
	}
}

func runResume(ctx context.Context, e *env.Env, o resumeOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	i, err := o.pick(ctx, e, c)
	if err != nil {
		return err
	}
	name := full(i.Stream, i.Name)
	if !i.Paused {
		return fail.Newf(fail.Failure, "consumer %s is not paused", name)
	}
	if err := jscmd.Sure(ctx, e, o.force, "resume Consumer "+name, i.Name); err != nil {
		return err
	}
	r, err := consumers.Pause(ctx, c, i.Stream, i.Name, time.Time{})
	if err != nil {
		return err
	}
	if r.Paused {
		return fail.Newf(fail.Failure, "consumer %s: the server keeps it paused until %s", name, r.PauseUntil.Format(time.RFC3339))
	}
	return e.Out.Print(paused{Stream: i.Stream, Consumer: i.Name, Until: i.ConsumerInfo.Config.PauseUntil})
}
