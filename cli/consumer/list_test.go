package consumer

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/consumers"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestLs(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	if out := c.OK("consumer ls ORDERS").Out; out != "No Consumers defined\n" {
		t.Errorf("%s", out)
	}
	if out := c.OK("consumer ls ORDERS --json").Out; out != "[]\n" {
		t.Errorf("%s", out)
	}
	pull(t, srv, "B")
	testkit.Consumer(t, srv.JS(), "ORDERS", jetstream.ConsumerConfig{Durable: "A", Description: "first", AckPolicy: jetstream.AckExplicitPolicy})
	if out := c.OK("consumer ls ORDERS -n").Out; out != "A\nB\n" {
		t.Errorf("%s", out)
	}
	if names := decode[[]string](t, c.OK("consumer ls ORDERS --json").Out); strings.Join(names, " ") != "A B" {
		t.Errorf("%v", names)
	}
	type doc struct {
		Name   string `json:"name"`
		Config struct {
			Description string `json:"description"`
		} `json:"config"`
	}
	if d := decode[[]doc](t, c.OK("consumer ls ORDERS --details --json").Out); len(d) != 2 || d[0].Config.Description != "first" {
		t.Errorf("%+v", d)
	}
	contains(t, "table", c.OK("consumer ls ORDERS").Out, "Consumers", "Last Delivery", "first", "never")
	c.Fails(fail.NotFound, "consumer ls NOPE", "(10059)")
	c.Fails(fail.NotFound, "consumer ls NOPE -n", "(10059)")
	c.Fails(fail.Usage, "consumer ls", "<stream>")
	c.Answers(answering(t, "Select a Stream=ORDERS")).OK("consumer ls")
}

func TestInfo(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	pull(t, srv, "PULL")
	c.OK("consumer next ORDERS PULL")
	c.OK("consumer next ORDERS PULL --no-ack")
	out := c.OK("consumer state ORDERS PULL").Out
	contains(t, "state", out, "State for Consumer ORDERS > PULL created ", "Last Delivered Message: Consumer sequence: 2 Stream sequence: 2 Last delivery: ",
		"Acknowledgment Floor: Consumer sequence: 1 Stream sequence: 1 Last Ack: ", "Outstanding Acks: 1 out of maximum 1,000\n", "Redelivered Messages: 0\n",
		"Unprocessed Messages: 5\n", "Waiting Pulls: 0 of maximum 512\n", "Required API Level: 0 hosted at level ")
	if strings.Contains(out, "Configuration") {
		t.Errorf("%s", out)
	}
	r := c.Fails(fail.NotFound, "consumer info ORDERS PUL", "ORDERS > PUL", "(10014)")
	if r.Out != "" {
		t.Errorf("%s", r.Out)
	}
	c.TTY(0).Fails(fail.NotFound, "consumer info ORDERS PUL", "PULL")
	c.Fails(fail.NotFound, "consumer info ORDRES PULL", "(10059)")
	c.Fails(fail.Usage, "consumer info ORDERS", "<consumer>")
	c.Fails(fail.Usage, "consumer info --no-select ORDERS", "<consumer>")
	c.Answers(answering(t, "Select a Stream=ORDERS", "Select a Consumer=PULL")).OK("consumer info")
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "KV_B", Subjects: []string{"b"}})
	c.Answers(answering(t, "Select a Stream=KV_B")).Fails(fail.NotFound, "consumer -a info", "no Consumers")
}

