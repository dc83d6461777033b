package stream

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/js"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestRm(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	c.Fails(fail.Usage, "stream rm ORDERS", "--force")
	info(t, srv, "ORDERS")
	c.Answers(answering(t, "Really delete Stream ORDERS with 7 messages=n")).Fails(fail.Declined, "stream rm ORDERS")
	info(t, srv, "ORDERS")
	dry := c.OK("stream rm ORDERS --dry-run --json")
	if d := decode[removal](t, dry.Out); !d.DryRun || len(d.Streams) != 1 || d.Streams[0].Messages != 7 {
		t.Errorf("%+v", d)
	}
	info(t, srv, "ORDERS")
	r := c.OK("stream rm ORDERS -f")
	if r.Out != "" || r.Err != "" {
		t.Errorf("not silent: %q %q", r.Out, r.Err)
	}
	gone(t, srv, "ORDERS")
	c.Fails(fail.NotFound, "stream rm ORDERS -f", "(10059)")
	c.Answers(answering(t)).Fails(fail.NotFound, "stream rm ORDERS", "(10059)")
}

func TestRmSeveral(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	for _, n := range []string{"TEST_1", "TEST_2", "KEEP", "A", "B"} {
		c.OK("stream add " + n + " --subjects " + n + " --defaults")
	}
	testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "TEST_3"})
	c.Answers(answering(t, "delete 2 Streams (TEST_1, TEST_2)=y")).OK("stream rm --match 'TEST_*'")
	gone(t, srv, "TEST_1")
	gone(t, srv, "TEST_2")
	info(t, srv, "KEEP")
	c.Fails(fail.NotFound, "stream rm --match 'TEST_*' -f", "TEST_*")
	c.Fails(fail.Partial, "stream rm A,NOPE,B -f", "1 of 3", "(10059)")
	gone(t, srv, "A")
	gone(t, srv, "B")
	c.Fails(fail.Usage, "stream rm A --match B -f", "--match")
	c.Fails(fail.Usage, "stream rm --match '[' -f", "--match")
	bucket := c.OK("stream rm KV_TEST_3 -f")
	contains(t, "stderr", bucket.Err, "key-value bucket")
	viewtest.Golden(t, "rm-dry-run", removal{DryRun: true, Streams: []removed{{Name: "A", Messages: 12345, Bytes: 2048, Consumers: 2, Known: true}}})
}

func TestPurge(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	c.Fails(fail.Usage, "stream purge ORDERS --seq 3 --keep 2 -f", "exclude each other")
	c.Fails(fail.Usage, "stream purge ORDERS", "--force")
	c.Answers(answering(t)).Fails(fail.NotFound, "stream purge ORDRES", "(10059)", "ORDERS")
	c.Answers(answering(t, "Really purge Stream ORDERS, 2 messages=n")).Fails(fail.Declined, "stream purge ORDERS --seq 3")
	dry := c.OK("stream purge ORDERS --subject orders.new --dry-run")
	contains(t, "dry run", dry.Out, "Would purge 6 messages (about ", ") from ORDERS")
	if n := info(t, srv, "ORDERS").State.Msgs; n != 7 {
		t.Fatalf("%d messages are left", n)
	}
	r := c.OK("stream purge ORDERS --subject orders.new --keep 5 -f")
	contains(t, "purge", r.Out, "Purged 1 messages from ORDERS\n\nState for Stream ORDERS")
	type doc struct {
		Purged int `json:"purged"`
		State  struct {
			Messages int `json:"messages"`
		} `json:"state"`
	}
	if d := decode[doc](t, c.OK("stream purge ORDERS --subject orders.new -f --json").Out); d.Purged != 5 || d.State.Messages != 1 {
		t.Errorf("%+v", d)
	}
	type would struct {
		DryRun bool    `json:"dry_run"`
		Would  js.Toll `json:"would_purge"`
	}
	if d := decode[would](t, c.OK("stream purge ORDERS --dry-run --json").Out); !d.DryRun || d.Would.Messages != 1 || d.Would.Bytes == 0 {
		t.Errorf("%+v", d)
	}
	viewtest.Golden(t, "purge", purged{Purged: 6, stream: sample(t, paDoc)})
	viewtest.Golden(t, "purge-dry-run", purged{DryRun: true, Toll: js.Toll{Messages: 6, Bytes: 390, Estimated: true}, stream: sample(t, paDoc)})
}
