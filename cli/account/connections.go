package account

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/choria-io/fisk"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/natskit/natskit/internal/command"
	"github.com/natskit/natskit/internal/env"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/flagval"
	"github.com/natskit/natskit/internal/render"
)

const connzSubject = "$SYS.REQ.SERVER.PING.CONNZ"

type connectionsOptions struct {
	sort    string
	top     int64
	subject string
	user    string
	reverse bool
	state   string
	reason  string
	pattern *regexp.Regexp
}

func connectionsVerb() command.Node {
	return command.Verb[connectionsOptions]{
		Meta: command.Meta{
			Name: "connections", Aliases: []string{"conn", "connz", "conns"}, Short: "Report the connections of the account",
			Long: "A user of the system account sees the connections of all accounts. --top keeps the connections with the highest values of what is sorted by; they are shown in ascending order, with --reverse in descending.",
		},
		Scope: command.User, Output: command.Value, Result: connections{},
		Examples: []command.Example{
			{Line: "nats account report connections", Says: "by subs", About: "All connections"},
			{Line: "nats account report conns --top 3 --sort out-bytes -R", Says: "by out-bytes", About: "Those that are sent most"},
			{Line: "nats account report connz --state closed --closed-reason 'client closed' --json", Says: `"connections"`, About: "Connections that clients have closed, for a script"},
		},
		Bind: func(c *fisk.CmdClause, o *connectionsOptions) {
			c.Flag("sort", "Sort by in-bytes, out-bytes, in-msgs, out-msgs, uptime, cid or subs").Default("subs").EnumVar(&o.sort, "in-bytes", "out-bytes", "in-msgs", "out-msgs", "uptime", "cid", "subs")
			c.Flag("top", "Only the N highest").Default("1000").PlaceHolder("N").SetValue(flagval.NewInt64(&o.top).Min(1))
			c.Flag("subject", "Only connections with a subscription that matches this subject").StringVar(&o.subject)
			c.Flag("username", "Only connections of this user").StringVar(&o.user)
			c.Flag("reverse", "Highest first").Short('R').UnNegatableBoolVar(&o.reverse)
			c.Flag("state", "Connections that are open, closed, or all").Default("open").EnumVar(&o.state, "open", "closed", "all")
			c.Flag("closed-reason", "Only connections closed for a reason that matches this regular expression, whatever the case").PlaceHolder("REASON").StringVar(&o.reason)
		},
		Check: checkConnections, Run: runConnections,
	}
}

func checkConnections(o *connectionsOptions) error {
	if o.subject != "" {
		if err := flagval.CheckSubject(o.subject, true); err != nil {
			return fail.Usagef("--subject %q: %w", o.subject, err)
		}
	}
	if o.reason == "" {
		return nil
	}
	if o.state == "open" {
		return fail.Usagef("--closed-reason needs --state closed or --state all: an open connection has no reason")
	}
	// Compiled as it was given first: an error shows the expression.
	if _, err := regexp.Compile(o.reason); err != nil {
		return fail.Usagef("--closed-reason %q is no regular expression: %w", o.reason, err)
	}
	var err error
	o.pattern, err = regexp.Compile("(?i)" + o.reason)
	return err
}

// connections is the part that is shown of those that match, and how many match on each server.
type connections struct {
	Total       int            `json:"total"` // that match
	Connections []client       `json:"connections"`
	Servers     []serverClient `json:"servers"`

	sort   string
	reason bool
}

// client is a connection and where it is.
type client struct {
	Server  string `json:"server"`
	Cluster string `json:"cluster,omitempty"`
	server.ConnInfo
	age time.Duration
	id  string // of the server
}

// serverClient is the count of matching connections on one server.
type serverClient struct {
	Server      string `json:"server"`
	Cluster     string `json:"cluster,omitempty"`
	Connections int    `json:"connections"`
}

