package consumer

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// Case 21: messages come in order, and each is acknowledged.
func TestCase21_Next(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	pull(t, srv, "PULL")
	for _, want := range []string{"msg 1\n", "msg 2\n"} {
		if out := c.OK("consumer next ORDERS PULL --raw").Out; out != want {
			t.Errorf("%q, want %q", out, want)
		}
	}
	if i := info(t, srv, "PULL"); i.AckFloor.Stream != 2 || i.AckFloor.Consumer != 2 || i.NumAckPending != 0 {
		t.Errorf("%+v", i)
	}
}

// Case 34: without a server every verb says so, and nothing else.
func TestCase34_NoServer(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server(testkit.Dead(t))
	for _, line := range []string{
		"add S C --pull --defaults", "edit S C --max-deliver 5 -f", "copy S C D", "ls S", "ls S -n", "find S", "info S C", "state S C", "rm S C -f", "reset S C -f", "next S C", "sub S C",
		"pause S C 1h -f", "resume S C -f", "unpin S C g -f", "report S", "cluster step-down S C", "cluster balance S", "cluster evacuate S C n1 -f",
	} {
		r := c.Run("consumer " + line)
		if r.Code != fail.Unreachable || r.Out != "" || r.Err == "" {
			t.Errorf("%s: code %d, stdout %q, stderr %s", line, r.Code, r.Out, r.Err)
		}
	}
}

// Case 71: filters are repeated or split at commas, and one alone is the old key.
func TestCase71_Filters(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK("consumer add ORDERS TWO --defaults --filter orders.a --filter orders.b")
	if cfg := info(t, srv, "TWO").Config; cfg.FilterSubject != "" || strings.Join(cfg.FilterSubjects, " ") != "orders.a orders.b" {
		t.Errorf("%+v", cfg)
	}
	c.OK("consumer add ORDERS ONE --defaults --filter orders.a")
	if cfg := info(t, srv, "ONE").Config; cfg.FilterSubject != "orders.a" || len(cfg.FilterSubjects) != 0 {
		t.Errorf("%+v", cfg)
	}
	for _, name := range []string{"ONE", "TWO"} {
		c.OK("consumer edit ORDERS " + name + " --filter '' -f")
		if cfg := info(t, srv, name).Config; cfg.FilterSubject != "" || len(cfg.FilterSubjects) != 0 {
			t.Errorf("%+v", cfg)
		}
	}
}

// Case 75: what is terminated does not come again.
func TestCase75_Term(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	testkit.Consumer(t, srv.JS(), "ORDERS", jetstream.ConsumerConfig{Durable: "OLD", FilterSubject: "orders.old", AckPolicy: jetstream.AckExplicitPolicy, AckWait: 50 * time.Millisecond})
	contains(t, "term", c.OK("consumer next ORDERS OLD --term").Out, "tries: 1", "Terminated message\n")
	// A second later the message would have come again many times over.
	c.Fails(fail.NoAnswer, "consumer next ORDERS OLD --timeout 1s", "no message received")
	if i := info(t, srv, "OLD"); i.NumAckPending != 0 || i.NumRedelivered != 0 || i.NumPending != 0 {
		t.Errorf("%+v", i)
	}
}

// Case 78: the default answer is in the zone of the person who is asked, and is understood in it.
func TestCase78_PauseInNewYork(t *testing.T) {
	t.Parallel()
	const zone = "America/New_York"
	if os.Getenv("TZ") != zone {
		if _, err := time.LoadLocation(zone); err != nil {
			t.Skipf("no zones on this machine: %v", err)
		}
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(testkit.Context(t), self, "-test.run=^TestCase78_PauseInNewYork$", "-test.count=1")
		cmd.Env = append(os.Environ(), "TZ="+zone)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	c, srv := start(t)
	pull(t, srv, "C")
	c.Answers(answering(t, "Pause until=", "Really pause Consumer ORDERS > C until=y")).OK("consumer pause ORDERS C")
	if left := info(t, srv, "C").PauseRemaining; left < 50*time.Minute || left > 61*time.Minute {
		t.Errorf("%s", left)
	}
	until := time.Now().Add(2 * time.Hour).Format(time.DateTime)
	c.Args("consumer", "pause", "ORDERS", "C", until, "-f")
	if left := info(t, srv, "C").PauseRemaining; left < 110*time.Minute || left > 121*time.Minute {
		t.Errorf("until %s: %s", until, left)
	}
}
