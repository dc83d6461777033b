package js

import (
	"cmp"
	"maps"
	"slices"

	"github.com/nats-io/jsm.go/api"
)

// Led is something that a server leads and others could lead: a stream or a consumer with replicas.
type Led struct {
	Name    string
	Cluster string
	Leader  string
	Others  []string // servers that are current and could take over
}

// LedOf is a stream as Balance sees it; ok is false for one that has no leader or nobody else to lead it.
func LedOf(name string, c *api.ClusterInfo) (l Led, ok bool) {
	if c == nil || c.Leader == "" {
		return l, false
	}
	l = Led{Name: name, Cluster: c.Name, Leader: c.Leader}
	for _, p := range c.Replicas {
		if p.Current && !p.Offline && p.Name != "" {
			l.Others = append(l.Others, p.Name)
		}
	}
	return l, len(l.Others) > 0
}

// Move is a change of leader.
type Move struct {
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
}

// Balance plans changes of leader after which, in each cluster, no server leads two more than another that could
// take over from it, directly or by a chain of changes.
func Balance(all []Led) []Move {
	clusters := map[string][]Led{}
	for _, l := range all {
		l.Others = slices.Clone(l.Others)
		clusters[l.Cluster] = append(clusters[l.Cluster], l)
	}
	var moves []Move
	for _, name := range slices.Sorted(maps.Keys(clusters)) {
		moves = append(moves, balanceCluster(clusters[name])...)
	}
	return moves
}

func balanceCluster(all []Led) []Move {
	count := map[string]int{}
	for _, l := range all {
		count[l.Leader]++
		for _, o := range l.Others {
			count[o] += 0
		}
	}
	servers := slices.Sorted(maps.Keys(count))
	var moves []Move
	for {
		slices.SortStableFunc(servers, func(a, b string) int { return cmp.Compare(count[b], count[a]) })
		chain := nextChain(all, servers, count)
		if chain == nil {
			return moves
		}
		for _, i := range chain {
			to := i.to
			l := &all[i.item]
			moves = append(moves, Move{l.Name, l.Leader, to})
			count[l.Leader]--
			count[to]++
			l.Others[slices.Index(l.Others, to)] = l.Leader
			l.Leader = to
		}
	}
}

// step is one change: an item gets another leader.
type step struct {
	item int
	to   string
}

// nextChain finds a chain of changes from the most laden server that has one to the server with the fewest, if that has at least
// two fewer; of several the nearest.
func nextChain(all []Led, servers []string, count map[string]int) []step {
	for _, from := range servers {
		came := map[string]step{from: {item: -1}}
		best := from
		for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
			at := queue[0]
			if count[at] < count[best] {
				best = at
			}
			for i, l := range all {
				if l.Leader != at {
					continue
				}
				for _, o := range l.Others {
					if _, seen := came[o]; !seen {
						came[o] = step{i, o}
						queue = append(queue, o)
					}
				}
			}
		}
		if count[best] > count[from]-2 {
			continue
		}
		var chain []step
		for at := best; came[at].item >= 0; at = all[came[at].item].Leader {
			chain = append(chain, came[at])
		}
		return chain
	}
	return nil
}
