package cli

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natskit/natskit/internal/clock"
	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/prompt/prompttest"
	"github.com/natskit/natskit/internal/testkit"
)

// Cases of acceptance-jetstream.md about buckets of keys.
func TestAcceptanceKV(t *testing.T) {
	cases(t, map[string]func(w *acceptance){
		"26": func(w *acceptance) {
			w.c.OK("kv add CFG")
			w.c.OK("kv put CFG a v1")
			w.equal("value", w.c.OK("kv get CFG a --raw").Out, "v1")
		},
		"27": func(w *acceptance) {
			w.c.OK("kv add CFG")
			w.equal("stdout", w.c.Fails(fail.NotFound, "kv get CFG nokey", "key not found").Out, "")
		},
		"28": func(w *acceptance) {
			w.bucket("CFG", "a=v1")
			w.c.Fails(fail.Failure, "kv create CFG a x", "key exists")
			w.equal("value", w.c.OK("kv get CFG a --raw").Out, "v1")
			w.c.OK("kv del CFG a -f")
			w.c.OK("kv create CFG a x")
			w.equal("value", w.c.OK("kv get CFG a --raw").Out, "x")
		},
		"29": func(w *acceptance) {
			w.bucket("CFG", "a=v1")
			w.c.OK("kv update CFG a v3 1")
			w.c.Fails(fail.Failure, "kv update CFG a v4 1", "key revision mismatch")
			w.equal("value", w.c.OK("kv get CFG a --raw").Out, "v3")
		},
		"30": func(w *acceptance) {
			w.c.OK("kv add CFG --history 5")
			for _, line := range []string{"kv put CFG a 1", "kv del CFG a -f", "kv put CFG b 1", "kv purge CFG b -f"} {
				w.c.OK(line)
			}
			out := w.c.OK("kv history CFG a").Out
			w.matches("header", out, `│ Key │ Revision │ Op +│ Created +│ Length │ Value │`)
			w.matches("rows", out, `│ a +│ +1 │ PUT +│.*\n│ a +│ +2 │ DELETE │`)
			w.matches("rows", w.c.OK("kv history CFG b").Out, `│ b +│ +4 │ PURGE │`)
		},
		"31": func(w *acceptance) {
			w.c.OK("kv add CFG")
			body := make([]byte, 300)
			_, _ = rand.Read(body)
			w.c.StdinFrom(bytes.NewReader(body)).OK("kv put CFG bin")
			w.equal("value", w.c.OK("kv get CFG bin --raw").Out, string(body))
		},
		"51 of kv": func(w *acceptance) {
			w.c.Fails(fail.Usage, "kv add B --max-value-size 3GB", "max-value-size")
			w.equal("buckets", w.c.OK("kv ls -n").Out, "")
		},
		"82": func(w *acceptance) {
			w.bucket("B", "x=1", "a.one=1", "a.two.three=1")
			w.c.OK("kv add EMPTY")
			w.matches("buckets", w.c.OK("kv ls").Out, `Key-Value Buckets(.|\n)*│ B +│`)
			w.equal("names", w.c.OK("kv ls -n").Out, "B\nEMPTY\n")
			w.equal("keys", w.c.OK("kv ls B").Out, "x\na.one\na.two.three\n")
			w.equal("keys", w.c.OK("kv ls B 'a.*'").Out, "a.one\n")
			w.equal("keys", w.c.OK("kv ls EMPTY").Out, "No keys found in bucket\n")
		},
		"83": func(w *acceptance) {
			w.c.OK("kv add B --history 5")
			for _, line := range []string{"kv put B k one", "kv put B k two"} {
				w.c.OK(line)
			}
			live := w.beside("kv watch B --history").Says("PUT B > k: one").Says("PUT B > k: two").Says("going on with changes")
			quiet := w.beside("kv watch B --updates --no-deletes").Says("Watching")
			w.c.OK("kv del B k -f")
			w.c.OK("kv put B k three")
			live.Says("DELETE B > k").Says("PUT B > k: three")
			out := quiet.Says("PUT B > k: three").Interrupt().Out
			w.equal("lines of updates without deletes", strings.Count(out, "\n"), 1)
			w.equal("from a revision", w.c.OK("kv watch B --revision 2 --initial --jq .revision").Out, "2\n3\n4\n")
			w.c.Fails(fail.Usage, "kv watch B --history --updates", "updates only cannot be used with include history")
		},
		"84": func(w *acceptance) {
			w.c.OK("kv add B")
			silent, end := io.Pipe()
			defer end.Close()
			w.c.StdinFrom(silent).OK("kv put B k ''")
			w.equal("size", w.c.OK("kv get B k --jq .size").Out, "0\n")
		},
		"85": func(w *acceptance) {
			w.c.OK("kv add B")
			w.contains("stderr", w.c.OK("kv put B k v").Err, "revision 1 of B > k")
			w.equal("revision", w.c.OK("kv put B k v --jq .revision").Out, "2\n")
			w.matches("JSON", w.c.OK("kv get B k --jq '[.key, .revision, .value, .created]' ").Out, `(?s)"k",\s*2,\s*"v",\s*"20\d\d-.*T.*"`)
		},
		"86": func(w *acceptance) {
			w.c.OK("kv add B")
			w.c.OK("kv put B u héllo")
			w.contains("screen", w.c.OK("kv get B u").Out, "\n\nhéllo\n")
		},
		"87": func(w *acceptance) {
			w.c.OK("kv add B --history 5")
			w.c.OK("kv put B k old")
			w.c.OK("kv put B k new")
			w.c.OK("kv revert B k 1 --force")
			w.equal("revision and value", w.c.OK(`kv get B k --jq '"\(.revision) \(.value)"'`).Out, "3 old\n")
			w.c.Fails(fail.NotFound, "kv revert B k 99 --force", "key not found")
		},
		"88": func(w *acceptance) {
			w.c.OK("kv add B --history 5")
			w.c.OK("kv put B k 1")
			w.c.OK("kv put B k 2")
			w.c.OK("kv purge B k -f")
			w.equal("history", w.c.OK("kv history B k --jq '.[].op'").Out, "PURGE\n")
			w.c.Fails(fail.Failure, "kv purge B k -f --ttl 1h", "10166")
		},
		"89": func(w *acceptance) {
			w.c.OK("kv add B --description d --max-value-size 1KB --max-bucket-size 1MB --metadata a=b --compress")
			before := w.config("KV_B")
			w.c.OK("kv edit B --history 3 --ttl 1h")
			want := before
			want.MaxMsgsPerSubject, want.MaxAge = 3, 3_600_000_000_000
			w.equal("configuration", w.config("KV_B"), want)
			w.c.OK("kv edit B --ttl 0")
			want.MaxAge = 0
			w.equal("configuration", w.config("KV_B"), want)
			w.contains("screen", w.c.OK("kv info B").Out, "Maximum Age: unlimited")
		},
		"90": func(w *acceptance) {
			w.c.OK("kv add B")
			w.c.Answers(prompttest.None()).Fails(fail.Usage, "kv rm B", "--force")
			w.config("KV_B")
			w.c.OK("kv rm B -f")
			w.c.Fails(fail.NotFound, "stream info KV_B")
		},
		"123": func(w *acceptance) {
			w.bucket("B", "k=v")
			for flags, sign := range map[string]string{"": "PUT B > k: v", "--history --deletes": "going on with changes", "--json": `"key":"k"`, "--format csv": ",k,1,PUT,"} {
				r := w.beside("kv watch B " + flags).Says(sign)
				w.equal("consumers of "+flags, testkit.State(w.T, w.srv.JS(), "KV_B").Consumers, 1)
				w.equal("exit code of "+flags, r.Interrupt().Code, fail.OK)
				w.equal("consumers left by "+flags, testkit.State(w.T, w.srv.JS(), "KV_B").Consumers, 0)
			}
		},
	})
}

