package traffic

import (
	"bytes"
	"time"

	"github.com/natskit/natskit/internal/render"
)

// second is what came in one second, or with total in all of them.
type second struct {
	Time    time.Time `json:"time"`
	Raft    raft      `json:"raft"`
	Cluster cluster   `json:"cluster"`
	General general   `json:"general"`
	Total   bool      `json:"total,omitempty"`
}

// raft is the traffic of the groups that replicate streams and consumers.
type raft struct {
	Vote       uint64 `json:"vote"`
	Append     uint64 `json:"append"`
	Reply      uint64 `json:"reply"`
	RemovePeer uint64 `json:"remove_peer"`
	Proposal   uint64 `json:"proposal"`
	Messages   uint64 `json:"messages"`
}

// cluster is the traffic by which the servers of a cluster run JetStream.
type cluster struct {
	Update       uint64 `json:"jsa_update"`
	StreamInfo   uint64 `json:"stream_info"`
	ConsumerInfo uint64 `json:"consumer_info"`
	StreamSync   uint64 `json:"stream_sync"`
	Reply        uint64 `json:"reply"`
	Messages     uint64 `json:"messages"`
}

// general is all other traffic.
type general struct {
	Requests uint64 `json:"requests"`
	API      uint64 `json:"js_api"`
	Ack      uint64 `json:"js_ack"`
	System   uint64 `json:"system"`
	Rest     uint64 `json:"rest"`
	Bytes    uint64 `json:"bytes"`
	Messages uint64 `json:"messages"`
}

// count puts one message into its place.
func (s *second) count(subject []byte, request bool, size int) {
	begins := func(prefix string) bool { return bytes.HasPrefix(subject, []byte(prefix)) }
	if len(subject) > 0 && subject[0] == '$' {
		switch {
		case begins("$NRG."):
			s.Raft.count(begins)
			return
		case begins("$JSC."):
			s.Cluster.count(begins)
			return
		}
	}
	g := &s.General
	g.Messages++
	g.Bytes += uint64(size)
	switch {
	case begins("$JS.API."):
		g.API++
	case begins("$JS.ACK."):
		g.Ack++
	case begins("$SYS."):
		g.System++
	case request:
		g.Requests++
	default:
		g.Rest++
	}
}

func (r *raft) count(begins func(string) bool) {
	r.Messages++
	switch {
	case begins("$NRG.V."):
		r.Vote++
	case begins("$NRG.AE."):
		r.Append++
	case begins("$NRG.R."):
		r.Reply++
	case begins("$NRG.RP."):
		r.RemovePeer++
	case begins("$NRG.P."):
		r.Proposal++
	}
}

func (c *cluster) count(begins func(string) bool) {
	c.Messages++
	switch {
	case begins("$JSC.ARU."):
		c.Update++
	case begins("$JSC.SI."):
		c.StreamInfo++
	case begins("$JSC.CI."):
		c.ConsumerInfo++
	case begins("$JSC.SYNC."):
		c.StreamSync++
	case begins("$JSC.ACK."), begins("$JSC.R."):
		c.Reply++
	}
}

func (s *second) add(o *second) {
	s.Raft.Vote += o.Raft.Vote
	s.Raft.Append += o.Raft.Append
	s.Raft.Reply += o.Raft.Reply
	s.Raft.RemovePeer += o.Raft.RemovePeer
	s.Raft.Proposal += o.Raft.Proposal
	s.Raft.Messages += o.Raft.Messages
	s.Cluster.Update += o.Cluster.Update
	s.Cluster.StreamInfo += o.Cluster.StreamInfo
	s.Cluster.ConsumerInfo += o.Cluster.ConsumerInfo
	s.Cluster.StreamSync += o.Cluster.StreamSync
	s.Cluster.Reply += o.Cluster.Reply
	s.Cluster.Messages += o.Cluster.Messages
	s.General.Requests += o.General.Requests
	s.General.API += o.General.API
	s.General.Ack += o.General.Ack
	s.General.System += o.General.System
	s.General.Rest += o.General.Rest
	s.General.Bytes += o.General.Bytes
	s.General.Messages += o.General.Messages
}

// View is the tables of one second; in formats of rows the general one alone, so that all have the same columns.
func (s second) View(p *render.Page) { seconds{s}.View(p) }

// seconds are several of them, the latest last.
type seconds []second

// View is a table for each kind of traffic that there was.
func (l seconds) View(p *render.Page) {
	var sum second
	for i := range l {
		sum.add(&l[i])
	}
	suffix := " per second"
	if len(l) == 1 && l[0].Total {
		suffix = " in all"
	}
	rows := p.Options().Kind != render.Text && p.Options().Kind != render.Wide
	if sum.Raft.Messages > 0 && !rows {
		t := p.Table("Raft Traffic"+suffix, columns("Vote", "Append", "Reply", "Remove Peer", "Proposal", "Total Messages")...)
		for _, s := range l {
			r := s.Raft
			t.Row(counts(r.Vote, r.Append, r.Reply, r.RemovePeer, r.Proposal, r.Messages)...)
		}
	}
	if sum.Cluster.Messages > 0 && !rows {
		t := p.Table("Cluster Traffic"+suffix, columns("JSA Update", "Stream Info", "Consumer Info", "Stream Sync", "Reply", "Total Messages")...)
		for _, s := range l {
			c := s.Cluster
			t.Row(counts(c.Update, c.StreamInfo, c.ConsumerInfo, c.StreamSync, c.Reply, c.Messages)...)
		}
	}
	cols := columns("Requests", "JS API", "JS ACK", "System", "Rest", "Total Bytes", "Total Messages")
	if rows {
		cols = append([]render.Column{{Name: "Time"}}, cols...)
	}
	t := p.Table("General Traffic"+suffix, cols...)
	for _, s := range l {
		g := s.General
		row := append(counts(g.Requests, g.API, g.Ack, g.System, g.Rest), render.Bytes(g.Bytes), render.Count(g.Messages))
		if rows {
			row = append([]any{render.At(s.Time)}, row...)
		}
		t.Row(row...)
	}
}

func columns(names ...string) []render.Column {
	var out []render.Column
	for _, n := range names {
		out = append(out, render.Column{Name: n, Align: render.Right})
	}
	return out
}

func counts(values ...uint64) []any {
	var out []any
	for _, v := range values {
		out = append(out, render.Count(v))
	}
	return out
}