func TestFind(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	pull(t, srv, "PULL")
	c.OK("consumer add ORDERS PUSH --target p --ack none --defaults")
	for flags, want := range map[string]string{
		"--pull": "PULL\n", "--push": "PUSH\n", "--push --invert": "PULL\n", "--bound": "", "--pending 100": "PULL\nPUSH\n", "--pending 3": "", "--replicas 1": "PULL\nPUSH\n",
		"--idle 1h": "PULL\nPUSH\n", "--created 1h": "", "--created 0s": "PULL\nPUSH\n", "--leader x": "", "--pinned": "", "--api-level 9": "",
		"--expression 'state.num_pending > 0 and config.deliver_subject == \"p\"'": "PUSH\n", "--expression 'state.numpending > 100'": "",
	} {
		if out := c.OK("consumer find ORDERS " + flags).Out; out != want {
			t.Errorf("%s: %q, want %q", flags, out, want)
		}
	}
	c.OK("consumer next ORDERS PULL")
	if out := c.OK("consumer find ORDERS --idle 1h").Out; out != "PUSH\n" {
		t.Errorf("%s", out)
	}
	c.Fails(fail.Usage, "consumer find ORDERS --pull --push", "--pull and --push")
	c.Fails(fail.Usage, "consumer find ORDERS --expression foo.bar", "--expression", "foo")
	contains(t, "table", c.OK("consumer find ORDERS --pull --table").Out, "Consumers", "PULL", "Ack Pending")
	type doc struct {
		Name string `json:"name"`
	}
	if d := decode[[]doc](t, c.OK("consumer find ORDERS --pull --json").Out); len(d) != 1 || d[0].Name != "PULL" {
		t.Errorf("%+v", d)
	}
	if out := c.OK("consumer find ORDERS --pinned --json").Out; out != "[]\n" {
		t.Errorf("%s", out)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	pull(t, srv, "C1")
	out := c.OK("consumer report ORDERS").Out
	contains(t, "report", out, "Consumer report for ORDERS with 1 consumers", "│ Consumer │ Mode │ Ack Policy │ Ack Wait │ Ack Pending │ Redelivered │ Unprocessed │ Ack Floor │ API Level │ Cluster │",
		"│ C1       │ Pull │ Explicit   │ 30.00s   │ 0           │ 0           │ 7 / 100%    │ 0         │ 0         │         │")
	contains(t, "raw", c.OK("consumer report ORDERS --raw").Out, "│ 30s      │", "│ 7           │")
	type doc struct {
		Consumers []struct {
			Name  string `json:"name"`
			Share int    `json:"num_pending_percent"`
		} `json:"consumers"`
	}
	if d := decode[doc](t, c.OK("consumer report ORDERS --json").Out); len(d.Consumers) != 1 || d.Consumers[0].Share != 100 {
		t.Errorf("%+v", d)
	}
	contains(t, "no leaders", c.OK("consumer report ORDERS --leaders").Out, "none of these consumers is in a cluster")
	c.Fails(fail.NotFound, "consumer report NOPE", "(10059)")
}

const full1 = `{"type":"io.nats","stream_name":"ORDERS","name":"F1","created":"2026-01-02T14:00:00Z","config":{"durable_name":"F1","name":"F1","description":"two filt","ack_policy":"explicit","ack_wait":1000000000,
"deliver_policy":"by_start_time","opt_start_time":"2026-01-01T00:00:00Z","filter_subjects":["orders.s1","orders.\u003e"],"max_deliver":21,"sample_freq":"50","max_ack_pending":1000,"max_waiting":7,"headers_only":true,"inactive_threshold":3600000000000,
"max_expires":5000000000,"max_batch":10,"max_bytes":1024,"replay_policy":"original","num_replicas":3,"mem_storage":true,"pause_until":"2026-01-02T16:04:05Z","priority_groups":["g1","g2"],"priority_policy":"pinned_client","priority_timeout":30000000000,
"backoff":[1000000000,2000000000,3000000000,4000000000,5000000000,6000000000,7000000000,8000000000,9000000000,10000000000,11000000000,12000000000,13000000000,14000000000,15000000000,16000000000],
"future_setting":{"a":1},"metadata":{"a":"b","_nats.ver":"2.15.2","_nats.level":"5","_nats.req.level":"1","_nats.src.stream":"COPY"}},
"delivered":{"consumer_seq":15,"stream_seq":20,"last_active":"2026-01-02T15:03:55Z"},"ack_floor":{"consumer_seq":2,"stream_seq":6},"num_ack_pending":1234,"num_redelivered":1,"num_waiting":2,"num_pending":12345,"paused":true,"pause_remaining":3600000000000,
"priority_groups":[{"group":"g1","pinned_client_id":"abc","pinned_ts":"2026-01-02T15:00:00Z"},{"group":"g2"}],
"cluster":{"name":"C1","raft_group":"C-R3F-Z","leader":"n2","replicas":[{"name":"n1","current":true,"active":166000,"peer":"x"},{"name":"n3","current":false,"offline":true,"active":0,"lag":5,"peer":"y"}]},"ts":"2026-01-02T15:04:05Z"}`

const push1 = `{"stream_name":"ORDERS","name":"P","created":"2026-01-02T14:00:00Z","config":{"durable_name":"P","ack_policy":"none","deliver_policy":"by_start_sequence","opt_start_seq":5,"deliver_subject":"p2","deliver_group":"grp","replay_policy":"instant",
"rate_limit_bps":1000000,"idle_heartbeat":5000000000,"flow_control":true,"max_deliver":-1,"num_replicas":0},"delivered":{"consumer_seq":0,"stream_seq":0},"ack_floor":{"consumer_seq":0,"stream_seq":0},"push_bound":true,"ts":"2026-01-02T15:04:05Z"}`

func TestGoldens(t *testing.T) {
	t.Parallel()
	f, p := sample(t, full1), sample(t, push1)
	viewtest.Golden(t, "info", screen{Consumer: f})
	viewtest.Golden(t, "info_push", screen{Consumer: p})
	viewtest.Golden(t, "state", screen{Consumer: f, stateOnly: true})
	viewtest.Golden(t, "ls", listing{consumers: []consumers.Consumer{f, p}, cover: js.Coverage{Total: 4, Rows: 2, Missing: []string{"LOST"}, Offline: map[string]string{"OFF": "unsupported"}}})
	r := report{Stream: "ORDERS", Messages: 20000, Consumers: []reportRow{newReportRow(f, 20000), newReportRow(p, 20000)}, Leaders: []leaderRow{}, leaders: true}
	r.countLeaders()
	viewtest.Golden(t, "report", r)
	viewtest.Golden(t, "removal", removal{DryRun: true, Stream: "ORDERS", Consumer: "F1", Unprocessed: 12345, AckPending: 3, Counted: true})
	viewtest.Golden(t, "paused", paused{"ORDERS", "C", true, viewtest.Now.Add(3600e9), 3600e9})
	viewtest.Golden(t, "unpinned", unpinned{"ORDERS", "C", "g", "abc"})
	viewtest.Golden(t, "reset", resetResult{at(p), at(f), f})
	viewtest.Golden(t, "edit", edited{Stream: "ORDERS", Name: "C", DryRun: true, Changes: []jsconf.Change{{Path: "max_deliver", Old: []byte("-1"), New: []byte("9")}}})
}
