package jscmd

import (
	"fmt"
	"maps"
	"slices"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/render"
)

// ViewMetadata is the section of what users keep with a stream or consumer; what the server keeps there is left out.
func ViewMetadata(p *render.Page, metadata map[string]string) {
	meta := jsm.FilterServerMetadata(metadata)
	if len(meta) == 0 {
		return
	}
	p.Section("Metadata")
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		p.Field(k, meta[k])
	}
}

// ViewHost tells which server stores a stream or consumer and which API level it needs, by its metadata.
func ViewHost(p *render.Page, meta map[string]string) {
	if v := meta[api.JSMetaCurrentServerVersion]; v != "" {
		p.Field("Host Version", v)
		p.Field("Required API Level", fmt.Sprintf("%d hosted at level %s", js.LevelOf(meta), meta[api.JSMetaCurrentServerLevel]))
	}
}

// ViewPeers shows the leader and the other peers.
func ViewPeers(p *render.Page, c *api.ClusterInfo) {
	if c.Leader != "" && c.LeaderSince != nil {
		p.Field("Leader", render.Sprintf("%s (%s)", c.Leader, render.Span(p.Options().Now.Sub(*c.LeaderSince))))
	} else {
		p.Field("Leader", c.Leader)
	}
	for _, r := range c.Replicas {
		p.Field("Replica", replica(r))
	}
}

func replica(r *api.PeerInfo) render.Cell {
	format, args := "%s", []any{r.Name}
	add := func(f string, a ...any) { format, args = format+", "+f, append(args, a...) }
	if r.Current {
		add("%s", render.Good("current"))
	} else {
		add("%s", render.Warn("outdated"))
	}
	if r.Offline {
		add("%s", render.Bad("OFFLINE"))
	}
	if r.Active > 0 {
		add("seen %s ago", render.Span(r.Active))
	} else {
		add("not seen")
	}
	if r.Pending {
		add("(pending)")
	}
	switch {
	case r.Lag == 1:
		add("1 operation behind")
	case r.Lag > 1:
		add("%s operations behind", render.Count(r.Lag))
	}
	return render.Sprintf(format, args...)
}

// ViewMigration shows a change of peers or placement that is under way; d is nil when there is none. more, which may be nil, adds
// what else is known of it.
func ViewMigration(p *render.Page, d *api.DesiredClusterInfo, more func(*api.DesiredClusterInfo)) {
	if d == nil {
		return
	}
	p.Indent(func() {
		p.Section("Cluster Migration Status")
		if s := d.Status; s != nil {
			p.FieldIf(s.Description != "", "Status", s.Description)
			p.FieldIf(s.Type != "", "Type", string(s.Type))
			p.FieldIf(s.Err != "", "Error", render.Bad(s.Err))
		}
		p.Field("Created", render.Sprintf("%s (%s)", render.At(d.Created), render.Span(p.Options().Now.Sub(d.Created))))
		if more != nil {
			more(d)
		}
		peers := make(render.Lines, 0, len(d.Replicas))
		for _, r := range d.Replicas {
			name := r.Name
			if r.Offline {
				name += " (offline)"
			}
			peers = append(peers, name)
		}
		p.FieldIf(len(peers) > 0, "Desired Peers", peers)
	})
}

// ViewMissing shows what a list lacks. one is the noun of its entries: Stream or Consumer.
func ViewMissing(p *render.Page, one string, c js.Coverage) {
	if n := len(c.Missing); n > 0 {
		p.Gap()
		t := p.Table("Inaccessible "+one+"s", make([]render.Column, min(n, 4))...)
		for part := range slices.Chunk(slices.Sorted(slices.Values(c.Missing)), 4) {
			cells := make([]any, 0, 4)
			for _, name := range part {
				cells = append(cells, render.Bad(name))
			}
			t.Row(cells...)
		}
	}
	if len(c.Offline) > 0 {
		p.Gap()
		t := p.Table("Offline "+one+"s", render.Column{Name: one}, render.Column{Name: "Reason"})
		for _, name := range slices.Sorted(maps.Keys(c.Offline)) {
			t.Row(name, render.Bad(c.Offline[name]))
		}
	}
}

// Names is a list of names, one a line.
type Names []string

// JSON never is null.
func (n Names) JSON() any { return append([]string{}, n...) }

// View writes one name a line; formats with columns get a column.
func (n Names) View(p *render.Page) {
	if Wordy(p) {
		for _, s := range n {
			p.Line("%s", s)
		}
		return
	}
	t := p.Table("", render.Column{Name: "Name"})
	for _, s := range n {
		t.Row(s)
	}
}
