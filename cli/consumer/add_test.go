package consumer

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

func TestAddPull(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	r := c.OK("consumer add ORDERS PULL --pull --defaults")
	if !strings.HasPrefix(r.Out, "Information for Consumer ORDERS > PULL created ") {
		t.Errorf("%s", r.Out)
	}
	contains(t, "screen", r.Out, "Pull Mode: true\n", "Ack Policy: Explicit\n", "Ack Wait: 30.00s\n", "Unprocessed Messages: 7\n", "Waiting Pulls: 0 of maximum 512\n")
	cfg := info(t, srv, "PULL").Config
	if cfg.Durable != "PULL" || cfg.AckPolicy != jetstream.AckExplicitPolicy || cfg.DeliverPolicy != jetstream.DeliverAllPolicy || cfg.MaxDeliver != -1 {
		t.Errorf("%+v", cfg)
	}
	// Without --pull and --target, --defaults means pull.
	c.OK("consumer add ORDERS P2 --defaults")
	if cfg := info(t, srv, "P2").Config; cfg.DeliverSubject != "" {
		t.Errorf("%+v", cfg)
	}
	type doc struct {
		Stream string `json:"stream_name"`
		Config struct {
			Durable string `json:"durable_name"`
		} `json:"config"`
	}
	if d := decode[doc](t, c.OK("consumer add ORDERS P3 --defaults --json").Out); d.Stream != "ORDERS" || d.Config.Durable != "P3" {
		t.Errorf("%+v", d)
	}
}

// Case 24: an existing consumer is never changed without a word.
func TestAddExisting(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK("consumer add ORDERS PULL --pull --defaults")
	c.OK("consumer add ORDERS PULL --pull --defaults")
	c.TTY(0).Fails(fail.Failure, "consumer add ORDERS PULL --pull --defaults --max-deliver 7", "ORDERS > PULL", "already exists", "(10148)", "--update")
	if n := info(t, srv, "PULL").Config.MaxDeliver; n != -1 {
		t.Errorf("max deliver is %d", n)
	}
	c.OK("consumer add ORDERS PULL --pull --defaults --max-deliver 7 --update")
	if n := info(t, srv, "PULL").Config.MaxDeliver; n != 7 {
		t.Errorf("max deliver is %d", n)
	}
}

func TestAddPush(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK("consumer add ORDERS P --target p --defaults")
	if cfg := info(t, srv, "P").Config; cfg.AckPolicy != jetstream.AckNonePolicy || cfg.DeliverSubject != "p" {
		t.Errorf("%+v", cfg)
	}
	r := c.OK("consumer add ORDERS P2 --target p2 --deliver-group grp --ack explicit --flow-control --heartbeat 5s --bps 1000000 --deliver 5 --defaults")
	contains(t, "screen", r.Out, "Delivery Subject: p2\n", "Deliver Policy: From Sequence 5\n", "Deliver Queue Group: grp\n", "Rate Limit: 122 KiB / second\n",
		"Max Ack Pending: 1,000\n", "Idle Heartbeat: 5.00s\n", "Flow Control: true\n", "Active Interest: No interest\n")
	cfg := info(t, srv, "P2").Config
	if cfg.DeliverGroup != "grp" || !cfg.FlowControl || cfg.IdleHeartbeat != 5*time.Second || cfg.RateLimit != 1000000 {
		t.Errorf("%+v", cfg)
	}
	c.OK("consumer add ORDERS P3 --target p3 --defaults --replay original")
	if cfg := info(t, srv, "P3").Config; cfg.ReplayPolicy != jetstream.ReplayOriginalPolicy {
		t.Errorf("%+v", cfg)
	}
}

