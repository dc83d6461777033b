package stream

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestInfo(t *testing.T) {
	t.Parallel()
	c, _ := withOrders(t)
	r := c.OK("stream info ORDERS")
	contains(t, "info", r.Out, "Information for Stream ORDERS created ", "Messages: 7\n", "Bytes: ", "First Sequence: 1 @ ", "Last Sequence: 7 @ ", "Number of Subjects: 2\n")
	r = c.OK("stream state ORDERS")
	if !strings.HasPrefix(r.Out, "State for Stream ORDERS created ") || strings.Contains(r.Out, "Limits") {
		t.Errorf("state %s", r.Out)
	}
	if same := c.OK("stream info ORDERS --state"); same.Out != r.Out {
		t.Errorf("info --state differs from state:\n%s\n%s", same.Out, r.Out)
	}
	type doc struct {
		Config struct {
			Name     string   `json:"name"`
			Subjects []string `json:"subjects"`
		} `json:"config"`
		State struct {
			Messages    int `json:"messages"`
			NumSubjects int `json:"num_subjects"`
		} `json:"state"`
	}
	out := c.OK("stream info ORDERS --json").Out
	if d := decode[doc](t, out); d.Config.Name != "ORDERS" || d.State.Messages != 7 || d.State.NumSubjects != 2 {
		t.Errorf("%+v", d)
	}
	contains(t, "JSON", out, `"orders.>"`)
	for _, verb := range []string{"info", "state"} {
		c.Fails(fail.NotFound, "stream "+verb+" ORDRES", "stream ORDRES", "(10059)", "did you mean ORDERS?")
		c.Fails(fail.Usage, "stream "+verb, "pass <stream>")
		c.Fails(fail.Usage, "stream "+verb+" --no-select", "--no-select")
		c.Fails(fail.Usage, "stream "+verb+" a.b")
	}
}

func TestChoiceOfAStream(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "B"})
	r := c.Answers(answering(t, "Select a Stream=ORDERS")).OK("stream info")
	contains(t, "info", r.Out, "Information for Stream ORDERS")
	r = c.Answers(answering(t, "Select a Stream=KV_B")).OK("stream info -a")
	contains(t, "info", r.Out, "Information for Stream KV_B")
	empty, _ := start(t)
	empty.Answers(answering(t)).Fails(fail.NotFound, "stream info", "no Streams are defined")
}

const paDoc = `{"config":{"name":"PA","subjects":["pa"],"retention":"limits","max_consumers":7,"max_msgs":-1,"max_msgs_per_subject":3,"max_bytes":-1,"max_age":5400000000000,
"max_msg_size":10240,"storage":"file","discard":"new","discard_new_per_subject":true,"num_replicas":1,"duplicate_window":120000000000,"compression":"s2","first_seq":100,
"subject_transform":{"src":"pa","dest":"x.pa"},"republish":{"src":"pa","dest":"rp"},"sealed":false,"deny_delete":false,"deny_purge":false,"allow_rollup_hdrs":true,
"allow_direct":true,"allow_msg_ttl":true,"subject_delete_marker_ttl":60000000000,"consumer_limits":{"inactive_threshold":3600000000000,"max_ack_pending":5},
"metadata":{"k":"v","_nats.ver":"2.14.3","_nats.req.level":"1","_nats.level":"4"},"brand_new":true},
"created":"2026-11-21T09:25:03Z","state":{"messages":7,"bytes":455,"first_seq":100,"first_ts":"2026-11-21T09:25:09Z","last_seq":107,"last_ts":"2026-11-21T09:25:09Z","num_deleted":1,
"num_subjects":2,"consumer_count":0},"ts":"2026-11-21T09:26:00Z","future":{"a":1}}`

const paText = `Information for Stream PA created 2026-11-21 09:25:03

                     Subjects: pa
                     Replicas: 1
                      Storage: File
                  Compression: S2 Compression
               First Sequence: 100

Options:

            Subject Transform: pa to x.pa
                 Republishing: pa to rp
                    Retention: Limits
              Acknowledgments: true
               Discard Policy: New Per Subject
             Duplicate Window: 2m0s
                   Direct Get: true
  Allows Atomic Batch Publish: false
    Allows Fast Batch Publish: false
              Allows Counters: false
            Allows Msg Delete: true
       Allows Per-Message TTL: true
                 Allows Purge: true
             Allows Schedules: false
   Subject Delete Markers TTL: 1m0s
               Allows Rollups: true

Limits:

             Maximum Messages: unlimited
          Maximum Per Subject: 3
                Maximum Bytes: unlimited
                  Maximum Age: 1h30m0s
         Maximum Message Size: 10 KiB
            Maximum Consumers: 7
  Consumer Inactive Threshold: 1h0m0s
     Consumer Max Ack Pending: 5

Metadata:

                            k: v

State:
`

