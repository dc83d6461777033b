package account

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

const statzSubject = "$SYS.REQ.ACCOUNT.PING.STATZ"

type statisticsOptions struct{}

func statisticsVerb() command.Node {
	return command.Verb[statisticsOptions]{
		Meta:  command.Meta{Name: "statistics", Aliases: []string{"stats", "statsz"}, Short: "Report the traffic of the account on each server"},
		Scope: command.User, Output: command.Value, Result: []usage{},
		Examples: []command.Example{
			{Line: "nats account report statistics", Says: "Server Statistics", About: "Connections and traffic by server"},
			{Line: "nats account report stats --jq '.[].statistics.conns'", Says: "1", About: "Connections alone, for a script"},
		},
		Run: runStatistics,
	}
}

// usage is what an account does on one server.
type usage struct {
	Server     server.ServerInfo  `json:"server"`
	Statistics server.AccountStat `json:"statistics"`
}

// usages is one entry for each server, or for each account on each server.
type usages []usage

// View is a row for each, and the totals.
func (u usages) View(p *render.Page) {
	t := p.Table("Server Statistics", render.Column{Name: "Server"}, render.Column{Name: "Host", Wide: true}, render.Column{Name: "Account", Wide: true},
		render.Column{Name: "Cluster", Drop: 2}, render.Column{Name: "Version", Drop: 3}, render.Column{Name: "Tags", Drop: 4},
		render.Column{Name: "Connections"}, render.Column{Name: "Subscriptions"}, render.Column{Name: "Leafnodes", Drop: 1},
		render.Column{Name: "Sent Bytes"}, render.Column{Name: "Sent Messages"}, render.Column{Name: "Received Bytes"}, render.Column{Name: "Received Messages"},
		render.Column{Name: "Slow Consumers"})
	var sum server.AccountStat
	servers := map[string]bool{}
	for _, x := range u {
		s := x.Statistics
		t.Row(append([]any{x.Server.Name, x.Server.Host, s.Account, x.Server.Cluster, x.Server.Version, x.Server.Tags}, figures(s)...)...)
		servers[x.Server.ID] = true
		sum.Conns += s.Conns
		sum.NumSubs += s.NumSubs
		sum.LeafNodes += s.LeafNodes
		sum.SlowConsumers += s.SlowConsumers
		sum.Sent.Bytes += s.Sent.Bytes
		sum.Sent.Msgs += s.Sent.Msgs
		sum.Received.Bytes += s.Received.Bytes
		sum.Received.Msgs += s.Received.Msgs
	}
	t.Footer(append([]any{len(servers), "", "", "", "", ""}, figures(sum)...)...)
}

func figures(s server.AccountStat) []any {
	return []any{
		count(s.Conns), render.Count(uint64(s.NumSubs)), count(s.LeafNodes), size(s.Sent.Bytes), count(s.Sent.Msgs),
		size(s.Received.Bytes), count(s.Received.Msgs), count(s.SlowConsumers),
	}
}

// count and size make cells of the server's signed numbers, which are never negative.
func count[N int | int64](n N) render.Count { return render.Count(uint64(max(n, 0))) }

func size(n int64) render.Bytes { return render.Bytes(uint64(max(n, 0))) }

func runStatistics(ctx context.Context, e *env.Env, _ statisticsOptions) error {
	answers, err := gather(ctx, e, statzSubject, nil, e.Nats.Effective().Timeout, 0)
	if err != nil {
		return err
	}
	out := usages{}
	for _, a := range answers {
		var r struct {
			Server server.ServerInfo    `json:"server"`
			Data   *server.AccountStatz `json:"data"`
			Error  *server.ApiError     `json:"error"`
		}
		if err := json.Unmarshal(a, &r); err != nil {
			return fmt.Errorf("reading an answer on %s: %w", statzSubject, err)
		}
		if r.Error != nil {
			return fail.Newf(fail.Failure, "server %s: %w", r.Server.Name, r.Error)
		}
		if r.Data == nil {
			continue
		}
		for _, s := range r.Data.Accounts {
			out = append(out, usage{r.Server, *s})
		}
	}
	if len(answers) == 0 {
		return silent(statzSubject)
	}
	slices.SortFunc(out, func(a, b usage) int {
		return cmp.Or(cmp.Compare(a.Server.Cluster, b.Server.Cluster), cmp.Compare(a.Server.Name, b.Server.Name), cmp.Compare(a.Statistics.Account, b.Statistics.Account))
	})
	return e.Out.Print(out)
}
