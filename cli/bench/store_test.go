package bench

import (
	"strings"
	"testing"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"sync", "async", "atomic", "batch", "fast", "sync --engine nats.go", "async --engine nats.go", "atomic --engine nats.go"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			srv := testkit.Server(t)
			c := clitest.New(t, Command()).Server(srv.URL())
			line := "bench js pub " + mode + " s --msgs 1200"
			c.Fails(fail.NotFound, line, "could not access stream benchstream: ", "stream not found")
			r := c.OK(line + " --create --clients 2 --csv f.csv")
			lines(t, r.Err, `Using stream: benchstream$`, `\[.*deduplication=false, engine=.*max-bytes=1.0 GiB.*purge=false, replicas=1, sleep=0s, storage=file, stream=benchstream, subject=s\]$`, `\[2\] Starting JetStream .* publisher, publishing 600 messages$`)
			lines(t, r.Out, `^ NATS JetStream .* publisher aggregated stats: `+speed+`$`, `^Latency of the JetStream .* publisher: from .* \(1,200 samples, `)
			if n := testkit.State(t, srv.JS(), "benchstream").Msgs; n != 1200 {
				t.Errorf("%d messages are stored", n)
			}
			r = c.OK(line + " --create --purge --dedup --json")
			lines(t, r.Err, `Purging the stream`)
			if n := testkit.State(t, srv.JS(), "benchstream").Msgs; n != 1200 {
				t.Errorf("%d messages are stored after a purge", n)
			}
			if rep := parse(t, r.Out); rep.Sides[0].Total.Messages != 1200 || rep.Host.Server == "" {
				t.Errorf("%s", r.Out)
			}
			c.Fails(fail.Failure, line+" --create --storage memory", "nats stream delete benchstream", "10058")
			r = c.Fails(fail.NoAnswer, strings.Replace(line, " s ", " elsewhere ", 1))
			lines(t, r.Err, `no response from stream|no responders`)
		})
	}
}

func TestStoreUsage(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server("nats://127.0.0.1:1")
	c.Fails(fail.Usage, "bench js pub async s --batch 0", "--batch")
	c.Fails(fail.Usage, "bench js pub fast s --max-outstanding-acks 0", "--max-outstanding-acks")
	c.Fails(fail.Usage, "bench js pub sync s --cleanup", "--create")
	c.Fails(fail.Usage, "bench js pub sync s --msgs 0", "number of messages should be greater than 0")
	c.Fails(fail.Unreachable, "bench js pub sync s", "127.0.0.1:1")
}

func TestStoreKilled(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	run := c.Start("bench js pub async s --create --throughput 2000 --duration 1h --json")
	testkit.Eventually(t, 20e9, "messages are stored", func() bool {
		st, err := srv.JS().Stream(t.Context(), "benchstream")
		return err == nil && st.CachedInfo().State.Msgs > 20
	})
	srv.Stop()
	r := run.Wait()
	if rep := parse(t, r.Out); r.Code != fail.Unreachable || rep.Outcome != meter.Failed || rep.Sides[0].Total.Messages == 0 {
		t.Errorf("%d\n%s\n%s", r.Code, r.Out, r.Err)
	}
}
