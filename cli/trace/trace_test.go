package trace

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func setup(t *testing.T) (*clitest.CLI, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t, testkit.WithAccounts())
	return clitest.New(t, Command()).Server(srv.URL()), srv
}

func TestSubscriber(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	got := testkit.Subscribe(t, srv.Conn(), "foo.tr")
	r := c.OK("trace foo.tr body -H K:v")
	want := `(?s)^Tracing message route to subject foo\.tr \n\nClient "NATS CLI Version 0\.0\.0-test" cid:\d+ server:"test" version:"[\d.]+"\n` +
		`--C Client ".*" cid:\d+ subject:"foo\.tr"\n\nLegend: .*\n\nEgress Count:\n\n +Client: 1\n`
	if !regexp.MustCompile(want).MatchString(r.Out) {
		t.Errorf("stdout is\n%s", r.Out)
	}
	if err := srv.Conn().Flush(); err != nil || got.Pending() != 0 {
		t.Errorf("the message was delivered: %d, %v", got.Pending(), err)
	}
	if out := c.OK("trace foo.tr body -T --deliver -H K:v").Out; !strings.Contains(out, "[0s] Client") || !strings.Contains(out, "with delivery to the final destination") {
		t.Errorf("stdout is\n%s", out)
	}
	if m := got.Next(); string(m.Data) != "body" || m.Header.Get("K") != "v" {
		t.Errorf("delivered %q %v", m.Data, m.Header)
	}
}

func TestNobody(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	if out := c.Fails(fail.NoAnswer, "trace foo.tr", "nobody is interested in foo.tr").Out; !strings.Contains(out, "--X No active interest") {
		t.Errorf("stdout is\n%s", out)
	}
	if out := c.Server(srv.UserURL("limited")).Fails(fail.Unreachable, "trace notok", "Permissions Violation").Out; !strings.Contains(out, "--X Error: Permissions Violation") {
		t.Errorf("stdout is\n%s", out)
	}
	c.Fails(fail.Usage, "trace 'a b'", "invalid subject")
	clitest.New(t, Command()).Server(testkit.Dead(t)).Fails(fail.Unreachable, "trace foo")
}

func TestStream(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "EV", Subjects: []string{"ev.>"}})
	out := c.OK("trace ev.a").Out
	if !strings.Contains(out, `--J JetStream action:"would store" stream:"EV" subject:"ev.a"`) || strings.Contains(out, "No active interest") {
		t.Errorf("stdout is\n%s", out)
	}
	if n := testkit.State(t, srv.JS(), "EV").Msgs; n != 0 {
		t.Errorf("%d messages are stored", n)
	}
	if out := c.OK("trace ev.a --deliver").Out; !strings.Contains(out, `action:"stored"`) {
		t.Errorf("stdout is\n%s", out)
	}
	testkit.Eventually(t, time.Minute, "the stored message", func() bool { return testkit.State(t, srv.JS(), "EV").Msgs == 1 })
}

func TestAcrossServers(t *testing.T) {
	t.Parallel()
	hub := testkit.Server(t, testkit.WithAccounts())
	leaf := testkit.Leaf(t, hub, testkit.WithAccounts())
	testkit.Subscribe(t, leaf.Conn(), "foo.tr")
	hub.AwaitInterest("foo.tr")
	var r route
	if err := json.Unmarshal([]byte(clitest.New(t, Command()).Server(hub.URL()).OK("trace foo.tr --json").Out), &r); err != nil {
		t.Fatal(err)
	}
	if !r.Complete || r.Servers != 2 || r.Egress["Leafnode"] != 1 || r.Egress["Client"] != 1 || r.Root.Steps[0].Next.Server != "leaf" {
		t.Errorf("route is %+v", r)
	}
}

func sample() []*event {
	at := viewtest.Now
	ms := func(n int) time.Time { return at.Add(time.Duration(n) * time.Millisecond) }
	first, second := &event{Hops: 2}, &event{}
	first.Server.Name, first.Server.Cluster, first.Server.Version = "c1", "TC", "2.14.3"
	first.Events = []traceStep{
		{Type: "in", Time: ms(0), Name: "cli", CID: 19, Subject: "tr.x"}, {Type: "sm", Time: ms(1), To: "map.dst"},
		{Type: "eg", Time: ms(4), Kind: 4, Name: "l1", CID: 15, Hop: "2"}, {Type: "eg", Time: ms(2), Kind: 1, Name: "c2", CID: 11, Hop: "1"},
		{Type: "js", Time: ms(6), Stream: "S", Stored: "map.dst"}, {Type: "si", Time: ms(1), From: "a", To: "b", Account: "A"},
		{Type: "eg", Time: ms(3), Name: "b\x1b", CID: 3, Sub: "tr.>", Queue: "q", Account: "B"},
		{Type: "eg", Time: ms(3), Name: "a", CID: 4, Sub: "tr.>", Error: "Not delivered because client is closed"},
	}
	second.Server.Name, second.Server.Version = "c2", "2.14.3"
	second.Request.Header = map[string][]string{"Nats-Trace-Hop": {"1"}}
	second.Events = []traceStep{{Type: "in", Kind: 1, Time: ms(1), Name: "c1", CID: 12}, {Type: "eg", Time: ms(5), Name: "sub", CID: 17, Sub: "tr.>"}}
	return []*event{second, first}
}

