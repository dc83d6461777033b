package bench

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

func TestReadLines(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	c.OK("bench js pub async s --create --msgs 60")
	r := c.OK("bench js consume --msgs 30 --clients 7 --csv f.csv")
	lines(t, r.Err, `Starting JetStream durable consumer \(callback\) benchmark \[acks=explicit, batch=500, clients=7, consumer=nats-bench, double-acked=false, engine=nats.go, msg-size=128 B, msgs=30, purge=false, sleep=0s, stream=benchstream\]$`,
		`\[7\] Starting JetStream durable consumer \(callback\), expecting 4 messages$`)
	lines(t, r.Out, `^ NATS JetStream durable consumer \(callback\) aggregated stats: `)
	r = c.Fails(fail.Partial, "bench js consume --msgs 100 --clients 2 --json", "60 of 100 messages: the stream has no more for them")
	if rep := parse(t, r.Out); rep.Outcome != meter.Idle || rep.Sides[0].Total.Messages != 60 {
		t.Errorf("%s", r.Out)
	}
	c.OK("bench js fetch --msgs 30 --clients 7 --filter s")
	lines(t, c.OK("bench js ordered --msgs 60 --clients 2").Out, `^  \[2\] .* \(60 msgs\)$`)
	lines(t, c.OK("bench js get sync --msgs 20").Out, `^NATS JetStream synchronous getter stats: .*P99\.9: `)
	lines(t, c.OK("bench js get batch --msgs 55 --batch 20 --filter s").Out, `^NATS JetStream batched direct getter stats: .*P99\.9: `)
	r = c.Fails(fail.Partial, "bench js get batch --msgs 70", "60 of 70 messages: the stream holds no more")
	c.Fails(fail.NotFound, "bench js consume --stream NOPE", "getting stream 'NOPE'", "err_code=10059")
	c.Fails(fail.NotFound, "bench js consume --consumer NOPE", "getting durable consumer 'NOPE'", "err_code=10014")
	c.Fails(fail.Usage, "bench js fetch --batch 0", "--batch")
	c.Fails(fail.Usage, "bench js consume --msgs 0", "number of messages should be greater than 0")
}

func TestKVLines(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	lines(t, c.OK("bench kv put --msgs 10 --clients 2 --storage memory --history 3").Out, `^ NATS JetStream KV putter aggregated stats: `)
	st, err := srv.JS().Stream(t.Context(), "KV_benchbucket")
	if err != nil || st.CachedInfo().State.Msgs != 10 || st.CachedInfo().Config.MaxMsgsPerSubject != 3 || st.CachedInfo().Config.Storage != jetstream.MemoryStorage {
		t.Errorf("%v %+v", err, st)
	}
	lines(t, c.OK("bench kv get --msgs 10").Out, `^NATS JetStream KV getter stats: .*P99\.9: `)
	c.Fails(fail.NotFound, "bench kv get --msgs 11", "getting key '10': ", "key not found")
	c.Fails(fail.Failure, "bench kv put --msgs 1", "bucket name already in use")
	c.Fails(fail.NotFound, "bench kv put --bucket own --msgs 1", "bucket own")
	kv := testkit.KV(t, srv.JS(), jetstream.KeyValueConfig{Bucket: "own"})
	if _, err := kv.PutString(t.Context(), "precious", "1"); err != nil {
		t.Fatal(err)
	}
	c.Fails(fail.Usage, "bench kv put --bucket own --msgs 1 --purge", "--force")
	if _, err := kv.Get(t.Context(), "precious"); err != nil {
		t.Errorf("emptied without an answer: %v", err)
	}
	c.OK("bench kv put --bucket own --msgs 1 --purge --force")
	if _, err := kv.Get(t.Context(), "precious"); fail.CodeOf(err) != fail.NotFound {
		t.Errorf("the purge left %v", err)
	}
	lines(t, c.OK("bench kv put --bucket own --throughput 1000 --duration 100ms --randomize 5").Out, `^At 1,000 msgs/sec: `)
}

func TestADomainIsHonoured(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithDomain("hub"))
	c := clitest.New(t, Command()).Server(srv.URL())
	c.OK("bench js pub sync s --create --msgs 5 --js-domain hub")
	c.OK("bench js ordered --msgs 5 --js-domain hub")
	c.Fails(fail.NoAnswer, "bench js ordered --msgs 5 --js-domain elsewhere --timeout 500ms")
}
