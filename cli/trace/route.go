package trace

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/render"
)

// route is the way of the message: a tree of servers with what happened at each.
type route struct {
	Subject  string         `json:"subject"`
	Deliver  bool           `json:"deliver"`
	Complete bool           `json:"complete"` // every server that got the message has reported
	Silent   []string       `json:"silent,omitempty"`
	Servers  int            `json:"servers"`
	Last     time.Duration  `json:"last_ns"` // of the latest event, from the arrival at the first server, by the servers' clocks
	Egress   map[string]int `json:"egress"`  // how often the message left a server, by the kind of connection
	Streams  []string       `json:"streams"`
	Errors   []string       `json:"errors,omitempty"`
	Root     *station       `json:"route"`

	timestamp bool
	diagram   string
}

// station is one server on the way.
type station struct {
	Server  string `json:"server"`
	Cluster string `json:"cluster,omitempty"`
	Version string `json:"version"`
	From    peer   `json:"from"`
	Steps   []step `json:"steps"`

	arrived time.Time
}

// peer is the other end of a connection of the server.
type peer struct {
	Kind    string `json:"kind"` // Client, Router, Gateway, System, Leafnode, JetStream or Account
	Name    string `json:"name"`
	ID      uint64 `json:"id"`
	Account string `json:"account,omitempty"`
	Error   string `json:"error,omitempty"`
}

// step is one thing that happened to the message.
type step struct {
	Type    string        `json:"type"`      // mapping, service_import, stream_export, jetstream or egress
	After   time.Duration `json:"offset_ns"` // since the message left the server before, or arrived at the first one
	Subject string        `json:"subject,omitempty"`
	From    string        `json:"from,omitempty"`
	Account string        `json:"account,omitempty"`
	Stream  string        `json:"stream,omitempty"`
	Outcome string        `json:"action,omitempty"` // stored, would store or no interest
	To      *peer         `json:"to,omitempty"`
	Queue   string        `json:"queue,omitempty"`
	Error   string        `json:"error,omitempty"`
	Silent  bool          `json:"silent,omitempty"` // the server behind has not reported
	Next    *station      `json:"next,omitempty"`

	kind int
	at   time.Time
	hop  string
}

func kindName(kind int) string {
	names := []string{"Client", "Router", "Gateway", "System", "Leafnode", "JetStream", "Account"}
	if kind >= 0 && kind < len(names) {
		return names[kind]
	}
	return fmt.Sprintf("Kind %d", kind)
}

var errNoStart = errors.New("the server that took the message has not reported")

// link makes the tree of the reports.
func link(events []*event, o traceOptions) (*route, error) {
	byHop := map[string]*event{}
	for _, e := range events {
		byHop[e.hop()] = e
	}
	first := byHop[""]
	if first == nil || len(first.Events) == 0 {
		return nil, errNoStart
	}
	r := &route{Subject: o.subject, Deliver: o.deliver, Complete: true, Servers: len(events), Egress: map[string]int{}, Streams: []string{}, timestamp: o.timestamp, diagram: o.diagram}
	r.Root = r.station(first, byHop, first.Events[0].Time)
	for _, e := range events {
		for _, s := range e.Events {
			r.Last = max(r.Last, s.Time.Sub(first.Events[0].Time))
		}
	}
	slices.Sort(r.Streams)
	return r, nil
}

// station is the part of the tree at one server; since is when the message left the one before.
func (r *route) station(e *event, byHop map[string]*event, since time.Time) *station {
	st := &station{Server: e.Server.Name, Cluster: e.Server.Cluster, Version: e.Server.Version, Steps: []step{}}
	for i, s := range e.Events {
		if i == 0 && s.Type == "in" {
			st.From, st.arrived = peer{kindName(s.Kind), s.Name, s.CID, s.Account, s.Error}, s.Time
			r.fault(s.Error)
			continue
		}
		st.Steps = append(st.Steps, r.step(s, since))
	}
	// Servers report in the order in which they happened to come to it.
	slices.SortStableFunc(st.Steps, func(a, b step) int {
		if a.To == nil || b.To == nil {
			return cmp.Compare(rank(a), rank(b))
		}
		return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.To.Name, b.To.Name), cmp.Compare(a.To.ID, b.To.ID))
	})
	for i := range st.Steps {
		s := &st.Steps[i]
		if s.To == nil || s.hop == "" || s.Error != "" {
			continue
		}
		if next := byHop[s.hop]; next != nil {
			s.Next = r.station(next, byHop, s.at)
		} else {
			s.Silent, r.Complete = true, false
			r.Silent = append(r.Silent, s.To.Name)
		}
	}
	return st
}