func TestLooks(t *testing.T) {
	r, err := link(sample(), traceOptions{subject: "tr.x", timestamp: true})
	if err != nil {
		t.Fatal(err)
	}
	viewtest.Golden(t, "route", r)
	if err := r.verdict(time.Second); fail.CodeOf(err) != fail.Failure {
		t.Errorf("verdict %v", err)
	}
	r.Errors = nil
	if err := r.verdict(time.Second); fail.CodeOf(err) != fail.Partial || !strings.Contains(err.Error(), "l1") {
		t.Errorf("verdict %v", err)
	}
}

func TestDiagrams(t *testing.T) {
	t.Parallel()
	r, err := link(sample(), traceOptions{subject: "tr.x"})
	if err != nil {
		t.Fatal(err)
	}
	for form, want := range map[string][]string{
		"dot": {
			"digraph route {\n  label=\"Route of tr.x\"\n", `n0 [label="Client cli" shape=ellipse]`, `n1 [label="Server c1 of TC" shape=box]`, `n0 -> n1 [label="tr.x"]`,
			`label="Client b\x1b" shape=ellipse`, `shape=cylinder`, `[label="would store"]`, `[label="Router"]`, `[label="no report" color=red]`, `[label="tr.> in q"]`,
		},
		"mermaid": {
			"flowchart LR\n", `n0(["Client cli"])`, `n1["Server c1 of TC"]`, `n0 -->|"tr.x"| n1`, `([\"Client b\x1b\"])`, `[("Stream S")]`, `-->|"tr.#gt; in q"|`, "stroke:red",
		},
	} {
		got := r.draws(form)
		for _, w := range want {
			if !strings.Contains(got, strings.ReplaceAll(w, `\"`, `"`)) && !strings.Contains(got, w) {
				t.Errorf("%s lacks %s:\n%s", form, w, got)
			}
		}
		if strings.Contains(got, "\x1b") {
			t.Errorf("%s holds an escape", form)
		}
	}
	r.Root.From.Name = `"]; click n0 "javascript:x" <b>`
	if got := r.draws("mermaid"); strings.Contains(got, `"]; click`) || strings.Contains(got, "<b>") {
		t.Errorf("a name gets out of its label: %s", got)
	}
}

func TestDiagramOptions(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	testkit.Subscribe(t, srv.Conn(), "foo.tr")
	dot := c.OK("trace foo.tr --diagram dot --dot r.dot").Out
	file, err := os.ReadFile(c.Path("r.dot"))
	if err != nil || string(file) != dot || !strings.Contains(dot, `[label="foo.tr"]`) {
		t.Errorf("file %s\nstdout %s\n%v", file, dot, err)
	}
	if out := c.OK("trace foo.tr --format csv").Out; !strings.HasPrefix(out, "Server,Hop,Offset,Event,") || !strings.Contains(out, "egress,Client") {
		t.Errorf("csv: %s", out)
	}
	c.Fails(fail.Usage, "trace foo.tr --diagram gif")
	c.Fails(fail.NotFound, "trace foo.tr --dot nowhere/r.dot", "nowhere/r.dot")
}

// The servers compress their reports when they are told that they may.
func TestReportsAreCompressed(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	got := testkit.Subscribe(t, srv.Conn(), "foo.tr")
	c.OK("trace foo.tr --deliver")
	m := got.Next()
	if m.Header.Get("Accept-Encoding") != "snappy" {
		t.Errorf("headers %v", m.Header)
	}
	reports := testkit.Subscribe(t, srv.Conn(), "reports")
	ask := nats.NewMsg("foo.tr")
	ask.Header.Set("Nats-Trace-Dest", "reports")
	ask.Header.Set("Accept-Encoding", "snappy")
	if err := srv.Conn().PublishMsg(ask); err != nil {
		t.Fatal(err)
	}
	if enc := reports.Next().Header.Get("Content-Encoding"); enc != "snappy" {
		t.Errorf("this server does not compress: %q", enc)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]bool{"2.11.0": true, "2.10.9": false, "3.0": true, "2.11.0-dev": true, "": false, "x.y": false} {
		if atLeast(v, 2, 11) != want {
			t.Errorf("%q", v)
		}
	}
}
