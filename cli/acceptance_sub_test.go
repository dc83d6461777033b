package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/testkit"
)

func TestAcceptanceSubscribe(t *testing.T) {
	cases(t, map[string]func(w *acceptance){
		"42": func(w *acceptance) {
			s := w.start("sub foo --count 1", "foo")
			w.c.OK("pub foo body -H B:2 -H A:1")
			w.equal("stdout", s.Wait().Out, "[#1] Received on \"foo\"\nA: 1\nB: 2\n\nbody\n\n\n")
		},
		"43": func(w *acceptance) {
			heads, subjects := w.start("sub foo --count 1 --headers-only", "foo"), w.beside("sub foo --count 1 --subjects-only")
			subjects.Says("Subscribing on")
			testkit.Eventually(w.T, 20*time.Second, "both subscriptions", func() bool {
				return w.c.Run("trace foo --jq .egress.Client").Out == "2\n"
			})
			w.c.OK("pub foo body -H A:1")
			w.equal("headers only", heads.Wait().Out, "[#1] Received on \"foo\"\nA: 1\n\n")
			w.equal("subjects only", subjects.Wait().Out, "[#1] Received on \"foo\"\n")
		},
		"44": func(w *acceptance) {
			s := w.start("sub foo --count 1 -t", "foo")
			w.c.OK("pub foo x")
			w.matches("time", s.Wait().Out, `^\[#1\] @ \w{3} [ \d]\d \d\d:\d\d:\d\d\.\d{6} Received`)
			s = w.start("sub bar --count 1 -d", "bar")
			w.c.OK("pub bar x")
			w.matches("delta", s.Wait().Out, `^\[#1\] @ [\d.]+(µs|ms|s|m\d+\S*s) Received`)
			w.c.Fails(fail.Usage, "sub foo -t -d")
		},
		"45": func(w *acceptance) {
			s := w.start("sub 'foo.>' -I foo.1,foo.2 --count 2", "foo.1")
			for _, n := range []string{"1", "2", "3", "1", "4"} {
				w.c.OK("pub foo." + n + " x")
			}
			out := s.Wait().Out
			w.contains("stdout", out, `[#1] Received on "foo.3"`, `[#2] Received on "foo.4"`)
			w.equal("messages", strings.Count(out, "Received on"), 2)
		},
		"46": func(w *acceptance) { w.equal("stdout", w.c.OK("sub foo --wait 300ms").Out, "") },
		"47": func(w *acceptance) {
			dir := w.TempDir()
			s := w.start("sub foo --count 2 --dump "+dir, "foo")
			w.c.OK("pub foo hello -H A:1 --count 2")
			w.equal("exit code", s.Wait().Code, fail.OK)
			for _, name := range []string{"1.json", "2.json"} {
				info, err := os.Stat(filepath.Join(dir, name))
				if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
					w.Fatalf("%s: %v %v", name, info, err)
				}
				data, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					w.Fatal(err)
				}
				var m struct {
					Subject, Reply string
					Header         nats.Header
					Data           []byte
					Sub            any
				}
				if err := json.Unmarshal(data, &m); err != nil || m.Subject != "foo" || string(m.Data) != "hello" || m.Header.Get("A") != "1" || !strings.Contains(string(data), `"Sub"`) {
					w.Errorf("%s: %s %v", name, data, err)
				}
			}
		},
		"48": func(w *acceptance) {
			for subject, flag := range map[string]string{"a": "--dump=-", "b": "--dump -"} {
				s := w.start("sub "+subject+" --count 2 "+flag, subject)
				w.c.OK("pub " + subject + " x --count 2")
				parts := strings.Split(s.Wait().Out, "\x00")
				if len(parts) != 3 || parts[2] != "" || !json.Valid([]byte(parts[0])) || !json.Valid([]byte(parts[1])) {
					w.Errorf("%s wrote %q", flag, parts)
				}
			}
		},
		"49, 50": func(w *acceptance) {
			w.start("reply foo.svc pong", "foo.svc")
			s := w.start("sub 'foo.>' --match-replies --count 1", "foo.x")
			w.c.OK("req foo.svc ping")
			w.matches("stdout", s.Wait().Out, `(?s)^\[#1\] Received on "foo\.svc" with reply "_INBOX\S+"\nping\n.*\[#1\] Matched reply on "_INBOX\S+"\npong\n`)
			w.on("bar.svc")
			s = w.start("sub 'bar.>' --match-replies --count 1 --timeout 1s", "bar.x")
			w.c.Run("req bar.svc ping --timeout 1s")
			w.contains("stdout", s.Wait().Out, "ping")
		},
		"51": func(w *acceptance) {
			s := w.start("sub foo --count 1 --translate 'wc -c'", "foo")
			w.c.OK("pub foo hello")
			w.matches("stdout", s.Wait().Out, `(?m)^\s*5$`)
		},
		"52": func(w *acceptance) {
			s := w.start("sub foo --count 2 --raw", "foo")
			w.c.Stdin("").OK("pub foo")
			w.c.Stdin("\x00\xff\x1b[1m\n").OK("pub foo")
			w.equal("stdout", strings.TrimPrefix(s.Wait().Out, "\n"), "\x00\xff\x1b[1m\n")
		},
		"53": func(w *acceptance) {
			w.store("ev.a", "1", "2")
			w.store("ev.b", "3")
			w.store("ev.a", "4", "5")
			bodies := func(flags string) string {
				return strings.Join(strings.Fields(w.c.OK("sub 'ev.>' --raw "+flags).Out), " ")
			}
			w.equal("last per subject", bodies("--last-per-subject -T"), "3 5")
			w.equal("last", bodies("--last --count 1"), "5")
			w.equal("since", bodies("--since 1h -T"), "1 2 3 4 5")
			w.equal("start sequence", bodies("--start-sequence 4 -T"), "4 5")
			s := w.beside("sub 'ev.>' --raw --new --count 1")
			testkit.Eventually(w.T, 20*time.Second, "the consumer", func() bool { return w.c.Run("consumer ls EV --json --jq length").Out == "1\n" })
			w.store("ev.c", "6")
			w.equal("new", s.Wait().Out, "6\n")
		},
		"54": func(w *acceptance) {
			w.equal("no match", w.c.OK("sub 'zz.>' --stream EV --all -T").Out, "")
			w.store("ev.a", "1")
			w.store("ev.b", "2")
			w.contains("last ignored", w.c.OK("sub 'ev.>' --all -T -I ev.b").Out, "subject: ev.a")
		},
		"55, 56": func(w *acceptance) {
			w.c.Fails(fail.Usage, "sub 'ev.>' --all --last")
			r := w.c.Run("sub 'nope.>' --all")
			w.contains("stderr", r.Err, "no stream found with subject: nope.>")
			w.equal("exit code", r.Code, fail.NotFound)
		},
		"57": func(w *acceptance) {
			w.store("wq.a", "1", "2")
			w.equal("bodies", w.c.OK("sub 'wq.>' --all --count 2 --raw").Out, "1\n2\n")
			w.equal("left", testkit.State(w.T, w.srv.JS(), "WQ").Msgs, 2)
		},
		"59": func(w *acceptance) {
			s := w.start("sub 'rp.>' --report-subjects --count 5", "rp.a")
			w.c.OK("pub rp.a x --count 5")
			out := s.Wait().Out
			w.matches("stdout", out, `(?s)Active Subjects Report.*rp\.a .* 5 `)
			if strings.Contains(out, "\x1b") {
				w.Errorf("escape codes: %q", out)
			}
		},
		"60": func(w *acceptance) {
			s := w.start("sub foo --count 2", "foo")
			w.c.OK("pub foo one")
			s.Says("one")
			w.srv.Restart()
			s.Says(">>> Disconnected due to: ")
			w.srv.AwaitInterest("foo")
			w.c.OK("pub foo two")
			w.contains("stdout", s.Wait().Out, "two")
		},
	})
}
