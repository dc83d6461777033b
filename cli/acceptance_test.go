package cli

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

// acceptance is the fixture of the cases: a server with the accounts and streams that they name, and the whole program.
type acceptance struct {
	*testing.T
	srv  *testkit.NATS
	c    *clitest.CLI
	dead string
}

// cases runs each case, named by its number in the specification, in a world of its own.
func cases(t *testing.T, all map[string]func(w *acceptance)) {
	for name, run := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := testkit.Server(t, testkit.WithAccounts())
			js := srv.JS()
			testkit.Stream(t, js, jetstream.StreamConfig{Name: "EV", Subjects: []string{"ev.>"}, AllowDirect: true})
			testkit.Stream(t, js, jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"ORDERS.*"}})
			testkit.Stream(t, js, jetstream.StreamConfig{Name: "BATCH", Subjects: []string{"batch.>"}, AllowAtomicPublish: true})
			testkit.Stream(t, js, jetstream.StreamConfig{Name: "WQ", Subjects: []string{"wq.>"}, Retention: jetstream.WorkQueuePolicy})
			testkit.Stream(t, js, jetstream.StreamConfig{Name: "SCHED", Subjects: []string{"sch.>"}, AllowMsgSchedules: true, AllowMsgTTL: true})
			run(&acceptance{T: t, srv: srv, c: clitest.New(t, Tree()...).Server(srv.URL()), dead: testkit.Dead(t)})
		})
	}
}

// store puts bodies into streams, each on its subject.
func (w *acceptance) store(subject string, bodies ...string) {
	w.Helper()
	for _, b := range bodies {
		testkit.Store(w.T, w.srv.JS(), subject, 1, b)
	}
}

// on subscribes beside the program.
func (w *acceptance) on(subject string) *testkit.Subscription {
	w.Helper()
	return testkit.Subscribe(w.T, w.srv.Conn(), subject)
}

// beside starts a command next to those of w.c, with a tree of its own: a tree is for one command line at a time.
func (w *acceptance) beside(line string) *clitest.Running {
	w.Helper()
	return clitest.New(w.T, Tree()...).Server(w.srv.URL()).Start(line)
}

// start runs a command that listens, until somebody would receive on the subject.
func (w *acceptance) start(line, subject string) *clitest.Running {
	w.Helper()
	r := w.beside(line)
	w.srv.AwaitInterest(subject)
	return r
}

func (w *acceptance) equal(what string, got, want any) {
	w.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.Errorf("%s is %q, want %q", what, fmt.Sprint(got), fmt.Sprint(want))
	}
}

func (w *acceptance) matches(what, got, pattern string) {
	w.Helper()
	if !regexp.MustCompile(pattern).MatchString(got) {
		w.Errorf("%s is %q, want a match of %s", what, got, pattern)
	}
}

func (w *acceptance) contains(what, got string, want ...string) {
	w.Helper()
	for _, x := range want {
		if !strings.Contains(got, x) {
			w.Errorf("%s lacks %q: %s", what, x, got)
		}
	}
}