func rank(s step) int {
	return slices.Index([]string{"mapping", "service_import", "stream_export", "jetstream", "egress"}, s.Type)
}

func (r *route) fault(text string) {
	if text != "" {
		r.Errors = append(r.Errors, text)
	}
}

func (r *route) step(s traceStep, since time.Time) step {
	out := step{After: s.Time.Sub(since), Error: s.Error, at: s.Time, kind: s.Kind, hop: s.Hop}
	r.fault(s.Error)
	switch s.Type {
	case "sm":
		out.Type, out.Subject = "mapping", s.To
	case "si":
		out.Type, out.From, out.Subject, out.Account = "service_import", s.From, s.To, s.Account
	case "se":
		out.Type, out.Subject, out.Account = "stream_export", s.To, s.Account
	case "js":
		out.Type, out.Stream, out.Subject = "jetstream", s.Stream, s.Stored
		switch {
		case s.NoInterest:
			out.Outcome = "no interest"
		case s.Error != "":
		case r.Deliver:
			out.Outcome = "stored"
		default:
			out.Outcome = "would store"
		}
		if out.Outcome == "stored" || out.Outcome == "would store" {
			r.Streams = append(r.Streams, s.Stream)
		}
		if s.Error == "" {
			r.Egress["JetStream"]++
		}
	case "eg":
		out.Type, out.Subject, out.Queue, out.Account = "egress", s.Sub, s.Queue, s.Account
		out.To = &peer{Kind: kindName(s.Kind), Name: s.Name, ID: s.CID}
		if s.Error == "" {
			r.Egress[out.To.Kind]++
		}
	default:
		out.Type = s.Type
	}
	return out
}

// interest reports whether the message would reach anybody at all.
func (r *route) interest() bool { return len(r.Egress) > 0 || len(r.Errors) > 0 }

// verdict says how the command ends.
func (r *route) verdict(timeout time.Duration) error {
	switch {
	case len(r.Errors) > 0 && strings.Contains(strings.ToLower(r.Errors[0]), "permissions violation"):
		return fail.Newf(fail.Unreachable, "the message to %s was refused: %s", r.Subject, r.Errors[0])
	case len(r.Errors) > 0:
		return fail.Newf(fail.Failure, "the message to %s met an error: %s", r.Subject, r.Errors[0])
	case !r.Complete:
		return fail.Partialf("no report from %s within %s", strings.Join(r.Silent, ", "), timeout)
	case !r.interest():
		return fail.Newf(fail.NoAnswer, "nobody is interested in %s", r.Subject)
	}
	return nil
}

// View is the tree for people, or a picture; a row for each step in formats of rows.
func (r *route) View(p *render.Page) {
	switch k := p.Options().Kind; {
	case k != render.Text && k != render.Wide:
		r.rows(p)
		return
	case r.diagram != "":
		p.Block(strings.Split(strings.TrimSuffix(r.draws(r.diagram), "\n"), "\n"))
		return
	}
	if r.Deliver {
		p.Line("Tracing message route to subject %s with delivery to the final destination", render.Subject(r.Subject))
	} else {
		p.Line("Tracing message route to subject %s ", render.Subject(r.Subject))
	}
	p.Gap()
	r.draw(p, r.Root, 0, 0)
	p.Gap()
	p.Line("Legend: Client: --C Router: --> Gateway: ==> Leafnode: ~~> JetStream: --J Error: --X")
	if len(r.Egress) > 0 {
		p.Section("Egress Count")
		for _, k := range r.busiest() {
			p.Field(k, render.Count(r.Egress[k]))
		}
		p.Gap()
		p.Line("Last event after %s at %d servers", r.Last.Round(time.Microsecond), r.Servers)
	}
	if len(r.Streams) > 1 {
		p.Line("%s", render.Warn(fmt.Sprintf("WARNING: The message was received by %d streams: %s", len(r.Streams), strings.Join(r.Streams, ", "))))
	}
}

