package bench

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/meter"
	"github.com/natskit/natskit/internal/meter/crew"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

func lines(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)" + p).MatchString(text) {
			t.Errorf("no line matches %s in\n%s", p, text)
		}
	}
}

const speed = `[\d,]+ msgs/sec ~ [\d.]+ [KMG]?i?B/sec`

func engines(t *testing.T, f func(t *testing.T, engine string)) {
	for _, e := range []string{crew.Wire, crew.NatsGo} {
		t.Run(e, func(t *testing.T) { t.Parallel(); f(t, " --engine "+e) })
	}
}

func TestPub(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		c := clitest.New(t, Command()).Server(srv.URL())
		r := c.OK("bench pub b --msgs 2000 --clients 3 --no-progress --csv f.csv" + engine)
		lines(t, r.Out, `^  \[1\] `+speed+` ~ min: .*us ~ P99\.9: [\d.,]+us \(667 msgs\)$`, `^  \[3\] .* \(666 msgs\)$`,
			`^ NATS Core NATS publisher aggregated stats: `+speed+`$`, `^ message rates min [\d,]+ \| avg [\d,]+ \| max [\d,]+ \| stddev [\d,]+ msgs$`,
			`^ latencies per operation min .* \| P99\.9: .*us$`, `^Saved metric data in csv file f\.csv$`, "^Engine: "+strings.TrimPrefix(engine, " --engine ")+"$")
		lines(t, r.Err, `^\d\d:\d\d:\d\d Starting Core NATS publisher benchmark \[clients=3, engine=.*, msg-size=128 B, msgs=2,000, multi-subject-max=100,000, multi-subject-randomize=false, multi-subject=false, sleep=0s, subject=b\]$`,
			`^\d\d:\d\d:\d\d \[1\] Starting Core NATS publisher, publishing 667 messages$`)
		data, err := os.ReadFile(c.Path("f.csv"))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
		if err != nil || len(rows) != 4 || len(rows[0]) != 15 || rows[1][2] != "667" || rows[1][3] != "85376" || rows[3][2] != "666" {
			t.Errorf("%v %v", rows, err)
		}
		v, _ := srv.Server().Varz(nil)
		if v.InMsgs != 2000 || v.InBytes != 2000*128 {
			t.Errorf("the server counted %d messages, %d bytes", v.InMsgs, v.InBytes)
		}
	})
}

func TestPubSubjectsPayloadAndHeaders(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		c := clitest.New(t, Command()).Server(srv.URL())
		sub := testkit.Subscribe(t, srv.Conn(), "m.*")
		if err := os.WriteFile(c.Path("body"), []byte("hello"), 0o600); err != nil {
			t.Fatal(err)
		}
		r := c.OK("bench pub m --msgs 3 --multisubject --multisubjectmax 1000 --payload " + c.Path("body") + " -H A:b --json" + engine)
		for _, want := range []string{"m.0000", "m.0001", "m.0002"} {
			m := sub.Next()
			if m.Subject != want || string(m.Data) != "hello" || m.Header.Get("A") != "b" {
				t.Errorf("got %s %q %v, want %s", m.Subject, m.Data, m.Header, want)
			}
		}
		v, _ := srv.Server().Varz(nil)
		if rep := parse(t, r.Out); rep.Outcome != meter.Complete || rep.Sides[0].Total.Messages != 3 || rep.Sides[0].Total.Bytes != v.InBytes {
			t.Errorf("the server counted %d bytes\n%s", v.InBytes, r.Out)
		}
	})
}