func TestAcceptanceFirst(t *testing.T) {
	cases(t, map[string]func(w *acceptance){
		"01": func(w *acceptance) {
			r := w.c.OK("pub foo hello")
			w.equal("stdout", r.Out, "")
			w.matches("stderr", r.Err, `^\d\d:\d\d:\d\d Published 5 bytes to "foo"\n$`)
		},
		"02": func(w *acceptance) {
			s := w.start("sub foo --count 1", "foo")
			w.c.OK("pub foo hello")
			r := s.Wait()
			w.equal("stdout", r.Out, "[#1] Received on \"foo\"\nhello\n\n\n")
			w.equal("exit code", r.Code, fail.OK)
			w.contains("stderr", r.Err, "Subscribing on foo ")
		},
		"03": func(w *acceptance) {
			s := w.start("sub foo --count 1 --raw", "foo")
			w.c.OK("pub foo hello")
			r := s.Wait()
			w.equal("stdout", r.Out, "hello\n")
			w.equal("stderr", r.Err, "")
		},
		"04": func(w *acceptance) {
			w.start("reply svc 'pong {{Request}}'", "svc")
			r := w.c.OK("req svc ping")
			w.matches("stdout", r.Out, "^pong ping\n")
			w.contains("stderr", r.Err, `Sending request on "svc"`, "Received with rtt ")
		},
		"05": func(w *acceptance) {
			s := w.on("foo")
			w.c.Stdin("a\nb\n").OK("pub foo")
			w.equal("bodies", s.Bodies(1), []string{"a\nb\n"})
		},
		"06": func(w *acceptance) {
			s := w.on("foo")
			w.c.Stdin("a\n\nb").OK("pub foo --send-on newline")
			w.equal("bodies", strings.Join(s.Bodies(3), "|"), "a||b")
		},
		"07": func(w *acceptance) {
			w.contains("stderr", w.c.OK("pub ORDERS.a one -J").Err, "Stored in Stream: ORDERS Sequence: 1")
			w.equal("messages", len(testkit.Stored(w.T, w.srv.JS(), "ORDERS")), 1)
		},
		"08": func(w *acceptance) {
			w.c.OK("pub ORDERS.a one -J -H Nats-Msg-Id:1")
			r := w.c.OK("pub ORDERS.a one -J -H Nats-Msg-Id:1")
			w.matches("stderr", r.Err, "Sequence: 1.*Duplicate: true\n")
		},
		"10": func(w *acceptance) {
			w.c.Server(w.dead).Fails(fail.Unreachable, "pub a b", "nats: error: nats: no servers available for connection")
		},
		"11": func(w *acceptance) {
			w.store("ev.a", "1", "2", "3")
			r := w.c.OK("sub ev.a --all -T")
			w.matches("stdout", r.Out, `^\[#1\] Received JetStream message: stream: EV seq: 1 / pending: 2 / subject: ev\.a / time: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n`)
			w.equal("blocks", strings.Count(r.Out, "Received JetStream message"), 3)
		},
		"12": func(w *acceptance) {
			w.store("ev.a", "1", "2", "3", "4", "5")
			w.c.OK("consumer add EV D --pull --defaults")
			r := w.c.OK("sub --stream EV --durable D --count 2")
			w.equal("blocks", strings.Count(r.Out, "Received JetStream message"), 2)
			w.equal("acknowledged and pending", w.c.OK(`consumer info EV D --jq '"\(.ack_floor.stream_seq) \(.num_pending + .num_ack_pending)"'`).Out, "2 3\n")
		},
		"16": func(w *acceptance) { w.c.Fails(fail.NoAnswer, "req nosvc x", "no responders") },
		"17": func(w *acceptance) {
			w.on("slow")
			w.c.Fails(fail.NoAnswer, "req slow x --timeout 500ms", "no reply within")
		},
		"18": func(w *acceptance) {
			for _, s := range []string{"ev.a", "ev.b", "ev.a", "ev.b"} {
				w.store(s, "x")
			}
			r := w.c.OK("sub ev.b --direct --all --count 2")
			w.equal("blocks of ev.b", strings.Count(r.Out, "subject: ev.b"), 2)
			w.equal("blocks", strings.Count(r.Out, "Received JetStream"), 2)
		},
	})
}

