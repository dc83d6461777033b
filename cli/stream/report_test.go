package stream

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/jscmd"
	"github.com/natskit/natskit/internal/render"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestSubjects(t *testing.T) {
	t.Parallel()
	c, _ := withOrders(t)
	for line, want := range map[string]string{
		"stream subjects ORDERS --json":                           "{\n  \"orders.new\": 6,\n  \"orders.old\": 1\n}\n",
		"stream subjects ORDERS orders.new --json":                "{\n  \"orders.new\": 6\n}\n",
		"stream subjects ORDERS none":                             "No subjects found matching none\n",
		"stream subjects ORDERS none --json":                      "{}\n",
		"stream subjects ORDERS --names":                          "orders.new\norders.old\n",
		"stream subjects ORDERS --names -R":                       "orders.old\norders.new\n",
		"stream subjects ORDERS --names --json":                   "[\n  \"orders.new\",\n  \"orders.old\"\n]\n",
		"stream subjects ORDERS --sort name --format csv":         "Subject,Count\norders.new,6\norders.old,1\n",
		"stream subjects ORDERS --sort count --reverse --jq keys": "[\"orders.new\",\"orders.old\"]\n",
		"stream subjects ORDERS -R --format names":                "orders.old\norders.new\n",
	} {
		if got := c.OK(line).Out; got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	out := c.OK("stream subjects ORDERS").Out
	contains(t, "table", out, "2 Subjects in stream ORDERS", "│ orders.new │ 6")
	if again := c.OK("stream subjects ORDERS").Out; again != out {
		t.Errorf("two runs differ:\n%s\n%s", out, again)
	}
	c.Fails(fail.NotFound, "stream subjects ORDRES", "ORDERS")
	c.Fails(fail.Usage, "stream subjects ORDERS a..b")
}

func TestSubjectsInColumns(t *testing.T) {
	t.Parallel()
	l := &subjectList{stream: "X", filter: ">"}
	for i := range 14 {
		l.add(fmt.Sprintf("s.%02d", i), uint64(1000*(i%3)))
	}
	l.arrange("messages", false)
	viewtest.Golden(t, "subjects", l)
	wide := &subjectList{stream: "X"}
	wide.add("orders.a.long.subject", 1234)
	wide.add("orders.b", 1)
	for width, want := range map[int]int{0: 2, 200: 2, 60: 1, 20: 1} {
		if n := wide.pairs(width); n != want {
			t.Errorf("%d columns: %d pairs, want %d", width, n, want)
		}
	}
	if n := l.pairs(60); n != 3 {
		t.Errorf("%d pairs", n)
	}
}

// A long list is written row by row, the same document as a short one; whoever may make no consumer gets it too.
func TestManySubjects(t *testing.T) {
	t.Parallel()
	c, srv := start(t, testkit.WithConfig(`
accounts { A { jetstream: enabled, users: [
  { user: a, password: a }
  { user: r, password: r, permissions: { publish: { deny: ["$JS.API.CONSUMER.CREATE.>"] } } }
  { user: n, password: n, permissions: { publish: { deny: ["$JS.API.CONSUMER.MSG.NEXT.>"] } } }
] } }
no_auth_user: a`))
	c.OK("stream add MANY --subjects 'm.*' --storage memory --defaults")
	const n = tableLimit + 5
	nc := srv.Conn()
	for i := range n {
		if err := nc.Publish(fmt.Sprintf("m.%05d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, time.Minute, "all are stored", func() bool { return info(t, srv, "MANY").State.Msgs == n })
	m := decode[map[string]int](t, c.OK("stream subjects MANY --json").Out)
	if len(m) != n || m["m.00007"] != 1 {
		t.Errorf("%d subjects", len(m))
	}
	if got := strings.Count(c.OK("stream subjects MANY --names").Out, "\n"); got != n {
		t.Errorf("%d names", got)
	}
	whole := strings.Split(c.OK("stream subjects MANY --sort name").Out, "\n")
	for _, user := range []string{"a", "r", "n"} {
		rows := strings.Split(c.OK("stream subjects MANY --sort none --timeout 1h --user "+user+" --password "+user).Out, "\n")
		slices.Sort(rows)
		if !slices.Equal(rows[1:], whole[:n]) {
			t.Errorf("%s: %d rows", user, len(rows))
		}
	}
	if out := c.TTY(80).Env("NO_COLOR", "1").OK("stream subjects MANY --sort name").Out; out != strings.Join(whole, "\n") {
		t.Errorf("a terminal gets %.100s", out)
	}
	if out := c.OK("stream subjects MANY --sort name").Out; !strings.HasPrefix(out, "m.00000: 1\nm.00001: 1\n") {
		t.Errorf("%.100s", out)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	c, _ := withOrders(t)
	c.OK("stream add EMPTY --subjects empty --defaults")
	c.OK("stream add M --mirror EMPTY --defaults")
	for args, want := range map[string]string{
		"--expression 'state.messages > 5'":         "ORDERS\n",
		"--expression 'Info.State.Msgs > 5'":        "ORDERS\n",
		`--expression 'info.cluster.leader == "x"'`: "",
		"--empty":                      "EMPTY\nM\n",
		"--empty --invert":             "ORDERS\n",
		"--consumers 0":                "EMPTY\nM\nORDERS\n",
		"--mirrored":                   "M\n",
		"--sourced":                    "",
		"--created 1ns":                "EMPTY\nM\nORDERS\n",
		"--created 1h":                 "",
		"--created 1h --invert":        "EMPTY\nM\nORDERS\n",
		"--subject 'orders.*'":         "",
		"--subject 'orders.>'":         "ORDERS\n",
		"--replicas 1 --subject empty": "EMPTY\n",
		"--api-level 9":                "",
		"--cluster x":                  "",
		"--idle 1h --empty":            "EMPTY\nM\n",
		"--leader nobody":              "",
		"--server-name nobody --invert --mirrored": "EMPTY\nORDERS\n",
	} {
		if got := c.OK("stream find -n " + args).Out; got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
	contains(t, "table", c.OK("stream find --empty").Out, "│ Name", "│ EMPTY")
	contains(t, "none", c.OK("stream find --sourced").Out, "│ Name")
	if out := c.OK("stream find --mirrored --json").Out; len(decode[[]api.StreamInfo](t, out)) != 1 {
		t.Errorf("%s", out)
	}
	if out := c.OK("stream find --sourced --json").Out; out != "[]\n" {
		t.Errorf("%s", out)
	}
	for _, bad := range []string{"--expression foo.bar", "--expression '1 + 1'", "--server-name '('", "--idle x", "--expression 'config.max_age > 5'"} {
		c.Fails(fail.Usage, "stream find "+bad, "--")
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	c, _ := withOrders(t)
	contains(t, "alone", c.OK("stream report").Out, "Stream Report", "│ ORDERS │ File")
	c.OK("stream add COPY --mirror ORDERS --defaults")
	c.OK(`stream add ALL --source ORDERS --source '{"name":"FAR","external":{"api":"$JS.far.API","deliver":""}}' --defaults`)
	out := c.OK("stream report --name").Out
	contains(t, "report", out, "Replication Report", "│ ALL    │ Source │ $JS.far.API │ FAR ", "never", "│ COPY   │ Mirror │")
	if strings.Index(out, "│ ALL ") > strings.Index(out, "│ COPY ") {
		t.Errorf("not by name:\n%s", out)
	}
	r := decode[report](t, c.OK("stream report --json").Out)
	if len(r.Streams) != 3 || len(r.Replication) != 3 || r.Streams[len(r.Streams)-1].Bytes == 0 {
		t.Errorf("%+v", r)
	}
	c.OK("stream report --dot r.dot")
	data, err := os.ReadFile(c.Path("r.dot"))
	if err != nil {
		t.Fatal(err)
	}
	dot := c.OK("stream report --diagram dot").Out
	if string(data) != dot {
		t.Errorf("file %s\nstdout %s", data, dot)
	}
	contains(t, "dot", dot, `label="Stream Replication Structure"`, `"ORDERS" -> "COPY" [color=blue label="Mirror"]`, `"ORDERS" -> "ALL" [color=green]`)
	contains(t, "mermaid", c.OK("stream report --diagram mermaid").Out, "flowchart LR\n", `["FAR ($JS.far.API)"]`, "ORDERS -->|mirror| COPY\n")
	contains(t, "svg", c.OK("stream report --diagram svg").Out, "<svg ", ">ORDERS</text>", "</svg>\n")
	contains(t, "no leaders", c.OK("stream report --leaders").Out, "none of these streams is in a cluster")
	c.Fails(fail.Usage, "stream report --name --messages", "one of")
	c.Fails(fail.Usage, "stream report --diagram gif")
}

func TestReportLooks(t *testing.T) {
	t.Parallel()
	r := report{
		Streams: []reportRow{
			{Name: "ON3", Storage: "File", Placement: &api.Placement{Tags: []string{"az:3"}}, Peers: []jscmd.Peer{{Name: "n3.example.net", Offline: true}}},
			{Name: "R3", Storage: "File", Consumers: 5, Messages: 12345, Bytes: 1 << 21, Lost: 2, LostBytes: 100, Deleted: 1, APILevel: 1, Leader: "n1.example.net", Cluster: "C1",
				Peers: []jscmd.Peer{{Name: "n0.example.net", Current: true}, {Name: "n1.example.net", Leader: true, Current: true}, {Name: "n2.example.net", Current: true}}},
		},
		Replication: []replication{
			{Stream: "MM", Kind: "Mirror", Source: "SRCA", Active: 951 * time.Millisecond},
			{Stream: "SS", Kind: "Source", Source: "NOPE", APIPrefix: "$JS.far.API", Active: -1, Error: "stream not found (10059)"},
			{Stream: "SS", Kind: "Source", Source: "SRCA", Active: time.Second, Transforms: []api.SubjectTransformConfig{{Source: "srca", Destination: "x.srca"}, {Source: "a"}}},
		},
		leaders: true, Missing: []string{}, Offline: map[string]string{},
	}
	r.countLeaders()
	viewtest.Golden(t, "report", r)
	contains(t, "peers", string(viewtest.Show(t, r, render.Options{})), "n0, n1*, n2", "n3.example.net!", "tags: az:3", "2 (100 B)")
	r.raw = true
	contains(t, "raw", string(viewtest.Show(t, r, render.Options{})), "12345", "2097152")
	if s := jscmd.Stars(1, 3); s != "****" {
		t.Errorf("%q", s)
	}
}
