// Package backupcmd is the commands that make and restore backups. They stand in the tree twice: under backup, and under stream
// and account, where they were before.
package backupcmd

import (
	"context"
	"errors"
	"path"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/backup"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/term"
)

// named fills in what a command says of itself, where the place in the tree does not say it.
func named(m command.Meta, short, long string) command.Meta {
	m.Short, m.Long = short, long
	return m
}

// idleFlag is how long nothing may happen in a transfer. It is no total: a transfer that moves may take as long as it takes.
func idleFlag(c *fisk.CmdClause, p *time.Duration) {
	c.Flag("idle", "Give up when nothing has moved for so long; 10s, or --timeout where that is longer").PlaceHolder("DURATION").SetValue(flagval.NewDuration(p).Min(time.Millisecond))
}

const (
	idleLeast  = 10 * time.Second
	idleCheck  = 10 * time.Minute // a server that checks all messages first says nothing until it has
	settleMost = time.Hour        // a server that has the whole archive may load it that long
)

func idleOf(o time.Duration, c *js.Client, check bool) time.Duration {
	switch {
	case o > 0:
		return o
	case check:
		return max(idleCheck, c.Timeout())
	}
	return max(idleLeast, c.Timeout())
}

// working opens the way to JetStream and runs work in a context that ends when the server refuses something.
func working(ctx context.Context, e *env.Env, work func(context.Context, *js.Client) error) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	ctx, done := e.Nats.Allowed(ctx)
	defer done()
	return contexts.Refusal(ctx, work(ctx, c))
}

// twice begins a transfer anew when the connection was lost and comes back: a server that restarts is no reason to fail.
func twice[T any](ctx context.Context, e *env.Env, c *js.Client, idle time.Duration, transfer func() (T, error)) (T, error) {
	out, err := transfer()
	if !errors.Is(err, backup.ErrLost) || interrupted(ctx) {
		return out, err
	}
	e.Say("The connection was lost during the transfer; waiting for it to begin anew")
	if again := backup.Reconnected(ctx, c.Conn(), idle); again != nil {
		return out, err
	}
	return transfer()
}

// meter is the progress line of a transfer; it is drawn only on a terminal, and removed by close.
type meter struct {
	e     *env.Env
	label string
	on    bool
	bar   *term.Progress
	total uint64
}

// tell is told how many bytes are done. A total that is passed grows, since the server's count leaves out what the archive adds.
func (m *meter) tell(done, total uint64) {
	if !m.on {
		return
	}
	if m.bar == nil {
		m.total = total
		m.bar = m.e.IO.Progress(m.e.Clock, term.Visible(m.label, false), int64(total), func(n int64) string { return render.HumaneBytes(uint64(max(n, 0))) })
	}
	m.bar.Set(int64(min(done, m.total)))
}

func (m *meter) close() {
	if m.bar != nil {
		m.bar.Close()
	}
}

// selecting makes a function of --only that tells which streams are meant; without patterns all are.
func selecting(patterns []string) func(string) bool {
	return func(name string) bool {
		for _, p := range patterns {
			if ok, _ := path.Match(p, name); ok {
				return true
			}
		}
		return len(patterns) == 0
	}
}

func onlyFlag(c *fisk.CmdClause, p *[]string, what string) {
	c.Flag("only", what+" whose names match a pattern: * and ? stand for anything; may be given again").PlaceHolder("PATTERN").StringsVar(p)
}

func checkOnly(list []string) ([]string, error) {
	var out []string
	for _, text := range list {
		for _, p := range flagval.SplitList(text) {
			if _, err := path.Match(p, ""); err != nil {
				return nil, fail.Usagef("--only %q: %w", p, err)
			}
			out = append(out, p)
		}
	}
	return out, nil
}

// occupied tells how to replace a backup that stands in the way.
func occupied(err error) error {
	if !errors.Is(err, backup.ErrOccupied) || fail.HintOf(err) != "" {
		return err
	}
	return fail.Hint(err, "--replace puts the new backup of the stream in its place when it is whole")
}

// interrupted reports whether err is the end of the command rather than of one stream.
func interrupted(ctx context.Context) bool { return ctx.Err() != nil }

// outcome is the error of work on several streams, of which some failed.
func outcome(what string, failed, all int) error {
	switch {
	case failed == 0:
		return nil
	case failed == all:
		return fail.Newf(fail.Failure, "%s: none of %d streams, see the list of failures", what, all)
	}
	return fail.Partialf("%s: %d of %d streams failed, see the list of failures", what, failed, all)
}