const clusterDoc = `{"config":{"name":"R3","subjects":["r3"],"retention":"limits","storage":"file","discard":"old","num_replicas":3,"max_consumers":-1,"max_msgs":-1,"max_bytes":-1,
"sources":[{"name":"SRCA"},{"name":"NOPE","external":{"api":"$JS.far.API","deliver":""}}],"placement":{"cluster":"C1","tags":["az:3"]}},
"created":"2026-01-02T14:00:00Z","state":{"messages":1,"bytes":10,"first_seq":1,"first_ts":"2026-01-02T14:00:01Z","last_seq":1,"last_ts":"2026-01-02T14:00:01Z","consumer_count":2,
"lost":{"msgs":[4,5],"bytes":2048}},
"cluster":{"name":"C1","raft_group":"S-R3F-rGeU2yFx","leader":"n1","leader_since":"2026-01-02T15:02:47Z","system_account":true,"replicas":[
{"name":"n0","current":true,"active":835000000,"peer":"p0"},{"name":"n2","current":false,"offline":true,"active":13830000000,"lag":3,"peer":"p2"}],
"desired":{"created":"2026-01-02T15:03:05Z","name":"C2","replicas":[{"name":"m1","peer":"x"},{"name":"m2","offline":true,"peer":"y"}],
"origin":{"replicas":1,"placement":{"tags":["az:1"]}},"status":{"description":"waiting for m2","type":"catchup"}}},
"sources":[{"name":"SRCA","lag":0,"active":902000000,"subject_transforms":[{"src":"srca","dest":"x.srca"}]},{"name":"NOPE","lag":0,"active":-1,"external":{"api":"$JS.far.API","deliver":""},
"error":{"code":404,"err_code":10059,"description":"stream not found"}}],
"alternates":[{"name":"R3","cluster":"C1","domain":"hub"},{"name":"R3-FAR","cluster":"C22"}],"ts":"2026-01-02T15:04:05Z"}`

func TestInfoLooksAsTheSpecSays(t *testing.T) {
	t.Parallel()
	pa := jscmd.StreamScreen{Stream: sample(t, paDoc)}
	if got := string(viewtest.Show(t, pa, render.Options{})); !strings.HasPrefix(got, paText) {
		t.Errorf("got\n%s", got)
	}
	r3 := jscmd.StreamScreen{Stream: sample(t, clusterDoc)}
	contains(t, "cluster", string(viewtest.Show(t, r3, render.Options{})),
		"Sources: NOPE, API Prefix: $JS.far.API\n", "Cluster Traffic Account: System Account\n", "Cluster Group: S-R3F-rGeU2yFx\n", "Leader: n1 (1m18s)\n",
		"Replica: n0, current, seen 835ms ago\n", "Replica: n2, outdated, OFFLINE, seen 13.83s ago, 3 operations behind\n", "Last Seen: 902ms\n", "Last Seen: never\n",
		"Ext. API Prefix: $JS.far.API\n", "Lost Messages: 2 (2.0 KiB)\n", "Cluster: C1 -> C2\n", "Replicas: 1 -> 3\n", "Placement Tags: az:1 -> az:3\n", "m2 (offline)\n")
	viewtest.Golden(t, "info", pa)
	viewtest.Golden(t, "info-clustered", r3)
	viewtest.Golden(t, "created", jscmd.StreamScreen{Stream: sample(t, paDoc), Done: "Stream PA was created"})
	viewtest.Golden(t, "state", jscmd.StreamScreen{Stream: sample(t, paDoc), StateOnly: true})
}

