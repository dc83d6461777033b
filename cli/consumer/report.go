package consumer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

type reportOptions struct {
	stream       string
	raw, leaders bool
	group        *group
}

func reportVerb(g *group) command.Node {
	return command.Verb[reportOptions]{
		Meta: command.Meta{
			Name: "report", Short: "Compare the consumers of a stream",
			Long: "How far each is, and who leads it. Cluster lists the peers: * leads, ! is not current or offline.",
		},
		Scope: command.User, Effect: command.Reads, Output: command.Value, Result: report{},
		Names: command.Names{"stream": command.Streams},
		Examples: []command.Example{
			{Line: "nats consumer report ORDERS", Says: "Consumer report for ORDERS with 1 consumers", About: "All consumers", Needs: []string{"stream add ORDERS --subjects orders.> --defaults", "consumer add ORDERS NEW --pull --defaults"}},
		},
		Bind: func(c *fisk.CmdClause, o *reportOptions) {
			o.group = g
			c.Arg("stream", "The stream").StringVar(&o.stream)
			c.Flag("raw", "Print exact numbers").Short('r').UnNegatableBoolVar(&o.raw)
			c.Flag("leaders", "Show how many consumers each server leads").Short('l').UnNegatableBoolVar(&o.leaders)
		},
		Run: runReport,
	}
}

// report is the consumers of a stream and who leads them.
type report struct {
	Stream    string      `json:"stream"`
	Messages  uint64      `json:"messages"`
	Consumers []reportRow `json:"consumers"`
	Leaders   []leaderRow `json:"leaders"`

	cover   js.Coverage
	raw     bool
	leaders bool
}

type reportRow struct {
	Name        string        `json:"name"`
	Mode        string        `json:"mode"` // Pull or Push
	AckPolicy   string        `json:"ack_policy"`
	AckWait     time.Duration `json:"ack_wait_ns"`
	AckPending  int           `json:"num_ack_pending"`
	Redelivered int           `json:"num_redelivered"`
	Unprocessed uint64        `json:"num_pending"`
	Share       int           `json:"num_pending_percent"` // of the stream's messages
	AckFloor    uint64        `json:"ack_floor_stream_seq"`
	APILevel    int           `json:"api_level"`
	Cluster     string        `json:"cluster,omitempty"`
	Leader      string        `json:"leader,omitempty"`
	Peers       []jscmd.Peer  `json:"peers"`
}

type leaderRow struct {
	Server    string `json:"server"`
	Cluster   string `json:"cluster"`
	Consumers int    `json:"consumers"`
}

func newReportRow(c consumers.Consumer, messages uint64) reportRow {
	cfg := c.ConsumerInfo.Config
	r := reportRow{
		Name: c.Name, Mode: "Pull", AckPolicy: cfg.AckPolicy.String(), AckWait: cfg.AckWait, AckPending: c.NumAckPending, Redelivered: c.NumRedelivered,
		Unprocessed: c.NumPending, AckFloor: c.AckFloor.Stream, APILevel: js.LevelOf(cfg.Metadata), Peers: jscmd.Peers(c.Cluster),
	}
	if !c.IsPull() {
		r.Mode = "Push"
	}
	if messages > 0 {
		r.Share = int(min(float64(c.NumPending)*100/float64(messages), 100))
	}
	cluster := c.Cluster
	if cluster == nil || cluster.Name == "" {
		return r
	}
	r.Cluster, r.Leader = cluster.Name, cluster.Leader
	return r
}

// countLeaders groups the consumers by the server that leads them.
func (r *report) countLeaders() {
	for _, c := range r.Consumers {
		if c.Leader == "" {
			continue
		}
		i := slices.IndexFunc(r.Leaders, func(l leaderRow) bool { return l.Server == c.Leader && l.Cluster == c.Cluster })
		if i < 0 {
			r.Leaders = append(r.Leaders, leaderRow{Server: c.Leader, Cluster: c.Cluster})
			i = len(r.Leaders) - 1
		}
		r.Leaders[i].Consumers++
	}
	slices.SortFunc(r.Leaders, func(a, b leaderRow) int {
		return cmp.Or(cmp.Compare(a.Consumers, b.Consumers), cmp.Compare(a.Server, b.Server))
	})
}

