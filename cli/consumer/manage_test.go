package consumer

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/jsconf"
	"github.com/natskit/natskit/internal/testkit"
)

func TestRm(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	pull(t, srv, "PULL")
	c.Fails(fail.Usage, "consumer rm ORDERS PULL", "--force")
	contains(t, "dry run", c.OK("consumer rm ORDERS PULL --dry-run").Out, "Consumer that would be removed", "PULL")
	c.Answers(answering(t, "Really delete Consumer ORDERS > PULL=n")).Fails(fail.Declined, "consumer rm ORDERS PULL")
	c.Fails(fail.Usage, "consumer rm ORDERS -f", "<consumer>")
	info(t, srv, "PULL")
	if r := c.OK("consumer rm ORDERS PULL -f"); r.Out+r.Err != "" {
		t.Errorf("%+v", r)
	}
	gone(t, srv, "PULL")
	c.Fails(fail.NotFound, "consumer rm ORDERS PULL -f", "(10014)")
	pull(t, srv, "A")
	c.Answers(answering(t, "Select a Stream=ORDERS", "Select a Consumer=A", "Really delete=y")).OK("consumer rm")
	gone(t, srv, "A")
	c.Answers(answering(t, "Select a Stream=ORDERS")).Fails(fail.NotFound, "consumer rm", "no Consumers are defined for Stream ORDERS")
}

// Case 23: a copy never touches its source.
func TestCopy(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK("consumer add ORDERS PULL --pull --defaults --max-deliver 7 --metadata a=b")
	c.OK("consumer copy ORDERS PULL EPH --ephemeral")
	if cfg := info(t, srv, "PULL").Config; cfg.Durable != "PULL" {
		t.Errorf("%+v", cfg)
	}
	if cfg := info(t, srv, "EPH").Config; cfg.Durable != "" || cfg.MaxDeliver != 7 || cfg.Metadata["a"] != "b" {
		t.Errorf("%+v", cfg)
	}
	c.OK("consumer copy ORDERS PULL C2 --memory --replicas 1 --metadata x=y --pause 1h --overflow-groups g --max-waiting 9 --deliver 3 --filter orders.new,orders.old --max-deliver=-1")
	i := info(t, srv, "C2")
	if cfg := i.Config; !cfg.MemoryStorage || cfg.Replicas != 1 || cfg.Metadata["x"] != "y" || !i.Paused || cfg.PriorityPolicy != jetstream.PriorityPolicyOverflow || cfg.MaxWaiting != 9 ||
		cfg.OptStartSeq != 3 || len(cfg.FilterSubjects) != 2 || cfg.MaxDeliver != -1 {
		t.Errorf("%+v", cfg)
	}
	c.Fails(fail.Usage, "consumer copy ORDERS PULL PULL", "both PULL")
	c.Fails(fail.Failure, "consumer copy ORDERS PULL C2", "(10148)")
	c.Fails(fail.NotFound, "consumer copy ORDERS NOPE C3", "(10014)")
	c.OK("consumer add ORDERS PUSH --target p --deliver-group g --heartbeat 5s --flow-control --defaults")
	c.TTY(0).Fails(fail.Usage, "consumer copy ORDERS PUSH P2", "--target")
	c.OK("consumer copy ORDERS PUSH P2 --target p2")
	if cfg := info(t, srv, "P2").Config; cfg.DeliverGroup != "g" || cfg.DeliverSubject != "p2" || !cfg.FlowControl {
		t.Errorf("%+v", cfg)
	}
	c.OK("consumer copy ORDERS PUSH P3 --pull")
	if cfg := info(t, srv, "P3").Config; cfg.DeliverSubject != "" || cfg.IdleHeartbeat != 0 {
		t.Errorf("%+v", cfg)
	}
}