func TestLs(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	contains(t, "empty", c.OK("stream ls").Out, "No Streams defined\n")
	if out := c.OK("stream ls --json").Out; out != "[]\n" {
		t.Errorf("empty JSON %q", out)
	}
	testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "B"})
	contains(t, "internal alone", c.OK("stream ls").Out, "No Streams defined, pass -a")
	c.OK("stream add ORDERS --subjects 'orders.>' --defaults")
	c.OK("stream add EVT --subjects 'evt.*' --defaults --description y5")
	testkit.Store(t, srv.JS(), "orders.a", 3, "x")
	out := c.OK("stream ls").Out
	if strings.Index(out, "│ EVT ") > strings.Index(out, "│ ORDERS ") || strings.Contains(out, "KV_B") {
		t.Errorf("by size, without buckets: %s", out)
	}
	contains(t, "all", c.OK("stream ls -a").Out, "KV_B")
	contains(t, "matching", c.OK("stream ls --subject 'orders.*'").Out, "Streams matching orders.*", "ORDERS")
	for line, want := range map[string]string{
		"stream ls -n":                                  "EVT\nORDERS\n",
		"stream ls -n -a":                               "EVT\nKV_B\nORDERS\n",
		"stream ls --names --subject evt.x":             "EVT\n",
		"stream ls -n -j --format json":                 "[\n  \"EVT\",\n  \"ORDERS\"\n]\n",
		"stream ls --json":                              "[\n  \"EVT\",\n  \"ORDERS\"\n]\n",
		"stream ls --format names":                      "EVT\nORDERS\n",
		"stream ls --details --jq '.[].state.messages'": "0\n3\n",
	} {
		if got := c.OK(line).Out; got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	csv := c.Env("NATS_TABLE_FORMAT", "csv").OK("stream ls").Out
	if !strings.HasPrefix(csv, "Name,Description,Created,Messages,Size,Last Message\nEVT,y5,") || !strings.Contains(csv, ",0,0 B,never\n") {
		t.Errorf("csv %s", csv)
	}
	c.Fails(fail.Usage, "stream ls --subject a..b", "empty token")
	usage := c.Fails(fail.Usage, "stream ls --bogus", "--bogus")
	if usage.Out != "" {
		t.Errorf("stdout %q", usage.Out)
	}
	clitest.New(t, Command()).Server(testkit.Dead(t)).Fails(fail.Unreachable, "stream ls")
}