// View is the connections with their totals, then how they spread over servers.
func (c connections) View(p *render.Page) {
	cols := []render.Column{
		{Name: "CID"}, {Name: "Name", Elide: render.End}, {Name: "Server", Drop: 2}, {Name: "Cluster", Drop: 5}, {Name: "IP", Drop: 4}, {Name: "Account", Elide: render.End, Drop: 3},
		{Name: "Uptime", Drop: 1}, {Name: "In Msgs"}, {Name: "Out Msgs"}, {Name: "In Bytes"}, {Name: "Out Bytes"}, {Name: "Subs"},
	}
	if c.reason {
		cols = append(cols, render.Column{Name: "Reason"})
	}
	t := p.Table(fmt.Sprintf("Top %d Connections out of %s by %s", len(c.Connections), render.HumaneCount(uint64(c.Total)), c.sort), cols...)
	var sum server.ConnInfo
	for _, x := range c.Connections {
		t.Row(append([]any{x.cid(), x.name(), x.Server, x.Cluster, x.address(), x.Account, x.Uptime}, append(traffic(x.ConnInfo), x.Reason)...)...)
		sum.InMsgs += x.InMsgs
		sum.OutMsgs += x.OutMsgs
		sum.InBytes += x.InBytes
		sum.OutBytes += x.OutBytes
		sum.NumSubs += x.NumSubs
	}
	if n := len(c.Connections); n > 1 {
		t.Footer(append([]any{"", fmt.Sprintf("Totals for %s connections", render.HumaneCount(uint64(n))), "", "", "", "", ""}, traffic(sum)...)...)
	}
	if !wordy(p) || len(c.Servers) == 0 {
		return
	}
	p.Gap()
	s := p.Table("Connections per server", render.Column{Name: "Server"}, render.Column{Name: "Cluster"}, render.Column{Name: "Connections", Align: render.Right})
	for _, x := range c.Servers {
		s.Row(x.Server, x.Cluster, count(x.Connections))
	}
}

func traffic(c server.ConnInfo) []any {
	return []any{count(c.InMsgs), count(c.OutMsgs), size(c.InBytes), size(c.OutBytes), render.Count(uint64(c.NumSubs))}
}

// cid is the number of the connection, with a letter before it for one that is not of a client.
func (c client) cid() string {
	id := strconv.FormatUint(c.Cid, 10)
	if c.Kind == "" || c.Kind == "Client" {
		return id
	}
	return c.Kind[:1] + id
}

// address is empty for a connection within the server's process.
func (c client) address() string {
	if c.IP == "" {
		return ""
	}
	return net.JoinHostPort(c.IP, strconv.Itoa(c.Port))
}

func (c client) name() string {
	if c.MQTTClient != "" {
		return c.MQTTClient
	}
	return c.Name
}

func runConnections(ctx context.Context, e *env.Env, o connectionsOptions) error {
	all, err := clients(ctx, e, o)
	if err != nil {
		return err
	}
	if o.pattern != nil {
		all = slices.DeleteFunc(all, func(c client) bool { return !o.pattern.MatchString(c.Reason) })
	}
	r := connections{Total: len(all), Connections: highest(all, o), Servers: spread(all), sort: o.sort, reason: o.state != "open"}
	if !e.ShowSecrets {
		for i := range r.Connections {
			r.Connections[i].JWT = "" // whoever holds a bearer's JWT is that user
		}
	}
	return e.Out.Print(r)
}

// highest sorts the connections and keeps the top of them.
func highest(all []client, o connectionsOptions) []client {
	slices.SortFunc(all, func(a, b client) int {
		return cmp.Or(cmp.Compare(weight(a, o.sort), weight(b, o.sort)), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Cid, b.Cid))
	})
	if over := len(all) - int(o.top); over > 0 {
		all = all[over:]
	}
	if o.reverse {
		slices.Reverse(all)
	}
	return all
}