// hasty is a clock that goes on by a second whenever it is looked at.
type hasty struct{ *clock.Manual }

func (h hasty) Now() time.Time {
	h.Advance(time.Second)
	return h.Manual.Now()
}

// bucket adds a bucket of keys, each given as key=value.
func (w *acceptance) bucket(name string, pairs ...string) {
	w.Helper()
	w.c.OK("kv add " + name)
	for _, p := range pairs {
		key, value, _ := strings.Cut(p, "=")
		w.c.OK("kv put " + name + " " + key + " " + value)
	}
}

// config is what the server says that a stream is.
func (w *acceptance) config(stream string) jetstream.StreamConfig {
	w.Helper()
	s, err := w.srv.JS().Stream(testkit.Context(w.T), stream)
	if err != nil {
		w.Fatal(err)
	}
	return s.CachedInfo().Config
}

// file writes a file of n random bytes into the working directory.
func (w *acceptance) file(name string, n int) []byte {
	w.Helper()
	data := make([]byte, n)
	_, _ = rand.Read(data)
	if err := os.WriteFile(w.c.Path(name), data, 0o600); err != nil {
		w.Fatal(err)
	}
	return data
}

// holds compares a file with what it should hold.
func (w *acceptance) holds(name string, want []byte) {
	w.Helper()
	if got, err := os.ReadFile(w.c.Path(name)); err != nil || !bytes.Equal(got, want) {
		w.Errorf("%s has %d bytes, not the %d that are wanted (%v)", name, len(got), len(want), err)
	}
}