func TestPubForATime(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		c := clitest.New(t, Command()).Server(testkit.Server(t).URL())
		rep := parse(t, c.OK("bench pub b --duration 200ms --warmup 50ms --clients 2 --json"+engine).Out)
		if d := rep.Sides[0].Total.Duration; d < 190*time.Millisecond || rep.Sides[0].Total.Messages == 0 {
			t.Errorf("lasted %s", d)
		}
		rep = parse(t, c.OK("bench pub b --throughput 1000 --duration 300ms --json"+engine).Out)
		if n := rep.Sides[0].Total; n.Messages != 300 || n.Latency.Count != 300 || n.Lag == nil {
			t.Errorf("%+v", n)
		}
		out := c.OK("bench pub b --steps 500,1000 --duration 400ms" + engine).Out
		lines(t, out, `^At 500 msgs/sec: [1-5][0-9]* msgs/sec, 100 msgs, P50 `, `^At 1,000 msgs/sec: [1-9][0-9,]* msgs/sec, 200 msgs`)
		out = c.OK("bench pub b --ramp 0-1000 --duration 400ms --clients 2" + engine).Out
		lines(t, out, `^At 0 to 1,000 msgs/sec: [1-9][0-9]* msgs/sec, 200 msgs`)
		// More than any machine sends: the rate is the one reached.
		rep = parse(t, c.OK("bench pub b --throughput 1000000000 --duration 20us --json"+engine).Out)
		if st, tot := rep.Sides[0].Steps[0], rep.Sides[0].Total; st.Messages != 20000 || st.Rate > 1.5*tot.Rate {
			t.Errorf("%g a second in the step, %g in the run", st.Rate, tot.Rate)
		}
	})
}

func parse(t *testing.T, text string) *meter.Report {
	t.Helper()
	r, err := meter.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return r
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	c := clitest.New(t, Command()).Server("nats://127.0.0.1:1")
	for line, says := range map[string]string{
		"bench pub b --msgs 0":                               "number of messages should be greater than 0",
		"bench sub b --msgs=-1":                              "number of messages should be greater than 0",
		"bench service request b --msgs 0":                   "number of messages should be greater than 0",
		"bench pub b --size 0":                               "greater than 0",
		"bench pub b --size x":                               "--size",
		"bench pub b --size 2K-1K":                           "greater than 0",
		"bench pub b --clients=-1":                           "--clients",
		"bench pub b --ramp 1-2":                             "need --duration",
		"bench pub b --ramp 5 --duration 1s":                 "--ramp 5",
		"bench pub b --steps a --duration 1s":                "--steps a",
		"bench pub b --steps 1 --throughput 2":               "exclude each other",
		"bench pub b --throughput 1 --duration 1ms":          "no message at all",
		"bench pub b --engine x":                             "wire",
		"bench pub 'a b'":                                    "invalid subject",
		"bench pub 'a.*'":                                    "invalid subject",
		"bench pub b --payload nofile":                       "nofile",
		"bench pub b --report x.pdf":                         ".html",
		"bench pub b --latency --size 8":                     "at least 16",
		"bench pubsub b --size 8":                            "at least 16",
		"bench pub":                                          "subject",
		"bench pub b --throughput=-5":                        "--throughput",
		"bench pub b --steps 0 --duration 1s --msgs 5":       "no message at all",
		"bench pub b --multisubject --multisubjectmax=-1":    "--multisubjectmax",
		"bench pubsub b --subscribers 0":                     "--subscribers",
		"bench pub b --throughput 1 --duration=-1s --msgs 3": "duration",
		"bench pub b --size=-5":                              "a size must be greater than 0",
		"bench pub b --size 1-2-3":                           "--size",
		"bench pub b --idle=-1s":                             "--idle -1s: must not be negative",
		"bench pub b --wait=-1s":                             "--wait -1s: must not be negative",
		"bench pub b --sleep=-1s":                            "--sleep -1s: must not be negative",
		"bench js consume --warmup=-1s":                      "--warmup -1s: must not be negative",
		"bench sub b --duration=-1s":                         "--duration must not be negative",
		"bench sub b --hdr h":                                "bench sub measures no latencies",
		"bench js ordered --hdr h":                           "bench js ordered measures no latencies",
		"bench service serve b --hdr h":                      "bench service serve measures no latencies",
		"bench compare a b --fail-if ''":                     "there is no condition in it",
		"bench compare a b --fail-if ,":                      "there is no condition in it",
	} {
		c.Fails(fail.Usage, line, says)
	}
	if out := c.OK("bench pub b --clients 0").Out; !strings.Contains(out, "No publisher or subscribers. Nothing to report.") {
		t.Errorf("%s", out)
	}
}

