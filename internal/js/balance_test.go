package js_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/js"
)

func TestBalance(t *testing.T) {
	t.Parallel()
	led := func(leaders string, others ...string) []js.Led {
		var out []js.Led
		for i, l := range leaders {
			var rest []string
			for _, o := range others {
				if o != string(l) {
					rest = append(rest, o)
				}
			}
			out = append(out, js.Led{Name: fmt.Sprintf("S%d", i), Cluster: "C", Leader: string(l), Others: rest})
		}
		return out
	}
	rows := []struct {
		name  string
		in    []js.Led
		moves int
		most  int // the largest difference afterwards
	}{
		{"none", nil, 0, 0},
		{"even", led("abc", "a", "b", "c"), 0, 0},
		{"one off", led("aabc", "a", "b", "c"), 0, 1},
		{"3/1/0", led("aaab", "a", "b", "c"), 1, 1},
		{"2/2/0", led("aabb", "a", "b", "c"), 1, 1},
		{"9/0/0", led("aaaaaaaaa", "a", "b", "c"), 6, 0},
		{"a chain", []js.Led{
			{Name: "1", Leader: "a", Others: []string{"b"}}, {Name: "2", Leader: "a", Others: []string{"b"}}, {Name: "3", Leader: "b", Others: []string{"c"}}}, 2, 0},
		{"nobody to take over", []js.Led{{Name: "1", Leader: "a", Others: []string{"b"}}, {Name: "2", Leader: "c", Others: []string{"d"}}, {Name: "3", Leader: "c", Others: []string{"d"}}}, 1, 1},
	}
	for _, r := range rows {
		moves := js.Balance(r.in)
		count := map[string]int{}
		for _, l := range r.in {
			leader := l.Leader
			for _, m := range moves {
				if m.Name == l.Name {
					if m.From != leader || !slices.Contains(append(slices.Clone(l.Others), l.Leader), m.To) {
						t.Errorf("%s: impossible move %+v", r.name, m)
					}
					leader = m.To
				}
			}
			count[leader]++
			for _, o := range l.Others {
				count[o] += 0
			}
		}
		low, high := 1<<30, 0
		for _, n := range count {
			low, high = min(low, n), max(high, n)
		}
		if len(moves) != r.moves || len(count) > 0 && high-low > r.most {
			t.Errorf("%s: %d moves %+v, %v", r.name, len(moves), moves, count)
		}
	}
}

func TestLedOf(t *testing.T) {
	t.Parallel()
	if _, ok := js.LedOf("X", nil); ok {
		t.Error("without a cluster")
	}
	if _, ok := js.LedOf("X", &api.ClusterInfo{Leader: "a"}); ok {
		t.Error("alone")
	}
	l, ok := js.LedOf("X", &api.ClusterInfo{Name: "C", Leader: "a", Replicas: []*api.PeerInfo{{Name: "b", Current: true}, {Name: "c"}, {Name: "d", Current: true, Offline: true}}})
	if !ok || !slices.Equal(l.Others, []string{"b"}) {
		t.Errorf("%+v", l)
	}
}
