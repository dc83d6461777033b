package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/fail"
)

func TestAcceptanceAsk(t *testing.T) {
	cases(t, map[string]func(w *acceptance){
		"61": func(w *acceptance) {
			w.start("reply two a --queue A", "two")
			w.beside("reply two b --queue B").Says("Listening on")
			both := func(line string) {
				w.Helper()
				begin := time.Now()
				out := w.c.OK("req two x --raw " + line).Out
				if out != "a\nb\n" && out != "b\na\n" {
					w.Errorf("%s: %q", line, out)
				}
				if took := time.Since(begin); strings.Contains(line, "--replies 0") && took < 2*time.Second {
					w.Errorf("%s took %s", line, took)
				}
			}
			both("--replies 2")
			both("--replies 3 --reply-timeout 1s")
			both("--replies 0 --timeout 2s")
		},
		"62": func(w *acceptance) {
			w.start("reply empty ''", "empty")
			w.c.OK("req empty x --wait-for-empty --timeout 5m --reply-timeout 5m")
		},
		"63, 64": func(w *acceptance) {
			w.start("reply svc hello", "svc")
			w.equal("bytes", len(w.c.OK("req svc x --raw").Out), 6)
			r := w.c.OK("req svc x --count 25")
			w.equal("replies", strings.Count(r.Out, "hello\n"), 25)
			w.contains("stderr", r.Err, "Received 25 replies to 25 requests")
		},
		"65": func(w *acceptance) {
			if runtime.GOOS == "windows" {
				w.Skip("echo is no program there")
			}
			w.start("reply 'w.>' --command 'echo {{1}} {{Request}}'", "w.x")
			w.matches("stdout", w.c.OK("req w.london hi").Out, "^london hi\n")
			w.start("reply e --command 'sh -c \"echo $NATS_REQUEST_SUBJECT $NATS_REQUEST_BODY\"'", "e")
			w.matches("stdout", w.c.OK("req e hi").Out, "^e hi\n")
		},
		"66": func(w *acceptance) {
			s := w.start("reply s '[{{Request}}]' --count 1", "s")
			w.equal("stdout", w.c.Stdin("").OK("req s '' --raw").Out, "[]\n")
			w.equal("exit code", s.Wait().Code, fail.OK)
		},
		"67": func(w *acceptance) {
			var got []struct {
				URL     string
				Results []struct {
					Address string
					RTT     int64
				}
			}
			if err := json.Unmarshal([]byte(w.c.OK("rtt --json").Out), &got); err != nil || len(got) != 1 || got[0].URL == "" || got[0].Results[0].RTT <= 0 || got[0].Results[0].Address == "" {
				w.Errorf("%+v %v", got, err)
			}
			w.c.Server(w.dead).Fails(fail.Unreachable, "rtt")
			w.c.Fails(fail.Usage, "rtt 0")
		},
		"68": func(w *acceptance) {
			w.equal("samples", w.c.OK("latency --server-b "+w.srv.URL()+" --duration 500ms --rate 100 --jq .received").Out, "50\n")
			w.c.Fails(fail.Usage, "latency --server-b '' --rate 0", "--rate")
		},
	})
}