func (r *route) busiest() []string {
	var kinds []string
	for k := range r.Egress {
		kinds = append(kinds, k)
	}
	slices.SortFunc(kinds, func(a, b string) int { return cmp.Or(cmp.Compare(r.Egress[b], r.Egress[a]), strings.Compare(a, b)) })
	return kinds
}

// draw writes a server and all behind it; after is when the message arrived there, since it left the server before.
func (r *route) draw(p *render.Page, st *station, depth int, after time.Duration) {
	line := fmt.Sprintf(`%s "%s" %s`, st.From.Kind, st.From.Name, id(st.From))
	if st.Cluster != "" && (st.From.Kind == "Client" || st.From.Kind == "Gateway") {
		line += fmt.Sprintf(` cluster:"%s"`, st.Cluster)
	}
	r.line(p, depth, after, `%s server:"%s" version:"%s"`, line, st.Server, st.Version)
	if st.From.Error != "" {
		if depth == 0 {
			r.line(p, depth, after, "--X Error: %s", st.From.Error)
		} else {
			r.line(p, depth, after, "  !!! Ingress Error: %s", st.From.Error)
		}
	}
	for _, s := range st.Steps {
		r.drawStep(p, s, depth)
	}
	if depth == 0 && !r.interest() {
		r.line(p, depth, after, "--X No active interest")
	}
}

func (r *route) drawStep(p *render.Page, s step, depth int) {
	switch s.Type {
	case "mapping":
		r.line(p, depth, s.After, `    Mapping subject:"%s"`, s.Subject)
	case "service_import":
		r.line(p, depth, s.After, `    Service Import from:"%s" to:"%s" account:"%s"`, s.From, s.Subject, s.Account)
	case "stream_export":
		r.line(p, depth, s.After, `    Stream Export subject:"%s" account:"%s"`, s.Subject, s.Account)
	case "jetstream":
		if s.Error != "" {
			r.line(p, depth, s.After, `--X JetStream stream:"%s" error:"%s"`, s.Stream, s.Error)
			return
		}
		r.line(p, depth, s.After, `--J JetStream action:"%s" stream:"%s" subject:"%s"`, s.Outcome, s.Stream, s.Subject)
	case "egress":
		line := fmt.Sprintf(`%s %s "%s" %s`, arrow(s.To.Kind), s.To.Kind, s.To.Name, id(*s.To))
		for _, part := range []struct{ name, value string }{{"account", s.Account}, {"subject", s.Subject}, {"queue", s.Queue}} {
			if part.value != "" {
				line += fmt.Sprintf(` %s:"%s"`, part.name, part.value)
			}
		}
		r.line(p, depth, s.After, "%s", line)
		switch {
		case s.Error != "":
			r.line(p, depth+1, s.After, "!!! Egress Error: %s", s.Error)
		case s.Silent:
			r.line(p, depth+1, s.After, "!!! No report from this server")
		case s.Next != nil:
			r.draw(p, s.Next, depth+1, s.Next.arrived.Sub(s.at))
		}
	default:
		r.line(p, depth, s.After, "    %s", s.Type)
	}
}

func (r *route) line(p *render.Page, depth int, after time.Duration, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if r.timestamp {
		stamp := after.Round(time.Microsecond).String()
		if after < 0 {
			stamp = "Skew"
		}
		text = "[" + stamp + "] " + text
	}
	p.Line("%s", strings.Repeat("    ", depth)+text)
}

func id(p peer) string {
	short := map[string]string{"Router": "rid", "Gateway": "gid", "Leafnode": "lid"}[p.Kind]
	if short == "" {
		short = "cid"
	}
	return fmt.Sprintf("%s:%d", short, p.ID)
}

func arrow(kind string) string {
	switch kind {
	case "Router":
		return "-->"
	case "Gateway":
		return "==>"
	case "Leafnode":
		return "~~>"
	}
	return "--C"
}
