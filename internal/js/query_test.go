package js_test

import (
	"testing"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
)

func TestQuery(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	single := api.StreamInfo{
		Config: api.StreamConfig{Name: "A", Subjects: []string{"orders.new"}, Replicas: 1, MaxAge: time.Hour},
		State:  api.StreamState{Msgs: 7, Consumers: 2, LastTime: now.Add(-time.Minute)}, Created: now.Add(-time.Hour),
	}
	clustered := single
	clustered.Config.Mirror = &api.StreamSource{Name: "M"}
	clustered.Config.Replicas = 3
	clustered.Config.Metadata = map[string]string{api.JsMetaRequiredServerLevel: "2"}
	clustered.TimeStamp = now
	clustered.Cluster = &api.ClusterInfo{Name: "C1", Leader: "n1", LeaderSince: ptr(now.Add(-time.Hour)), Replicas: []*api.PeerInfo{{Name: "n2"}}}
	day, second := 24*time.Hour, time.Second
	rows := []struct {
		name      string
		q         js.Query
		one, many bool
	}{
		{"none", js.Query{}, true, true},
		{"empty", js.Query{Empty: true}, false, false},
		{"not empty", js.Query{Empty: true, Invert: true}, true, true},
		{"created", js.Query{Created: &second}, true, true},
		{"created long ago", js.Query{Created: &day}, false, false},
		{"idle", js.Query{Idle: &second}, true, true},
		{"consumers", js.Query{Consumers: ptr(int64(1))}, false, false},
		{"cluster", js.Query{Cluster: "^C"}, false, true},
		{"server", js.Query{Server: "n2"}, false, true},
		{"not server", js.Query{Server: "n2", Invert: true}, true, false},
		{"leader", js.Query{Leader: "n1"}, false, true},
		{"replicas", js.Query{Replicas: 2}, true, false},
		{"mirrored", js.Query{Mirrored: true}, false, true},
		{"sourced", js.Query{Sourced: true}, false, false},
		{"subject", js.Query{Subject: "orders.*"}, true, true},
		{"other subject", js.Query{Subject: "x.>"}, false, false},
		{"level", js.Query{APILevel: 1}, false, true},
		{"state", js.Query{Expression: "state.messages > 5"}, true, true},
		{"Go names", js.Query{Expression: "Info.State.Msgs > 5"}, true, true},
		{"leader of none", js.Query{Expression: `info.cluster.leader == "n1"`}, false, true},
		{"duration words", js.Query{Expression: `config.max_age == "1h0m0s"`}, true, true},
		{"enumeration words", js.Query{Expression: `config.retention == "limits" and config.description == ""`}, true, true},
		{"below nothing", js.Query{Expression: `config.mirror.name == "M"`}, false, true},
		{"no time", js.Query{Expression: "config.mirror != nil and config.mirror.opt_start_time == nil"}, false, true},
		{"no time is no word", js.Query{Expression: `config.mirror != nil and config.mirror.opt_start_time == "<nil>"`}, false, false},
		{"a time", js.Query{Expression: `info.cluster.leader_since != nil and info.cluster.leader_since < info.ts`}, false, true},
		{"lower-case field names", js.Query{Expression: "state.msgs > 5"}, true, true},
		{"expression is not inverted", js.Query{Expression: "state.messages > 5", Invert: true}, true, true},
	}
	for _, r := range rows {
		f, err := r.q.Compile(now)
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		one, err1 := f(single)
		many, err2 := f(clustered)
		if err1 != nil || err2 != nil || one != r.one || many != r.many {
			t.Errorf("%s: %v %v, %v %v", r.name, one, many, err1, err2)
		}
	}
	for _, bad := range []js.Query{{Expression: "foo.bar"}, {Expression: "1 + 1"}, {Expression: "("}, {Server: "("}, {Cluster: "["}} {
		if _, err := bad.Compile(now); fail.CodeOf(err) != fail.Usage {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	f, err := js.Query{Expression: "config.max_age > 5"}.Compile(now)
	must(t, err)
	if _, err := f(single); fail.CodeOf(err) != fail.Usage {
		t.Errorf("comparing words with numbers: %v", err)
	}
}
