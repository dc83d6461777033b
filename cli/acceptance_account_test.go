package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"gopkg.in/yaml.v3"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
	"github.com/natskit/natskit/internal/testkit/clitest"
)

const purgeRequest = "io.nats.jetstream.api.v1.stream_purge_request"

// Cases of acceptance-jetstream.md about counters and events.
func TestAcceptanceCounters(t *testing.T) {
	cases(t, map[string]func(w *acceptance){
		"106": func(w *acceptance) {
			w.counters()
			w.equal("1 + 41", w.c.OK("counter inc ctr.a 41").Out, "42\n")
			w.equal("- 2", w.c.OK("counter dec ctr.a 2").Out, "40\n")
			w.equal("30 digits", w.c.OK("counter inc ctr.a 123456789012345678901234567890").Out, "123456789012345678901234567930\n")
			w.equal("30 digits", w.c.OK("counter get ctr.a").Out, "123456789012345678901234567930\n")
			w.equal("30 digits", w.c.OK("counter get ctr.a --jq .value").Out, "123456789012345678901234567930\n")
			w.c.Fails(fail.Usage, "counter inc ctr.a 1.5", "invalid value")
		},
		"107": func(w *acceptance) {
			w.counters()
			w.equal("without --", w.c.OK("counter incr ctr.b -5").Out, "-5\n")
			w.equal("with --", w.c.OK("counter incr ctr.b -- -5").Out, "-10\n")
			w.equal("stdout", w.c.Fails(fail.Usage, "counter get 'ctr.*'", "wildcards").Out, "")
			w.equal("list", w.c.OK(`counter ls 'ctr.>' --jq '.[] | "\(.subject) \(.value)"'`).Out, "ctr.a 1\nctr.b -10\n")
		},
		"108": func(w *acceptance) {
			w.c.Fails(fail.Failure, "counter get ORDERS.new", `"ORDERS" is not a valid counter stream`)
		},
		"109": func(w *acceptance) {
			for flags, want := range map[string]string{
				"--short": `^\d\d:\d\d:\d\d \[Stream Modify\] EV\n$`, "--json": `^\{"type":"io\.nats\.jetstream\.advisory\.v1\.stream_action",.*"stream":"EV","action":"modify"`,
				"--cloudevent": `"specversion":"1\.0"`,
			} {
				r := w.beside("events --js-advisory --no-srv-advisory --type stream_action --count 1 " + flags)
				done := make(chan clitest.Result, 1)
				go func() { done <- r.Wait() }()
				n := 0
				testkit.Eventually(w.T, time.Minute, "an event", func() bool {
					n++
					w.c.OK(fmt.Sprintf("stream edit EV --description %d -f", n))
					return r.Out() != ""
				})
				w.matches("stdout of "+flags, (<-done).Out, want)
			}
		},
		"110": func(w *acceptance) {
			testkit.Stream(w.T, w.srv.JS(), jetstream.StreamConfig{Name: "ADV", Subjects: []string{"adv"}})
			event := `{"type":"io.nats.jetstream.advisory.v1.stream_action","id":"%d","timestamp":"2026-11-21T09:39:03Z","stream":"S%d","action":"modify"}`
			for i := range 3 {
				w.store("adv", fmt.Sprintf(event, i, i))
			}
			// Old are those that were stored more than --since before now: the last one alone is younger.
			at := testkit.Stored(w.T, w.srv.JS(), "ADV")[2].Time
			testkit.Eventually(w.T, time.Minute, "the last event to be the only young one", func() bool {
				out := w.c.OK(fmt.Sprintf("events --stream ADV --since %s --count 1 --jq .stream", at.Format(time.RFC3339Nano))).Out
				return out == "S2\n"
			})
			w.c.Fails(fail.NoAnswer, "events --stream ADV --since 1ms --count 1 --wait 300ms")
			w.equal("filtered", strings.Count(w.c.OK(`events --stream ADV --filter 'stream_\w+' --count 3 --json`).Out, "stream_action"), 3)
			w.c.Fails(fail.NoAnswer, `events --stream ADV --filter 'stream_\d+' --count 1 --wait 300ms`)
		},
		"111": func(w *acceptance) {
			w.c.Fails(fail.Usage, "events --no-srv-advisory", "no events were chosen")
			w.c.Fails(fail.Usage, "events --stream X --all", "--stream")
			w.c.Fails(fail.Usage, "events --all --filter '('", "--filter")
		},
	})
}

// counters makes a stream of counters; ctr.a is 1.
func (w *acceptance) counters() {
	w.Helper()
	testkit.Stream(w.T, w.srv.JS(), jetstream.StreamConfig{Name: "CTR", Subjects: []string{"ctr.>"}, AllowMsgCounter: true, AllowDirect: true})
	w.equal("the first", w.c.OK("counter inc ctr.a 1").Out, "1\n")
}