func weight(c client, by string) int64 {
	switch by {
	case "in-bytes":
		return c.InBytes
	case "out-bytes":
		return c.OutBytes
	case "in-msgs":
		return c.InMsgs
	case "out-msgs":
		return c.OutMsgs
	case "uptime":
		return int64(c.age)
	case "cid":
		return int64(c.Cid)
	}
	return int64(c.NumSubs)
}

// spread counts the connections of each server, by cluster and name.
func spread(all []client) []serverClient {
	at := map[string]int{}
	out := []serverClient{}
	for _, c := range all {
		i, ok := at[c.id]
		if !ok {
			i = len(out)
			at[c.id] = i
			out = append(out, serverClient{Server: c.Server, Cluster: c.Cluster})
		}
		out[i].Connections++
	}
	slices.SortFunc(out, func(a, b serverClient) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Server, b.Server))
	})
	return out
}

// page is how many connections a server tells at once.
const page = 1024

// clients asks all servers for the connections, page by page.
func clients(ctx context.Context, e *env.Env, o connectionsOptions) ([]client, error) {
	opts := server.ConnzOptions{Username: true, Subscriptions: true, Limit: page, User: o.user, FilterSubject: o.subject}
	opts.State = map[string]server.ConnState{"open": server.ConnOpen, "closed": server.ConnClosed, "all": server.ConnAll}[o.state]
	wait, err := firstAnswer(ctx, e, opts)
	if err != nil {
		return nil, err
	}
	out := []client{}
	seen := map[string]bool{}
	for more := true; more; opts.Offset += page {
		answers, err := gather(ctx, e, connzSubject, opts, wait, 0)
		if err != nil {
			return nil, err
		}
		more = false
		for _, a := range answers {
			r, err := decodeConnz(a)
			if err != nil {
				return nil, err
			}
			for _, c := range r.Data.Conns {
				x := newClient(r, c)
				// Connections that come and go between two pages move the others.
				if key := x.id + " " + strconv.FormatUint(c.Cid, 10); !seen[key] {
					seen[key] = true
					out = append(out, x)
				}
			}
			more = more || opts.Offset+len(r.Data.Conns) < r.Data.Total && len(r.Data.Conns) > 0
		}
	}
	return out, nil
}

func decodeConnz(answer []byte) (server.ServerAPIConnzResponse, error) {
	var r server.ServerAPIConnzResponse
	if err := json.Unmarshal(answer, &r); err != nil {
		return r, fmt.Errorf("reading an answer on %s: %w", connzSubject, err)
	}
	if r.Server == nil {
		r.Server = &server.ServerInfo{}
	}
	if r.Error != nil {
		return r, fail.Newf(fail.Failure, "server %s: %w", r.Server.Name, r.Error)
	}
	if r.Data == nil {
		r.Data = &server.Connz{}
	}
	return r, nil
}

func newClient(r server.ServerAPIConnzResponse, c *server.ConnInfo) client {
	end := r.Data.Now
	if c.Stop != nil {
		end = *c.Stop
	}
	return client{Server: r.Server.Name, Cluster: r.Server.Cluster, ConnInfo: *c, id: r.Server.ID, age: end.Sub(c.Start)}
}

// firstAnswer is how long the first answer to opts is waited for. Servers without a connection that matches say nothing at all,
// which looks like servers that do not answer; so when nothing may match, servers are asked first for what there always is, our
// own connection, and silence afterwards is believed soon.
func firstAnswer(ctx context.Context, e *env.Env, opts server.ConnzOptions) (time.Duration, error) {
	timeout := e.Nats.Effective().Timeout
	begin := e.Clock.Now()
	answers, err := gather(ctx, e, connzSubject, server.ConnzOptions{Username: true, Limit: 1}, timeout, 1)
	if err != nil {
		return 0, err
	}
	if len(answers) == 0 {
		return 0, silent(connzSubject)
	}
	if opts.User == "" && opts.FilterSubject == "" && opts.State == server.ConnOpen {
		return timeout, nil
	}
	took := e.Clock.Now().Sub(begin)
	return min(timeout, max(time.Second, 10*took)), nil
}