// View is the table of consumers, then that of leaders.
func (r report) View(p *render.Page) {
	t := p.Table(fmt.Sprintf("Consumer report for %s with %s consumers", r.Stream, render.HumaneCount(uint64(len(r.Consumers)))),
		render.Column{Name: "Consumer"}, render.Column{Name: "Mode", Drop: 3}, render.Column{Name: "Ack Policy", Drop: 4}, render.Column{Name: "Ack Wait", Drop: 5},
		render.Column{Name: "Ack Pending"}, render.Column{Name: "Redelivered", Drop: 2}, render.Column{Name: "Unprocessed"}, render.Column{Name: "Ack Floor"},
		render.Column{Name: "API Level", Drop: 6}, render.Column{Name: "Cluster", Drop: 1})
	for _, c := range r.Consumers {
		t.Row(render.Key(c.Name), c.Mode, c.AckPolicy, r.span(c.AckWait), r.count(uint64(c.AckPending)), r.count(uint64(c.Redelivered)), r.unprocessed(p, c), r.count(c.AckFloor),
			r.count(uint64(c.APILevel)), jscmd.PeerNames(c.Peers))
	}
	if !jscmd.Wordy(p) {
		return
	}
	if r.leaders {
		p.Gap()
		r.viewLeaders(p)
	}
	jscmd.ViewMissing(p, "Consumer", r.cover)
}

func (r report) viewLeaders(p *render.Page) {
	if len(r.Leaders) == 0 {
		p.Line("No leaders: none of these consumers is in a cluster")
		return
	}
	all := 0
	for _, l := range r.Leaders {
		all += l.Consumers
	}
	t := p.Table("RAFT Leader Report", render.Column{Name: "Server"}, render.Column{Name: "Cluster"}, render.Column{Name: "Consumers"}, render.Column{Name: "Distribution"})
	for _, l := range r.Leaders {
		t.Row(render.Key(l.Server), l.Cluster, r.count(uint64(l.Consumers)), strings.Repeat("*", l.Consumers*10/all))
	}
}

func (r report) count(n uint64) any {
	if r.raw {
		return strconv.FormatUint(n, 10)
	}
	return render.Count(n)
}

func (r report) span(d time.Duration) any {
	if r.raw {
		return d.String()
	}
	return render.Span(d)
}

// unprocessed is the number with its share of the stream, for people.
func (r report) unprocessed(p *render.Page, c reportRow) any {
	if c.Unprocessed == 0 || r.raw || !jscmd.Wordy(p) && p.Options().Kind != render.Markdown {
		return r.count(c.Unprocessed)
	}
	return render.Sprintf("%s / %d%%", render.Count(c.Unprocessed), c.Share)
}

func runReport(ctx context.Context, e *env.Env, o reportOptions) error {
	c, err := jscmd.Open(ctx, e)
	if err != nil {
		return err
	}
	s, err := jscmd.Pick(ctx, e, c, o.group.all, o.stream)
	if err != nil {
		return err
	}
	r := report{Stream: s.StreamInfo.Config.Name, Messages: s.StreamInfo.State.Msgs, Consumers: []reportRow{}, Leaders: []leaderRow{}, raw: o.raw, leaders: o.leaders}
	r.cover, err = consumers.List(ctx, c, r.Stream, func(con consumers.Consumer) error {
		r.Consumers = append(r.Consumers, newReportRow(con, r.Messages))
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(r.Consumers, func(a, b reportRow) int { return cmp.Compare(a.Name, b.Name) })
	r.countLeaders()
	if err := e.Out.Print(r); err != nil {
		return err
	}
	return r.cover.Err("consumers")
}