func TestAcceptanceContexts(t *testing.T) {
	read := func(w *acceptance, name string) string {
		w.Helper()
		data, err := os.ReadFile(filepath.Join(filepath.Dir(w.c.Dir()), "config", "nats", name))
		if err != nil {
			w.Fatal(err)
		}
		return string(data)
	}
	cases(t, map[string]func(w *acceptance){
		"09": func(w *acceptance) {
			c := w.c.Server("")
			c.OK("context add dev --server " + w.srv.URL() + " --select")
			s := w.on("a")
			c.OK("pub a b")
			w.equal("body", s.Bodies(1), []string{"b"})
			w.contains("the file", read(w, "context/dev.json"), `"url": "`+w.srv.URL()+`"`)
			w.equal("selection", read(w, "context.txt"), "dev")
			if info, err := os.Stat(filepath.Join(filepath.Dir(w.c.Dir()), "config", "nats", "context", "dev.json")); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
				w.Errorf("%v %v", info, err)
			}
		},
		"13, 14": func(w *acceptance) {
			c := w.c.Server("")
			c.OK("context add dev --server " + w.srv.URL() + " --select")
			c.Fails(fail.NotFound, "--context typo pub a b", "typo")
			w.equal("selection", read(w, "context.txt"), "dev")
			bad := filepath.Join(filepath.Dir(w.c.Dir()), "config", "nats", "context", "bad.json")
			if err := os.WriteFile(bad, []byte("{bad"), 0o600); err != nil {
				w.Fatal(err)
			}
			if r := c.Run("--context bad pub a b"); r.Code == fail.OK || !strings.Contains(r.Err, "bad.json:1:") || strings.Contains(r.Err, "connect") {
				w.Errorf("%+v", r)
			}
		},
		"15": func(w *acceptance) {
			w.c.OK("context add t --server " + w.srv.URL() + " --token abc")
			w.contains("the file", read(w, "context/t.json"), `"token": "abc"`)
		},
		"69": func(w *acceptance) {
			c := w.c.Server("")
			for _, name := range []string{"prod", "dev"} {
				c.OK("context add " + name + " --server " + w.srv.URL())
			}
			c.OK("context select prod")
			w.equal("names", c.OK("context ls --names").Out, "dev\nprod\n")
			w.contains("table", c.OK("context ls").Out, "prod*")
			w.equal("json", c.OK("context ls --json --jq 'map(.name+\" \"+.url)|join(\",\")'").Out, "dev "+w.srv.URL()+",prod "+w.srv.URL()+"\n")
		},
		"70": func(w *acceptance) {
			for _, name := range []string{"a", "b"} {
				w.c.OK("context add " + name + " --server " + w.srv.URL())
				w.c.OK("context select " + name)
			}
			for _, want := range []string{"a", "b", "a"} {
				w.c.OK("context previous")
				w.equal("selection", read(w, "context.txt"), want)
			}
		},
		"71": func(w *acceptance) {
			w.c.OK("context add sel --server " + w.srv.URL())
			w.c.OK("context add x")
			w.c.OK("context select sel")
			if r := w.c.Run("context rm sel"); r.Code == fail.OK {
				w.Errorf("%+v", r)
			}
			w.c.OK("context rm sel -f")
			w.equal("names", w.c.OK("context ls --names").Out, "x\n")
			w.c.Fails(fail.Usage, "context rm x", "--force")
		},
		"73": func(w *acceptance) {
			if r := w.c.Run("context add m --user u --password p --nkey k"); r.Code == fail.OK || !strings.Contains(r.Err, "too many types of credentials") {
				w.Errorf("%+v", r)
			}
			w.equal("names", w.c.OK("context ls --names").Out, "")
		},
		"74": func(w *acceptance) {
			w.c.Server("").OK("context add n --server " + w.dead)
			w.c.Server("").Fails(fail.Unreachable, "context info n --connect")
			if err := os.WriteFile(filepath.Join(filepath.Dir(w.c.Dir()), "config", "nats", "context", "bad.json"), []byte("{"), 0o600); err != nil {
				w.Fatal(err)
			}
			if r := w.c.Run("context validate"); r.Code == fail.OK {
				w.Errorf("%+v", r)
			}
		},
		"76": func(w *acceptance) {
			w.c.OK("context add n --creds '$HOME/x'")
			w.c.OK("context add n --description d")
			w.contains("the file", read(w, "context/n.json"), `"$HOME/x"`)
			w.c.Server("nats://baked.example").OK("context add fresh")
			if strings.Contains(read(w, "context/fresh.json"), "baked") {
				w.Error("a variable was stored")
			}
		},
		"77": func(w *acceptance) {
			c := w.c.Server("")
			c.Fails(fail.Unreachable, "context add dead --server "+w.dead+" --select", "is selected")
			c.OK("context add live --server " + w.srv.URL())
			file := filepath.Join(filepath.Dir(w.c.Dir()), "config", "nats", "context", "live.json")
			c.Fails(fail.Unreachable, "pub a b")
			c.OK("--context " + file + " pub a b")
			c.Env("NATS_CONTEXT", "live").OK("pub a b")
			c.OK("--context dead --server " + w.srv.URL() + " pub a b")
			c.OK("--no-context --server " + w.srv.URL() + " pub a b")
		},
	})
}
