package stream

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

// D8: an edit changes what it names and nothing else; the difference is exact, and nothing is sent when there is none.
func TestD8_Edit(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	var updates atomic.Int64
	if _, err := srv.Conn().Subscribe("$JS.API.STREAM.UPDATE.>", func(*nats.Msg) { updates.Add(1) }); err != nil {
		t.Fatal(err)
	}
	if err := srv.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	r := c.OK("stream edit ORDERS --description d -f")
	if !strings.HasPrefix(r.Out, "Differences (-old +new):\n\n+ description: d\n\nStream ORDERS was updated\n\nInformation for Stream ORDERS") {
		t.Errorf("%s", r.Out)
	}
	testkit.Eventually(t, time.Minute, "the update is seen", func() bool { return updates.Load() == 1 })
	if out := c.OK("stream edit ORDERS --description d -f").Out; out != "No difference in configuration\n" {
		t.Errorf("%s", out)
	}
	if out := c.OK("stream edit ORDERS --description d --dry-run").Out; out != "" {
		t.Errorf("%s", out)
	}
	dry := c.Run("stream edit ORDERS --max-msgs 100 --subjects 'orders.>,extra' --dry-run")
	if want := "Differences (-old +new):\n\n- max_msgs: unlimited\n+ max_msgs: 100\n+ subjects: extra\n"; dry.Out != want || dry.Code != fail.Failure || dry.Err != "" {
		t.Errorf("code %d, %q, want %q, stderr %q", dry.Code, dry.Out, want, dry.Err)
	}
	type doc struct {
		Changes []jsconf.Change `json:"changes"`
	}
	asDoc := c.Run("stream edit ORDERS --max-msgs 100 --dry-run --json")
	if d := decode[doc](t, asDoc.Out); len(d.Changes) != 1 || d.Changes[0].Path != "max_msgs" || string(d.Changes[0].New) != "100" {
		t.Errorf("%+v", d)
	}
	if cfg := config(t, srv, "ORDERS"); cfg.MaxMsgs != -1 || updates.Load() != 1 {
		t.Errorf("%+v, %d updates", cfg, updates.Load())
	}
	type infoDoc struct {
		Config struct {
			MaxMsgs int `json:"max_msgs"`
		} `json:"config"`
	}
	if d := decode[infoDoc](t, c.OK("stream edit ORDERS --max-msgs 50 -f --json").Out); d.Config.MaxMsgs != 50 {
		t.Errorf("%+v", d)
	}
}

func TestEditKeepsWhatIsNotNamed(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK("stream add NA --subjects na --no-ack --no-allow-direct --max-msgs 5 --metadata a=1 --defaults")
	c.OK("stream edit NA --description d -f")
	if cfg := config(t, srv, "NA"); !cfg.NoAck || cfg.AllowDirect || cfg.MaxMsgs != 5 || cfg.Metadata["a"] != "1" {
		t.Errorf("%+v", cfg)
	}
	c.OK("stream edit NA --ack --max-msgs 0 --max-age 1h -f")
	c.OK("stream edit NA --max-age=-1 --metadata b=2 -f")
	if cfg := config(t, srv, "NA"); cfg.NoAck || cfg.MaxMsgs != 5 || cfg.MaxAge != 0 || cfg.Metadata["b"] != "2" || cfg.Metadata["a"] != "" {
		t.Errorf("%+v", cfg)
	}
	c.OK("stream edit NA --transform-source na --transform-destination x.na --republish-source na --republish-destination r -f")
	c.OK("stream edit NA --no-transform --no-republish -f")
	if cfg := config(t, srv, "NA"); cfg.SubjectTransform != nil || cfg.RePublish != nil {
		t.Errorf("%+v", cfg)
	}
}

func TestEditAsks(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	c.Fails(fail.Usage, "stream edit ORDERS --description d", "--force")
	r := c.Answers(answering(t, "Really edit Stream ORDERS=n")).Fails(fail.Declined, "stream edit ORDERS --description d")
	contains(t, "stderr", r.Err, "+ description: d")
	if d := config(t, srv, "ORDERS").Description; d != "" {
		t.Errorf("description %q", d)
	}
	c.Answers(answering(t, "Really edit=y")).OK("stream edit ORDERS --description d")
	c.Fails(fail.NotFound, "stream edit ORDRES --description d -f", "ORDERS")
	c.Fails(fail.Usage, "stream edit ORDERS --source X -f", "--add-source")
	c.Fails(fail.Usage, "stream edit ORDERS --mirror X -f", "--no-mirror")
	c.Fails(fail.Failure, "stream edit ORDERS --retention interest --replicas 3 -f", "100")
}

func TestEditOfABucketStream(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "B"})
	r := c.OK("stream edit KV_B --description x -f")
	contains(t, "stderr", r.Err, "key-value bucket")
	if d := config(t, srv, "KV_B").Description; d != "x" {
		t.Errorf("%q", d)
	}
}

func TestEditSources(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	for _, n := range []string{"A", "B"} {
		c.OK("stream add " + n + " --subjects " + n + " --defaults")
	}
	c.OK("stream add ALL --source A --defaults")
	r := c.OK("stream edit ALL --add-source B -f")
	contains(t, "info", r.Out, "Sources: A\n", "B\n")
	c.OK("stream edit ALL --remove-source A -f")
	if s := config(t, srv, "ALL").Sources; len(s) != 1 || s[0].Name != "B" {
		t.Errorf("%+v", s)
	}
	c.Fails(fail.NotFound, "stream edit ALL --remove-source A -f", "source A")
}

