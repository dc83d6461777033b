package stream

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

func TestAddDefaults(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	r := c.OK("stream add ORDERS --subjects 'orders.>' --defaults")
	if !strings.HasPrefix(r.Out, "Stream ORDERS was created\n\nInformation for Stream ORDERS created ") {
		t.Errorf("stdout %s", r.Out)
	}
	cfg := config(t, srv, "ORDERS")
	if cfg.Storage != jetstream.FileStorage || cfg.Replicas != 1 || cfg.Retention != jetstream.LimitsPolicy || cfg.Discard != jetstream.DiscardOld ||
		cfg.MaxMsgs != -1 || cfg.MaxBytes != -1 || cfg.MaxConsumers != -1 || cfg.MaxMsgsPerSubject != -1 || cfg.MaxMsgSize != -1 ||
		cfg.MaxAge != 0 || cfg.Duplicates != 2*time.Minute || !cfg.AllowDirect {
		t.Errorf("%+v", cfg)
	}
	c.OK("stream add ORDERS --subjects 'orders.>' --defaults")
	c.Fails(fail.Failure, "stream add ORDERS --subjects other --defaults", "10058")
	over := c.Fails(fail.Failure, "stream add X --subjects orders.new --defaults", "(10065)")
	if over.Out != "" {
		t.Errorf("stdout %q", over.Out)
	}
	type doc struct {
		Config struct {
			Name string `json:"name"`
		} `json:"config"`
	}
	if d := decode[doc](t, c.OK("stream add ORDERS --subjects 'orders.>' --defaults --json").Out); d.Config.Name != "ORDERS" {
		t.Errorf("%+v", d)
	}
}