// D11: what a list lacks is shown and counted.
func TestD11_IncompleteLists(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	l := listing{title: "Streams", rows: []row{{name: "ORDERS", description: "all orders", created: at, messages: 12345, bytes: 2 << 20, last: at, asOf: at.Add(90 * time.Second)}, {name: "NEW", created: at}},
		cover: js.Coverage{Total: 8, Rows: 2, Missing: []string{"A", "B", "C", "D", "E"}, Offline: map[string]string{"X": "needs a newer server"}}}
	viewtest.Golden(t, "ls", l)
	viewtest.Golden(t, "ls-names", jscmd.Names{"A", "B"})
	contains(t, "text", string(viewtest.Show(t, l, render.Options{})), "Inaccessible Streams", "Offline Streams", "needs a newer server")
	if err := l.cover.Err("streams"); fail.CodeOf(err) != fail.Partial {
		t.Error(err)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	c, _ := withOrders(t)
	r := c.OK("stream get ORDERS 1")
	if !strings.HasPrefix(r.Out, "Item: ORDERS#1 received ") || !strings.HasSuffix(r.Out, " on Subject orders.new\n\nHeaders:\n  X-N: 1\n\nmsg 1\n") || !strings.Contains(r.Out, " +0000 UTC (") {
		t.Errorf("%s", r.Out)
	}
	type doc struct {
		Subject string `json:"subject"`
		Seq     int    `json:"seq"`
		Hdrs    []byte `json:"hdrs"`
		Data    []byte `json:"data"`
	}
	if d := decode[doc](t, c.OK("stream get ORDERS 2 --json").Out); d.Subject != "orders.new" || d.Seq != 2 || string(d.Data) != "msg 2" || !strings.Contains(string(d.Hdrs), "X-N: 2") {
		t.Errorf("%+v", d)
	}
	contains(t, "last", c.OK("stream get ORDERS -S orders.old").Out, "Item: ORDERS#7 ")
	contains(t, "id wins", c.OK("stream get ORDERS 2 -S orders.old").Out, "Item: ORDERS#2 ")
	contains(t, "translated", c.OK("stream get ORDERS 2 --translate 'tr a-z A-Z'").Out, "MSG 2")
	contains(t, "names", c.OK("stream get ORDERS 2 --translate 'echo {{Subject}} {{Stream}}'").Out, "orders.new ORDERS")
	c.Fails(fail.NotFound, "stream get ORDERS 9999", "(10037)")
	c.Fails(fail.NotFound, "stream get ORDERS -S orders.none", "(10037)", "orders.none")
	c.Fails(fail.NotFound, "stream get NOPE 1", "(10059)")
	c.Fails(fail.Usage, "stream get ORDERS", "pass <id> or --last-for")
	c.Fails(fail.Usage, "stream get ORDERS 0", "id")
	c.Fails(fail.Usage, "stream get ORDERS 1 --translate ' '", "blank")
	c.Fails(fail.Failure, "stream get ORDERS 1 --translate false", "false")
	contains(t, "asked", c.Answers(answering(t, "Message Sequence=-1", "Subject to retrieve last message for=orders.old")).OK("stream get ORDERS").Out, "ORDERS#7")
	contains(t, "asked", c.Answers(answering(t, "Message Sequence=x", "Message Sequence=3")).OK("stream get ORDERS").Out, "ORDERS#3")
}

func TestView(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	r := c.OK("stream view ORDERS --id 6 --utc")
	at := func(seq uint64) string {
		s, err := srv.JS().Stream(t.Context(), "ORDERS")
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		return m.Time.UTC().Format(time.DateTime)
	}
	want := "[6] Subject: orders.new Received: " + at(6) + "\n\n  X-N: 6\nmsg 6\n\n\n[7] Subject: orders.old Received: " + at(7) + "\nm\n\n\n"
	if r.Out != want || !strings.Contains(r.Err, "Reached apparent end of data") {
		t.Errorf("stdout %q, want %q\nstderr %s", r.Out, want, r.Err)
	}
	for line, want := range map[string]string{
		"stream view ORDERS --raw":                                "msg 1\nmsg 2\nmsg 3\nmsg 4\nmsg 5\nmsg 6\nm\n",
		"stream view ORDERS 2 --raw":                              "msg 1\nmsg 2\n",
		"stream view ORDERS --raw --subject orders.old":           "m\n",
		"stream view ORDERS --raw --since seq:6":                  "msg 6\nm\n",
		"stream view ORDERS --raw --since 1h 1":                   "msg 1\n",
		"stream view ORDERS --raw --id 8":                         "",
		"stream view ORDERS 1 --raw --translate 'tr a-z A-Z'":     "MSG 1\n",
		`stream view ORDERS 2 --format 'line=%n %s %h{X-N} %p\n'`: "1 orders.new 1 msg 1\n2 orders.new 2 msg 2\n",
		"stream view ORDERS --id 7 --jq '[.subject, .seq]'":       `["orders.old",7]` + "\n",
	} {
		if got := c.OK(line); got.Out != want {
			t.Errorf("%s: %q, want %q", line, got.Out, want)
		}
	}
	c.Fails(fail.NotFound, "stream view NOPE", "(10059)")
	c.Fails(fail.Usage, "stream view ORDERS --id 1 --since 1h", "--since")
	c.Fails(fail.Usage, "stream view ORDERS 0")
	if n := info(t, srv, "ORDERS").State.Consumers; n != 0 {
		t.Errorf("%d consumers were left", n)
	}
}

func TestViewPages(t *testing.T) {
	t.Parallel()
	c, _ := withOrders(t)
	tty := c.TTY(80)
	r := tty.Answers(answering(t, "Next Page?", "Next Page?")).OK("stream view ORDERS 3 --raw")
	if r.Out != "msg 1\nmsg 2\nmsg 3\nmsg 4\nmsg 5\nmsg 6\nm\n" {
		t.Errorf("%q", r.Out)
	}
	if r = tty.Answers(answering(t, "Next Page?=n")).OK("stream view ORDERS 3 --raw"); r.Out != "msg 1\nmsg 2\nmsg 3\n" {
		t.Errorf("%q", r.Out)
	}
	r = tty.Answers(answering(t)).OK("stream view ORDERS 100")
	contains(t, "stderr", r.Err, "25 messages at most")
}

// A work queue can be looked at without taking anything from it, whether direct gets are allowed or not.
func TestViewOfAWorkQueue(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	for _, direct := range []string{"--allow-direct", "--no-allow-direct"} {
		name := "WQ" + strings.ReplaceAll(direct, "-", "")
		c.OK("stream add " + name + " --subjects " + name + " --retention work --defaults " + direct)
		testkit.Store(t, srv.JS(), name, 3, "job")
		if got := c.OK("stream view " + name + " --raw --since 1h").Out; got != "job\njob\njob\n" {
			t.Errorf("%s: %q", direct, got)
		}
		if n := info(t, srv, name).State.Msgs; n != 3 {
			t.Errorf("%s: %d messages are left", direct, n)
		}
	}
}

func TestGraphNeedsATerminal(t *testing.T) {
	t.Parallel()
	c, _ := withOrders(t)
	c.Fails(fail.Usage, "stream graph ORDERS", "needs a terminal", "stream state")
}