// D8: an edit changes what it names and nothing else, and nothing is sent when there is no difference.
func TestD8_Edit(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK("consumer add ORDERS C --pull --defaults --filter orders.new --metadata a=1 --max-waiting 9")
	dry := c.Run("consumer edit ORDERS C --max-deliver 9 --dry-run")
	if want := "Differences (-old +new):\n\n- max_deliver: unlimited\n+ max_deliver: 9\n"; dry.Out != want || dry.Code != fail.Failure || dry.Err != "" {
		t.Errorf("%+v", dry)
	}
	type doc struct {
		Changes []jsconf.Change `json:"changes"`
	}
	if d := decode[doc](t, c.Run("consumer edit ORDERS C --max-deliver 9 --dry-run --json").Out); len(d.Changes) != 1 || d.Changes[0].Path != "max_deliver" {
		t.Errorf("%+v", d)
	}
	if n := info(t, srv, "C").Config.MaxDeliver; n != -1 {
		t.Errorf("%d", n)
	}
	r := c.OK("consumer edit ORDERS C --max-deliver 9 -f")
	contains(t, "stdout", r.Out, "+ max_deliver: 9\n\nInformation for Consumer ORDERS > C", "Maximum Deliveries: 9\n")
	if cfg := info(t, srv, "C").Config; cfg.MaxDeliver != 9 || cfg.FilterSubject != "orders.new" || cfg.Metadata["a"] != "1" || cfg.MaxWaiting != 9 {
		t.Errorf("%+v", cfg)
	}
	if out := c.OK("consumer edit ORDERS C --max-deliver 9 -f").Out; out != "No difference in configuration\n" {
		t.Errorf("%s", out)
	}
	if out := c.OK("consumer edit ORDERS C --max-deliver 9 --dry-run").Out; out != "" {
		t.Errorf("%s", out)
	}
	c.OK("consumer edit ORDERS C --filter '' --unset max-deliver,metadata --description d -f")
	if cfg := info(t, srv, "C").Config; cfg.FilterSubject != "" || cfg.MaxDeliver != -1 || cfg.Metadata["a"] != "" || cfg.Description != "d" {
		t.Errorf("%+v", cfg)
	}
	c.Fails(fail.Usage, "consumer edit ORDERS C --unset max-deliverr -f", "max-deliverr")
	c.Fails(fail.Usage, "consumer edit ORDERS C --unset description --description x -f", "exclude")
}

func TestEditBackoff(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK("consumer add ORDERS C --pull --defaults")
	c.OK("consumer edit ORDERS C --backoff linear --backoff-steps 3 --backoff-min 1s --backoff-max 10s -f")
	if cfg := info(t, srv, "C").Config; len(cfg.BackOff) != 3 || cfg.MaxDeliver != 4 || cfg.AckWait != time.Second {
		t.Errorf("%+v", cfg)
	}
	c.Fails(fail.Usage, "consumer edit ORDERS C --wait 5s -f", "backoff")
	c.OK("consumer edit ORDERS C --backoff none --wait 5s -f")
	if cfg := info(t, srv, "C").Config; len(cfg.BackOff) != 0 || cfg.AckWait != 5*time.Second {
		t.Errorf("%+v", cfg)
	}
}

