// Package account is the command group about the account and the connection in use.
package account

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/jsm.go/serverdata"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

// Command is `nats account`.
func Command() command.Node {
	return command.Group{
		Meta: command.Meta{Name: "account", Aliases: []string{"a"}, Short: "Show the account, its connections and its use of servers"},
		Nodes: func() []command.Node {
			return []command.Node{
				infoVerb(),
				command.Group{
					Meta:  command.Meta{Name: "report", Aliases: []string{"rep"}, Short: "Report on connections and traffic of the account"},
					Bind:  func(c *fisk.CmdClause) { c.Tag("scope:user", "impact:ro") },
					Nodes: func() []command.Node { return []command.Node{connectionsVerb(), statisticsVerb()} },
				},
				tlsVerb(),
			}
		},
	}
}

// gather asks all servers and returns their answers: the first may take as long as wait, the others come soon after. most ends
// it when that many have come; 0 is no limit.
func gather(ctx context.Context, e *env.Env, subject string, request any, wait time.Duration, most int) ([][]byte, error) {
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return nil, err
	}
	ctx, done := e.Nats.Allowed(ctx)
	defer done()
	answers, err := serverdata.DoReq(ctx, request, subject, most, nc, wait, tracer{e.Log})
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, contexts.Refusal(ctx, fmt.Errorf("request to %s: %w", subject, err))
	}
	return answers, nil
}

// silent is the error of servers that do not answer.
func silent(subject string) error {
	return fail.Newf(fail.NoAnswer, "did not get results from any servers: nobody answers on %s", subject).
		WithHint("raise --timeout if the servers are slow; a system account must be configured there")
}

// tracer is the way of the library's log to ours.
type tracer struct{ log *slog.Logger }

func (t tracer) Tracef(format string, a ...any) { t.log.Debug(fmt.Sprintf(format, a...)) }
func (t tracer) Debugf(format string, a ...any) { t.log.Debug(fmt.Sprintf(format, a...)) }
func (t tracer) Infof(format string, a ...any)  { t.log.Debug(fmt.Sprintf(format, a...)) }
func (t tracer) Warnf(format string, a ...any)  { t.log.Warn(fmt.Sprintf(format, a...)) }
func (t tracer) Errorf(format string, a ...any) { t.log.Warn(fmt.Sprintf(format, a...)) }

// wordy reports whether sentences have a place on the page.
func wordy(p *render.Page) bool {
	k := p.Options().Kind
	return k == render.Text || k == render.Wide
}