func TestAcceptancePublish(t *testing.T) {
	cases(t, map[string]func(w *acceptance){
		"19": func(w *acceptance) {
			s := w.on("foo")
			w.c.OK("pub foo '{{Count}} {{.Count}} {{Unix}} {{ID}} {{Random 5 5}}' --count 2")
			for i, body := range s.Bodies(2) {
				w.matches("body", body, fmt.Sprintf(`^%d %d \d{10} \w{22} [a-zA-Z0-9]{5}$`, i+1, i+1))
			}
		},
		"20": func(w *acceptance) {
			s := w.on("foo.>")
			w.c.OK("pub 'foo.{{Count}}' m --count 2")
			w.equal("subjects", s.Next().Subject+" "+s.Next().Subject, "foo.1 foo.2")
		},
		"21": func(w *acceptance) {
			s := w.on("foo")
			w.c.OK("pub foo x -H 'A:b:c' -H 'A: d ' -H 'N:{{Count}}'")
			h := s.Next().Header
			w.equal("A", fmt.Sprintf("%q", h["A"]), `["b:c" "d"]`)
			w.equal("N", h["N"], []string{"1"})
		},
		"22": func(w *acceptance) {
			s := w.on("foo")
			w.c.OK("pub foo '{{Bogus}}' --no-templates")
			w.equal("body", s.Bodies(1), []string{"{{Bogus}}"})
		},
		"23, 24, 28": func(w *acceptance) {
			s := w.on(">")
			w.c.Fails(fail.Usage, "pub foo '{{Bogus}}'")
			w.c.Fails(fail.Usage, "pub foo x -H nocolon", `invalid header "nocolon"`)
			w.c.Server(w.srv.UserURL("limited")).Fails(fail.Unreachable, "pub notok b", `Permissions Violation for Publish to "notok"`)
			w.c.OK("pub last x")
			w.equal("first message", s.Next().Subject, "last")
		},
		"25": func(w *acceptance) {
			s := w.on("foo")
			w.c.Stdin("file").OK("pub foo body --force-stdin")
			w.equal("body", s.Bodies(1), []string{"body"})
		},
		"26": func(w *acceptance) {
			s := w.on("foo")
			w.c.Stdin("").OK("pub foo")
			w.equal("size", len(s.Next().Data), 0)
		},
		"27": func(w *acceptance) {
			s := w.on("foo")
			begin := time.Now()
			w.c.OK("pub foo x --count 3 --sleep 100ms")
			if took := time.Since(begin); took < 200*time.Millisecond {
				w.Errorf("two pauses of 100ms took %s", took)
			}
			w.equal("bodies", s.Bodies(3), []string{"x", "x", "x"})
		},
		"29": func(w *acceptance) {
			w.c.Stdin(strings.Repeat("x", 1_200_000)).Fails(fail.Failure, "pub foo", "maximum payload exceeded")
		},
		"30, 31, 32": func(w *acceptance) {
			w.c.Fails(fail.NoAnswer, "pub nostream.a x -J", "no responders available")
			w.c.Fails(fail.Failure, "pub ORDERS.a x -J -H Nats-Expected-Stream:NO", "expected stream does not match (10060)")
			w.c.Stdin("a\nb\n").Fails(fail.NoAnswer, "pub nostream.a -J --send-on newline")
		},
		"33, 34": func(w *acceptance) {
			w.matches("stderr", w.c.Stdin("a\nb\nc\n").OK("pub batch.a --atomic --send-on newline -H K:v").Err, `Wrote batch ID: \S+ Messages: 3 Sequence: 3`)
			for i, m := range testkit.Stored(w.T, w.srv.JS(), "BATCH") {
				w.equal("sequence and header", fmt.Sprint(m.Sequence, m.Header.Get("K")), fmt.Sprint(i+1, "v"))
			}
			w.equal("messages", testkit.State(w.T, w.srv.JS(), "BATCH").Msgs, 3)
		},
		"35": func(w *acceptance) {
			w.c.Stdin("a\nb\nc\n").OK("pub 'batch.{{Count}}' --atomic --send-on newline")
			var subjects []string
			for _, m := range testkit.Stored(w.T, w.srv.JS(), "BATCH") {
				subjects = append(subjects, m.Subject)
			}
			w.equal("subjects", subjects, []string{"batch.1", "batch.2", "batch.3"})
		},
		"36": func(w *acceptance) {
			r := w.c.Run("pub batch.a x --atomic")
			w.matches("stderr", r.Err, "(?i)(stdin|standard input).*newline")
			w.equal("exit code", r.Code, fail.Usage)
			if r := w.c.Stdin("").Run("pub batch.a --atomic --send-on newline"); r.Code == fail.OK || strings.Contains(r.Err, "internal error") {
				w.Errorf("an empty batch: %+v", r)
			}
		},
		"37": func(w *acceptance) {
			w.c.OK("pub sch.s b --schedule-after 2s --schedule-dest sch.out")
			m := testkit.Stored(w.T, w.srv.JS(), "SCHED")[0]
			w.matches("schedule", m.Header.Get("Nats-Schedule"), `^@at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$`)
			w.equal("target", m.Header.Get("Nats-Schedule-Target"), "sch.out")
			testkit.Eventually(w.T, 30*time.Second, "the message that was scheduled", func() bool {
				all := testkit.Stored(w.T, w.srv.JS(), "SCHED")
				return len(all) > 0 && all[len(all)-1].Subject == "sch.out"
			})
		},
		"38": func(w *acceptance) {
			for _, flags := range []string{
				"--schedule-dest sch.out --schedule-at 2100-01-01T00:00:00Z --schedule-after 1s", "--schedule-dest sch.out --schedule-after 0s",
				"--schedule-dest sch.out --schedule-every 1m --schedule-cron '0 0 * * * *'", "--schedule-after 1s",
			} {
				w.c.Fails(fail.Usage, "pub sch.s b "+flags)
			}
			w.equal("messages", testkit.State(w.T, w.srv.JS(), "SCHED").Msgs, 0)
		},
		"39": func(w *acceptance) { w.equal("stdout", w.c.OK("pub foo x --count 30").Out, "") },
		"40, 41": func(w *acceptance) {
			s := w.on("foo")
			w.c.OK("pub foo @/etc/hostname")
			w.c.Stdin("piped").OK("pub foo -")
			w.equal("bodies", s.Bodies(2), []string{"@/etc/hostname", "piped"})
		},
	})
}