func TestAddSettings(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	r := c.OK(`consumer add ORDERS F1 --pull --defaults --description 'two filt' --filter orders.s1,orders.s2 --backoff linear --backoff-steps 3 --backoff-min 1s --backoff-max 10s
		--max-deliver 5 --sample 50 --max-pending 10 --max-waiting 7 --headers-only --inactive-threshold 1h --max-pull-expire 5s --max-pull-batch 10 --max-pull-bytes 1KB
		--replicas 1 --memory --metadata a=b --wait 10s`)
	contains(t, "screen", r.Out, "Filter Subjects: orders.s1, orders.s2\n", "Ack Wait: 1.00s\n", "Maximum Deliveries: 5\n", "Sampling Rate: 50\n", "Max Ack Pending: 10\n",
		"Max Waiting Pulls: 7\n", "Headers Only: true\n", "Inactive Threshold: 1h0m0s\n", "Max Pull Expire: 5.00s\n", "Max Pull Batch: 10\n", "Max Pull MaxBytes: 1,024\n",
		"Backoff: 1s, 5.5s, 10s\n", "Replicas: 1\n", "Memory Storage: true\n", "Metadata:\n\n", "a: b\n")
	if got := info(t, srv, "F1").Config.BackOff; len(got) != 3 || got[2] != 10*time.Second {
		t.Errorf("%v", got)
	}
	c.OK("consumer add ORDERS B --pull --defaults --backoff 1s,5s,1m")
	if cfg := info(t, srv, "B").Config; cfg.MaxDeliver != 4 || cfg.BackOff[1] != 5*time.Second {
		t.Errorf("%+v", cfg)
	}
	for flag, want := range map[string]jetstream.DeliverPolicy{
		"all": jetstream.DeliverAllPolicy, "new": jetstream.DeliverNewPolicy, "last": jetstream.DeliverLastPolicy, "subject": jetstream.DeliverLastPerSubjectPolicy,
		"5": jetstream.DeliverByStartSequencePolicy, "1h": jetstream.DeliverByStartTimePolicy, "2026-01-01T00:00:00Z": jetstream.DeliverByStartTimePolicy,
	} {
		name := strings.NewReplacer(":", "", "-", "").Replace("D" + flag)
		c.OK("consumer add ORDERS " + name + " --defaults --deliver " + flag)
		cfg := info(t, srv, name).Config
		if cfg.DeliverPolicy != want {
			t.Errorf("%s: %+v", flag, cfg)
		}
		if flag == "subject" && cfg.FilterSubject != ">" {
			t.Errorf("filter %q", cfg.FilterSubject)
		}
	}
}

func TestAddPriorityGroups(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	for policy, flags := range map[jetstream.PriorityPolicy]string{
		jetstream.PriorityPolicyPinned: "--pinned-groups g --pinned-ttl 30s", jetstream.PriorityPolicyOverflow: "--overflow-groups g", jetstream.PriorityPolicyPrioritized: "--prioritized-groups g",
	} {
		name := "G" + string(rune('0'+policy))
		c.OK("consumer add ORDERS " + name + " --pull --defaults " + flags)
		if cfg := info(t, srv, name).Config; cfg.PriorityPolicy != policy || len(cfg.PriorityGroups) != 1 || cfg.PriorityGroups[0] != "g" {
			t.Errorf("%s: %+v", flags, cfg)
		}
	}
	contains(t, "screen", c.OK("consumer info ORDERS G"+string(rune('0'+jetstream.PriorityPolicyPinned))).Out, "Priority Groups: g\n", "Pinned TTL: 30.00s\n", "g: No client\n")
}

func TestAddEphemeralAndPaused(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	r := c.OK("consumer add ORDERS --ephemeral --pull --defaults --json")
	type doc struct {
		Name   string `json:"name"`
		Config struct {
			Durable string `json:"durable_name"`
		} `json:"config"`
	}
	if d := decode[doc](t, r.Out); len(d.Name) != 8 || d.Config.Durable != "" {
		t.Errorf("%+v", d)
	}
	c.OK("consumer add ORDERS E --ephemeral --pull --defaults --pause 1h")
	i := info(t, srv, "E")
	if i.Config.Durable != "" || !i.Paused || i.PauseRemaining < 50*time.Minute {
		t.Errorf("%+v", i)
	}
	contains(t, "screen", c.OK("consumer info ORDERS E").Out, "Paused Until Deadline: ", " remaining)\n", "Paused Until: ")
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server(testkit.Dead(t))
	for line, says := range map[string]string{
		"consumer add S a.b --defaults":                                                "a.b",
		"consumer add S C --pull --target p --defaults":                                "--pull and --target",
		"consumer add S C --pull --bps 5 --defaults":                                   "--bps",
		"consumer add S C --pull --heartbeat 5s --defaults":                            "--heartbeat",
		"consumer add S C --sample 101 --defaults":                                     "--sample",
		"consumer add S C --pull --pinned-groups a --overflow-groups b --defaults":     "exclude each other",
		"consumer add S C --deliver sometimes --defaults":                              "--deliver",
		"consumer add S C --wait=-5s --defaults":                                       "--wait",
		"consumer add S C --target p --heartbeat=-5s --defaults":                       "--heartbeat",
		"consumer add S C --backoff quadratic --defaults":                              "--backoff",
		"consumer add S C --backoff-steps 3 --defaults":                                "--backoff linear",
		"consumer add S C --filter a..b --defaults":                                    "--filter",
		"consumer add S C --pause 2020-01-01T00:00:00Z --defaults":                     "past",
		"consumer add S C --max-pull-bytes 3GB --defaults":                             "--max-pull-bytes",
		"consumer add S C --validate --output f --defaults":                            "--output",
		"consumer add S C --pinned-ttl 1s --defaults":                                  "--pinned-groups",
		"consumer add S --defaults --validate":                                         "<consumer>",
		"consumer add S C --pull --deliver all --ack none --replay instant --validate": "--filter",
	} {
		c.Fails(fail.Usage, line, says)
	}
}