// A file that cannot be written is told before the run, not after it.
func TestFilesAreTriedFirst(t *testing.T) {
	t.Parallel()
	srv := testkit.Server(t)
	c := clitest.New(t, Command()).Server(srv.URL())
	for _, flag := range []string{"--csv", "--hdr", "--report"} {
		r := c.Fails(fail.NotFound, "bench pub b --msgs 10 "+flag+" none/x.json", "none/x.json cannot be written: no such file or directory")
		if strings.Contains(r.Err, "Starting") {
			t.Errorf("%s", r.Err)
		}
	}
	c.Fails(fail.NotFound, "bench service serve b --csv none/x", "none/x cannot be written")
	if v, _ := srv.Server().Varz(nil); v.InMsgs != 0 {
		t.Errorf("%d messages were sent", v.InMsgs)
	}
	if left, err := os.ReadDir(c.Path(".")); err != nil || len(left) != 0 {
		t.Errorf("%v %v", left, err)
	}
}

func TestSub(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		c := clitest.New(t, Command()).Server(srv.URL())
		sub := c.Start("bench sub 'b' --multisubject --clients 2 --msgs 500 --latency --csv s.csv" + engine)
		sub.Says("Subscribing on b, expecting 500 messages")
		subscribers(t, srv, "b.1", 2)
		c.OK("bench pub b --multisubject --msgs 500 --latency" + engine)
		r := sub.Wait()
		if r.Code != fail.OK {
			t.Fatalf("%d\n%s\n%s", r.Code, r.Out, r.Err)
		}
		lines(t, r.Out, `^  \[2\] .*\(500 msgs\)$`, `^ NATS Core NATS subscriber aggregated stats: `, `^Delivery: expected 1,000 \| received 1,000 \| lost 0 \| duplicates 0`)
		data, _ := os.ReadFile(c.Path("s.csv"))
		lines(t, string(data), `^[^,]+,S0,500,64000,`, `^[^,]+,S1,500,64000,`)
	})
}

// subscribers waits until n connections of the default account are interested in a subject.
func subscribers(t *testing.T, srv *testkit.NATS, subject string, n int) {
	t.Helper()
	testkit.Eventually(t, time.Minute, fmt.Sprintf("%d subscribe to %s", n, subject), func() bool {
		a, err := srv.Server().LookupAccount(server.DEFAULT_GLOBAL_ACCOUNT)
		return err == nil && a.Interest(subject) == n
	})
}

func TestTooFewMessages(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		c := clitest.New(t, Command()).Server(srv.URL())
		c.Fails(fail.NoAnswer, "bench sub nobody --wait 100ms"+engine, "0 of 100000 messages: the first message did not come within 100ms")
		sub := c.Start("bench sub b --msgs 50 --idle 200ms --json" + engine)
		srv.AwaitInterest("b")
		testkit.Publish(t, srv.Conn(), "b", 20, "12345")
		r := sub.Wait()
		rep := parse(t, r.Out)
		if r.Code != fail.Partial || rep.Outcome != meter.Idle || rep.Sides[0].Total.Messages != 20 || rep.Sides[0].Total.Bytes != 100 {
			t.Errorf("%d %s %s", r.Code, r.Out, r.Err)
		}
		var line struct{ Error struct{ Code int } }
		errs := strings.Split(strings.TrimSpace(r.Err), "\n")
		if err := json.Unmarshal([]byte(errs[len(errs)-1]), &line); err != nil || line.Error.Code != 7 {
			t.Errorf("%v: %s", err, r.Err)
		}
	})
}

func TestPubSub(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		c := clitest.New(t, Command()).Server(srv.URL())
		r := c.OK("bench pubsub b --msgs 3000 --clients 2 --subscribers 2 --report r.json --report r.md --report r.html --hdr l.hgrm" + engine)
		lines(t, r.Out, `^Delivery: expected 6,000 \| received 6,000 \| lost 0 \| duplicates 0 \| reordered 0 \| gaps 0$`,
			`^Latency of the Core NATS subscriber: from the hand-over by the publisher to the arrival \(6,000 samples`, `^Saved report in r\.html$`, `^Saved latency histogram in l\.hgrm$`)
		for name, want := range map[string]string{"r.md": "# nats bench pubsub", "r.html": "<svg ", "l.hgrm": "Percentile"} {
			data, err := os.ReadFile(c.Path(name))
			if err != nil || !strings.Contains(string(data), want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		data, _ := os.ReadFile(c.Path("r.json"))
		if rep := parse(t, string(data)); len(rep.Sides) != 2 || rep.Sides[1].Total.Messages != 6000 {
			t.Errorf("%s", data)
		}
		c.OK("bench pubsub b --msgs 1000 --no-latency --size 4" + engine)
		c.OK("bench pubsub b --msgs 1000 --queue q --subscribers 3" + engine)
	})
}