// Cases of acceptance-jetstream.md about object stores.
func TestAcceptanceObjects(t *testing.T) {
	cases(t, map[string]func(w *acceptance){
		"32": func(w *acceptance) {
			data := w.file("file", 300_000)
			sum := sha256.Sum256(data)
			w.c.OK("object add B")
			w.c.OK("object put B file")
			w.contains("screen", w.c.OK("object info B file").Out, "Digest: SHA-256 "+hex.EncodeToString(sum[:]))
			w.c.OK("object get B file -O out")
			w.holds("out", data)
		},
		"33": func(w *acceptance) {
			w.c.OK("object add B")
			w.c.Stdin("x").OK("object put B --name f")
			w.contains("stdout", w.c.OK("object del B f -f").Out, "Removed B > f\n")
			w.c.Fails(fail.NotFound, "object get B f", "object not found")
		},
		"102": func(w *acceptance) {
			w.c.OK("object add B")
			w.c.Stdin("x").Fails(fail.Usage, "object put B", "--name")
			w.c.Stdin("x").OK("object put B --name f -H X:y")
			w.contains("screen", w.c.OK("object info B f").Out, "Headers: X: y")
			w.equal("content", w.c.OK("object get B f -O -").Out, "x")
		},
		"103": func(w *acceptance) {
			w.c.OK("object add B")
			data := w.file("f", 400_000)
			w.c.OK("object put B f")
			r := w.c.OK("object get B f -O -")
			w.equal("stdout is the object", r.Out == string(data), true)
			w.equal("stderr", r.Err, "")
			// The link to the server stalls in the middle of the object, and there the reading is interrupted.
			good := w.file("out", 10)
			get := w.c.Server(stalls(w.T, w.srv.URL(), 350_000)).Start("object get B f -O out -f")
			testkit.Eventually(w.T, time.Minute, "a part of the object in a file", func() bool { return w.files(".out.*", 100_000) == 1 })
			w.equal("exit code", get.Interrupt().Code, fail.Interrupted)
			w.holds("out", good)
			w.equal("files beside it", w.files(".out.*", 0), 0)
		},
		"104": func(w *acceptance) {
			w.c.OK("object add B")
			w.c.Stdin("x").OK("object put B --name f")
			o, err := w.srv.JS().ObjectStore(testkit.Context(w.T), "B")
			if err != nil {
				w.Fatal(err)
			}
			f, err := o.GetInfo(testkit.Context(w.T), "f")
			if err != nil {
				w.Fatal(err)
			}
			if _, err := o.AddLink(testkit.Context(w.T), "link", f); err != nil {
				w.Fatal(err)
			}
			w.contains("screen", w.c.OK("object info B link").Out, "Object information for B > link", "Link: B > f")
			w.c.Stdin("own").OK("object put B --name link -f")
			w.equal("content", w.c.OK("object get B link -O -").Out, "own")
		},
		"105": func(w *acceptance) {
			w.c.OK("object add B")
			w.c.Stdin("x").OK("object put B --name f")
			w.c.OK("object seal B -f")
			w.c.Stdin("x").Fails(fail.Failure, "object put B --name g", "10109")
			w.c.OK("object del B -f")
			w.c.Fails(fail.NotFound, "stream info OBJ_B")
		},
		// Of stream gaps there is no progress at all. Backups are in cli/backup, a real terminal is in nats/pty_test.go.
		"125": func(w *acceptance) {
			w.file("f", 1_000_000)
			w.c.OK("object add B")
			w.c.OK("kv add CFG")
			w.store("ev.a", "1", "2", "3")
			w.c.OK("stream rmm EV 2 -f")
			for _, x := range []struct{ line, label string }{
				{"object put B f -f", "Storing f"}, {"object get B f -O out -f", "Reading f"}, {"object get B f -O out -f --resume", "Reading f"},
				{"stream gaps EV -f", ""}, {"kv export CFG --output o", ""},
			} {
				r := w.c.OK(x.line)
				if strings.ContainsAny(r.Out+r.Err, "\r\x1b█░") || x.label != "" && strings.Contains(r.Err, x.label) {
					w.Errorf("%s into pipes: %q %q", x.line, r.Out, r.Err)
				}
				onTTY := w.c.TTY(100).Clock(hasty{clock.NewManual(time.Now())})
				w.contains(x.line+" on a terminal", onTTY.OK(x.line).Err, x.label)
				if !strings.HasPrefix(x.line, "stream") && !strings.HasPrefix(x.line, "kv") {
					w.equal("label with --no-progress", strings.Contains(onTTY.OK(x.line+" --no-progress").Err, x.label), false)
				}
			}
		},
	})
}

// files counts the files of the working directory that are named so and have so many bytes.
func (w *acceptance) files(pattern string, bytes int64) int {
	w.Helper()
	names, err := filepath.Glob(w.c.Path(pattern))
	if err != nil {
		w.Fatal(err)
	}
	n := 0
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.Size() >= bytes {
			n++
		}
	}
	return n
}

// stalls is the URL of a way to the server that passes on so many bytes of what the server says, and then no more.
func stalls(t *testing.T, server string, bytes int64) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", strings.TrimPrefix(server, "nats://"))
			if err != nil {
				_ = near.Close()
				return
			}
			go func() { _, _ = io.CopyN(near, far, bytes) }()
			go func() {
				_, _ = io.Copy(far, near)
				_, _ = near.Close(), far.Close()
			}()
		}
	}()
	return "nats://" + l.Addr().String()
}