// D9: a key that no consumer has is named, and nothing is created.
func TestD9_AddConfig(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	out := c.OK("consumer add ORDERS X1 --pull --defaults --validate").Out
	want := `{
  "ack_policy": "explicit",
  "deliver_policy": "all",
  "durable_name": "X1",
  "max_deliver": -1,
  "replay_policy": "instant",
  "num_replicas": 0,
  "pause_until": "0001-01-01T00:00:00Z"
}

Configuration is a valid Consumer
`
	if out != want {
		t.Errorf("%s", out)
	}
	offline := clitest.New(t, Command()).Server(testkit.Dead(t))
	offline.OK("consumer add ORDERS X1 --pull --defaults --validate")
	bad := offline.Run("consumer add ORDERS X1 --target p --max-waiting 5 --defaults --validate")
	if bad.Code != fail.Failure || !strings.Contains(bad.Err, "Validation Failed: max_waiting") {
		t.Errorf("%+v", bad)
	}
	gone(t, srv, "X1")
	if out := c.OK("consumer add ORDERS X1 --filter orders.new --max-deliver 3 --defaults --output x.json").Out; out != "" {
		t.Errorf("%s", out)
	}
	if fi, err := os.Stat(c.Path("x.json")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	c.OK("consumer add ORDERS --config x.json")
	c.OK("consumer add ORDERS X2 --config x.json --max-deliver 5 --description d")
	if cfg := info(t, srv, "X2").Config; cfg.Durable != "X2" || cfg.MaxDeliver != 5 || cfg.Description != "d" || cfg.FilterSubject != "orders.new" {
		t.Errorf("%+v", cfg)
	}
	// A whole info document will do; what belongs to the server is left out.
	write(t, c, "info.json", c.OK("consumer info ORDERS X2 --json").Out)
	c.OK("consumer add ORDERS X3 --config info.json")
	write(t, c, "bad.yaml", "durable_name: C\nmax_delivr: 5\n")
	c.Fails(fail.Usage, "consumer add ORDERS --config bad.yaml", `bad.yaml:2: unknown key "max_delivr"`)
	write(t, c, "none.yaml", "ack_policy: explicit\n")
	c.Fails(fail.Usage, "consumer add ORDERS --config none.yaml", "pass <consumer>")
}

func TestAddSurvey(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	r := c.Answers(answering(t, "Select a Stream=ORDERS", "Consumer name=a.b", "Consumer name=I1", "Delivery target=", "Start policy=soon", "Start policy=", "Acknowledgment policy=",
		"Replay policy=", "Filter Stream by subjects=", "Maximum Allowed Deliveries=abc", "Maximum Allowed Deliveries=", "Maximum Acknowledgments Pending=",
		"Deliver headers only=", "Add a Retry Backoff Policy=y", "Backoff policy=linear", "Minimum retry time=", "Maximum retry time=", "Number of steps=")).OK("consumer add")
	contains(t, "screen", r.Out, "Backoff: 1m0s, ", ", ..., ", ", 10m0s (20 total)\n", "Maximum Deliveries: 21\n", "Pull Mode: true\n")
	if cfg := info(t, srv, "I1").Config; len(cfg.BackOff) != 20 || cfg.BackOff[19] != 10*time.Minute {
		t.Errorf("%+v", cfg)
	}
	c.Answers(answering(t, "Delivery target=push.i2", "Delivery Queue Group=", "Start policy=new", "Acknowledgment policy=", "Replay policy=original",
		"Filter Stream by subjects=orders.new orders.old", "Idle Heartbeat=5s", "Enable Flow Control=y", "Deliver headers only=y")).OK("consumer add ORDERS I2")
	cfg := info(t, srv, "I2").Config
	if cfg.DeliverSubject != "push.i2" || cfg.DeliverPolicy != jetstream.DeliverNewPolicy || cfg.AckPolicy != jetstream.AckNonePolicy || len(cfg.FilterSubjects) != 2 ||
		!cfg.FlowControl || !cfg.HeadersOnly || cfg.ReplayPolicy != jetstream.ReplayOriginalPolicy {
		t.Errorf("%+v", cfg)
	}
}

func TestAddToNoStream(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	c.Fails(fail.NotFound, "consumer add ORDRES C --pull --defaults", "(10059)", "ORDRES")
	c.Fails(fail.Usage, "consumer add --pull --defaults", "<stream>")
	dead := clitest.New(t, Command()).Server(testkit.Dead(t))
	if r := dead.Fails(fail.Unreachable, "consumer add ORDERS C --pull --defaults"); r.Out != "" {
		t.Errorf("%s", r.Out)
	}
}
