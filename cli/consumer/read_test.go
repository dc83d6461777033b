package consumer

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func pull(t *testing.T, srv *testkit.NATS, name string) {
	t.Helper()
	testkit.Consumer(t, srv.JS(), "ORDERS", jetstream.ConsumerConfig{Durable: name, AckPolicy: jetstream.AckExplicitPolicy})
}

// D10: what is shown is acknowledged, and nothing else.
func TestD10_Next(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	pull(t, srv, "PULL")
	out := c.OK("consumer next ORDERS PULL").Out
	if want := " subj: orders.new / tries: 1 / cons seq: 1 / str seq: 1 / pending: 6\n\nHeaders:\n\n  X-N: 1\n\nData:\n\n\nmsg 1\n\nAcknowledged message\n\n"; out[10:] != want {
		t.Errorf("%q, want %q", out[10:], want)
	}
	if out := c.OK("consumer next ORDERS PULL --raw").Out; out != "msg 2\n" {
		t.Errorf("%q", out)
	}
	if i := info(t, srv, "PULL"); i.AckFloor.Stream != 2 || i.NumAckPending != 0 {
		t.Errorf("%+v", i)
	}
	r := c.OK("consumer next ORDERS PULL --count 3 --raw")
	if r.Out != "msg 3\nmsg 4\nmsg 5\n" {
		t.Errorf("%q", r.Out)
	}
	if i := info(t, srv, "PULL"); i.AckFloor.Stream != 5 || i.Delivered.Stream != 5 {
		t.Errorf("%+v", i)
	}
	type doc struct {
		Seq     uint64              `json:"stream_seq"`
		Data    []byte              `json:"data"`
		Headers map[string][]string `json:"headers"`
	}
	if d := decode[doc](t, c.OK("consumer next ORDERS PULL --json").Out); d.Seq != 6 || string(d.Data) != "msg 6" || d.Headers["X-N"][0] != "6" {
		t.Errorf("%+v", d)
	}
	some := c.Fails(fail.Partial, "consumer next ORDERS PULL --count 5 --raw --timeout 500ms", "1 of 5 messages")
	if some.Out != "m\n" {
		t.Errorf("%q", some.Out)
	}
}

// Case 22: a status of the server is no message, and nothing is acknowledged.
func TestNextOfNothing(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	testkit.Consumer(t, srv.JS(), "ORDERS", jetstream.ConsumerConfig{Durable: "NONE", FilterSubject: "orders.none", AckPolicy: jetstream.AckExplicitPolicy})
	r := c.Fails(fail.NoAnswer, "consumer next ORDERS NONE --timeout 500ms", "no message received", "ORDERS > NONE")
	if r.Out != "" {
		t.Errorf("%q", r.Out)
	}
	c.Fails(fail.NotFound, "consumer next ORDERS NOPE", "(10014)")
	c.Fails(fail.NotFound, "consumer next NOPE NOPE", "(10059)")
}

func TestNextAnswers(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	pull(t, srv, "PULL")
	contains(t, "nak", c.OK("consumer next ORDERS PULL --nak").Out, "tries: 1", "Negative Acknowledged message\n")
	contains(t, "again", c.OK("consumer next ORDERS PULL --term").Out, "tries: 2", "str seq: 1", "Terminated message\n")
	contains(t, "kept", c.OK("consumer next ORDERS PULL --no-ack").Out, "str seq: 2")
	if i := info(t, srv, "PULL"); i.NumAckPending != 1 || i.AckFloor.Stream != 1 {
		t.Errorf("%+v", i)
	}
	contains(t, "delay", c.OK("consumer next ORDERS PULL --wait 2ms").Out, "str seq: 3", "Acknowledged message after ", " delay\n")
	c.Fails(fail.Usage, "consumer next ORDERS PULL --term --nak", "--term and --nak")
	c.Fails(fail.Usage, "consumer next ORDERS PULL --term --ack", "--term and --ack")
	if i := info(t, srv, "PULL"); i.Delivered.Stream != 3 {
		t.Errorf("a refused line pulled: %+v", i)
	}
}