func TestAcceptanceServices(t *testing.T) {
	cases(t, map[string]func(w *acceptance){
		"82": func(w *acceptance) {
			w.c.Fails(fail.NoAnswer, "service ping --timeout 2s")
			for range 2 {
				w.beside("service serve calc").Says("waiting for requests")
			}
			w.beside("service serve abc").Says("waiting for requests")
			w.equal("instances", w.c.OK("service ls calc --json --jq length").Out, "2\n")
			w.equal("answer", w.c.OK("service request calc echo hi -r").Out, "hi\n")
			w.equal("requests", w.c.OK("service stats calc --json --jq 'map(.endpoints[0].num_requests)|add'").Out, "1\n")
			names := w.c.OK("service ls --format names").Out
			w.equal("names", names, "abc\ncalc\ncalc\n")
			w.equal("order", w.c.OK("service ls --json --jq '.==sort_by(.name,.id)'").Out, "true\n")
		},
		"83": func(w *acceptance) {
			w.contains("stdout", w.c.Fails(fail.NoAnswer, "trace foo.tr").Out, "--X No active interest")
			w.on("foo.tr")
			w.matches("stdout", w.c.OK("trace foo.tr").Out, `(?s)--C Client .* subject:"foo\.tr".*Egress Count:\n\n +Client: 1\n`)
			if out := w.c.OK("trace ev.a").Out; strings.Contains(out, "No active interest") {
				w.Errorf("a stream is no interest: %s", out)
			}
		},
		"85": func(w *acceptance) {
			w.c.OK("context add prod")
			w.matches("stdout", w.c.Env("NATS_TABLE_FORMAT", "csv").OK("context ls").Out, "(?m)^Name,.*\nprod,")
			w.c.Fails(fail.Usage, "pub a b --x", "unknown long flag '--x'")
			w.equal("exit code", w.c.Args().Code, fail.OK)
		},
	})
}