func TestEditConfig(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	write := func(name, text string) {
		if err := os.WriteFile(c.Path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("s.json", c.OK("stream info ORDERS --json").Out)
	if out := c.OK("stream edit ORDERS --config s.json -f").Out; out != "No difference in configuration\n" {
		t.Errorf("%s", out)
	}
	write("o.yaml", "name: OTHER\nsubjects: [orders.>]\nmax_age: 1h\nallow_direct: true\n")
	c.OK("stream edit ORDERS --config o.yaml --max-bytes 1MB -f")
	if cfg := config(t, srv, "ORDERS"); cfg.MaxAge != time.Hour || cfg.MaxBytes != 1<<20 || cfg.Name != "ORDERS" {
		t.Errorf("%+v", cfg)
	}
	write("bad.yaml", "name: ORDERS\nmax_agee: 1h\n")
	c.Fails(fail.Usage, "stream edit ORDERS --config bad.yaml -f", `bad.yaml:2: unknown key "max_agee"`)
	c.Answers(answering(t, "max_age: 1h0m0s=max_age: 2h", "Really edit=y")).OK("stream edit ORDERS --interactive")
	if cfg := config(t, srv, "ORDERS"); cfg.MaxAge != 2*time.Hour || cfg.MaxBytes != 1<<20 {
		t.Errorf("%+v", cfg)
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	c.OK("stream edit ORDERS --max-msgs 100 -f")
	r := c.OK("stream copy ORDERS O2 --subjects o2 --first-sequence 1000 --persist-mode async --limit-consumer-max-pending 5 --no-ack")
	contains(t, "stdout", r.Out, "Stream O2 was created\n\nInformation for Stream O2")
	cfg := config(t, srv, "O2")
	if cfg.MaxMsgs != 100 || cfg.FirstSeq != 1000 || cfg.ConsumerLimits.MaxAckPending != 5 || !cfg.NoAck || info(t, srv, "O2").State.Msgs != 0 {
		t.Errorf("%+v", cfg)
	}
	contains(t, "persist mode", c.OK("stream info O2 --jq .config.persist_mode").Out, "async")
	c.Fails(fail.Failure, "stream copy ORDERS O3", "10065", "--subjects")
	c.Fails(fail.Usage, "stream copy ORDERS ORDERS", "both ORDERS")
	c.Fails(fail.NotFound, "stream copy NOPE O3 --subjects o3", "NOPE")
}

func TestRmm(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	r := c.OK("stream rmm ORDERS 2 -f")
	if r.Out != "" || info(t, srv, "ORDERS").State.NumDeleted != 1 {
		t.Errorf("%q", r.Out)
	}
	c.Fails(fail.NotFound, "stream rmm ORDERS 2 -f", "(10043)")
	c.Fails(fail.Usage, "stream rmm ORDERS 3", "--force")
	c.Fails(fail.Usage, "stream rmm ORDERS -f", "pass <id>")
	for _, bad := range []string{"0", "x", "5-3", "1,,2", "1-x"} {
		c.Fails(fail.Usage, "stream rmm ORDERS "+bad+" -f", "<id>")
	}
	contains(t, "dry run", c.OK("stream rmm ORDERS 1-3,7 --dry-run").Out, "Would remove 3 messages (")
	c.Answers(answering(t, "remove messages 1-3, 2 of them, from Stream ORDERS=n")).Fails(fail.Declined, "stream rmm ORDERS 1-3")
	c.Answers(answering(t, "Message Sequence=0", "Message Sequence=4", "remove message 4=y")).OK("stream rmm ORDERS")
	if d := decode[removedMessages](t, c.OK("stream rmm ORDERS 1-5,7-18446744073709551615 --fast -f --json").Out); d.Messages != 4 {
		t.Errorf("%+v", d)
	}
	if n := info(t, srv, "ORDERS").State.Msgs; n != 1 {
		t.Errorf("%d are left", n)
	}
	c.OK("stream purge ORDERS -f")
	c.Fails(fail.NotFound, "stream rmm ORDERS 2 -f", "no such message (10057)")
}

func TestSeal(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	c.Fails(fail.Usage, "stream seal ORDERS", "--force")
	contains(t, "info", c.OK("stream seal ORDERS -f").Out, "Sealed: true\n")
	if _, err := srv.JS().Publish(t.Context(), "orders.new", nil); err == nil || !strings.Contains(err.Error(), "10109") {
		t.Errorf("a sealed stream took a message: %v", err)
	}
	c.Fails(fail.NotFound, "stream seal NOPE -f", "(10059)")
}

func TestGaps(t *testing.T) {
	t.Parallel()
	c, _ := withOrders(t)
	if out := c.OK("stream gaps ORDERS").Out; out != "No deleted messages in ORDERS\n" {
		t.Errorf("%s", out)
	}
	if out := c.OK("stream gaps ORDERS --json").Out; out != "[]\n" {
		t.Errorf("%s", out)
	}
	c.OK("stream rmm ORDERS 2,4-5 -f")
	gaps := decode[[][2]int](t, c.OK("stream gaps ORDERS -f --json").Out)
	if len(gaps) != 2 || gaps[0] != [2]int{2, 2} || gaps[1] != [2]int{4, 5} {
		t.Errorf("%v", gaps)
	}
	contains(t, "table", c.OK("stream gaps ORDERS").Out, "2 gaps found in Stream ORDERS", "First Message")
	viewtest.Golden(t, "gaps", gapList{stream: "ORDERS", gaps: []js.Gap{{2, 2}, {4, 12345}}})
}