// Case 76: push consumers are told apart at once; priority groups can be read.
func TestNextModes(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK("consumer add ORDERS PUSH --target p --defaults")
	c.TTY(0).Fails(fail.Failure, "consumer next ORDERS PUSH --timeout 20s", "push consumer", "nats consumer sub ORDERS PUSH")
	c.OK("consumer add ORDERS PIN --pull --pinned-groups a,b --defaults")
	c.Fails(fail.Usage, "consumer next ORDERS PIN", "pass --group")
	if out := c.OK("consumer next ORDERS PIN --group b --raw").Out; out != "msg 1\n" {
		t.Errorf("%q", out)
	}
	c.OK("consumer add ORDERS OVER --pull --overflow-groups g --defaults")
	if out := c.OK("consumer next ORDERS OVER --min-pending 5 --raw").Out; out != "msg 1\n" {
		t.Errorf("%q", out)
	}
	c.Fails(fail.NoAnswer, "consumer next ORDERS OVER --min-pending 100 --raw --timeout 500ms", "no message")
	c.OK("consumer add ORDERS PRIO --pull --prioritized-groups g --defaults")
	if out := c.OK("consumer next ORDERS PRIO --priority 1 --raw").Out; out != "msg 1\n" {
		t.Errorf("%q", out)
	}
	pull(t, srv, "PLAIN")
	c.Fails(fail.Usage, "consumer next ORDERS PLAIN --min-pending 5", "no priority groups")
	// A consumer that answers no acknowledgements is not waited for.
	c.OK("consumer add ORDERS NOACK --pull --ack none --max-pull-batch 2 --max-pull-expire 1s --defaults")
	if out := c.OK("consumer next ORDERS NOACK --raw --count 5").Out; out != "msg 1\nmsg 2\nmsg 3\nmsg 4\nmsg 5\n" {
		t.Errorf("%q", out)
	}
}

func TestNextInterrupted(t *testing.T) {
	testkit.Leaks(t)
	c, srv := start(t)
	testkit.Consumer(t, srv.JS(), "ORDERS", jetstream.ConsumerConfig{Durable: "NONE", FilterSubject: "orders.none", AckPolicy: jetstream.AckExplicitPolicy})
	run := c.Start("consumer next ORDERS NONE --timeout 20s")
	testkit.Eventually(t, time.Minute, "the pull waits", func() bool { return info(t, srv, "NONE").NumWaiting == 1 })
	if r := run.Interrupt(); r.Code != fail.Interrupted {
		t.Errorf("%+v", r)
	}
}

func TestSub(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK("consumer add ORDERS PUSH --target push.orders --ack explicit --flow-control --heartbeat 1s --defaults")
	run := c.Start("consumer sub ORDERS PUSH").Says("str seq: 7")
	contains(t, "banner", run.Err(), "Subscribing to topic push.orders auto acknowledgment: true\n\nConsumer Info:\n  Ack Policy: Explicit\n    Ack Wait: 30s\n")
	contains(t, "messages", run.Out(), "] subj: orders.new / tries: 1 / cons seq: 1 / str seq: 1 / pending: 6\n\nHeaders:\n\n   X-N: 1\n\nData:\nmsg 1\n\n[")
	testkit.Eventually(t, time.Minute, "all are acknowledged", func() bool { return info(t, srv, "PUSH").AckFloor.Stream == 7 })
	testkit.Publish(t, srv.Conn(), "push.orders", 1, "from somebody")
	run.Says("from somebody")
	if r := run.Interrupt(); r.Code != fail.OK || !strings.Contains(r.Err, "Received 8 messages") {
		t.Errorf("%+v", r)
	}
	c.OK("consumer add ORDERS G --target push.g --deliver-group g --defaults")
	c.Fails(fail.Usage, "consumer sub ORDERS G --deliver-group other", "queue group")
	raw := c.Start("consumer sub ORDERS G --raw").Says("m\n").Interrupt()
	if raw.Code != fail.OK || raw.Out != "msg 1\nmsg 2\nmsg 3\nmsg 4\nmsg 5\nmsg 6\nm\n" || raw.Err != "" {
		t.Errorf("%+v", raw)
	}
	pull(t, srv, "PULL")
	if out := c.OK("consumer sub ORDERS PULL --raw").Out; out != "msg 1\n" {
		t.Errorf("%q", out)
	}
}

func TestDeliveryGolden(t *testing.T) {
	t.Parallel()
	viewtest.Golden(t, "delivery", delivery{
		Stream: "ORDERS", Consumer: "C", Subject: "orders.new", StreamSeq: 3, ConsumerSeq: 1, Tries: 1, Pending: 12345, Time: viewtest.Now.Add(-time.Hour),
		Headers: map[string][]string{"X-N": {"3"}}, Data: []byte("msg 3"), at: viewtest.Now,
	})
}
