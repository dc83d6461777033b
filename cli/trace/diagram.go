package trace

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/natskit/natskit/internal/render"
)

// picture is the route as points and arrows: servers, what is connected to them, and streams.
type picture struct {
	nodes []node
	edges []edge
}

type node struct {
	label string
	shape string // box for servers, ellipse for clients, cylinder for streams
}

type edge struct {
	from, to int
	label    string
	bad      bool // the message did not pass
}

// draws is the route in a form: dot or mermaid.
func (r *route) draws(form string) string {
	p := &picture{}
	from := p.node(r.Root.From.Kind+" "+quoted(r.Root.From.Name), "ellipse")
	at := p.server(r.Root)
	p.edges = append(p.edges, edge{from, at, r.Subject, r.Root.From.Error != ""})
	p.walk(r.Root, at)
	if form == "dot" {
		return p.dot(r.Subject)
	}
	return p.mermaid()
}

func (p *picture) node(label, shape string) int {
	p.nodes = append(p.nodes, node{label, shape})
	return len(p.nodes) - 1
}

func (p *picture) server(st *station) int {
	label := "Server " + quoted(st.Server)
	if st.Cluster != "" {
		label += " of " + quoted(st.Cluster)
	}
	return p.node(label, "box")
}

func quoted(name string) string {
	if name == "" {
		return "without a name"
	}
	return name
}

// walk adds what happened at a server, which is the node at.
func (p *picture) walk(st *station, at int) {
	for _, s := range st.Steps {
		switch {
		case s.Type == "jetstream":
			text := s.Outcome
			if s.Error != "" {
				text = s.Error
			}
			p.edges = append(p.edges, edge{at, p.node("Stream "+quoted(s.Stream), "cylinder"), text, s.Error != ""})
		case s.To == nil:
		case s.Next != nil:
			next := p.server(s.Next)
			p.edges = append(p.edges, edge{at, next, s.To.Kind, s.Next.From.Error != ""})
			p.walk(s.Next, next)
		default:
			to := p.node(s.To.Kind+" "+quoted(s.To.Name), "ellipse")
			p.edges = append(p.edges, edge{at, to, s.word(), s.Error != "" || s.Silent})
		}
	}
}

// word is what stands at the arrow to a client or a server that has not reported.
func (s step) word() string {
	switch {
	case s.Error != "":
		return s.Error
	case s.Silent:
		return "no report"
	case s.Queue != "":
		return s.Subject + " in " + s.Queue
	}
	return s.Subject
}

func (p *picture) dot(subject string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph route {\n  label=%s\n  rankdir=LR\n", strconv.Quote("Route of "+subject))
	for i, n := range p.nodes {
		fmt.Fprintf(&b, "  n%d [label=%s shape=%s]\n", i, strconv.Quote(n.label), n.shape)
	}
	for _, e := range p.edges {
		style := ""
		if e.bad {
			style = " color=red"
		}
		fmt.Fprintf(&b, "  n%d -> n%d [label=%s%s]\n", e.from, e.to, strconv.Quote(e.label), style)
	}
	b.WriteString("}\n")
	return b.String()
}

// shapes of mermaid around a label.
func mermaidShape(n node) string {
	label := `"` + mermaidText(n.label) + `"`
	switch n.shape {
	case "ellipse":
		return "([" + label + "])"
	case "cylinder":
		return "[(" + label + ")]"
	}
	return "[" + label + "]"
}

// mermaidText keeps what strangers call themselves a label: entities for what would end it, escapes for what cannot be seen.
func mermaidText(s string) string {
	s = strings.Trim(strconv.Quote(s), `"`)
	return strings.NewReplacer(`\"`, "#quot;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", `\\`, `\`).Replace(s)
}

func (p *picture) mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	for i, n := range p.nodes {
		fmt.Fprintf(&b, "  n%d%s\n", i, mermaidShape(n))
	}
	for i, e := range p.edges {
		if label := mermaidText(e.label); label != "" {
			fmt.Fprintf(&b, "  n%d -->|\"%s\"| n%d\n", e.from, label, e.to)
		} else {
			fmt.Fprintf(&b, "  n%d --> n%d\n", e.from, e.to)
		}
		if e.bad {
			fmt.Fprintf(&b, "  linkStyle %d stroke:red\n", i)
		}
	}
	return b.String()
}

// rows is the route in formats of rows: one for each step, those at a server below its arrival.
func (r *route) rows(p *render.Page) {
	t := p.Table("Route", render.Column{Name: "Server"}, render.Column{Name: "Hop"}, render.Column{Name: "Offset"}, render.Column{Name: "Event"}, render.Column{Name: "Kind"},
		render.Column{Name: "Name"}, render.Column{Name: "ID"}, render.Column{Name: "Account"}, render.Column{Name: "Subject"}, render.Column{Name: "Queue"},
		render.Column{Name: "Stream"}, render.Column{Name: "Action"}, render.Column{Name: "Error"})
	r.stationRows(t, r.Root, 0, render.Span(0))
}

func (r *route) stationRows(t *render.Table, st *station, hop int, after render.Span) {
	t.Row(st.Server, hop, after, "ingress", st.From.Kind, st.From.Name, st.From.ID, st.From.Account, "", "", "", "", st.From.Error)
	for _, s := range st.Steps {
		to, id := peer{}, any("")
		if s.To != nil {
			to, id = *s.To, s.To.ID
		}
		failed := s.Error
		if s.Silent {
			failed = "no report"
		}
		t.Row(st.Server, hop, render.Span(s.After), s.Type, to.Kind, to.Name, id, s.Account, s.Subject, s.Queue, s.Stream, s.Outcome, failed)
		if s.Next != nil {
			r.stationRows(t, s.Next, hop+1, render.Span(s.Next.arrived.Sub(s.at)))
		}
	}
}
