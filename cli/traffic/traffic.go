// Package traffic is the command that tells what kinds of messages are on the way.
package traffic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
	"github.com/natskit/natskit/internal/wire"
)

// Command is `nats traffic`.
func Command() command.Node { return trafficVerb() }

type trafficOptions struct {
	subject string
}

func trafficVerb() command.Node {
	return command.Verb[trafficOptions]{
		Meta: command.Meta{
			Name: "traffic", Short: "Count messages by their kind", Hidden: true,
			Long: "Every second tells how many messages of each kind came on the subjects. The messages of the cluster itself are seen by users of the system account.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Feed, Result: second{},
		Examples: []command.Example{
			{Line: "nats traffic", Says: "General Traffic", About: "Everything that this user may see"},
		},
		Bind: func(c *fisk.CmdClause, o *trafficOptions) {
			c.Arg("subjects", "The subject to look at").Default(">").StringVar(&o.subject)
		},
		Check: func(o *trafficOptions) error {
			if err := flagval.CheckSubject(o.subject, true); err != nil {
				return fail.Usagef("invalid subject: %w", err)
			}
			return nil
		},
		Run: runTraffic,
	}
}

// meter counts, and shows the counts every second.
type meter struct {
	e      *env.Env
	now    second
	total  second
	recent []second
	feed   *render.Feed
	screen *term.Screen
}

func runTraffic(ctx context.Context, e *env.Env, o trafficOptions) error {
	opts, err := e.Nats.Options(ctx)
	if err != nil {
		return err
	}
	m := &meter{e: e}
	sub, err := wire.Open(ctx, wire.Config{Options: opts, Clock: e.Clock, Event: m.event})
	if err != nil {
		return e.Nats.Explain(err)
	}
	defer sub.Close()
	if _, err := sub.Subscribe(ctx, o.subject, ""); err != nil {
		return fmt.Errorf("subscribing to %s: %w", o.subject, err)
	}
	if e.IO.OutTTY && !e.Out.Machine() {
		m.screen, err = e.IO.OpenScreen(ctx)
		if err != nil && !errors.Is(err, term.ErrNoTerminal) {
			return err
		}
	}
	m.feed = e.Out.Feed()
	err = sub.Run(ctx, wire.Sink{Msg: m.count, Tick: m.tick, Every: time.Second})
	if m.screen != nil {
		m.screen.Close()
	}
	m.total.add(&m.now)
	m.total.Time, m.total.Total = e.Clock.Now(), true
	if cerr := m.feed.Close(m.total); err == nil {
		err = cerr
	}
	if err = fail.Ended(ctx, err); err == nil && sub.Dropped() > 0 {
		err = fail.Partialf("%d messages were not counted, because they came faster than that", sub.Dropped())
	}
	return err
}

func (m *meter) event(e wire.Event) {
	switch e.Kind {
	case wire.Disconnected:
		m.e.Say(">>> Disconnected due to: %v, will attempt reconnect", e.Err)
	case wire.Reconnected:
		m.e.Say(">>> Reconnected to %s after %s", e.URL, render.HumaneDuration(e.Away))
	case wire.ServerError:
		m.e.Say(">>> Unexpected NATS error: %v", e.Err)
	}
}

func (m *meter) count(w *wire.Msg) error {
	m.now.count(w.Subject, len(w.Reply) > 0, len(w.Header)+len(w.Payload))
	return nil
}

// kept is how many seconds are on the screen.
const kept = 11

func (m *meter) tick() error {
	s := m.now
	s.Time = m.e.Clock.Now()
	m.total.add(&m.now)
	m.now = second{}
	if m.screen == nil {
		return errors.Join(m.feed.Emit(s), m.feed.Flush())
	}
	if m.recent = append(m.recent, s); len(m.recent) > kept {
		m.recent = m.recent[1:]
	}
	width, _ := m.screen.Size()
	var b bytes.Buffer
	r, err := render.New(render.Options{Out: &b, Width: width, TTY: true, Paint: m.e.IO.Painter(), Clock: m.e.Clock})
	if err != nil {
		return err
	}
	if err := r.Print(seconds(m.recent)); err != nil {
		return err
	}
	return m.screen.Draw(b.String())
}