func TestAddSettings(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK(`stream add PA --subjects pa --storage f --compression s2 --retention limits --discard new --discard-per-subject --first-sequence 100 --max-age 1h30m
		--max-bytes 3000000000 --max-msg-size 10KB --max-consumers 7 --max-msgs-per-subject 3 --allow-rollup --allow-msg-ttl --subject-del-markers-ttl 1m
		--transform-source pa --transform-destination x.pa --republish-source pa --republish-destination rp --metadata k=v=1,2 --description d
		--limit-consumer-inactive 1h --limit-consumer-max-pending 5 --deny-delete --no-ack --dupe-window 1500000µs --defaults`)
	cfg := config(t, srv, "PA")
	if cfg.Compression != jetstream.S2Compression || !cfg.DiscardNewPerSubject || cfg.FirstSeq != 100 || cfg.MaxAge != 90*time.Minute || cfg.MaxBytes != 3000000000 ||
		cfg.MaxMsgSize != 10240 || cfg.MaxConsumers != 7 || cfg.MaxMsgsPerSubject != 3 || !cfg.AllowRollup || !cfg.AllowMsgTTL || cfg.SubjectDeleteMarkerTTL != time.Minute ||
		cfg.SubjectTransform == nil || cfg.RePublish == nil || cfg.Metadata["k"] != "v=1,2" || cfg.ConsumerLimits.InactiveThreshold != time.Hour ||
		cfg.ConsumerLimits.MaxAckPending != 5 || !cfg.DenyDelete || !cfg.NoAck || cfg.Description != "d" {
		t.Errorf("%+v", cfg)
	}
	c.OK("stream add SHORT --subjects short --max-age 1m --defaults")
	if got := config(t, srv, "SHORT").Duplicates; got != time.Minute {
		t.Errorf("duplicate window %s is longer than the age", got)
	}
	c.OK("stream add LISTS --subjects 'a b,c' --subjects d --defaults")
	if got := config(t, srv, "LISTS").Subjects; strings.Join(got, " ") != "a b c d" {
		t.Errorf("subjects %v", got)
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server(testkit.Dead(t))
	for line, says := range map[string]string{
		"stream add a.b --defaults":                                          "a.b",
		"stream add X --subjects a..b --defaults":                            "empty token",
		"stream add X --subjects '' --defaults":                              "--subjects is empty",
		"stream add X --subjects x --max-bytes 2147483647T --defaults":       "--max-bytes",
		"stream add X --subjects x --max-bytes 10PB --defaults":              "--max-bytes",
		"stream add X --subjects x --max-age 'foo 1d bar' --defaults":        "--max-age",
		"stream add X --subjects x --max-age 300y --defaults":                "--max-age",
		"stream add X --subjects x --max-msg-size 3GB --defaults":            "--max-msg-size",
		"stream add X --subjects x --storage disk --defaults":                "--storage",
		"stream add X --subjects x --transform-source a --defaults":          "--transform-destination",
		"stream add X --subjects x --mirror M --defaults":                    "--mirror and --subjects",
		`stream add X --subjects x --source '{"nme":"S"}' --defaults`:        `unknown key "nme"`,
		`stream add X --subjects x --source '{"filter_subject":"S"}'`:        "no name",
		"stream add X --subjects x --defaults --validate --output f":         "--validate and --output",
		"stream add --defaults --subjects x --validate":                      "pass <stream>",
		"stream add X --defaults --validate":                                 "pass --subjects",
		"stream add X --subjects x --validate":                               "pass --defaults",
		"stream add X --config missing.json --validate --subjects x -j --jq": "",
	} {
		r := c.Run(line)
		if r.Code != fail.Usage || !strings.Contains(r.Err, says) || r.Out != "" {
			t.Errorf("%s: code %d, stdout %q, stderr %s", line, r.Code, r.Out, r.Err)
		}
	}
	c.Fails(fail.NotFound, "stream add X --config missing.json --validate", "missing.json")
	c.Fails(fail.Unreachable, "stream add X --subjects x --defaults")
}

func TestAddOriginsByFlag(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	c.OK("stream add M --mirror ORDERS --defaults")
	if cfg := config(t, srv, "M"); cfg.Mirror == nil || cfg.Mirror.Name != "ORDERS" || len(cfg.Subjects) > 0 {
		t.Errorf("%+v", cfg)
	}
	testkit.Eventually(t, time.Minute, "the mirror has all messages", func() bool { return info(t, srv, "M").State.Msgs == 7 })
	c.OK(`stream add S --source '{"name":"ORDERS","subject_transforms":[{"src":"orders.new","dest":"x.new"}]}' --defaults`)
	if cfg := config(t, srv, "S"); len(cfg.Sources) != 1 || len(cfg.Sources[0].SubjectTransforms) != 1 || cfg.Sources[0].SubjectTransforms[0].Destination != "x.new" {
		t.Errorf("%+v", cfg)
	}
}

// D9: a misspelt key in a configuration file is an error and nothing is made. Files may be JSON or YAML; flags win.
func TestD9_AddConfig(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	write := func(name, text string) {
		if err := os.WriteFile(c.Path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("bad.json", "{\n\"name\":\"X\",\"subjects\":[\"x\"],\n\"max_mgs\":5}")
	c.Fails(fail.Usage, "stream add --config bad.json", `bad.json:3: unknown key "max_mgs"`, "max_msgs")
	gone(t, srv, "X")

	c.OK("stream add V --subjects v --defaults --output f.json")
	gone(t, srv, "V")
	if st, err := os.Stat(c.Path("f.json")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st, err)
	}
	c.OK("stream add --config f.json")
	c.OK("stream add V2 --config f.json --subjects 'v2,v3' --replicas 1 --description d --max-msgs 5")
	if cfg := config(t, srv, "V2"); cfg.Description != "d" || cfg.MaxMsgs != 5 || strings.Join(cfg.Subjects, " ") != "v2 v3" {
		t.Errorf("%+v", cfg)
	}
	r := c.OK("stream info V --json")
	write("s.json", r.Out)
	c.OK("stream add Y --config s.json --subjects y")
	if cfg := config(t, srv, "Y"); cfg.Name != "Y" || strings.Join(cfg.Subjects, " ") != "y" {
		t.Errorf("%+v", cfg)
	}
	write("z.yaml", "name: Z\nsubjects:\n  - z.>\nmax_age: 1d\nretention: workqueue\n")
	c.OK("stream add --config z.yaml")
	if cfg := config(t, srv, "Z"); cfg.MaxAge != 24*time.Hour || cfg.Retention != jetstream.WorkQueuePolicy {
		t.Errorf("%+v", cfg)
	}
	c.Stdin(`{"name":"IN","subjects":["in"]}`).OK("stream add --config -")
	config(t, srv, "IN")
}

func TestAddValidatesWithoutAServer(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server(testkit.Dead(t))
	r := c.OK("stream add V --subjects v --defaults --validate")
	contains(t, "stdout", r.Out, `"name": "V"`, "}\n\nConfiguration is a valid Stream matching io.nats.jetstream.api.v1.stream_configuration\n")
	c.Fails(fail.Failure, "stream add V --subjects '>' --defaults --validate", "Validation Failed", "acknowledgement")
	c.OK("stream add V --subjects '>' --no-ack --defaults --validate")
	r = c.Run("stream add V --subjects v --discard-per-subject --defaults --validate --json")
	type doc struct {
		Valid   bool     `json:"valid"`
		Reasons []string `json:"reasons"`
	}
	if d := decode[doc](t, r.Out); d.Valid || len(d.Reasons) != 1 || r.Code != fail.Failure {
		t.Errorf("%+v", d)
	}
	c.Env("NOVALIDATE", "1").OK("stream add V --subjects '>' --defaults --output f.json")
	if data, err := os.ReadFile(c.Path("f.json")); err != nil || !strings.Contains(string(data), `">"`) {
		t.Errorf("%s %v", data, err)
	}
}

func TestAddSurvey(t *testing.T) {
	t.Parallel()
	c, srv := start(t)
	c.OK("stream add PLAIN --subjects plain --defaults")
	c.Answers(answering(t, "Stream Name=ASKED", "Subjects=asked", "Storage", "Replication=abc", "Replication=0", "Replication", "Retention Policy", "Discard Policy",
		"Stream Messages Limit", "Per Subject Messages Limit", "Total Stream Size=10XX", "Total Stream Size", "Message TTL=x", "Message TTL", "Max Message Size",
		"Duplicate tracking time window", "Allow message Roll-ups", "Allow message deletion", "Allow purging subjects or the entire stream")).OK("stream add")
	asked, plain := config(t, srv, "ASKED"), config(t, srv, "PLAIN")
	asked.Name, asked.Subjects = plain.Name, plain.Subjects
	asked.Metadata, plain.Metadata = nil, nil
	if got, want := asJSON(t, asked), asJSON(t, plain); got != want {
		t.Errorf("answers with the defaults give\n%s\nwant\n%s", got, want)
	}
	c.Answers(answering(t, "Retention Policy=Work Queue", "Discard Policy=New", "Per Subject Messages Limit=4", "Total Stream Size=1.5MB", "Message TTL=30s", "Duplicate tracking time window",
		"Allow message Roll-ups=n", "Allow purging subjects or the entire stream=n")).OK("stream add W --subjects w --storage memory --replicas 1 --max-msgs 10 --max-msg-size -1 --deny-delete")
	cfg := config(t, srv, "W")
	if cfg.Retention != jetstream.WorkQueuePolicy || cfg.Discard != jetstream.DiscardNew || cfg.MaxMsgsPerSubject != 4 || cfg.MaxBytes != 3<<19 || cfg.MaxAge != 30*time.Second ||
		cfg.Duplicates != 30*time.Second || cfg.AllowRollup || !cfg.DenyDelete || !cfg.DenyPurge || cfg.MaxMsgs != 10 {
		t.Errorf("%+v", cfg)
	}
}

func TestAddSurveyOfOrigins(t *testing.T) {
	t.Parallel()
	c, srv := withOrders(t)
	const rest = "--storage file --replicas 1 --retention limits --discard old --max-msgs -1 --max-bytes -1 --max-age -1 --max-msg-size -1 --no-allow-rollup --no-deny-delete --no-deny-purge --dupe-window 1m"
	c.Answers(answering(t, "custom durable consumer=n", "Adjust mirror start=y", "Mirror Start Sequence=0", "Mirror Start Time=2026:01:02 15:04:05", "Adjust mirror filter=y",
		"Filter mirror by subject=orders.new", "Subject transform destination=x.new", "Filter mirror by subject", "different JetStream domain=n", "different account=n")).OK("stream add M --mirror ORDERS " + rest)
	m := config(t, srv, "M").Mirror
	if m.OptStartTime == nil || !m.OptStartTime.Equal(time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)) || len(m.SubjectTransforms) != 1 || m.SubjectTransforms[0].Destination != "x.new" {
		t.Errorf("%+v", m)
	}
	c.Answers(answering(t, "Per Subject=", "custom durable consumer for \"ORDERS\"=n", "Adjust source \"ORDERS\" start=y", "ORDERS Source Start Sequence=4", "filter and transform=n",
		"different JetStream domain=n", "different account=n")).OK("stream add S --subjects s --source ORDERS " + rest)
	if s := config(t, srv, "S").Sources; len(s) != 1 || s[0].OptStartSeq != 4 {
		t.Errorf("%+v", s)
	}
}

func TestAddWhereASizeIsRequired(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithAccountsLimited())
	b := clitest.New(t, Command()).Server(srv.UserURL("b"))
	// The account allows 10 MiB: the default of 256 MiB is sent and refused by the server.
	b.Fails(fail.Failure, "stream add D --subjects d --defaults", "10")
	b.Answers(answering(t, "Storage", "Replication", "Retention", "Discard", "Stream Messages", "Per Subject", "Total Stream Size=-1", "Total Stream Size=1MB", "Message TTL", "Max Message Size",
		"Duplicate", "Roll-ups", "deletion", "purging")).OK("stream add S --subjects s")
	s, err := srv.UserConn("b").Request("$JS.API.STREAM.INFO.S", nil, 5*time.Second)
	if err != nil || !strings.Contains(string(s.Data), `"max_bytes":1048576`) {
		t.Errorf("%s %v", s.Data, err)
	}
}

func TestAddIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t, testkit.WithAccountsLimited())
	c := clitest.New(t, Command()).Server(srv.UserURL("nostream"))
	c.Fails(fail.Unreachable, "stream add P --subjects p --defaults --timeout 1h", "$JS.API.STREAM.CREATE.P")
	clitest.New(t, Command()).Server(srv.UserURL("nojs")).Fails(fail.Unreachable, "stream add P --subjects p --defaults --timeout 1h")
}
