package consumers

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/jsconf"
)

var now = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func TestParseStart(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Start{
		"all": {Policy: "all"}, "last": {Policy: "last"}, "new": {Policy: "new"}, "next": {Policy: "new"},
		"subject": {Policy: "last_per_subject"}, "last_per_subject": {Policy: "last_per_subject"},
		"5":                    {Policy: "by_start_sequence", Sequence: 5},
		"18446744073709551615": {Policy: "by_start_sequence", Sequence: 1<<64 - 1},
		"1h":                   {Policy: "by_start_time", Time: now.Add(-time.Hour)},
		"2026-01-01T00:00:00Z": {Policy: "by_start_time", Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		got, err := ParseStart(text, now)
		if err != nil || got.Policy != want.Policy || got.Sequence != want.Sequence || !got.Time.Equal(want.Time) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "abc", "1h junk", "seq:5"} {
		if s, err := ParseStart(text, now); err == nil {
			t.Errorf("%q is %+v", text, s)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode  string
		steps int
		want  string
	}{
		{"linear", 3, "[1s 5.5s 10s]"}, {"linear", 1, "[1s]"}, {"linear", 2, "[1s 10s]"}, {"none", 3, "[]"}, {"1s,5s 1m", 0, "[1s 5s 1m0s]"},
	} {
		got, err := Backoff(c.mode, c.steps, time.Second, 10*time.Second)
		if err != nil || strings.ReplaceAll(strings.TrimSpace(sprint(got)), "  ", " ") != c.want {
			t.Errorf("%s %d: %v, %v, want %s", c.mode, c.steps, got, err, c.want)
		}
	}
	e, err := Backoff("exponential", 4, time.Second, 8*time.Second)
	if err != nil || len(e) != 4 || e[3] != 8*time.Second || e[1].Round(time.Millisecond) != 2*time.Second {
		t.Errorf("%v, %v", e, err)
	}
	for _, bad := range []struct {
		mode        string
		steps       int
		least, most time.Duration
	}{{"linear", 0, 1, 2}, {"linear", 5000, 1, 2}, {"linear", 3, 5, 2}, {"linear", 3, 0, 2}, {"quadratic", 3, 1, 2}, {"1s,x", 3, 1, 2}, {"", 3, 1, 2}, {"-1s", 3, 1, 2}} {
		if got, err := Backoff(bad.mode, bad.steps, bad.least, bad.most); err == nil {
			t.Errorf("%+v gives %v", bad, got)
		}
	}
}

func sprint(list []time.Duration) string {
	words := make([]string, 0, len(list))
	for _, d := range list {
		words = append(words, d.String())
	}
	return "[" + strings.Join(words, " ") + "]"
}

func TestParseUntil(t *testing.T) {
	t.Parallel()
	if u, err := ParseUntil("1h", now); err != nil || !u.Equal(now.Add(time.Hour)) {
		t.Errorf("%v, %v", u, err)
	}
	if u, err := ParseUntil("2027-01-01T00:00:00+02:00", now); err != nil || !u.Equal(time.Date(2026, 12, 31, 22, 0, 0, 0, time.UTC)) {
		t.Errorf("%v, %v", u, err)
	}
	local := time.Date(2027, 1, 1, 12, 0, 0, 0, time.Local)
	if u, err := ParseUntil("2027-01-01 12:00:00", now); err != nil || !u.Equal(local) {
		t.Errorf("%v, %v, want %v", u, err, local)
	}
	for _, bad := range []string{"", "-1h", "0", "2020-01-01T00:00:00Z", "tomorrow", "seq:5"} {
		if u, err := ParseUntil(bad, now); err == nil {
			t.Errorf("%q is %v", bad, u)
		}
	}
}

func config(t *testing.T, text string) *jsconf.Config {
	t.Helper()
	c, err := jsconf.ParseWire([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDiff(t *testing.T) {
	t.Parallel()
	a := config(t, `{"durable_name":"C","name":"C","ack_policy":"explicit","ack_wait":30000000000,"max_deliver":-1,"max_ack_pending":1000,"max_waiting":512,
		"deliver_policy":"all","replay_policy":"instant","num_replicas":0,"metadata":{"_nats.level":"4"},"filter_subject":"a","future":1}`)
	same := config(t, `{"durable_name":"C","ack_policy":"explicit","filter_subjects":["a"],"future":1}`)
	if d, err := Diff(a, same); err != nil || len(d) != 0 {
		t.Errorf("%+v, %v", d, err)
	}
	b := config(t, `{"durable_name":"C","ack_policy":"explicit","max_deliver":9,"backoff":[1000000000,60000000000],"filter_subjects":["b","a"],"metadata":{"k":"v"},"num_replicas":3}`)
	d, err := Diff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range d {
		lines = append(lines, Lines(c)...)
	}
	want := "- ack_wait: 30s|+ ack_wait: 1s|+ backoff: 1s, 1m0s|+ filter_subjects: b|- future: 1|- max_deliver: unlimited|+ max_deliver: 9|+ metadata.k: v|+ num_replicas: 3"
	if got := strings.Join(lines, "|"); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	last := now.Add(-2 * time.Hour)
	c := Consumer{ConsumerInfo: api.ConsumerInfo{
		Name: "C", Created: now.Add(-time.Hour * 24), NumPending: 5, NumAckPending: 0, NumWaiting: 1, Delivered: api.SequenceInfo{Consumer: 3, Last: &last},
		Config: api.ConsumerConfig{Durable: "C", Replicas: 3, Metadata: map[string]string{"_nats.req.level": "1"}},
	}}
	hour, day2 := time.Hour, 48*time.Hour
	for name, row := range map[string]struct {
		q    Query
		want bool
	}{
		"pull": {Query{Pull: true}, true}, "push": {Query{Push: true}, false}, "inverted push": {Query{Push: true, Invert: true}, true},
		"bound": {Query{Bound: true}, true}, "waiting": {Query{Waiting: 2}, true}, "waiting too many": {Query{Waiting: 1}, false},
		"none pending acks": {Query{AckPending: 5}, false}, "inverted none": {Query{AckPending: 5, Invert: true}, false},
		"pending": {Query{Pending: 6}, true}, "inverted pending": {Query{Pending: 4, Invert: true}, true},
		"idle": {Query{Idle: &hour}, true}, "not idle that long": {Query{Idle: &day2}, false}, "created": {Query{Created: &hour}, true},
		"replicas": {Query{Replicas: 2}, false}, "leader": {Query{Leader: "n1"}, false}, "pinned": {Query{Pinned: true}, false}, "level": {Query{APILevel: 1}, true},
		"snake":     {Query{Expression: "state.num_pending > 0 and config.durable_name == 'C'"}, true},
		"reference": {Query{Expression: "state.numpending == 5 and state.delivered.consumer == 3"}, true},
		"struct":    {Query{Expression: "Info.NumPending > 5"}, false},
		"no leader": {Query{Expression: "state.cluster.leader == 'x'"}, false},
		"nil":       {Query{Expression: "info.ack_floor.last_active.x == 1"}, false},
	} {
		f, err := row.q.Compile(now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := f(c); err != nil || got != row.want {
			t.Errorf("%s: %v, %v, want %v", name, got, err, row.want)
		}
	}
	never := c
	never.Delivered.Last = nil
	if f, _ := (Query{Idle: &hour}).Compile(now); f != nil {
		if yes, _ := f(never); !yes {
			t.Error("a consumer that never delivered is idle")
		}
	}
	for _, q := range []Query{{Pull: true, Push: true}, {Expression: "foo.bar"}, {Expression: "1 + 1"}} {
		if err := q.Check(); err == nil {
			t.Errorf("%+v passes", q)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"durable_name":"C","ack_policy":"explicit","deliver_policy":"all","replay_policy":"instant"}`:                                       "",
		`{"durable_name":"a.b","ack_policy":"explicit","deliver_policy":"all","replay_policy":"instant"}`:                                     "a.b",
		`{"durable_name":"C","ack_policy":"none","deliver_policy":"all","replay_policy":"instant","rate_limit_bps":5}`:                        "rate limit",
		`{"durable_name":"C","ack_policy":"none","deliver_policy":"all","replay_policy":"instant","deliver_subject":"p","max_waiting":5}`:     "max_waiting",
		`{"durable_name":"C","ack_policy":"explicit","deliver_policy":"all","replay_policy":"instant","max_deliver":2,"backoff":[1,2,3]}`:     "max_deliver",
		`{"durable_name":"C","ack_policy":"explicit","deliver_policy":"all","replay_policy":"instant","filter_subject":"a..b"}`:               "empty token",
		`{"durable_name":"C","ack_policy":"explicit","deliver_policy":"by_start_sequence","opt_start_seq":1,"replay_policy":"instant"}`:       "",
		`{"durable_name":"C","ack_policy":"sometimes","deliver_policy":"all","replay_policy":"instant","pause_until":"0001-01-01T00:00:00Z"}`: "ack_policy",
	} {
		reasons, err := Validate(config(t, text))
		if got := strings.Join(reasons, "; "); err != nil || (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
}
