package jscmd

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nats-io/jsm.go/api"
)

// Peer is a server that keeps a stream or consumer, as reports show it.
type Peer struct {
	Name    string `json:"name"`
	Leader  bool   `json:"leader"`
	Current bool   `json:"current"`
	Offline bool   `json:"offline"`
}

// Peers are the servers of a cluster's group, the leader among them, sorted by name. On a single server there are none.
func Peers(c *api.ClusterInfo) []Peer {
	out := []Peer{}
	if c == nil || c.Name == "" {
		return out
	}
	if c.Leader != "" {
		out = append(out, Peer{Name: c.Leader, Leader: true, Current: true})
	}
	for _, p := range c.Replicas {
		out = append(out, Peer{Name: p.Name, Current: p.Current, Offline: p.Offline})
	}
	slices.SortFunc(out, func(a, b Peer) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// PeerNames are the peers without the domain that all have in common, the leader with * and what is not well with !.
func PeerNames(peers []Peer) string {
	list := make([]string, 0, len(peers))
	for _, p := range peers {
		list = append(list, p.Name)
	}
	list = WithoutDomain(list)
	for i, p := range peers {
		switch {
		case p.Leader:
			list[i] += "*"
		case p.Offline || !p.Current:
			list[i] += "!"
		}
	}
	return strings.Join(list, ", ")
}
