package kv

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/natskit/natskit/internal/fail"
	"github.com/natskit/natskit/internal/store"
	"github.com/natskit/natskit/internal/testkit/clitest"
	"github.com/natskit/natskit/internal/testkit/viewtest"
)

func TestPutAndGet(t *testing.T) {
	t.Parallel()
	_, c := with(t, "kv add CFG --history 5")
	r := c.OK("kv put CFG a v1")
	equal(t, r.Out, "v1\n")
	says(t, r.Err, "Stored revision 1 of CFG > a")
	equal(t, c.OK("kv get CFG a --raw").Out, "v1")
	out := c.OK("kv get CFG a").Out
	if !strings.HasPrefix(out, "CFG > a revision: 1 created @ 20") || !strings.HasSuffix(out, "\n\nv1\n\n") {
		t.Errorf("%q", out)
	}
	var e entry
	if err := json.Unmarshal([]byte(c.OK("kv get CFG a --json").Out), &e); err != nil {
		t.Fatal(err)
	}
	if e.Bucket != "CFG" || e.Key != "a" || e.Revision != 1 || *e.Value != "v1" || e.Op != store.Put || e.Size != 2 || time.Since(e.Created) > time.Minute {
		t.Errorf("%+v", e)
	}
	says(t, c.OK("kv put CFG a v2 --json").Out, `"revision": 2`)
	equal(t, c.OK("kv get CFG a --revision 1 --raw").Out, "v1")
	if r := c.OK("kv put CFG a v3 --quiet"); r.Out+r.Err != "" {
		t.Errorf("--quiet says %q %q", r.Out, r.Err)
	}
	c.Fails(fail.NotFound, "kv get CFG nokey", "key not found", "nokey")
	c.Fails(fail.NotFound, "kv get CFG a --revision 9", "key not found")
	c.Fails(fail.NotFound, "kv get NOPE a", "bucket not found", "NOPE")
	c.Fails(fail.Usage, "kv get CFG .a", "invalid key")
	c.Fails(fail.Usage, "kv put CFG a..b x", "invalid key")
	c.Fails(fail.Usage, "kv get CFG 'a*' --raw", "--raw")
	c.Fails(fail.Usage, "kv put CFG a v --file x", "--file")
}

