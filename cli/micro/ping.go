package micro

import (
	"context"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/micro"
	"github.com/natskit/natskit/internal/render"
)

type pingOptions struct {
	name  string
	count int64
}

func pingVerb() command.Node {
	return command.Verb[pingOptions]{
		Meta: command.Meta{
			Name: "ping", Short: "See which instances answer, and how fast",
			Long: "Waits for the whole --timeout, so that slow instances are heard too, unless --count is reached before.",
		},
		Scope: command.User, Effect: command.Writes, Output: command.Feed, Result: pong{},
		Names: command.Names{"service": command.Services},
		Examples: []command.Example{
			{Line: "nats micro ping calc --count 1", Says: "rtt=", About: "Until one instance has answered", Needs: []string{"& micro serve calc"}},
		},
		Bind: func(c *fisk.CmdClause, o *pingOptions) {
			c.Arg("service", "Only instances of this service").StringVar(&o.name)
			flagval.Int64Var(c.Flag("count", "Stop after this many answers"), &o.count)
		},
		Run: runPing,
	}
}

// pong is the answer of one instance.
type pong struct {
	Name    string        `json:"name"`
	ID      string        `json:"id"`
	Version string        `json:"version"`
	RTT     time.Duration `json:"rtt_ns"`
}

// View is the line that stands for the instance.
func (g pong) View(p *render.Page) {
	p.Line("%-50s rtt=%s", g.Name+" "+g.ID, render.Span(g.RTT))
}

// tally is the summary on stderr.
type tally struct {
	Answers int           `json:"answers"`
	Min     time.Duration `json:"min_ns"`
	Max     time.Duration `json:"max_ns"`
}

// View is one line.
func (t tally) View(p *render.Page) {
	p.Line("%d answers, rtt from %s to %s", t.Answers, render.Span(t.Min), render.Span(t.Max))
}

func runPing(ctx context.Context, e *env.Env, o pingOptions) error {
	client, ctx, done, err := asker(ctx, e)
	if err != nil {
		return err
	}
	defer done()
	feed := e.Out.Feed()
	var sum tally
	var broken error
	err = client.Pings(ctx, o.name, "", micro.Whole, func(p micro.Ping, rtt time.Duration) bool {
		if sum.Answers++; sum.Answers == 1 {
			sum.Min = rtt
		}
		sum.Min, sum.Max = min(sum.Min, rtt), max(sum.Max, rtt)
		if broken = feed.Emit(pong{p.Name, p.ID, p.Version, rtt}); broken == nil {
			broken = feed.Flush()
		}
		return broken == nil && (o.count <= 0 || int64(sum.Answers) < o.count)
	})
	var summary render.Viewer
	if sum.Answers > 0 && !e.Out.Machine() {
		summary = sum
	}
	if cerr := feed.Close(summary); broken == nil {
		broken = cerr
	}
	switch {
	case broken != nil:
		return broken
	case err != nil:
		return fail.Ended(ctx, contexts.Refusal(ctx, err))
	case sum.Answers == 0:
		return fail.Newf(fail.NoAnswer, "no service instances answered within %s", client.Timeout)
	}
	return nil
}
