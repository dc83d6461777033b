package stream

import (
	"fmt"
	"strings"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
)

// View is the table of streams, then those of replication and leaders; or the picture.
func (r report) View(p *render.Page) {
	if r.diagram != "" && jscmd.Wordy(p) {
		p.Block(strings.Split(strings.TrimSuffix(js.Diagram(r.diagram, r.edges()), "\n"), "\n"))
		return
	}
	if len(r.Streams) == 0 && jscmd.Wordy(p) && r.cover.Complete() {
		p.Line("No Streams defined")
		return
	}
	r.viewStreams(p)
	if !jscmd.Wordy(p) {
		return
	}
	if len(r.Replication) > 0 {
		p.Gap()
		r.viewReplication(p)
	}
	switch {
	case r.leaders && len(r.Leaders) > 0:
		p.Gap()
		r.viewLeaders(p)
	case r.leaders:
		p.Gap()
		p.Line("No leaders: none of these streams is in a cluster")
	}
	jscmd.ViewMissing(p, "Stream", r.cover)
}

func (r report) count(n uint64) any {
	if r.raw {
		return plainNumber(n)
	}
	return render.Count(n)
}

func (r report) bytes(n uint64) any {
	if r.raw {
		return plainNumber(n)
	}
	return render.Bytes(n)
}

func (r report) viewStreams(p *render.Page) {
	t := p.Table("Stream Report", render.Column{Name: "Stream"}, render.Column{Name: "Storage", Drop: 3}, render.Column{Name: "Placement", Drop: 4}, render.Column{Name: "Consumers"},
		render.Column{Name: "Messages"}, render.Column{Name: "Bytes"}, render.Column{Name: "Lost", Drop: 2}, render.Column{Name: "Deleted", Drop: 2}, render.Column{Name: "API Level", Drop: 5},
		render.Column{Name: "Replicas", Drop: 1})
	for _, s := range r.Streams {
		var lost any = r.count(0)
		if s.Lost > 0 {
			lost = render.Bad(fmt.Sprintf("%s (%s)", render.HumaneCount(uint64(s.Lost)), render.HumaneBytes(s.LostBytes)))
		}
		t.Row(render.Key(s.Name), s.Storage, placement(s.Placement), r.count(uint64(s.Consumers)), r.count(s.Messages), r.bytes(s.Bytes), lost, r.count(uint64(s.Deleted)),
			r.count(uint64(s.APILevel)), jscmd.PeerNames(s.Peers))
	}
}

func (r report) viewReplication(p *render.Page) {
	t := p.Table("Replication Report", render.Column{Name: "Stream"}, render.Column{Name: "Kind"}, render.Column{Name: "API Prefix", Drop: 2}, render.Column{Name: "Source Stream"},
		render.Column{Name: "Filters and Transforms", Drop: 1}, render.Column{Name: "Active"}, render.Column{Name: "Lag"}, render.Column{Name: "Error"})
	for _, s := range r.Replication {
		lines := render.Lines{}
		if s.Filter != "" {
			lines = append(lines, s.Filter)
		}
		for _, tr := range s.Transforms {
			lines = append(lines, jscmd.FilterAndTransform(tr))
		}
		t.Row(s.Stream, s.Kind, s.APIPrefix, s.Source, lines, jscmd.LastSeen(s.Active), r.count(s.Lag), render.Bad(s.Error))
	}
}

func (r report) viewLeaders(p *render.Page) {
	all := 0
	for _, l := range r.Leaders {
		all += l.Streams
	}
	t := p.Table("RAFT Leader Report", render.Column{Name: "Server"}, render.Column{Name: "Cluster"}, render.Column{Name: "Streams"}, render.Column{Name: "Distribution"})
	for _, l := range r.Leaders {
		t.Row(render.Key(l.Server), l.Cluster, r.count(uint64(l.Streams)), jscmd.Stars(l.Streams, all))
	}
}