// Cases of acceptance-jetstream.md about schemas and errors.
func TestAcceptanceSchemas(t *testing.T) {
	cases(t, map[string]func(w *acceptance){
		"112": func(w *acceptance) {
			w.contains("found", w.c.OK("schema search stream_conf").Out, "\n  io.nats.jetstream.api.v1.stream_configuration\n")
			var doc map[string]any
			if err := json.Unmarshal([]byte(w.c.OK("schema info "+purgeRequest).Out), &doc); err != nil || doc["title"] != purgeRequest {
				w.Errorf("%v: %v", doc["title"], err)
			}
			text := w.c.OK("schema info --yaml " + purgeRequest).Out
			doc = nil
			if err := yaml.Unmarshal([]byte(text), &doc); err != nil || doc["title"] != purgeRequest || json.Valid([]byte(text)) {
				w.Errorf("%v: %v", doc["title"], err)
			}
			w.c.Fails(fail.NotFound, "schema info io.nats.nope", "io.nats.nope")
		},
		"113": func(w *acceptance) {
			bad := `{"subject":"x","seq":-1}`
			w.contains("reasons", w.c.Stdin(bad).Fails(fail.Failure, "schema validate "+purgeRequest+" -", "does not validate").Out, "Validation errors in -:\n\n  /seq: ")
			var reasons []string
			r := w.c.Stdin(bad).Fails(fail.Failure, "schema validate "+purgeRequest+" - --json")
			if err := json.Unmarshal([]byte(r.Out), &reasons); err != nil || len(reasons) != 1 || !strings.HasPrefix(reasons[0], "/seq: ") {
				w.Errorf("%v %q", err, r.Out)
			}
			w.c.Stdin(`{"seq":1}`).OK("schema validate " + purgeRequest + " -")
		},
		"114": func(w *acceptance) {
			for _, set := range []string{"", "1"} {
				w.equal("stdout", w.c.Env("NOVALIDATE", set).OK("schema request '$JS.API.INFO'").Out, "Response is a valid io.nats.jetstream.api.v1.account_info_response message\n")
			}
		},
		"115": func(w *acceptance) {
			w.contains("screen", w.c.OK("errors lookup 10059").Out, "Description: stream not found\n", "HTTP Code: 404\n")
			w.c.Fails(fail.NotFound, "errors lookup 1", `"1"`)
			w.matches("list", w.c.OK("errors ls purge").Out, `│ 10110 +│`)
			w.c.Fails(fail.Usage, "errors ls '('", "regular expression")
		},
	})
}

// Cases of acceptance-jetstream.md about the account. 118 is account.TestTLS.
func TestAcceptanceAccount(t *testing.T) {
	t.Parallel()
	t.Run("116", func(t *testing.T) {
		t.Parallel()
		srv := testkit.Server(t, testkit.WithAccountsLimited())
		testkit.Stream(t, srv.JS(), jetstream.StreamConfig{Name: "X", Subjects: []string{"x"}})
		w := &acceptance{T: t, srv: srv, c: clitest.New(t, Tree()...).Server(srv.URL())}
		w.matches("screen", w.c.OK("account info").Out, `(?s)Account: APP.*Connected Server Version: \d.*Streams: 1 of Unlimited\n`)
		w.contains("without JetStream", w.c.Server(srv.UserURL("nojs")).OK("account info").Out, "Account: NOJS", "JetStream is not supported in this account")
		w.matches("URL", w.c.Server(srv.UserURL("b")).OK("account info").Out, `Connected URL: nats://b:\*+@127`)
		if err := oneDocument(w.c.OK("account info --json").Out); err != nil {
			t.Error(err)
		}
	})
	t.Run("117", func(t *testing.T) {
		t.Parallel()
		cluster := testkit.Cluster(t, 2)
		w := &acceptance{T: t, srv: cluster.Node(0), c: clitest.New(t, Tree()...).Server(cluster.URL())}
		w.totals(w.c.OK("account report statistics").Out, "Connections", "Subscriptions", "Leafnodes", "Sent Messages", "Received Messages", "Slow Consumers")
		// Servers do not tell users of the global account of connections that were closed.
		w.srv = testkit.Server(t, testkit.WithAccounts())
		w.c = w.c.Server(w.srv.URL())
		nc, err := nats.Connect(w.srv.URL(), nats.Name("gone"))
		if err != nil {
			t.Fatal(err)
		}
		nc.Close()
		testkit.Eventually(t, time.Minute, "a closed connection", func() bool {
			return strings.Contains(w.c.OK("account report connections --closed-reason 'Client Closed' --state closed").Out, "│ gone ")
		})
		r := w.c.OK("account report connections --subject no.such.subject")
		w.contains("stdout", r.Out, "Top 0 Connections out of 0")
		w.equal("rows", len(rows(w.T, w.c.OK("account report connections --subject no.such.subject --format csv").Out)), 1)
	})
}

// rows reads CSV.
func rows(t *testing.T, text string) [][]string {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return all
}

// totals sees that the last row of a drawn table has, under the columns named, the sums of those above it.
func (w *acceptance) totals(drawn string, columns ...string) {
	w.Helper()
	var header, last []string
	sums := map[string]int{}
	for line := range strings.Lines(drawn) {
		if !strings.HasPrefix(line, "│ ") || strings.Count(line, "│") < 5 {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "│"), "│")
		for i := range cells {
			cells[i] = strings.ReplaceAll(strings.TrimSpace(cells[i]), ",", "")
		}
		if header == nil {
			header = cells
			continue
		}
		for i, name := range header {
			if last != nil {
				var n int
				_, _ = fmt.Sscan(last[i], &n)
				sums[name] += n
			}
		}
		last = cells
	}
	if len(last) != len(header) || len(header) == 0 {
		w.Fatalf("no totals in\n%s", drawn)
	}
	for i, name := range header {
		for _, c := range columns {
			if c == name && last[i] != fmt.Sprint(sums[name]) {
				w.Errorf("the total of %s is %s, want %d in\n%s", name, last[i], sums[name], drawn)
			}
		}
	}
}