func TestPutTakesItsValueFromTheRightPlace(t *testing.T) {
	t.Parallel()
	_, c := with(t, "kv add CFG")
	// A value was given, also an empty one: a pipe that says nothing for ever is not touched.
	silent, w := io.Pipe()
	defer w.Close()
	c.StdinFrom(silent).OK("kv put CFG a ''")
	equal(t, c.OK("kv get CFG a --raw").Out, "")
	c.StdinFrom(silent).OK("kv put CFG a v")
	binary := make([]byte, 300)
	_, _ = rand.Read(binary)
	for _, line := range []string{"kv put CFG bin", "kv put CFG bin -"} {
		r := c.StdinFrom(bytes.NewReader(binary)).OK(line)
		equal(t, r.Out, "\n")
		equal(t, c.OK("kv get CFG bin --raw").Out, string(binary))
		binary[0]++
	}
	if err := os.WriteFile(c.Path("v.txt"), []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.StdinFrom(silent).OK("kv put CFG f --file v.txt")
	equal(t, c.OK("kv get CFG f --raw").Out, "from a file\n")
	c.Fails(fail.NotFound, "kv put CFG f --file nope.txt", "nope.txt")
	equal(t, c.OK("kv put CFG neg -- -5").Out, "-5\n")
}

func TestGetShowsValues(t *testing.T) {
	t.Parallel()
	_, c := with(t, "kv add CFG", "kv put CFG u héllo")
	c.Stdin("multi\nline").OK("kv put CFG ml")
	c.Stdin("\x1b[2J\x00\xff").OK("kv put CFG bin")
	c.Stdin(strings.Repeat("é", 200)).OK("kv put CFG long")
	says(t, c.OK("kv get CFG u").Out, "\n\nhéllo\n\n")
	says(t, c.OK("kv get CFG ml").Out, "\n\nmulti\nline\n\n")
	says(t, c.OK("kv get CFG bin").Out, "The value is not text: 6 bytes, use --raw for the exact bytes", `\x1b[2J\x00\xff`)
	says(t, c.OK("kv get CFG long").Out, "Showing first 120 bytes of 400, use --raw for full data\n\n"+strings.Repeat("é", 60)+"\n")
	says(t, c.OK("kv get CFG long --format wide").Out, strings.Repeat("é", 200))
	says(t, c.OK("kv get CFG bin --json").Out, `"value_b64": "G1sySgD/"`)
}

func TestGetMany(t *testing.T) {
	t.Parallel()
	_, c := with(t, "kv add CFG", "kv put CFG db.host h", "kv put CFG db.port 1", "kv put CFG x.y z", "kv put CFG db.old o", "kv del CFG db.old -f")
	equal(t, c.OK(`kv get CFG 'db.*' x.y --jq '.[] | .key + "=" + .value'`).Out, "db.host=h\ndb.port=1\nx.y=z\n")
	says(t, c.OK("kv get CFG db.port db.host").Out, "CFG > db.host revision: 1", "CFG > db.port revision: 2")
	r := c.Fails(fail.Partial, "kv get CFG db.port nokey other --json", "2 keys: nokey, other", "key not found")
	says(t, r.Out, `"key": "db.port"`)
	c.Fails(fail.NotFound, "kv get CFG 'none.*'", "none.*")
}

func TestPutWithATTL(t *testing.T) {
	t.Parallel()
	_, c := with(t, "kv add CFG", "kv add TTL --marker-ttl 1m")
	c.OK("kv put TTL a v --ttl 1h")
	says(t, c.OK("kv get TTL a --json").Out, `"ttl": "1h0m0s"`)
	c.Fails(fail.Failure, "kv put CFG a v --ttl 1h", "10166", "nats: hint: nats kv edit CFG --marker-ttl 1m lets")
	c.OK("kv edit CFG --marker-ttl 1m")
	c.OK("kv put CFG a v --ttl 1h")
	// The server raises what is shorter than its markers live, unless there is but one value of a key, and says so in seconds.
	c.OK("kv add LONG --history 2 --marker-ttl 1m")
	r := c.OK("kv put LONG a v --ttl 5s --jq .ttl_ns")
	equal(t, r.Out, "60000000000\n")
	says(t, r.Err, "warning: it lives 1m0s, not 5s: ")
	equal(t, c.OK("kv get LONG a --jq .ttl").Out, "1m0s\n")
	says(t, c.OK("kv purge LONG a --ttl 5s -f").Err, "warning: it lives 1m0s, not 5s: ")
	if r := c.OK("kv put TTL short v --ttl 5s"); strings.Contains(r.Err, "warning") {
		t.Errorf("%s", r.Err)
	}
	c.OK("kv put LONG b v --ttl 5s")
	exported := c.OK("kv export LONG").Out
	says(t, exported, `"ttl":"1m0s"`)
	c.Stdin(exported).OK("kv import TTL")
	c.Stdin(strings.Replace(exported, "1m0s", "90", 1)).OK("kv import TTL --keep-ttl")
	equal(t, c.OK("kv get TTL b --jq .ttl").Out, "1m30s\n")
}

func TestEntryViews(t *testing.T) {
	t.Parallel()
	text := newEntry(store.Entry{Bucket: "CFG", Key: "a.b", Revision: 12345, Op: store.Put, Created: viewtest.Now, Value: []byte("one\ntwo \x1b[1m"), Size: 11, TTL: "1h0m0s"})
	viewtest.Golden(t, "entry", text)
	viewtest.Golden(t, "entry_text", newEntry(store.Entry{Bucket: "CFG", Key: "a", Revision: 2, Op: store.Put, Created: viewtest.Now, Value: []byte("v2"), Size: 2}))
	viewtest.Golden(t, "receipt", receipt{Bucket: "CFG", Key: "a", Revision: 2, Size: 2, shown: "v2"})
	viewtest.Golden(t, "history", history{
		newEntry(store.Entry{Bucket: "CFG", Key: "a", Revision: 7, Op: store.Put, Created: viewtest.Now, Value: []byte("v1"), Size: 2, Delta: 1}),
		newEntry(store.Entry{Bucket: "CFG", Key: "a", Revision: 8, Op: store.Delete, Created: viewtest.Now}),
	})
	viewtest.Golden(t, "change", change{text})
}

func FuzzPutGetRaw(f *testing.F) {
	f.Add([]byte("a\nb\x00\xff"))
	f.Fuzz(func(t *testing.T, value []byte) {
		one := newEntry(store.Entry{Op: store.Put, Value: value, Size: len(value)})
		raw, err := json.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		var back entry
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatal(err)
		}
		got := []byte{}
		if back.Base64 != nil {
			got = *back.Base64
		} else if back.Value != nil {
			got = []byte(*back.Value)
		}
		if !bytes.Equal(got, value) {
			t.Fatalf("%q came back as %q", value, got)
		}
	})
}

func TestParseValue(t *testing.T) {
	t.Parallel()
	o, err := clitest.Parse[putOptions](t, Command(), "kv put B k ''")
	if err != nil || !o.given || o.value != "" {
		t.Errorf("%+v %v", o, err)
	}
	if o, err := clitest.Parse[putOptions](t, Command(), "kv put B k"); err != nil || o.given {
		t.Errorf("%+v %v", o, err)
	}
}
