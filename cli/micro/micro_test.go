package micro

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/micro"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func setup(t *testing.T) (*clitest.CLI, *testkit.NATS) {
	t.Helper()
	srv := testkit.Server(t, testkit.WithAccounts())
	return clitest.New(t, Command()).Server(srv.URL()), srv
}

func serve(t *testing.T, c *clitest.CLI, line string) *clitest.Running {
	t.Helper()
	return c.Start("micro serve " + line).Says("waiting for requests")
}

func TestServices(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	first := serve(t, c, "calc -H X:y")
	serve(t, c, "calc")
	serve(t, c, "other")

	var infos []micro.Info
	if err := json.Unmarshal([]byte(c.OK("service ls --json").Out), &infos); err != nil {
		t.Fatal(err)
	}
	if len(infos) != 3 || infos[0].Name != "calc" || infos[1].Name != "calc" || infos[2].Name != "other" || infos[0].ID > infos[1].ID {
		t.Errorf("not sorted by name and id: %+v", infos)
	}
	if err := json.Unmarshal([]byte(c.OK("micro list calc --json").Out), &infos); err != nil || len(infos) != 2 {
		t.Errorf("%d instances of calc, %v", len(infos), err)
	}

	m, err := srv.Conn().Request("calc.echo", []byte("hi"), 5*time.Second)
	if err != nil || string(m.Data) != "hi" || m.Header.Get("Handler") == "" {
		t.Fatalf("%v %v", m, err)
	}
	if out := c.OK("micro stats calc").Out; !strings.Contains(out, "calc Service Statistics") || strings.Count(out, "echo") != 2 {
		t.Errorf("stats: %s", out)
	}
	if out := c.OK("micro info calc " + infos[1].ID).Out; !strings.Contains(out, "calc ("+infos[1].ID+")") || !strings.Contains(out, "Statistics for 1 Endpoint(s)") {
		t.Errorf("info: %s", out)
	}
	if out := c.OK("micro info calc -e nothing --json --jq '.info.endpoints|length'").Out; out != "0\n" {
		t.Errorf("filtered: %s", out)
	}
	r := c.OK("micro ping --timeout 2s")
	if strings.Count(r.Out, "rtt=") != 3 || !strings.Contains(r.Err, "3 answers") {
		t.Errorf("ping: %q %q", r.Out, r.Err)
	}
	if got := first.Interrupt(); got.Code != fail.OK {
		t.Errorf("serve ended with %d", got.Code)
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	serve(t, c, "calc")
	if r := c.OK("micro request calc echo hi -r"); r.Out != "hi\n" || r.Err != "" {
		t.Errorf("out %q err %q", r.Out, r.Err)
	}
	if r := c.Stdin("piped").OK("service req calc echo --json --jq .data"); r.Out != "piped\n" {
		t.Errorf("out %q", r.Out)
	}
	c.Fails(fail.NotFound, "micro request calc ecko hi", `service "calc" has no endpoint "ecko" (available: echo)`, "did you mean echo?")
	c.Fails(fail.NotFound, "micro request nope echo hi", "no service instances found")

	if _, err := srv.Conn().Subscribe("bad.echo", func(m *nats.Msg) {
		r := nats.NewMsg(m.Reply)
		r.Header.Set("Nats-Service-Error", "overloaded")
		r.Header.Set("Nats-Service-Error-Code", "503")
		_ = m.RespondMsg(r)
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := srv.Conn().Subscribe("$SRV.INFO.bad", func(m *nats.Msg) {
		_ = m.Respond([]byte(`{"type":"io.nats.micro.v1.info_response","name":"bad","id":"1","endpoints":[{"name":"echo","subject":"bad.echo"}]}`))
	}); err != nil {
		t.Fatal(err)
	}
	if err := srv.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	c.Fails(fail.Failure, "micro request bad echo hi", "error 503: overloaded")
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	for _, line := range []string{"micro list", "micro info calc", "micro stats calc", "micro list --json"} {
		if r := c.Fails(fail.NotFound, line, "no service instances found"); r.Out != "" {
			t.Errorf("%s printed %q", line, r.Out)
		}
	}
	c.Fails(fail.NoAnswer, "micro ping --timeout 2s", "answered")
	c.Fails(fail.Usage, "micro list 'a.b'", "no name or id of a service")
	c.Fails(fail.Usage, "micro serve 'a b'", "service name")
	c.Fails(fail.Usage, "micro info calc -e '('", "--endpoint")
	clitest.New(t, Command()).Server(testkit.Dead(t)).Fails(fail.Unreachable, "micro list", "no servers available")
}

func TestDenied(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithAccounts())
	c := clitest.New(t, Command()).Server(srv.UserURL("limited"))
	c.Fails(fail.Unreachable, "micro list --timeout 20s", "$SRV.INFO")
	c.Fails(fail.Unreachable, "micro serve calc", "ermissions")
}

// Answers that are not by the book are named once each and do not spoil the rest.
func TestMalformedResponders(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	serve(t, c, "calc")
	for _, body := range []string{"not json", `{"type":"io.nats.micro.v1.ping_response"}`, `{"type":"io.nats.micro.v1.info_response","name":7}`} {
		if _, err := srv.Conn().Subscribe("$SRV.INFO", func(m *nats.Msg) { _ = m.Respond([]byte(body)) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := srv.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	r := c.OK("micro list")
	if !strings.Contains(r.Out, "calc") || strings.Count(r.Err, "nats: warning:") != 3 {
		t.Errorf("out %s\nerr %s", r.Out, r.Err)
	}
}

// Answers may be compressed, in either format that is called snappy.
func TestCompressedResponders(t *testing.T) {
	t.Parallel()
	c, srv := setup(t)
	body := func(id string) []byte {
		return []byte(`{"type":"io.nats.micro.v1.info_response","name":"packed","id":"` + id + `","version":"1.0.0"}`)
	}
	var framed bytes.Buffer
	w := s2.NewWriter(&framed, s2.WriterSnappyCompat())
	if _, err := w.Write(body("stream")); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{s2.EncodeSnappy(nil, body("block")), framed.Bytes()} {
		testkit.Handle(t, srv.Conn(), "$SRV.INFO.packed", func(m *nats.Msg) {
			r := nats.NewMsg(m.Reply)
			r.Header.Set("Content-Encoding", "snappy")
			r.Data = data
			_ = m.RespondMsg(r)
		})
	}
	if r := c.OK("micro list packed --format csv"); !strings.Contains(r.Out, "block") || !strings.Contains(r.Out, "stream") || r.Err != "" {
		t.Errorf("out %s err %s", r.Out, r.Err)
	}
}

func TestViews(t *testing.T) {
	var i instance
	read := func(into any, text string) {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	read(&i.Info, `{"name":"calc","id":"QDDvFsbj3oVQrLxsTnIQ2n","version":"1.0.0","metadata":{"b":"2","a":"1"},"type":"io.nats.micro.v1.info_response",
		"description":"NATS CLI Demo Service (calc)","endpoints":[{"name":"echo","subject":"calc.echo","queue_group":"q"}]}`)
	read(&i.Stats, `{"name":"calc","id":"QDDvFsbj3oVQrLxsTnIQ2n","version":"1.0.0","type":"io.nats.micro.v1.stats_response","started":"2026-01-02T15:03:59.38Z",
		"endpoints":[{"name":"echo","subject":"calc.echo","queue_group":"q","num_requests":3,"num_errors":0,"last_error":"","processing_time":218000,"average_processing_time":73000,"data":{"total_payload":7}}]}`)
	viewtest.Golden(t, "info", i)
	second := i.Info
	second.ID = "MqWBZ5WtF9r7R6YK43hl9t"
	other := second
	other.Name, other.Description = "other", "Something else"
	viewtest.Golden(t, "list", listing{all: []micro.Info{i.Info, second, other}})
	viewtest.Golden(t, "stats", statistics{name: "calc", all: []micro.Stats{i.Stats, i.Stats}})
	viewtest.Golden(t, "ping", pong{"calc", "QDDvFsbj3oVQrLxsTnIQ2n", "1.0.0", 984 * time.Microsecond})
}
