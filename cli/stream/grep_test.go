package stream

import (
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

func TestCat(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	for line, want := range map[string]string{
		"stream cat ORDERS --raw":                                "msg 1\nmsg 2\nmsg 3\nmsg 4\nmsg 5\nmsg 6\nm\n",
		"stream cat ORDERS --raw --limit 2":                      "msg 1\nmsg 2\n",
		"stream cat ORDERS --raw --since seq:3 --until seq:4":    "msg 3\nmsg 4\n",
		"stream cat ORDERS --raw --subject orders.old":           "m\n",
		"stream cat ORDERS --raw --until 1h":                     "",
		"stream cat ORDERS --raw --since 1h --limit 1":           "msg 1\n",
		`stream cat ORDERS --limit 1 --format 'line=%n %s %p\n'`: "1 orders.new msg 1\n",
		"stream cat ORDERS --limit 2 --jq .text":                 "msg 1\nmsg 2\n",
	} {
		if got := c.OK(line).Out; got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	type doc struct {
		Seq     int                 `json:"seq"`
		Headers map[string][]string `json:"headers"`
		Text    string              `json:"text"`
		Data    []byte              `json:"data"`
	}
	if d := decode[doc](t, c.OK("stream cat ORDERS --since seq:2 --limit 1 --format ndjson").Out); d.Seq != 2 || d.Headers["X-N"][0] != "2" || d.Text != "msg 2" {
		t.Errorf("%+v", d)
	}
	testkit.Store(t, srv.JS(), "orders.raw", 1, "\xff\x00")
	if d := decode[doc](t, c.OK("stream cat ORDERS --subject orders.raw --json").Out); string(d.Data) != "\xff\x00" || d.Text != "" {
		t.Errorf("%+v", d)
	}
	contains(t, "csv", c.OK("stream cat ORDERS --format csv --limit 2").Out, "Sequence,Time,Subject,Body\n1,", ",orders.new,msg 2\n")
	contains(t, "text", c.OK("stream cat ORDERS --limit 1").Out, "[1] ", " orders.new: msg 1\n")
	c.Fails(fail.NotFound, "stream cat NOPE", "(10059)")
	c.Fails(fail.Usage, "stream cat ORDERS --subject a..b")
	if n := info(t, srv, "ORDERS").State.Consumers; n != 0 {
		t.Errorf("%d consumers were left", n)
	}
}

func TestGrep(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	testkit.Store(t, srv.JS(), "orders.json", 1, `{"total":101,"name":"Ann"}`)
	for line, want := range map[string]string{
		"stream grep ORDERS 'msg [24]' --raw":                                "msg 2\nmsg 4\n",
		"stream grep ORDERS MSG -i --first --raw":                            "msg 1\n",
		"stream grep ORDERS 'msg .' -F --raw -c":                             "",
		"stream grep ORDERS msg -v --raw --until seq:7":                      "m\n",
		"stream grep ORDERS '^orders.old$' --in subject --raw":               "m\n",
		"stream grep ORDERS 'X-N: 3' --in headers --raw":                     "msg 3\n",
		"stream grep ORDERS --header X-N:^[56]$ --raw":                       "msg 5\nmsg 6\n",
		"stream grep ORDERS msg --header x-n --limit 2 --raw":                "msg 1\nmsg 2\n",
		"stream grep ORDERS --where '.body.total > 100' --jq .seq":           "8\n",
		"stream grep ORDERS --where '.seq == 7 or .body == \"msg 1\"' --raw": "msg 1\nm\n",
		"stream grep ORDERS 'msg 4' -C 1 --raw":                              "msg 3\nmsg 4\nmsg 5\n",
		"stream grep ORDERS 'msg 4' -B 2 --raw":                              "msg 2\nmsg 3\nmsg 4\n",
		"stream grep ORDERS 'msg 4' -A 1 --first --raw":                      "msg 4\nmsg 5\n",
		"stream grep ORDERS msg -c":                                          "6\n",
		"stream grep ORDERS msg -c --json":                                   `{"matches":6,"scanned":8}` + "\n",
		"stream grep ORDERS msg -c --subject orders.new --since seq:4":       "3\n",
	} {
		r := c.Run(line)
		if want == "" {
			if r.Code != fail.Failure || r.Out != "0\n" || r.Err != "" {
				t.Errorf("%s: code %d, %q, %q", line, r.Code, r.Out, r.Err)
			}
			continue
		}
		if r.Out != want || r.Code != fail.OK {
			t.Errorf("%s: code %d, %q, want %q, %s", line, r.Code, r.Out, want, r.Err)
		}
	}
	out := c.OK("stream grep ORDERS 'msg [15]' -A 1").Out
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], "[1] ") || !strings.Contains(lines[1], "orders.new- msg 2") || lines[2] != "--" || !strings.Contains(lines[3], "orders.new: msg 5") {
		t.Errorf("%s", out)
	}
	if r := c.Run("stream grep ORDERS nothing"); r.Code != fail.Failure || r.Out != "" || r.Err != "" {
		t.Errorf("code %d, %q, %q", r.Code, r.Out, r.Err)
	}
	c.Fails(fail.Usage, "stream grep ORDERS", "nothing to search for")
	c.Fails(fail.Usage, "stream grep ORDERS '('", "pattern")
	c.Fails(fail.Usage, "stream grep ORDERS --where '.a |'", "--where")
	c.Fails(fail.Usage, "stream grep ORDERS x -c -A 1", "--count")
	c.Fails(fail.NotFound, "stream grep ORDRES x", "ORDERS")
}

// After an interrupt the error says where to go on, and keeps its code.
func TestResumable(t *testing.T) {
	t.Parallel()
	if err := resumable(fail.ErrInterrupted, sample(t, paDoc), 41); fail.CodeOf(err) != fail.Interrupted || fail.HintOf(err) != "--since seq:42 goes on" {
		t.Errorf("%v %q", err, fail.HintOf(err))
	}
	if err := resumable(nil, sample(t, paDoc), 41); err != nil {
		t.Error(err)
	}
}

// A work queue can be searched and keeps its messages.
func TestGrepOfAWorkQueue(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK("stream add WQ --subjects wq --retention work --defaults")
	testkit.Store(t, srv.JS(), "wq", 20, "job")
	if out := c.OK("stream grep WQ job -c").Out; out != "20\n" {
		t.Errorf("%q", out)
	}
	if s := info(t, srv, "WQ").State; s.Msgs != 20 || s.Consumers != 0 {
		t.Errorf("%+v", s)
	}
}

// Where no consumer may be made, messages are read all the same, without waiting for an answer that does not come.
func TestCatWithoutConsumers(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithConfig(`
accounts { A { jetstream: enabled, users: [
  { user: a, password: a },
  { user: r, password: r, permissions: { publish: { deny: ["$JS.API.CONSUMER.>"] } } }
] } }
no_auth_user: a`))
	c := clitest.New(t, Command()).Server(srv.URL())
	c.OK("stream add S --subjects s --defaults")
	testkit.Store(t, srv.JS(), "s", 3, "x")
	if out := c.OK("stream cat S --raw --user r --password r --timeout 1h").Out; out != "x\nx\nx\n" {
		t.Errorf("%q", out)
	}
}
