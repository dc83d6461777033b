// Package account is the command group about the account and the connection in use.
package account

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/choria-io/fisk"
	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/contexts"
	"github.com/natskit/natskit/internal/backupcmd"
	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/payload"
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
				backupcmd.Account(command.Meta{Name: "backup", Aliases: []string{"snapshot"}, Hidden: true, Instead: "backup account"}),
				backupcmd.RestoreAccount(command.Meta{Name: "restore", Hidden: true, Instead: "backup restore account"}),
			}
		},
	}
}

// between is how long further answers are waited for after one has come.
const between = 300 * time.Millisecond

// largest is the size in bytes that an answer may have when it is unpacked.
const largest = 1 << 30

// gather asks all servers and returns their answers: the first may take as long as wait, the others come soon after. most ends
// it when that many have come; 0 is no limit.
func gather(ctx context.Context, e *env.Env, subject string, request any, wait time.Duration, most int) ([][]byte, error) {
	nc, err := e.Nats.Conn(ctx)
	if err != nil {
		return nil, err
	}
	ctx, done := e.Nats.Allowed(ctx)
	defer done()
	out, err := collect(ctx, e, nc, subject, request, wait, most)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, silent(subject)
	}
	if err != nil {
		return nil, contexts.Refusal(ctx, fmt.Errorf("request to %s: %w", subject, err))
	}
	return out, nil
}

func collect(ctx context.Context, e *env.Env, nc *nats.Conn, subject string, request any, wait time.Duration, most int) ([][]byte, error) {
	sub, err := nc.SubscribeSync(nc.NewRespInbox())
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return nil, err
	}
	m := nats.NewMsg(subject)
	m.Reply = sub.Subject
	if !strings.HasPrefix(subject, "$SYS.REQ.ACCOUNT.") { // these do not take headers everywhere
		m.Header.Set("Accept-Encoding", "snappy")
	}
	if request != nil {
		if m.Data, err = json.Marshal(request); err != nil {
			return nil, err
		}
	}
	e.Log.Debug(fmt.Sprintf(">>> %s: %s", subject, m.Data))
	if err := nc.PublishMsg(m); err != nil {
		return nil, err
	}
	out := [][]byte{}
	for most == 0 || len(out) < most {
		waiting, cancel := context.WithTimeout(ctx, wait)
		answer, err := sub.NextMsgWithContext(waiting)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, context.DeadlineExceeded):
			return out, nil
		case err != nil:
			return nil, err
		}
		data, err := unpack(answer)
		if err != nil {
			return nil, err
		}
		e.Log.Debug(fmt.Sprintf("<<< %d bytes: %s", len(answer.Data), data))
		out = append(out, data)
		wait = between
	}
	return out, nil
}

func unpack(m *nats.Msg) ([]byte, error) {
	if m.Header.Get("Content-Encoding") != "snappy" {
		return m.Data, nil
	}
	data, err := payload.ReadWhole(s2.NewReader(bytes.NewReader(m.Data)), largest)
	if err != nil {
		return nil, fmt.Errorf("unpacking an answer: %w", err)
	}
	return data, nil
}

// silent is the error of servers that do not answer.
func silent(subject string) error {
	return fail.Newf(fail.NoAnswer, "did not get results from any servers: nobody answers on %s", subject).
		WithHint("raise --timeout if the servers are slow; a system account must be configured there")
}

// wordy reports whether sentences have a place on the page.
func wordy(p *render.Page) bool {
	k := p.Options().Kind
	return k == render.Text || k == render.Wide
}