// Case 74: the file of another consumer changes the one that is named, and only that.
func TestEditConfig(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK("consumer add ORDERS AA --pull --defaults")
	c.OK("consumer add ORDERS BB --pull --defaults --max-deliver 5")
	write(t, c, "bb.json", c.OK("consumer info ORDERS BB --json").Out)
	c.OK("consumer edit ORDERS AA --config bb.json --description both -f")
	if cfg := info(t, srv, "AA").Config; cfg.MaxDeliver != 5 || cfg.Durable != "AA" || cfg.Description != "both" {
		t.Errorf("%+v", cfg)
	}
	if cfg := info(t, srv, "BB").Config; cfg.Description != "" {
		t.Errorf("%+v", cfg)
	}
	write(t, c, "bad.json", `{"ack_policy":"explicit","max_delivr":3}`)
	c.Fails(fail.Usage, "consumer edit ORDERS AA --config bad.json -f", `unknown key "max_delivr"`)
	write(t, c, "short.yaml", "ack_policy: explicit\nmax_deliver: 5\ndescription: both\n")
	if out := c.OK("consumer edit ORDERS AA --config short.yaml -f").Out; out != "No difference in configuration\n" {
		t.Errorf("%s", out)
	}
	c.Answers(answering(t, "ack_wait: 30s=ack_wait: 40s", "Really edit Consumer ORDERS > AA=y")).OK("consumer edit ORDERS AA --interactive")
	if cfg := info(t, srv, "AA").Config; cfg.AckWait != 40*time.Second {
		t.Errorf("%+v", cfg)
	}
	c.OK("consumer add ORDERS E --ephemeral --pull --defaults")
	c.Fails(fail.Failure, "consumer edit ORDERS E --max-deliver 3 -f", "ephemeral")
	c.Fails(fail.Usage, "consumer edit ORDERS AA --max-deliver 3", "--force")
	c.Answers(answering(t, "Really edit=n")).Fails(fail.Declined, "consumer edit ORDERS AA --max-deliver 3")
	c.Fails(fail.NotFound, "consumer edit ORDERS AAA --max-deliver 3 -f", "(10014)", "AA")
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	pull(t, srv, "C")
	contains(t, "stdout", c.OK("consumer pause ORDERS C 1h -f").Out, "Paused ORDERS > C until ", "(1h0m0s)\n")
	if i := info(t, srv, "C"); !i.Paused {
		t.Errorf("%+v", i)
	}
	contains(t, "info", c.OK("consumer info ORDERS C").Out, "Paused Until: ")
	type doc struct {
		Paused bool      `json:"paused"`
		Until  time.Time `json:"pause_until"`
	}
	if d := decode[doc](t, c.OK("consumer pause ORDERS C 2090-01-02T03:04:05Z -f --json").Out); !d.Paused || d.Until.Year() != 2090 {
		t.Errorf("%+v", d)
	}
	contains(t, "stdout", c.OK("consumer resume ORDERS C -f").Out, "Consumer ORDERS > C was resumed while previously paused until ")
	if i := info(t, srv, "C"); i.Paused {
		t.Errorf("%+v", i)
	}
	c.Fails(fail.Failure, "consumer resume ORDERS C -f", "is not paused")
	c.Fails(fail.Failure, "consumer pause ORDERS C 2020-01-01T00:00:00Z -f", "past")
	c.Fails(fail.Failure, "consumer pause ORDERS C 0s -f", "0s is in the past")
	c.Fails(fail.Usage, "consumer pause ORDERS C 5 -f", `"5" is neither a duration`)
	c.Fails(fail.NotFound, "consumer pause ORDERS NOPE 1h -f", "(10014)")
	c.Fails(fail.Usage, "consumer pause ORDERS C", "<until>")
	// Case 78: the default answer is a moment with its zone, an hour from now.
	c.Answers(answering(t, "Pause until=", "Really pause Consumer ORDERS > C until=y")).OK("consumer pause ORDERS C")
	if left := info(t, srv, "C").PauseRemaining; left < 55*time.Minute || left > 61*time.Minute {
		t.Errorf("%s", left)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	pull(t, srv, "C")
	c.OK("consumer next ORDERS C --count 3")
	c.OK("consumer next ORDERS C --no-ack --count 2")
	r := c.OK("consumer reset ORDERS C -f")
	contains(t, "state", r.Out, "State for Consumer ORDERS > C created", "Acknowledgment Floor: Consumer sequence: 0 Stream sequence: 3")
	contains(t, "stderr", r.Err, "Delivered up to sequence 5 of the stream before, 3 now")
	type doc struct {
		Before struct {
			Delivered struct {
				Stream int `json:"stream_seq"`
			} `json:"delivered"`
		} `json:"before"`
		Consumer struct {
			Pending int `json:"num_pending"`
		} `json:"consumer"`
	}
	if d := decode[doc](t, c.OK("consumer reset ORDERS C --sequence 5 -f --json").Out); d.Before.Delivered.Stream != 3 || d.Consumer.Pending != 3 {
		t.Errorf("%+v", d)
	}
	if i := info(t, srv, "C"); i.Delivered.Stream != 4 {
		t.Errorf("%+v", i)
	}
	c.Fails(fail.Usage, "consumer reset ORDERS C --sequence 9999 -f", "past the end", "7")
	c.Fails(fail.Usage, "consumer reset ORDERS C", "--force")
	c.Answers(answering(t, "Really reset the consumer=n")).Fails(fail.Declined, "consumer reset ORDERS C")
	if i := info(t, srv, "C"); i.Delivered.Stream != 4 {
		t.Errorf("%+v", i)
	}
}

func TestUnpin(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK("consumer add ORDERS PIN --pull --pinned-groups b --defaults")
	c.Fails(fail.Failure, "consumer unpin ORDERS PIN -f", "no client is pinned")
	c.Fails(fail.Failure, "consumer unpin ORDERS PIN b -f", "no client is pinned")
	c.OK("consumer next ORDERS PIN --group b")
	id := ""
	for _, g := range info(t, srv, "PIN").PriorityGroups {
		if g.Group == "b" {
			id = g.PinnedClientID
		}
	}
	if id == "" {
		t.Fatal("no client is pinned to b")
	}
	contains(t, "info", c.OK("consumer info ORDERS PIN").Out, "b: pinned "+id+" at ")
	c.Fails(fail.NotFound, "consumer unpin ORDERS PIN nope -f", "(10160)")
	c.Answers(answering(t, "Select a Group=b", "Really unpin client "+id+"=n")).Fails(fail.Declined, "consumer unpin ORDERS PIN")
	if out := c.OK("consumer unpin ORDERS PIN b -f").Out; out != "Unpinned client "+id+" from Priority Group ORDERS > PIN > b\n" {
		t.Errorf("%s", out)
	}
	testkit.Eventually(t, time.Minute, "the group has no client", func() bool {
		for _, g := range info(t, srv, "PIN").PriorityGroups {
			if g.PinnedClientID == id {
				return false
			}
		}
		return true
	})
	pull(t, srv, "C")
	c.Fails(fail.Failure, "consumer unpin ORDERS C -f", "no pinned groups")
}

// Case 35: what is not permitted fails at once and names the subject.
func TestPermissions(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithAccounts())
	testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	c, _ := start(t)
	r := c.Server(srv.UserURL("limited")).Fails(fail.Unreachable, "consumer add ORDERS C --pull --defaults --timeout 20s", "CONSUMER.CREATE.ORDERS.C")
	if strings.Contains(r.Err, "in time") {
		t.Errorf("%s", r.Err)
	}
}