func TestService(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		c := clitest.New(t, Command()).Server(srv.URL())
		c.Fails(fail.NoAnswer, "bench service request svc --msgs 5"+engine, "requesting: nats: no responders available for request")
		serve := c.Start("bench service serve svc --clients 2 --json" + engine)
		serve.Says("hit control-c to stop")
		r := c.OK("bench service request svc --clients 3 --msgs 400" + engine)
		lines(t, r.Err, `Starting Core NATS service requester benchmark \[clients=3, engine=.*, msg-size=128 B, msgs=400, sleep=0s, subject=svc\]`, `\[1\] Starting Core NATS service requester, requesting 134 messages`)
		lines(t, r.Out, `^ NATS Core NATS service requester aggregated stats: `, `^Latency of the Core NATS service requester: from the request to its reply \(400 samples`)
		end := serve.Interrupt()
		if end.Code != fail.OK {
			t.Fatalf("%d %s", end.Code, end.Err)
		}
		if rep := parse(t, end.Out); rep.Sides[0].Total.Messages != 400 || rep.Outcome != meter.Complete {
			t.Errorf("%s", end.Out)
		}
	})
}

const permissions = `authorization { users = [ { user: u, password: p, permissions: { publish: { allow: ["ok"] }, subscribe: { allow: ["ok", "_INBOX.>"] } } } ] }`

func TestDeniedAndRefused(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t, testkit.WithConfig(permissions))
		c := clitest.New(t, Command()).Server(strings.Replace(srv.URL(), "//", "//u:p@", 1))
		r := c.Fails(fail.Unreachable, "bench pub no --msgs 3000 --clients 2"+engine, "Permissions Violation", "Error from client")
		lines(t, r.Out, `aggregated stats: 0 msgs/sec`, `messages were denied by the server$`)
		c.Fails(fail.Unreachable, "bench sub no"+engine, "Permissions Violation")
		c.Fails(fail.Unreachable, "bench service request no"+engine, "Permissions Violation")
		wrong := clitest.New(t, Command()).Server(strings.Replace(srv.URL(), "//", "//u:wrong@", 1))
		if r := wrong.Fails(fail.Unreachable, "bench pub ok"+engine, "client number 1 failed to connect"); strings.Contains(r.Err+r.Out, "wrong") {
			t.Errorf("the password is in the output: %s", r.Err)
		}
		clitest.New(t, Command()).Server(testkit.Dead(t)).Fails(fail.Unreachable, "bench pub b"+engine, "failed to connect")
	})
}

func TestInterruptedAndKilled(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		srv := testkit.Server(t)
		c := clitest.New(t, Command()).Server(srv.URL())
		moving := func() func() bool {
			before, _ := srv.Server().Varz(nil)
			return func() bool { v, _ := srv.Server().Varz(nil); return v.InMsgs > before.InMsgs+100 }
		}
		for _, line := range []string{"bench pub b --msgs 1000000000 --throughput 5000", "bench pubsub b --throughput 5000 --duration 1h", "bench pub b --duration 1h"} {
			flowing := moving()
			run := c.Start(line + " --json" + engine)
			testkit.Eventually(t, time.Minute, "messages flow", flowing)
			r := run.Interrupt()
			if rep := parse(t, r.Out); r.Code != fail.Interrupted || rep.Outcome != meter.Interrupted || rep.Sides[0].Total.Messages == 0 {
				t.Errorf("%s: %d\n%s\n%s", line, r.Code, r.Out, r.Err)
			}
		}
		flowing := moving()
		run := c.Start("bench pub b --msgs 1000000000 --throughput 5000 --json" + engine)
		testkit.Eventually(t, time.Minute, "messages flow", flowing)
		srv.Stop()
		r := run.Wait()
		if rep := parse(t, r.Out); r.Code != fail.Unreachable || rep.Outcome != meter.Failed {
			t.Errorf("%d\n%s\n%s", r.Code, r.Out, r.Err)
		}
	})
}
